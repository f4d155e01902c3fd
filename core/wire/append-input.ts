// What a client appends, whichever encoding it came in.

import type { RecordBatch } from '../format/record.ts';
import type { AppendConditions } from '../model/append.ts';
import type { SeqNum } from '../model/ids.ts';

export interface AppendInput {
  readonly batch: RecordBatch;
  readonly conditions: AppendConditions;
}

/** The conditions that a request names. No stream reaches 2^53 − 1: what lies above never matches either. */
export function appendConditions(matchSeqNum: bigint | undefined, fencingToken: string | undefined): AppendConditions {
  const cut = matchSeqNum !== undefined && matchSeqNum > SAFE_MAX ? SAFE_MAX : matchSeqNum;
  return {
    ...(cut === undefined ? {} : { matchSeqNum: Number(cut) as SeqNum }),
    ...(fencingToken === undefined ? {} : { fencingToken }),
  };
}

const SAFE_MAX = BigInt(Number.MAX_SAFE_INTEGER);
