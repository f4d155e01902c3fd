// What every OffloadQueue promises, run against each adapter.

import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type ChannelId, epoch, position } from '#core/model/ids.ts';
import type { OffloadHint, OffloadQueue } from '#core/ports/offload-queue.ts';

export interface OffloadQueueSubject {
  readonly queue: OffloadQueue;
  /** What was sent and not received before, in any order. */
  received(): Promise<readonly OffloadHint[]>;
  /** From now on nobody answers. */
  breakIt(): void;
  close?(): Promise<void>;
}

export function hintOf(channel: string, at: number, to: number): OffloadHint {
  return { channel: channel as ChannelId, epoch: epoch(at), to: position(to) };
}

export function offloadQueueContract(name: string, open: () => Promise<OffloadQueueSubject>): void {
  describe(`${name} as an OffloadQueue`, () => {
    let subject: OffloadQueueSubject;
    beforeEach(async () => {
      subject = await open();
    });
    afterEach(() => subject.close?.());

    test('delivers what was sent, as it was sent', async () => {
      const hint = hintOf('express-0', 3, 17);
      await subject.queue.send(hint);
      expect(await subject.received()).toEqual([hint]);
    });

    test('takes the largest numbers there are, and the longest name', async () => {
      const hint = hintOf('c'.repeat(40), Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER);
      await subject.queue.send(hint);
      expect(await subject.received()).toEqual([hint]);
    });

    test('takes many at once, and the same one twice', async () => {
      const hints = Array.from({ length: 20 }, (_, i) => hintOf(`channel-${i % 3}`, 1, i));
      await Promise.all(hints.map((hint) => subject.queue.send(hint)));
      await subject.queue.send(hintOf('channel-0', 1, 0));
      const received = await subject.received();
      const named = (all: readonly OffloadHint[]) => new Set(all.map(({ channel, to }) => `${channel}/${to}`));
      expect(named(received)).toEqual(named(hints));
      expect(received.length).toBeGreaterThanOrEqual(21);
    });

    test('a hint that was not taken is told, and not delivered', async () => {
      subject.breakIt();
      await expect(subject.queue.send(hintOf('express-0', 1, 1))).rejects.toMatchObject({ name: 'StoreError' });
    });
  });
}
