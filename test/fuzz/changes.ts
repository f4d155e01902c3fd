// What is changed of a good request: each change is one thing that a client gets wrong, or does to see what happens.

import { gzipSync, zstdCompressSync } from 'node:zlib';
import fc from 'fast-check';
import { REQUEST_BODY_BYTES_MAX } from '#core/model/limits.ts';
import { type Damage, damage, damaged } from './damage.ts';
import { oddText, often } from './names.ts';
import type { Draft } from './requests.ts';

export type Change =
  | { readonly kind: 'method'; readonly method: string }
  | { readonly kind: 'target'; readonly how: Damage }
  | { readonly kind: 'append to target'; readonly text: string }
  | { readonly kind: 'absolute target' }
  | { readonly kind: 'set header'; readonly name: string; readonly value: string }
  | { readonly kind: 'drop header'; readonly at: number }
  | { readonly kind: 'body'; readonly how: Damage }
  | { readonly kind: 'content type'; readonly type: string }
  | { readonly kind: 'pack'; readonly codec: 'gzip' | 'zstd'; readonly says: string; readonly how: Damage | undefined }
  | { readonly kind: 'too large' }
  | { readonly kind: 'unfinished'; readonly missing: number }
  | { readonly kind: 'chunked' }
  | { readonly kind: 'large head' };

const HEADER_NAMES = [
  's2-basin',
  's2-format',
  's2-request-token',
  's2-encryption-key',
  's2-stream-config',
  'last-event-id',
  'accept',
  'accept-encoding',
  'content-encoding',
  'authorization',
  'content-type',
  'expect',
  'connection',
  'x-any',
  'host',
];
const HEADER_VALUES = [
  '',
  ' ',
  ',',
  'gzip, zstd',
  'identity',
  'GZIP',
  'br',
  'é',
  '\xff\xfe',
  '\x7f',
  '{}',
  '0,0,0',
  'base64',
  'a'.repeat(2_000),
  'fuzz-auto-basin',
  'text/event-stream',
  '*/*;q=x',
  '100-continue',
  'close',
  'upgrade',
  'Bearer x',
];
const TYPES = [
  'application/json',
  'application/vnd.x+json; charset=utf-8',
  'application/x-protobuf',
  'text/plain',
  's2s/proto',
  '',
  ';',
  'application/json, text/html',
];
const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'TRACE', 'PROPFIND', 'GETS'];
const TAILS = [
  '/',
  '//',
  '/x',
  '/records',
  '/records/tail',
  '?',
  '?a',
  '&',
  '&seq_num=1&seq_num=1',
  '&limit=%00',
  '#x',
  '%',
  '/..',
  ';x',
  '/status',
];

const change: fc.Arbitrary<Change> = often<Change>(
  [2, fc.constantFrom(...METHODS).map((method) => ({ kind: 'method', method }) as const)],
  [2, damage.map((how) => ({ kind: 'target', how }) as const)],
  [2, often<string>([6, fc.constantFrom(...TAILS)], [1, oddText]).map((text) => ({ kind: 'append to target', text }) as const)],
  [1, { kind: 'absolute target' }],
  [
    4,
    fc
      .tuple(fc.constantFrom(...HEADER_NAMES), fc.constantFrom(...HEADER_VALUES))
      .map(([name, value]) => ({ kind: 'set header', name, value }) as const),
  ],
  [2, fc.nat({ max: 8 }).map((at) => ({ kind: 'drop header', at }) as const)],
  [8, damage.map((how) => ({ kind: 'body', how }) as const)],
  [2, fc.constantFrom(...TYPES).map((type) => ({ kind: 'content type', type }) as const)],
  [
    2,
    fc.record({
      kind: fc.constant('pack' as const),
      codec: fc.constantFrom('gzip' as const, 'zstd' as const),
      says: often<string>([6, 'same'], [1, fc.constantFrom('gzip', 'zstd', 'gzip, zstd')]),
      how: often<Damage | undefined>([2, undefined], [1, damage]),
    }),
  ],
  [1, { kind: 'too large' }],
  [1, fc.integer({ min: 1, max: 10 }).map((missing) => ({ kind: 'unfinished', missing }) as const)],
  [2, { kind: 'chunked' }],
  [1, { kind: 'large head' }],
);

/** None, for every second request. */
export const changes: fc.Arbitrary<readonly Change[]> = often<readonly Change[]>(
  [6, []],
  [4, change.map((one) => [one])],
  [1, fc.array(change, { minLength: 2, maxLength: 3 })],
);

/** The request as it is sent. */
export function changed(draft: Readonly<Draft>, all: readonly Change[]): Draft {
  const { target, ...rest } = all.reduce<Draft>((before, one) => applied(before, one), { ...draft, headers: { ...draft.headers } });
  // What breaks a line makes two requests of one: that is for the tests with sockets.
  return { ...rest, target: target.replace(/[\r\n]/g, '') };
}

function applied(draft: Draft, one: Change): Draft {
  const { headers, body } = draft;
  switch (one.kind) {
    case 'method':
      return { ...draft, method: one.method };
    case 'target':
      return { ...draft, target: damaged(Buffer.from(draft.target, 'latin1'), one.how).toString('latin1') };
    case 'append to target':
      return { ...draft, target: draft.target + Buffer.from(one.text).toString('latin1') };
    case 'absolute target':
      return { ...draft, target: `http://fuzz-auto-basin.b.test:80${draft.target}` };
    case 'set header':
      return { ...draft, headers: { ...headers, [one.name]: one.value } };
    case 'drop header': {
      const names = Object.keys(headers);
      const dropped = names[one.at % names.length];
      return { ...draft, headers: Object.fromEntries(Object.entries(headers).filter(([name]) => name !== dropped)) };
    }
    case 'body':
      return { ...draft, body: damaged(body ?? new Uint8Array(0), one.how) };
    case 'content type':
      return { ...draft, headers: { ...headers, 'content-type': one.type } };
    case 'pack': {
      const packed = (one.codec === 'gzip' ? gzipSync : zstdCompressSync)(body ?? new Uint8Array(0));
      const says = one.says === 'same' ? one.codec : one.says;
      return {
        ...draft,
        headers: { ...headers, 'content-encoding': says },
        body: one.how === undefined ? packed : damaged(packed, one.how),
      };
    }
    case 'too large':
      return { ...draft, missing: REQUEST_BODY_BYTES_MAX + 1 };
    case 'unfinished':
      return { ...draft, missing: one.missing };
    case 'chunked':
      return { ...draft, isChunked: true };
    case 'large head':
      return { ...draft, headers: { ...headers, 'x-large': 'x'.repeat(40_000) } };
  }
}
