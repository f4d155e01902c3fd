// Decides whether a batch is taken, and gives its records sequence numbers and timestamps. Pure but for the batch's own bytes.
//
//   S1  Conditions are checked on the assigned tail and token, the fencing token first.
//   S2  Sequence numbers are dense, timestamps never go back: not under a new owner whose clock is behind either.
//   S3  A refused batch changes nothing.
//   E6  No record that is encrypted by aes-256-gcm gets a sequence number above 2^32 − 1; commands are exempt.

import { invariant } from '../base/invariant.ts';
import type { FrameHeader } from '../format/frame.ts';
import { type RecordBatch, stampRecords } from '../format/record.ts';
import type { AppendConditions } from '../model/append.ts';
import { refused, type StoreError } from '../model/errors.ts';
import type { SeqNum, Timestamp } from '../model/ids.ts';
import { AES_GCM_SEQ_NUM_MAX } from '../model/limits.ts';
import { resultingTrimPoint } from '../model/records.ts';
import type { StreamConfig } from '../model/stream-config.ts';
import { after, type ResidentStream } from './resident-stream.ts';

/** Why a batch is not taken. `isStatement`: it tells something about the stream, so it may be told only under a lease or barrier. */
export interface Refusal {
  readonly error: StoreError;
  readonly isStatement: boolean;
}

/** Sequences `batch` into a frame and moves the stream's assigned facts, or says why not. */
export function sequence(
  stream: ResidentStream,
  config: StreamConfig,
  batch: RecordBatch,
  conditions: AppendConditions,
  now: number,
): FrameHeader | Refusal {
  const refusal = refuse(stream, config, batch, conditions);
  if (refusal !== undefined) return refusal;
  const facts = stream.assigned;
  const { mode, uncapped } = config.timestamping;
  const stamps = stampRecords(batch.bytes, { mode, uncapped, now: BigInt(now), floor: facts.lastTimestamp });
  invariant(stamps.first >= facts.lastTimestamp, 'S2: timestamps never go back');
  const header: FrameHeader = {
    kind: 'records',
    streamId: stream.streamId,
    streamlet: stream.streamlet,
    first: facts.tail,
    count: batch.count,
    firstTimestamp: stamps.first as Timestamp,
    lastTimestamp: stamps.last,
    arrival: now,
    meteredBytes: batch.meteredBytes,
    ...applyCommands(facts.trimPoint, facts.tail, batch),
  };
  stream.assigned = after(facts, header);
  invariant(stream.assigned.tail === facts.tail + batch.count, 'S2: sequence numbers are dense');
  return header;
}

/** The frame that ends a streamlet for good. */
export function sequenceSeal(stream: ResidentStream, now: number): FrameHeader {
  const facts = stream.assigned;
  const header: FrameHeader = {
    kind: 'seal',
    streamId: stream.streamId,
    streamlet: stream.streamlet,
    first: facts.tail,
    count: 0,
    firstTimestamp: facts.lastTimestamp,
    lastTimestamp: facts.lastTimestamp,
    arrival: now,
    meteredBytes: 0,
  };
  stream.assigned = after(facts, header);
  return header;
}

export function streamDeletionPending(): StoreError {
  return refused('stream_deletion_pending', 'the stream is being deleted');
}

function refuse(stream: ResidentStream, config: StreamConfig, batch: RecordBatch, conditions: AppendConditions): Refusal | undefined {
  const facts = stream.assigned;
  if (facts.isSealed) return { error: streamDeletionPending(), isStatement: true };
  if (conditions.fencingToken !== undefined && conditions.fencingToken !== facts.token) {
    const detail = { kind: 'fencing_token_mismatch', token: facts.token } as const;
    return { error: refused('fencing_token_mismatch', 'the stream carries another fencing token', detail), isStatement: true };
  }
  if (conditions.matchSeqNum !== undefined && conditions.matchSeqNum !== facts.tail) {
    const detail = { kind: 'seq_num_mismatch', tail: facts.tail } as const;
    const message = `the next sequence number is ${facts.tail}, not ${conditions.matchSeqNum}`;
    return { error: refused('seq_num_mismatch', message, detail), isStatement: true };
  }
  if (config.timestamping.mode === 'client-require' && !batch.hasAllTimestamps) {
    return { error: refused('invalid', 'this stream requires a timestamp on every record'), isStatement: false };
  }
  if (hasNoNonceLeft(facts.tail, batch)) {
    const message = `the stream has no sequence number up to ${AES_GCM_SEQ_NUM_MAX} left for another record under aes-256-gcm`;
    return { error: refused('invalid', message), isStatement: true };
  }
  return undefined;
}

function hasNoNonceLeft(tail: SeqNum, { encryption }: RecordBatch): boolean {
  if (encryption === undefined || encryption.cipher !== 'aes-256-gcm' || encryption.end === 0) return false;
  return tail + encryption.end - 1 > AES_GCM_SEQ_NUM_MAX;
}

function applyCommands(trimPoint: SeqNum, first: SeqNum, batch: RecordBatch): { token?: string; trimPoint?: SeqNum } {
  let token: string | undefined;
  let trimmed: SeqNum | undefined;
  for (const command of batch.commands) {
    if (command.kind === 'fence') token = command.token;
    else trimmed = resultingTrimPoint(trimmed ?? trimPoint, command.earliest, (first + command.index) as SeqNum);
  }
  return { ...(token === undefined ? {} : { token }), ...(trimmed === undefined ? {} : { trimPoint: trimmed }) };
}
