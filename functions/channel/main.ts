// A channel task: reads the environment, reaches for table and buckets, serves until SIGTERM. It keeps nothing of its own.

import { serve } from '#functions/local/serve.ts';
import { type Port, takePort } from '#functions/local/succession.ts';
import { type ChannelEnv, ownAddress, readChannelEnv } from './env.ts';
import { watchLoad } from './load-metrics.ts';
import { openChannelStorage } from './storage.ts';

await serve<ChannelEnv, Port>({
  readEnv: () => readChannelEnv(process.env),
  takePlace: takePort,
  openStorage: (env, _, trace) => openChannelStorage(env, trace),
  proof: 'lease',
  task: (env, place) => ({ address: ownAddress(env, place.port) }),
  watch: ({ metrics }, cell) => {
    if (metrics !== undefined) watchLoad(metrics, cell.channels);
  },
});
