// `npm start`: the whole store in one process. Reads the environment, opens the data folder, serves until SIGTERM.

import { type LocalEnv, readEnv } from './env.ts';
import { serve } from './serve.ts';
import { openStorage } from './storage.ts';

await serve<LocalEnv>({ readEnv: () => readEnv(process.env), openStorage, proof: 'lock' });
