// How an owner has functions offload its channel: it hints at what waits, and does it itself where they do not keep up.
//
//   J3  Nothing rests on functions: an owner whose hints are not heard, or not followed, offloads by itself once half of what may wait
//       does, or the oldest of it is too old, before appends are held back.

import { invariant } from '../base/invariant.ts';
import { StoreError } from '../model/errors.ts';
import type { CellPorts, OwnedChannel } from './cell.ts';
import type { CellConfig } from './config.ts';
import type { Job } from './jobs.ts';

/** @param own what offloads the channel in this process */
export function hintedOffload(
  ports: Pick<CellPorts, 'clock' | 'trace' | 'offloadQueue'>,
  config: Pick<CellConfig, 'offload' | 'channel' | 'hints'>,
  owned: OwnedChannel,
  own: Job,
): Job {
  const { id: channel } = owned;
  const { clock, trace, offloadQueue } = ports;
  const { offload, hints } = config;
  invariant(offloadQueue !== undefined, 'J3: where functions offload, a queue tells them');
  let hintedAt = Number.NEGATIVE_INFINITY;
  let isSending = false;
  let isLagging = false;
  const send = async (hint: Parameters<typeof offloadQueue.send>[0]): Promise<void> => {
    try {
      await offloadQueue.send(hint);
    } catch (error) {
      if (!(error instanceof StoreError)) throw error;
      trace.event('job.hint.failed', { channel, code: error.code, message: error.message });
    } finally {
      isSending = false;
    }
  };
  return {
    ...own,
    async run() {
      const hint = owned.channel.offloadHint();
      const { backlogBytes, ageMs } = hint ?? { backlogBytes: 0, ageMs: 0 };
      if (hint === undefined || (backlogBytes < offload.backlogBytesMin && ageMs < offload.ageMsMin)) return;
      const now = clock.monotonic();
      if (!isSending && now - hintedAt >= hints.everyMs) {
        hintedAt = now;
        isSending = true;
        // A queue that is slow to answer holds up neither the owner nor its next look.
        void send({ channel, epoch: hint.epoch, to: hint.to });
      }
      const wasLagging = isLagging;
      isLagging = 2 * backlogBytes >= config.channel.backlogBytesMax || ageMs >= hints.lagMsMax;
      if (isLagging && !wasLagging) trace.event('job.offload.lagging', { channel, backlogBytes, ageMs });
      if (isLagging) await own.run();
    },
  };
}
