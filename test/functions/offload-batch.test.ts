import type { SQSBatchResponse } from 'aws-lambda';
import { describe, expect, test } from 'vitest';
import { encodeOffloadMessage } from '#core/adapters/aws/offload-message.ts';
import type { Upkeep } from '#core/cell/upkeep.ts';
import { refused } from '#core/model/errors.ts';
import { type ChannelId, epoch, position } from '#core/model/ids.ts';
import { offload } from '#functions/offload/batch.ts';
import { eventOf } from '../support/aws/queue.ts';

const A = 'channel-a' as ChannelId;
const B = 'channel-b' as ChannelId;

/** Channels a and b, whose offload does what the test wants. */
function functionOf(act: (channel: ChannelId) => Promise<void> = async () => undefined) {
  const calls: string[] = [];
  const reported: string[] = [];
  let leftMs = 10_000;
  const upkeep: Pick<Upkeep, 'channels' | 'offload'> = {
    channels: [A, B],
    async offload(channel, hint, remainingMs) {
      calls.push(hint === undefined ? `${channel} ${remainingMs()}` : `${channel} ${hint.epoch}:${hint.to}`);
      if (channel !== A && channel !== B) throw refused('not_found', 'no such channel');
      await act(channel);
      return 'done';
    },
  };
  return {
    calls,
    reported,
    spend: (ms: number) => {
      leftMs -= ms;
    },
    invocation: {
      upkeep: upkeep as Upkeep,
      remainingMs: () => leftMs,
      report: (what: string) => void reported.push(what),
    },
  };
}

const message = (MessageId: string, channel: string, at: number, to: number) => ({
  MessageId,
  Body: encodeOffloadMessage({ channel: channel as ChannelId, epoch: epoch(at), to: position(to) }),
});
const failedOf = (answer: unknown) => (answer as SQSBatchResponse).batchItemFailures.map(({ itemIdentifier }) => itemIdentifier);

describe('offload by hints', () => {
  test('offloads each channel once, by the hint that says most', async () => {
    const { calls, invocation } = functionOf();
    const messages = [message('1', A, 1, 9), message('2', B, 1, 1), message('3', A, 2, 3), message('4', A, 2, 7), message('5', A, 2, 5)];
    expect(failedOf(await offload(eventOf(messages), invocation))).toEqual([]);
    expect(calls).toEqual([`${A} 2:7`, `${B} 1:1`]);
  });

  test('J5: gives back as failed what cannot be read, what belongs nowhere, and all of a channel that fails; the others have their turn', async () => {
    const { calls, reported, invocation } = functionOf(async (channel) => {
      if (channel === A) throw new TypeError('ours');
    });
    const messages = [{ MessageId: '1', Body: 'poison' }, message('2', A, 1, 1), message('3', 'other', 1, 1), message('4', A, 1, 2)];
    messages.push(message('5', B, 1, 1));
    expect(failedOf(await offload(eventOf(messages), invocation))).toEqual(['1', '2', '4', '3']);
    expect(calls).toEqual([`${A} 1:2`, 'other 1:1', `${B} 1:1`]);
    expect(reported).toEqual(['message 1', `offload of channel ${A}`, 'offload of channel other']);
  });

  test('J5: a channel that was not come to in time is not done', async () => {
    const host = functionOf(async () => host.spend(10_000));
    expect(failedOf(await offload(eventOf([message('1', A, 1, 1), message('2', B, 1, 1)]), host.invocation))).toEqual(['2']);
    expect(host.calls).toEqual([`${A} 1:1`]);
  });
});

describe('offload by a schedule', () => {
  test('looks at every channel without a hint, each with its share of the time', async () => {
    const host = functionOf(async () => host.spend(2_000));
    expect(await offload({ source: 'aws.scheduler' }, host.invocation)).toEqual({ [A]: 'done', [B]: 'done' });
    expect(host.calls).toEqual([`${A} 5000`, `${B} 8000`]);
  });

  test('fails if a channel does, after all had their turn', async () => {
    const host = functionOf(async (channel) => {
      if (channel === A) throw refused('corrupt', 'as the test wants it');
    });
    await expect(offload({ source: 'aws.scheduler' }, host.invocation)).rejects.toThrow('as the test wants it');
    expect(host.calls).toHaveLength(2);
  });
});
