// The operations of a ChunkStore as calls: what stands in the heads of requests and answers. (docs/chunk-server.md)
//
//   request := op u8 | variant u8 | zoneBytes u8 | channelBytes u8 | epoch u64 | start u64 | end u64 | zone | channel | cursor
//   op      := 1 identify · 2 put (body: the chunk) · 3 seal (variant: 0 over absent, 1 over torn) · 4 get (0 whole, 1 header)
//            · 5 list · 6 logs · 7 delete [start, end)
//
//   identify gives lines of text: the current identity, then retired ones, put 0 stored · 1 occupied, seal 0 sealed · 1 occupied · 2 torn,
//   get 0 and the bytes as body · 1 absent · 2 torn, list cursor and u64 positions as body, logs cursor and
//   (channelBytes u8 | channel | epoch u64) as body; a cursor is text, empty at the end.
//
//   A1  A decoder reads only inside the bytes it was given; what does not fit is undefined, never a guess.

import { readU64, writeU64 } from '../base/bytes.ts';
import type { Range } from '../base/range.ts';
import type { ChannelId, Epoch, LogId, Position, ZoneId } from '../model/ids.ts';
import type { Missing } from '../ports/chunk-store.ts';

export type ChunkCall =
  | { readonly op: 'identify' }
  | { readonly op: 'put'; readonly zone: ZoneId; readonly log: LogId; readonly at: Position }
  | { readonly op: 'seal'; readonly zone: ZoneId; readonly log: LogId; readonly at: Position; readonly over: Missing }
  | { readonly op: 'get'; readonly zone: ZoneId; readonly log: LogId; readonly at: Position; readonly part: 'whole' | 'header' }
  | { readonly op: 'list'; readonly zone: ZoneId; readonly log: LogId; readonly cursor: string | undefined }
  | { readonly op: 'logs'; readonly zone: ZoneId; readonly cursor: string | undefined }
  | { readonly op: 'delete'; readonly zone: ZoneId; readonly log: LogId; readonly range: Range<Position> };

const OPS = ['identify', 'put', 'seal', 'get', 'list', 'logs', 'delete'] as const satisfies readonly ChunkCall['op'][];
const FIXED_BYTES = 28;
const CURSOR_BYTES_MAX = 1_024;
const U64_BYTES = 8;
const CHANNEL = /^[a-z0-9-]{1,40}$/;
const ZONE = /^[a-z0-9-]{1,64}$/;
const ENCODER = new TextEncoder();
const DECODER = new TextDecoder();

export function encodeChunkCall(call: ChunkCall): Uint8Array {
  const zone = call.op === 'identify' ? '' : call.zone;
  const log = 'log' in call ? call.log : undefined;
  const tail = ENCODER.encode(`${zone}${log?.channel ?? ''}${('cursor' in call && call.cursor) || ''}`);
  const head = new Uint8Array(FIXED_BYTES + tail.length);
  head[0] = 1 + OPS.indexOf(call.op);
  head[1] = (call.op === 'seal' && call.over === 'torn') || (call.op === 'get' && call.part === 'header') ? 1 : 0;
  head[2] = zone.length;
  head[3] = log?.channel.length ?? 0;
  writeU64(head, 4, log?.epoch ?? 0);
  const range = call.op === 'delete' ? call.range : { start: 'at' in call ? call.at : 0, end: 0 };
  writeU64(head, 12, range.start);
  writeU64(head, 20, range.end);
  head.set(tail, FIXED_BYTES);
  return head;
}

export function decodeChunkCall(head: Uint8Array): ChunkCall | undefined {
  const op = OPS[(head[0] ?? 0) - 1];
  const channelAt = FIXED_BYTES + (head[2] ?? 0);
  const cursorAt = channelAt + (head[3] ?? 0);
  const isVariant = head[1] === 1;
  if (op === undefined || head.length < Math.max(cursorAt, FIXED_BYTES) || (!isVariant && head[1] !== 0)) return undefined;
  if (op === 'identify') return { op };
  const zone = DECODER.decode(head.subarray(FIXED_BYTES, channelAt));
  const cursor = head.length > cursorAt ? DECODER.decode(head.subarray(cursorAt)) : undefined;
  if (!ZONE.test(zone) || head.length > cursorAt + CURSOR_BYTES_MAX) return undefined;
  if (op === 'logs') return { op, zone: zone as ZoneId, cursor };
  const channel = DECODER.decode(head.subarray(channelAt, cursorAt));
  const epoch = readU64(head, 4);
  const start = readU64(head, 12);
  const end = readU64(head, 20);
  if (!CHANNEL.test(channel) || ![epoch, start, end].every(Number.isSafeInteger)) return undefined;
  const of = { zone: zone as ZoneId, log: { channel: channel as ChannelId, epoch: epoch as Epoch } };
  const at = start as Position;
  if (op === 'list') return { op, ...of, cursor };
  if (cursor !== undefined) return undefined;
  if (op === 'put') return { op, ...of, at };
  if (op === 'seal') return { op, ...of, at, over: isVariant ? 'torn' : 'absent' };
  if (op === 'get') return { op, ...of, at, part: isVariant ? 'header' : 'whole' };
  return { op, ...of, range: { start: at, end: end as Position } };
}

const PUT_OUTCOMES = ['stored', 'occupied'] as const;
const SEAL_OUTCOMES = ['sealed', 'occupied', 'torn'] as const;
const GET_OUTCOMES = ['found', 'absent', 'torn'] as const;

/** The outcome of a put, a seal or a get, as one byte. */
export const OUTCOMES = {
  put: outcomes(PUT_OUTCOMES),
  seal: outcomes(SEAL_OUTCOMES),
  get: outcomes(GET_OUTCOMES),
} as const;

interface Outcomes<T extends string> {
  encode(outcome: T): Uint8Array;
  decode(given: Uint8Array): T | undefined;
}

function outcomes<T extends string>(all: readonly T[]): Outcomes<T> {
  return {
    encode: (outcome) => Uint8Array.of(all.indexOf(outcome)),
    decode: (given) => (given.length === 1 ? all[given[0] ?? all.length] : undefined),
  };
}

/** The identities that a server has: the one that is written to, and damaged ones that are only read. */
export interface ZoneIdentities {
  readonly current: ZoneId;
  readonly retired: readonly ZoneId[];
}

export function encodeIdentities({ current, retired }: ZoneIdentities): Uint8Array {
  return ENCODER.encode([current, ...retired].join('\n'));
}

export function decodeIdentities(given: Uint8Array): ZoneIdentities | undefined {
  const [current, ...retired] = DECODER.decode(given).split('\n');
  if (current === undefined || ![current, ...retired].every((zone) => ZONE.test(zone))) return undefined;
  return { current: current as ZoneId, retired: retired as ZoneId[] };
}

export function encodePositions(positions: readonly Position[]): Uint8Array {
  const body = new Uint8Array(U64_BYTES * positions.length);
  for (const [i, at] of positions.entries()) writeU64(body, U64_BYTES * i, at);
  return body;
}

export function decodePositions(body: Uint8Array): readonly Position[] | undefined {
  if (body.length % U64_BYTES !== 0) return undefined;
  const positions = Array.from({ length: body.length / U64_BYTES }, (_, i) => readU64(body, U64_BYTES * i) as Position);
  return positions.every(Number.isSafeInteger) ? positions : undefined;
}

export function encodeLogs(logs: readonly LogId[]): Uint8Array {
  const body = new Uint8Array(logs.reduce((sum, log) => sum + 1 + log.channel.length + U64_BYTES, 0));
  let at = 0;
  for (const { channel, epoch } of logs) {
    body[at] = channel.length;
    body.set(ENCODER.encode(channel), at + 1);
    writeU64(body, at + 1 + channel.length, epoch);
    at += 1 + channel.length + U64_BYTES;
  }
  return body;
}

export function decodeLogs(body: Uint8Array): readonly LogId[] | undefined {
  const logs: LogId[] = [];
  for (let at = 0; at < body.length; ) {
    const epochAt = at + 1 + (body[at] ?? 0);
    const channel = DECODER.decode(body.subarray(at + 1, epochAt));
    const epoch = readU64(body, epochAt);
    if (epochAt + U64_BYTES > body.length || !CHANNEL.test(channel) || !Number.isSafeInteger(epoch)) return undefined;
    logs.push({ channel: channel as ChannelId, epoch: epoch as Epoch });
    at = epochAt + U64_BYTES;
  }
  return logs;
}

/** Where the next page of a listing goes on; undefined at the end. */
export function encodeCursor(cursor: string | undefined): Uint8Array {
  return ENCODER.encode(cursor ?? '');
}

export function decodeCursor(given: Uint8Array): string | undefined {
  return given.length === 0 ? undefined : DECODER.decode(given);
}
