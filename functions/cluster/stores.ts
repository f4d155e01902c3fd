// Metadata and objects of a development cluster: one process that has them in one folder, and serves them to its tasks.
//
// In the cloud DynamoDB and S3 are in its place. It is for one machine: it trusts whoever has the secret, and nothing stands in for
// it when it ends.

import path from 'node:path';
import { openFileObjectStore } from '#core/adapters/node/file-object-store.ts';
import { openSqliteMetadata } from '#core/adapters/node/sqlite-metadata-store.ts';
import { createStoresService } from '#core/adapters/node/stores-service.ts';
import { systemRandom as random } from '#core/adapters/node/system-random.ts';
import { type CallHostEnv, serveCalls } from '#functions/chunk-server/host.ts';
import { readStoresEnv } from './env.ts';
import { OBJECT_BYTES_MAX } from './storage.ts';

await serveCalls<CallHostEnv>({
  readEnv: () => readStoresEnv(process.env),
  limits: { bytesMax: 2 * OBJECT_BYTES_MAX },
  async open({ dataDir }) {
    const metadata = await openSqliteMetadata(path.join(path.resolve(dataDir), 'metadata.db'));
    const objects = await openFileObjectStore({ dir: path.join(dataDir, 'objects'), random });
    return {
      service: createStoresService({ metadata, objects }, OBJECT_BYTES_MAX),
      about: 'metadata and objects of a development cluster',
      close: () => metadata.close(),
    };
  },
});
