// `PLANTED=<bug>[,invariants-off] node --import ./test/sim/planted/register.ts …` runs anything of this repository with a planted bug.

import { registerLoader } from './loader.ts';

registerLoader(process.env['PLANTED']);
