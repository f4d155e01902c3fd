// The host's randomness.

import { randomBytes } from 'node:crypto';
import type { Random } from '../../ports/random.ts';

export const systemRandom: Random = {
  bytes(count) {
    // A copy with memory of its own: small Buffers are slices of a shared pool.
    return new Uint8Array(randomBytes(count));
  },
  unit: () => Math.random(),
};
