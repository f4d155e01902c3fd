// Hints in an array: the readable reference of the OffloadQueue port, for tests.

import type { OffloadHint, OffloadQueue } from '../../ports/offload-queue.ts';
import { type Faults, withFaults } from './faults.ts';

export class MemoryOffloadQueue implements OffloadQueue {
  /** What was sent, oldest first; a test takes from it what it likes. */
  readonly hints: OffloadHint[] = [];
  /** Bends the calls; may be exchanged at any time. */
  faults: Faults<OffloadHint> | undefined;

  async send(hint: OffloadHint): Promise<void> {
    await withFaults(this.faults, hint, () => {
      this.hints.push(hint);
    });
  }
}
