// Holds an answer against the API's description: its status, its media type, its schema, and what every failure looks like.

import assert from 'node:assert/strict';
import { gunzipSync, zstdDecompressSync } from 'node:zlib';
import { openApiDocument } from '#core/api/http/openapi.ts';
import type { Route } from '#core/api/http/route.ts';
import { ROUTES } from '#core/api/http/routes.ts';
import { ANSWER_SCHEMAS } from '#core/api/http/schema/named.ts';
import { decodeAck, decodeBatch } from '#test/conformance/client/proto.ts';
import { checkFailure } from './failures.ts';
import type { RawAnswer } from './memory-connection.ts';
import type { Schema } from './schema-arbitrary.ts';
import { checkEvents, checkFrames } from './session-answers.ts';

interface Described {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: { readonly schemas: Readonly<Record<string, Schema>> };
}
interface Operation {
  readonly responses: Readonly<
    Record<string, { readonly content?: Readonly<Record<string, { readonly schema: { readonly $ref?: string } }>> }>
  >;
}

export const DESCRIPTION = openApiDocument(ROUTES) as unknown as Described;
/** Outside of the API, for whoever runs the server. */
export const TEXTS = ['/health', '/ping', '/metrics', '/openapi.json'];

/** Nothing of the store fails here: what says so would be a fault. */
const OURS = 500;

/** The path of a request's target. */
export function pathOf(target: string): string {
  const origin = /^https?:\/\/[^/?#]*(.*)$/i.exec(target)?.[1];
  const path = origin === undefined ? target : origin.startsWith('/') ? origin : `/${origin}`;
  return path.split('?', 1)[0] ?? '';
}

const PATTERNS = ROUTES.map((route) => ({ route, parts: route.path.split('/') }));

function routesAt(path: string): Route[] {
  const found = path.split('/');
  const isAt = (parts: readonly string[]): boolean =>
    parts.length === found.length && parts.every((part, i) => (part.startsWith(':') ? found[i] !== '' : part === found[i]));
  return PATTERNS.flatMap(({ route, parts }) => (isAt(parts) ? [route] : []));
}

export interface Asked {
  readonly method: string;
  readonly target: string;
  readonly acceptEncoding: string | undefined;
}

/** What kind of answer it is, for counting: status and code. @throws AssertionError where the description has no such answer */
export function checkAnswer({ method, target, acceptEncoding }: Asked, answer: RawAnswer): string {
  const { status, headers } = answer;
  const body = plain(answer, acceptEncoding);
  assert(status < OURS, `a fault: ${status} ${body}`);
  if (status >= 400) checkFailure(status, headers['content-type'], method, body);
  // Node takes blanks behind the target for what separates.
  const path = pathOf(target.trimEnd());
  const found = routesAt(path);
  const label = codeOf(status, body);
  // Node's own parser, and whatever stands before the routes.
  if (label === '400 bad_header' || status === 431 || (method === 'HEAD' && status === 400)) return label;
  if (method === 'OPTIONS') assert.equal(status, 204);
  else if (TEXTS.includes(path)) assert.equal(status, method === 'GET' || method === 'HEAD' ? 200 : 405);
  else if (found.length === 0) {
    // Filled in, an empty segment would be a name.
    const filled = path.replace(/\/(?=\/|$)/g, '/-');
    const isNameless = filled !== path && routesAt(filled).length > 0;
    assert.equal(label, method === 'HEAD' ? '404' : isNameless ? '400 bad_path' : '404 not_found');
  } else return checkDescribed(found, method, answer, body) ?? label;
  return label;
}

/** What to count it as, where its status says little. */
function checkDescribed(found: readonly Route[], method: string, { status, headers }: RawAnswer, body: Buffer): string | undefined {
  const asked = method === 'HEAD' ? 'GET' : method;
  const route = found.find((one) => one.method === asked);
  if (route === undefined) {
    assert.equal(status, 405, `${asked} is no method of ${found[0]?.path}`);
    return undefined;
  }
  const operation = DESCRIPTION.paths[route.path.replace(/:(\w+)/g, '{$1}')]?.[route.method.toLowerCase()];
  const response = operation?.responses[status];
  assert(response, `${route.name} is not described to answer ${status} ${body}`);
  if (method === 'HEAD') return undefined;
  const type = headers['content-type']?.split(';')[0];
  const media = response.content?.[type ?? ''];
  if (response.content === undefined) {
    assert.deepEqual([type, body.length], [undefined, 0], 'a body that is not described');
    return undefined;
  }
  assert(media, `${route.name} ${status} is not described to be ${type}`);
  if (type === 'application/json') checkJson(media.schema.$ref?.split('/').at(-1), body);
  else if (type === 'application/protobuf') (route.method === 'POST' ? decodeAck : decodeBatch)(body);
  else if (type === 's2s/proto') return `200 frames ${checkFrames(route.method === 'POST' ? 'acks' : 'batches', body).terminal ?? 200}`;
  else {
    checkEvents(body);
    return '200 events';
  }
  return undefined;
}

function checkJson(name: string | undefined, body: Buffer): void {
  const schema = ANSWER_SCHEMAS[name as keyof typeof ANSWER_SCHEMAS];
  assert(schema, `${name} is no schema`);
  const parsed = schema.safeParse(JSON.parse(body.toString()));
  assert(parsed.success, `not a ${name}: ${body}: ${parsed.error?.message}`);
}

function codeOf(status: number, body: Buffer): string {
  if (status < 400 || body.length === 0) return String(status);
  const parsed = JSON.parse(body.toString()) as Record<string, unknown>;
  return `${status} ${typeof parsed['code'] === 'string' ? parsed['code'] : Object.keys(parsed)[0]}`;
}

/** @throws where it is packed for a client that did not ask. */
function plain({ headers, body }: RawAnswer, acceptEncoding: string | undefined): Buffer {
  const encoding = headers['content-encoding'];
  if (encoding === undefined) return body;
  assert(acceptEncoding?.toLowerCase().includes(encoding), `${encoding} for a client that takes ${acceptEncoding}`);
  if (body.length === 0) return body;
  return encoding === 'gzip' ? gunzipSync(body) : zstdDecompressSync(body);
}
