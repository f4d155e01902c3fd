// The form of a hint in a message of a queue.
//
//   message := {"version":1, "channel":"express-0", "epoch":3, "to":17}

import { InvariantError } from '../../base/invariant.ts';
import { refused } from '../../model/errors.ts';
import { channelId, epoch, position } from '../../model/ids.ts';
import type { OffloadHint } from '../../ports/offload-queue.ts';

const VERSION = 1;
const CHARS_TOLD_MAX = 100;

export function encodeOffloadMessage({ channel, epoch, to }: OffloadHint): string {
  return JSON.stringify({ version: VERSION, channel, epoch, to });
}

/** @throws StoreError `invalid` for what no version up to this one sent */
export function decodeOffloadMessage(body: string): OffloadHint {
  try {
    const message: unknown = JSON.parse(body);
    if (typeof message === 'object' && message !== null) {
      const fields: Readonly<Record<string, unknown>> = { ...message };
      const { version, channel, to } = fields;
      if (version === VERSION && typeof channel === 'string' && typeof fields['epoch'] === 'number' && typeof to === 'number') {
        return { channel: channelId(channel), epoch: epoch(fields['epoch']), to: position(to) };
      }
    }
  } catch (error) {
    if (!(error instanceof SyntaxError || error instanceof InvariantError)) throw error;
  }
  throw refused('invalid', `not a hint of what to offload: ${body.slice(0, CHARS_TOLD_MAX)}`);
}
