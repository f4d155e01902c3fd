// Records as clients make them, and as the history knows them: by a hash of what they are.

import { hash } from 'node:crypto';
import { AppendRecord, type ReadRecord as SdkRecord } from '@s2-dev/streamstore';
import type { Prng } from '#test/crash/prng.ts';
import type { AppendedRecord, BodyHash, ReadRecord } from '#test/sim/history.ts';

/** A record for the SDK, and what the history says of it. */
export interface MadeRecord {
  readonly record: AppendRecord;
  readonly appended: AppendedRecord;
}

/** Metered, of any record that is made here. */
export const RECORD_BYTES_MAX = 64 * 1024;

const LETTERS = 'abcdefghijklmnopqrstuvwxyz0123456789';

/** Its body names it, so that no two of a run are equal. As a string it is sent as JSON, as bytes as protobuf. */
export function plainRecord(name: string, bytes: number, as: 'string' | 'bytes', prng: Prng): MadeRecord {
  const at = prng.between(0, LETTERS.length - 1);
  const filler = LETTERS.slice(at).concat(LETTERS.slice(0, at));
  const body = `${name}|`.padEnd(bytes, filler);
  const appended = { hash: hashOf('', Buffer.from(body)) };
  if (as === 'string') return { record: AppendRecord.string({ body }), appended };
  return { record: AppendRecord.bytes({ body: Buffer.from(body) }), appended };
}

export function fenceRecord(token: string): MadeRecord {
  return { record: AppendRecord.fence(token), appended: { hash: hashOf('fence', Buffer.from(token)), fence: token } };
}

export function trimRecord(seqNum: number): MadeRecord {
  const body = Buffer.alloc(8);
  body.writeBigUInt64BE(BigInt(seqNum));
  return { record: AppendRecord.trim(seqNum), appended: { hash: hashOf('trim', body), trim: seqNum } };
}

export function readRecord({ seqNum, timestamp, headers, body }: SdkRecord<'bytes'>): ReadRecord {
  const command = headers[0]?.[0].length === 0 ? Buffer.from(headers[0][1]).toString() : '';
  return { seqNum, timestamp: timestamp.getTime(), hash: hashOf(command, body) };
}

/** 53 bits. */
function hashOf(command: string, body: Uint8Array): BodyHash {
  const digest = hash('sha1', command === '' ? body : Buffer.concat([Buffer.from(`${command}:`), body]), 'buffer');
  return digest.readUInt32BE(0) * 2 ** 21 + (digest.readUInt32BE(4) >>> 11);
}
