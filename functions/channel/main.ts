// A channel task: reads the environment, reaches for table and buckets, serves until SIGTERM. It keeps nothing of its own.

import { serve } from '#functions/local/serve.ts';
import { readChannelEnv } from './env.ts';
import { openChannelStorage } from './storage.ts';

await serve({ readEnv: () => readChannelEnv(process.env), openStorage: openChannelStorage, proof: 'lease' });
