// Short words to write histories with.

import type { AppendedRecord, Call, Operation, Outcome, ReadRecord } from '../history.ts';
import type { Check } from './violation.ts';

/** A history that must be rejected, beside a twin that differs as little as can be and must be accepted. */
export interface BadHistory {
  readonly claim: string;
  readonly bad: readonly Call[];
  readonly by: Check;
  readonly good: readonly Call[];
}

const STREAM = 'orders';
let clients = 0;

/** One call, from `began` to `ended`; without an end it never ended. Its client is a new one. */
export function call(began: number, ended: number | undefined, operation: Operation, outcome?: Outcome): Call {
  clients += 1;
  return { client: clients, operation, began, ...(ended === undefined ? {} : { ended }), ...(outcome === undefined ? {} : { outcome }) };
}

/** Records by hash; commands as they are. */
export function append(
  records: readonly (number | AppendedRecord)[],
  conditions: { readonly matchSeqNum?: number; readonly fencingToken?: string; readonly session?: number } = {},
): Operation {
  return { kind: 'append', stream: STREAM, records: records.map((r) => (typeof r === 'number' ? { hash: r } : r)), ...conditions };
}

export function read(
  from: number,
  options: { readonly count?: number; readonly follows?: number; readonly clamp?: boolean } = {},
): Operation {
  return { kind: 'read', stream: STREAM, from, ...options };
}

export const checkTail: Operation = { kind: 'check-tail', stream: STREAM };
export const create: Operation = { kind: 'create', stream: STREAM };
export const remove: Operation = { kind: 'delete', stream: STREAM };

export function acked(start: number, count = 1, tail = start + count): Outcome {
  return { kind: 'appended', start, end: start + count, tail };
}

/** Records as hashes from `first` on, each with its sequence number as timestamp, or as they are. */
export function gave(first: number, records: readonly (number | ReadRecord)[], tail?: number): Outcome {
  const list = records.map((r, i) => (typeof r === 'number' ? { seqNum: first + i, hash: r, timestamp: first + i } : r));
  return { kind: 'read', records: list, ...(tail === undefined ? {} : { tail }) };
}

export function tail(at: number, timestamp = Math.max(0, at - 1)): Outcome {
  return { kind: 'tail', tail: at, timestamp };
}

export const unknown: Outcome = { kind: 'unknown', code: 'unavailable' };
export const failed: Outcome = { kind: 'failed', code: 'rate_limited' };
