// Requests, by what a route takes: good ones from its description and the fixtures' names, and then up to three changes of them.

import fc from 'fast-check';
import type { z } from 'zod';
import type { Route } from '#core/api/http/route.ts';
import type { HeaderName } from '#core/api/http/schema/headers.ts';
import { type Change, changes } from './changes.ts';
import { DESCRIPTION } from './described.ts';
import { protoInput, sessionBody } from './messages.ts';
import { BASINS, basinName, KEYS, madeName, namePart, oddText, often, START_SECS, STREAMS, streamName, tokenId, u64 } from './names.ts';
import { fromSchema, toJson } from './schema-arbitrary.ts';

/** How records are asked for, or appended. */
export type Kind = 'unary' | 'session' | 'events';

export interface Draft {
  method: string;
  target: string;
  headers: Record<string, string>;
  body: Uint8Array | undefined;
  /** Bytes that are promised beyond those that are sent; the client leaves instead. */
  missing: number;
  isChunked: boolean;
}

export interface FuzzRequest {
  readonly draft: Readonly<Draft>;
  readonly changes: readonly Change[];
}

const encoded = (name: string): string => encodeURIComponent(name.isWellFormed() ? name : 'x');
const PATH_NAMES: Readonly<Record<string, fc.Arbitrary<string>>> = { basin: basinName, stream: streamName, id: tokenId };
/** What is deleted is made by the same client, mostly: the fixtures are for the requests behind it. */
const DELETED_NAMES: Readonly<Record<string, fc.Arbitrary<string>>> = {
  basin: often<string>([12, madeName('fuzz-made-')], [1, basinName], [2, 'fuzz-none-basin'], [1, BASINS.gone]),
  stream: often<string>([12, madeName('made/')], [1, streamName], [2, STREAMS.gone], [1, 'none']),
};

function path({ method, path: pattern }: Route): fc.Arbitrary<string> {
  const names = method === 'DELETE' ? { ...PATH_NAMES, ...DELETED_NAMES } : PATH_NAMES;
  const parts = pattern.split('/').map((part) => {
    if (!part.startsWith(':')) return fc.constant(part);
    return often<string>([30, (names[part.slice(1)] ?? oddText).map(encoded)], [1, fc.constantFrom('%', '%zz', '%ff', '%2F', '%00', '+')]);
  });
  return fc.tuple(...parts).map((drawn) => drawn.join('/'));
}

const NAMES_IN_QUERY: Readonly<Record<string, fc.Arbitrary<string>>> = {
  start: often<string>([8, fc.nat({ max: 7_200 }).map((ago) => String(START_SECS - ago))], [1, u64.map(String)]),
  end: often<string>([8, fc.nat({ max: 60 }).map((ahead) => String(START_SECS + ahead))], [1, u64.map(String)]),
  timestamp: often<string>([2, u64.map(String)], [2, `${START_SECS}000`], [1, '0']),
  until: often<string>([1, u64.map(String)], [3, `${START_SECS}999`]),
  seq_num: often<string>([10, fc.nat({ max: 5 }).map(String)], [2, u64.map(String)]),
  wait: often<string>([6, fc.constantFrom('0', '1', '2')], [1, fc.constantFrom('60', '4294967295', '4294967296')]),
};
/** Of 16. */
const IN_QUERY: Readonly<Record<string, number>> = {
  set: 15,
  start: 15,
  end: 15,
  timestamp: 1,
  tail_offset: 1,
  seq_num: 12,
  until: 3,
  count: 4,
  bytes: 4,
};
const IN_QUERY_ELSE = 4;

function parameter(name: string, schema: z.ZodType): fc.Arbitrary<string> {
  const options = optionsOf(schema);
  const meant = NAMES_IN_QUERY[name] ?? (options.length > 0 ? fc.constantFrom(...options) : isNumber(schema) ? u64.map(String) : namePart);
  return often<string>([40, meant], [1, fc.constantFrom('', '-1', '1.5', 'true', 'x', '00', '1e3', ' 1')], [1, oddText]);
}

function optionsOf(schema: z.ZodType): string[] {
  const found =
    (schema as { options?: readonly string[] }).options ??
    (schema as { unwrap?: () => { options?: readonly string[] } }).unwrap?.().options;
  return Array.isArray(found)
    ? (found as string[])
    : schema.safeParse('true').success && !schema.safeParse('x').success
      ? ['true', 'false']
      : [];
}

function isNumber(schema: z.ZodType): boolean {
  return schema.safeParse('1').success && !schema.safeParse('x').success;
}

function query(shape: Readonly<Record<string, z.ZodType>>): fc.Arbitrary<string> {
  const fields = Object.entries(shape).map(([name, schema]) => {
    const present = IN_QUERY[name] ?? IN_QUERY_ELSE;
    const text = parameter(name, schema).map((value) => `${name}=${encoded(value)}`);
    return often<string>([present, text], [16 - present, '']);
  });
  return fc.tuple(...fields).map((drawn) => drawn.filter((text) => text !== '').join('&'));
}

const config = DESCRIPTION.components.schemas['StreamConfigRequest'] ?? {};
const key = often<string>([24, KEYS[0]], [3, KEYS[1]], [1, fc.constantFrom('', 'AAAA', 'x'.repeat(45), '====')]);
const basinInHead = often<string>(
  [14, BASINS.plain],
  [5, BASINS.auto],
  [5, BASINS.secret],
  [1, BASINS.gone],
  [1, 'fuzz-none-basin'],
  [1, madeName('fuzz-made-')],
  [1, fc.constantFrom('UPPERCASE', 'short', 'x'.repeat(49), '')],
);
/** Of 16, or more, with what it says. */
const IN_HEAD: Readonly<Record<HeaderName, readonly [present: number, value: fc.Arbitrary<string>]>> = {
  's2-basin': [60, basinInHead],
  's2-request-token': [4, often<string>([6, fc.constantFrom('t1', 't2')], [1, 'x'.repeat(37)])],
  's2-format': [
    6,
    often<string>([12, fc.constantFrom('raw', 'raw', 'raw', ' json ')], [4, fc.constantFrom('base64', 'json-binsafe')], [1, 'hex']),
  ],
  's2-encryption-key': [13, key],
  's2-stream-config': [
    2,
    often<string>(
      [
        6,
        fromSchema(config, 'config')
          .map(toJson)
          .filter((text) => /^[\x20-\x7e]*$/.test(text)),
      ],
      [1, '{'],
    ),
  ],
  'last-event-id': [
    2,
    often<string>([12, fc.constantFrom('0,1,8', '3,4,100', '18446744073709551615,0,0')], [1, fc.constantFrom('', '1,2', 'x,y,z')]),
  ],
};

const LIMITED = ['others', 'reader', 'kept', 'revoked', 'expired'] as const;
/** Stands for a token of the world that the request is sent to. */
export const tokenOf = (name: string): string => `Bearer @${name}@`;
const authorization = often<string>(
  [14, tokenOf('root')],
  [5, fc.constantFrom(...LIMITED).map(tokenOf)],
  [1, fc.constantFrom('Bearer', 'Basic eDp5', 'Bearer x.y.z', `Bearer ${'x'.repeat(9_000)}`)],
);

function head(route: Route): fc.Arbitrary<Record<string, string>> {
  const fields = (route.doc.headers ?? []).map((name) => {
    const [present, value] = IN_HEAD[name];
    return often<readonly [string, string] | undefined>(
      [present, value.map((text) => [name, text] as const)],
      [Math.max(1, 16 - present), undefined],
    );
  });
  const answer = often<Record<string, string>>(
    [8, {}],
    [2, fc.constantFrom('gzip', 'zstd', 'gzip, deflate, br, zstd;q=0.5', 'gzip;q=0', '*').map((text) => ({ 'accept-encoding': text }))],
  );
  return fc.tuple(authorization, answer, ...fields).map(([token, accepted, ...drawn]) => ({
    authorization: token,
    ...accepted,
    ...Object.fromEntries(drawn.filter((one) => one !== undefined)),
  }));
}

interface Content {
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array | undefined;
}

function content(route: Route, kind: Kind): fc.Arbitrary<Content> {
  const { body } = route.doc;
  if (!route.hasBody || body === undefined) return fc.constant(accepting(kind));
  if (kind === 'session') return sessionBody.map((bytes) => ({ headers: { 'content-type': 's2s/proto' }, body: bytes }));
  const schema = DESCRIPTION.components.schemas[body.schema] ?? {};
  const json = fromSchema(schema, body.schema).map((value) => ({
    headers: { 'content-type': 'application/json' },
    body: Buffer.from(toJson(value)),
  }));
  const none = { headers: {}, body: undefined };
  if (body.isOptional === true) return often<Content>([6, json], [1, none]);
  if (!body.otherTypes?.includes('application/protobuf')) return json;
  const proto = protoInput.map((bytes) => ({
    headers: { 'content-type': 'application/protobuf', accept: 'application/protobuf' },
    body: bytes,
  }));
  return often<Content>([6, json], [3, proto]);
}

function accepting(kind: Kind): Content {
  if (kind === 'session') return { headers: { 'content-type': 's2s/proto' }, body: undefined };
  if (kind === 'events') return { headers: { accept: 'text/event-stream' }, body: undefined };
  return { headers: {}, body: undefined };
}

/** Requests for one route. */
export function requestFor(route: Route, kind: Kind): fc.Arbitrary<FuzzRequest> {
  const host = route.doc.headers?.includes('s2-basin') ? ([1, { host: `${BASINS.plain}.b.test` }] as const) : undefined;
  const hosts = often<Record<string, string>>([15, { host: 'x' }], ...(host === undefined ? [] : [host]));
  const good = fc.tuple(path(route), query(route.doc.query?.shape ?? {}), head(route), content(route, kind), hosts).map(
    ([at, asked, headers, { headers: of, body }, hostHeader]): Draft => ({
      method: route.method,
      target: asked === '' ? at : `${at}?${asked}`,
      headers: { ...hostHeader, ...headers, ...of },
      body,
      missing: 0,
      isChunked: false,
    }),
  );
  return fc.record({ draft: good, changes });
}

/** Requests for what is no part of the API, or is not there. */
export const outsideRequest: fc.Arbitrary<FuzzRequest> = fc.record({
  draft: fc
    .tuple(
      often<string>([8, 'GET'], [2, 'HEAD'], [2, fc.constantFrom('POST', 'PUT', 'DELETE')], [1, 'OPTIONS']),
      often<string>(
        [4, fc.constantFrom('/health', '/ping', '/metrics', '/openapi.json')],
        [
          3,
          fc.constantFrom('/', '/v1', '/v1/', '/v2/basins', '/v1/basin', '//v1/basins', '/v1/streams/a/b', '/openapi', '/v1/locations/x'),
        ],
        [1, oddText.map((text) => `/${encoded(text)}`)],
      ),
      authorization,
      often<string | undefined>([3, undefined], [1, fc.constantFrom('gzip', 'zstd', 'br;q=1.0, *;q=0.1')]),
    )
    .map(
      ([method, target, token, accepted]): Draft => ({
        method,
        target,
        headers: { host: 'x', authorization: token, ...(accepted === undefined ? {} : { 'accept-encoding': accepted }) },
        body: undefined,
        missing: 0,
        isChunked: false,
      }),
    ),
  changes,
});
