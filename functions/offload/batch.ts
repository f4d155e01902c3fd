// What the offload function does with an event: hints of channels from the queue, or a schedule that looks at every channel, in case
// a hint was lost.
//
//   J5  A message is given back as done only once its channel was offloaded as far as it says, or another run is at it, or the time was
//       over with the rest in metadata. One that cannot be read, or names no channel of this cell, is given back as failed, and does
//       not keep the others from their turn.

import type { ScheduledEvent, SQSBatchResponse, SQSEvent, SQSRecord } from 'aws-lambda';
import { decodeOffloadMessage } from '#core/adapters/aws/offload-message.ts';
import type { Outcomes } from '#core/cell/upkeep.ts';
import type { ChannelId } from '#core/model/ids.ts';
import type { OffloadHint } from '#core/ports/offload-queue.ts';
import type { JobInvocation } from '#functions/aws/job-handler.ts';

export type OffloadEvent = SQSEvent | Pick<ScheduledEvent, 'source'>;

interface Hinted {
  /** The one that says most. */
  hint: OffloadHint;
  readonly messages: string[];
}

export async function offload(event: OffloadEvent, invocation: JobInvocation): Promise<SQSBatchResponse | Outcomes> {
  if ('Records' in event) return await offloadHinted(event.Records, invocation);
  return await offloadAll(invocation);
}

async function offloadHinted(records: readonly SQSRecord[], { upkeep, remainingMs, report }: JobInvocation): Promise<SQSBatchResponse> {
  const failed: string[] = [];
  const channels = new Map<ChannelId, Hinted>();
  for (const { messageId, body } of records) {
    try {
      add(channels, decodeOffloadMessage(body), messageId);
    } catch (error) {
      report(`message ${messageId}`, error);
      failed.push(messageId);
    }
  }
  for (const [channel, { hint, messages }] of channels) {
    try {
      // Not begun is not done.
      if (remainingMs() > 0) await upkeep.offload(channel, hint, remainingMs);
      else failed.push(...messages);
    } catch (error) {
      report(`offload of channel ${channel}`, error);
      failed.push(...messages);
    }
  }
  return { batchItemFailures: failed.map((itemIdentifier) => ({ itemIdentifier })) };
}

function add(channels: Map<ChannelId, Hinted>, hint: OffloadHint, message: string): void {
  const known = channels.get(hint.channel);
  if (known === undefined) {
    channels.set(hint.channel, { hint, messages: [message] });
    return;
  }
  known.messages.push(message);
  const { epoch, to } = known.hint;
  if (hint.epoch > epoch || (hint.epoch === epoch && hint.to > to)) known.hint = hint;
}

/** Without hints, as far as the zones know what is committed. @throws the first failure, once all channels had their turn */
async function offloadAll({ upkeep, remainingMs, report }: JobInvocation): Promise<Outcomes> {
  const outcomes: Record<string, Outcomes[string]> = {};
  const failures: unknown[] = [];
  for (const [i, channel] of upkeep.channels.entries()) {
    const kept = remainingMs() * (1 - 1 / (upkeep.channels.length - i));
    try {
      outcomes[channel] = await upkeep.offload(channel, undefined, () => remainingMs() - kept);
    } catch (error) {
      report(`offload of channel ${channel}`, error);
      failures.push(error);
    }
  }
  if (failures.length > 0) throw failures[0];
  return outcomes;
}
