// `npm start`: the whole store in one process. Reads the environment, opens the data folder, serves until SIGTERM.

import { type LocalEnv, readEnv } from './env.ts';
import { serve } from './serve.ts';
import { openStorage } from './storage.ts';
import { type Place, takePlace } from './succession.ts';

await serve<LocalEnv, Place>({ readEnv: () => readEnv(process.env), takePlace, openStorage, proof: 'lock' });
