// What an append names, asks for and is told.

import type { ChannelId, SeqNum, StreamId, StreamletNumber, StreamPosition } from './ids.ts';
import type { StreamCipher, StreamConfig } from './stream-config.ts';

/** A stream as the metadata store resolved its name: the open link of its chain, and its configuration. It may be out of date. */
export interface StreamRef {
  readonly basin: string;
  readonly name: string;
  readonly streamId: StreamId;
  readonly channel: ChannelId;
  readonly streamlet: StreamletNumber;
  readonly config: StreamConfig;
  /** Changes of the configuration since the stream was made: of two, the larger one counts. */
  readonly configVersion: number;
  /** With what its records are encrypted; it never changes. */
  readonly cipher?: StreamCipher;
}

/** Checked against the assigned tail, the fencing token first. (S2 v1 API, section 2.3.) */
export interface AppendConditions {
  readonly matchSeqNum?: SeqNum;
  readonly fencingToken?: string;
}

/** `start`: the first record. `end`: behind the last, with its timestamp. `tail`: of the stream, when it was acknowledged. */
export interface AppendAck {
  readonly start: StreamPosition;
  readonly end: StreamPosition;
  readonly tail: StreamPosition;
}
