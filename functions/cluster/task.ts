// A channel task of a development cluster.

import { ownAddress } from '#functions/channel/env.ts';
import { serve } from '#functions/local/serve.ts';
import { type Port, takePort } from '#functions/local/succession.ts';
import { type ClusterTaskEnv, readClusterTaskEnv } from './env.ts';
import { openClusterStorage } from './storage.ts';

await serve<ClusterTaskEnv, Port>({
  readEnv: () => readClusterTaskEnv(process.env),
  takePlace: takePort,
  openStorage: (env, _, trace) => openClusterStorage(env, trace),
  proof: 'lease',
  task: (env, { port }) => {
    const { peer } = ownAddress({ ...env, peerUrl: undefined, edgeUrl: undefined }, port);
    // On one machine an edge reaches a task where its peers do.
    return { address: { peer, edge: peer } };
  },
});
