// Loaded into the server before its own code: its wall clock goes by what a file says, in milliseconds from the true time.

import { readFileSync } from 'node:fs';

const file = process.env['CHAOS_CLOCK_FILE'];
const LOOK_EVERY_MS = 50;

if (file !== undefined) {
  const trueNow = Date.now;
  let shiftMs = 0;
  const look = (): void => {
    try {
      const said = Number(readFileSync(file, 'utf8'));
      if (Number.isFinite(said)) shiftMs = said;
    } catch {
      // Between two writes it may be missing.
    }
  };
  look();
  Date.now = () => trueNow() + shiftMs;
  setInterval(look, LOOK_EVERY_MS).unref();
}
