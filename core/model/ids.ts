// The names and positions of the domain. Branded, so that none is passed for another.

import type { Brand } from '../base/brand.ts';
import { invariant } from '../base/invariant.ts';

/** Position of a record in its stream, from 0, +1 each; at most 2^53 − 1. */
export type SeqNum = Brand<number, 'SeqNum'>;
/** Position of a chunk in an epoch's log, from 0 without gaps. */
export type Position = Brand<number, 'Position'>;
/** Generation of a channel's ownership, from 1; larger wins. */
export type Epoch = Brand<number, 'Epoch'>;
/** Number of a link in a stream's chain, from 0. */
export type StreamletNumber = Brand<number, 'StreamletNumber'>;
/** 1 to 40 characters of `[a-z0-9-]`. */
export type ChannelId = Brand<string, 'ChannelId'>;
/** Random identity of a stream, drawn at creation: 32 lower-case hexadecimal characters. A name used again gets another. */
export type StreamId = Brand<string, 'StreamId'>;
/** Identity of a zone's chunk store, made when it was formatted: 1 to 64 characters of `[a-z0-9-]`. A wiped zone has another. */
export type ZoneId = Brand<string, 'ZoneId'>;
/** Drawn for each claim attempt: 32 lower-case hexadecimal characters. */
export type OwnerNonce = Brand<string, 'OwnerNonce'>;
/** Client-visible timestamp: an opaque u64 (milliseconds by convention only). */
export type Timestamp = bigint;

export const TIMESTAMP_MAX: Timestamp = 0xffff_ffff_ffff_ffffn;

/** One epoch's chunk log of a channel. */
export interface LogId {
  readonly channel: ChannelId;
  readonly epoch: Epoch;
}

/** A place in a stream: a sequence number, and the timestamp that belongs to it as the context says. */
export interface StreamPosition {
  readonly seqNum: SeqNum;
  readonly timestamp: Timestamp;
}

const CHANNEL = /^[a-z0-9-]{1,40}$/;
const HEX_16_BYTES = /^[0-9a-f]{32}$/;
const ZONE = /^[a-z0-9-]{1,64}$/;

function safeInteger(value: number, what: string): void {
  invariant(Number.isSafeInteger(value) && value >= 0, `${what} must be an integer from 0 to 2^53 − 1, not ${value}`);
}

export function seqNum(value: number): SeqNum {
  safeInteger(value, 'a sequence number');
  return value as SeqNum;
}

export function position(value: number): Position {
  safeInteger(value, 'a chunk position');
  return value as Position;
}

export function epoch(value: number): Epoch {
  safeInteger(value, 'an epoch');
  return value as Epoch;
}

export function streamletNumber(value: number): StreamletNumber {
  safeInteger(value, 'a streamlet number');
  return value as StreamletNumber;
}

export function channelId(value: string): ChannelId {
  invariant(CHANNEL.test(value), `a channel id is 1 to 40 characters of a-z, 0-9 and -, not "${value}"`);
  return value as ChannelId;
}

export function streamId(value: string): StreamId {
  invariant(HEX_16_BYTES.test(value), `a stream id is 32 hexadecimal characters, not "${value}"`);
  return value as StreamId;
}

export function zoneId(value: string): ZoneId {
  invariant(ZONE.test(value), `a zone id is 1 to 64 characters of a-z, 0-9 and -, not "${value}"`);
  return value as ZoneId;
}

export function ownerNonce(value: string): OwnerNonce {
  invariant(HEX_16_BYTES.test(value), `an owner nonce is 32 hexadecimal characters, not "${value}"`);
  return value as OwnerNonce;
}

/** `express-0/7`: for messages and map keys. */
export function logName(log: LogId): string {
  return `${log.channel}/${log.epoch}`;
}
