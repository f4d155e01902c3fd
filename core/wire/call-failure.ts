// How a call's answer begins: that it was served, or why not and whether anything may have happened.
//
//   head    := 0 u8 | what the call gives | or: code u8 | effect u8 (0 none, 1 unknown) | message, UTF-8
//
// Codes are numbers for ever: a new one is added at the end. One that a receiver does not know is `other`, with effect unknown.

import type { Effect, ErrorCode } from '../model/errors.ts';

const CODES = [
  // Of the exchange itself: nothing was done.
  'garbled',
  'unauthorized',
  'other_zone',
  // Of the store, as its port has them.
  'invalid',
  'disk_full',
  'throttled',
  'storage',
  'unavailable',
  'corrupt',
  'other',
] as const satisfies readonly (ErrorCode | 'garbled' | 'unauthorized' | 'other_zone')[];

export type CallCode = (typeof CODES)[number];

export interface CallFailure {
  readonly code: CallCode;
  readonly effect: Effect;
  readonly message: string;
}

const SERVED = 0;
const MESSAGE_CHARS_MAX = 1_000;
const ENCODER = new TextEncoder();
const DECODER = new TextDecoder();

/** The code that a store's failure has on the wire. */
export function callCode(code: ErrorCode): CallCode {
  return CODES.find((known) => known === code) ?? 'other';
}

export function encodeServed(given: Uint8Array): Uint8Array {
  const head = new Uint8Array(1 + given.length);
  head[0] = SERVED;
  head.set(given, 1);
  return head;
}

export function encodeFailure({ code, effect, message }: CallFailure): Uint8Array {
  const text = ENCODER.encode(message.slice(0, MESSAGE_CHARS_MAX));
  const head = new Uint8Array(2 + text.length);
  head[0] = 1 + CODES.indexOf(code);
  head[1] = effect === 'none' ? 0 : 1;
  head.set(text, 2);
  return head;
}

/** What the call gives, or why it failed. */
export function decodeAnswerHead(head: Uint8Array): { readonly given: Uint8Array } | { readonly failure: CallFailure } {
  if (head[0] === SERVED) return { given: head.subarray(1) };
  const code = CODES[(head[0] ?? 0) - 1];
  const message = DECODER.decode(head.subarray(2));
  if (code === undefined) return { failure: { code: 'other', effect: 'unknown', message } };
  return { failure: { code, effect: head[1] === 0 ? 'none' : 'unknown', message } };
}
