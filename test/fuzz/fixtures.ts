// What every world holds before it is fuzzed, made over HTTP as any client would.

import assert from 'node:assert/strict';
import { BASINS, KEYS, STREAMS } from './names.ts';
import { FuzzWorld, ROOT_TOKEN, type Sent } from './world.ts';

/** The values of `authorization` that stand for @root@, @others@, and so on. */
export type Tokens = Readonly<Record<string, string>>;

const GUARD = 'fuzz-guard-basin';
const ALL = { prefix: '' };
const EVERY_OPERATION = { account: { read: true, write: true }, basin: { read: true, write: true }, stream: { read: true, write: true } };

export function jsonRequest(method: string, target: string, basin: string, body?: unknown, headers: Record<string, string> = {}): Sent {
  const text = body === undefined ? '' : JSON.stringify(body);
  const fields = Object.entries({
    authorization: `Bearer ${ROOT_TOKEN}`,
    's2-basin': basin,
    'content-type': 'application/json',
    ...headers,
  });
  const head = fields.map(([name, value]) => `${name}: ${value}\r\n`).join('');
  const bytes = Buffer.from(`${method} ${target} HTTP/1.1\r\nhost: x\r\n${head}content-length: ${Buffer.byteLength(text)}\r\n\r\n${text}`);
  return { method, bytes, isUnfinished: false };
}

/** A good request, which is answered with what it asks for. */
export async function good(world: FuzzWorld, status: number, ...request: Parameters<typeof jsonRequest>): Promise<Record<string, unknown>> {
  const [answer] = await world.request([jsonRequest(...request)]);
  assert.equal(answer?.status, status, `${request.slice(0, 3).join(' ')}: ${answer?.status} ${answer?.body}`);
  return answer.body.length === 0 ? {} : (JSON.parse(answer.body.toString()) as Record<string, unknown>);
}

export async function openWorld(seed: string, mode: 'off' | 'required'): Promise<{ world: FuzzWorld; tokens: Tokens }> {
  const world = await FuzzWorld.open(seed, mode);
  const { plain, auto, secret, gone } = BASINS;
  const bothAuto = { create_stream_on_append: true, create_stream_on_read: true };
  await good(world, 201, 'POST', '/v1/basins', plain, { basin: plain });
  await good(world, 201, 'POST', '/v1/basins', auto, { basin: auto, config: bothAuto });
  await good(world, 201, 'POST', '/v1/basins', secret, { basin: secret, config: { ...bothAuto, stream_cipher: 'aes-256-gcm' } });
  await good(world, 201, 'POST', '/v1/basins', gone, { basin: gone });
  await good(world, 202, 'DELETE', `/v1/basins/${gone}`, gone);
  await good(world, 201, 'POST', '/v1/basins', GUARD, { basin: GUARD, config: bothAuto });
  for (const stream of Object.values(STREAMS)) {
    await good(world, 201, 'POST', '/v1/streams', plain, {
      stream,
      config: stream === STREAMS.strict ? { timestamping: { mode: 'client-require' } } : {},
    });
  }
  await good(world, 202, 'DELETE', `/v1/streams/${STREAMS.gone}`, plain);
  const records = { records: Array.from({ length: 6 }, (_, at) => ({ body: `${at}`.repeat(300), headers: [['k', 'v']] })) };
  await good(world, 200, 'POST', `/v1/streams/${STREAMS.full}/records`, plain, records);
  await good(world, 200, 'POST', `/v1/streams/${STREAMS.full}/records`, auto, records);
  await good(world, 200, 'POST', `/v1/streams/${STREAMS.full}/records`, secret, records, { 's2-encryption-key': KEYS[0] });
  return { world, tokens: mode === 'off' ? { root: ROOT_TOKEN } : await issue(world) };
}

async function issue(world: FuzzWorld): Promise<Tokens> {
  const tokens: Record<string, string> = { root: ROOT_TOKEN };
  const scopes = {
    others: {
      basins: { prefix: 'other-' },
      streams: { prefix: 'other-' },
      access_tokens: { prefix: 'other-' },
      op_groups: EVERY_OPERATION,
    },
    reader: { basins: ALL, streams: ALL, access_tokens: ALL, ops: ['read', 'list-streams'] },
    revoked: { basins: ALL, streams: ALL, access_tokens: ALL, op_groups: EVERY_OPERATION },
    expired: { basins: ALL, streams: ALL, access_tokens: ALL, op_groups: EVERY_OPERATION },
    kept: { ops: ['list-basins'] },
  };
  for (const [id, scope] of Object.entries(scopes)) {
    const expiry = id === 'expired' ? { expires_at: '2027-01-15T08:00:05Z' } : {};
    const issued = await good(world, 201, 'POST', '/v1/access-tokens', GUARD, { id, scope, ...expiry });
    tokens[id] = String(issued['access_token']);
  }
  await good(world, 204, 'DELETE', '/v1/access-tokens/revoked', GUARD);
  await world.until(() => false, 6_000);
  return tokens;
}

/** The store serves as before: what was appended is read back. */
export async function checkServing(world: FuzzWorld): Promise<void> {
  const body = 'the guard';
  const { start } = (await good(world, 200, 'POST', '/v1/streams/guard/records', GUARD, { records: [{ body }] })) as {
    start: { seq_num: number };
  };
  const read = await good(world, 200, 'GET', `/v1/streams/guard/records?seq_num=${start.seq_num}`, GUARD);
  assert.deepEqual(
    (read['records'] as { body: string }[]).map((record) => record.body),
    [body],
  );
}
