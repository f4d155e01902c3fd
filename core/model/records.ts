// What a record weighs, and which records are commands. (S2 v1 API, sections 2.1 and 2.6.)

import type { SeqNum } from './ids.ts';

/** Metered bytes of a record: 8 + 2 × headers + names and values + body. */
export function meteredBytes(headersCount: number, headerBytes: number, bodyBytes: number): number {
  return 8 + 2 * headersCount + headerBytes + bodyBytes;
}

/** A command that a record of a batch carries; `index` counts the records of its batch from 0. */
export type Command =
  | { readonly kind: 'fence'; readonly index: number; readonly token: string }
  /** `earliest` is what the client asked for, cut to 2^53 − 1. */
  | { readonly kind: 'trim'; readonly index: number; readonly earliest: number };

/** The trim point that a trim command leads to: it never goes back, and never beyond the command's own record. */
export function resultingTrimPoint(current: SeqNum, requested: number, ownSeqNum: SeqNum): SeqNum {
  return Math.max(current, Math.min(requested, ownSeqNum + 1)) as SeqNum;
}
