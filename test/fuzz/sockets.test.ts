// What only a real connection shows: requests that are cut, sent ahead, split anywhere, noise, resets, and HTTP/2 frames with damage,
// some hundreds of each against a server that listens. Whatever comes, it is answered in JSON or cut, and the next client is served.

import { once } from 'node:events';
import { connect } from 'node:net';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startServer, type TestServer } from '#test/core/api/server.ts';
import { Api } from '#test/support/api.ts';
import { H2_PREFACE, h2Request, h2Settings } from '#test/support/h2-frames.ts';
import { damage, damaged, noise } from './damage.ts';
import { PARAMETERS, SEED } from './fuzz-group.ts';

const CASES = 300;
const TIMEOUT_MS = 120_000;
/** A client that is neither answered nor cut within this is a hang. */
const END_MS_MAX = 10_000;

let server: TestServer;
let api: Api;
beforeAll(async () => {
  const patience = { bodyMs: 1_000, bodySilenceMs: 200, frameMs: 500, readMs: 1_000 };
  server = await startServer({ idleMsMax: 400, headersMsMax: 400 }, patience);
  api = new Api(server.origin, 'socket-basin');
  await api.createBasin({ create_stream_on_append: true });
  await api.appendBodies('s', 'a', 'b');
});
afterAll(async () => {
  expect(server.faults).toEqual([]);
  await server.close();
});

const request = (method: string, target: string, body = '', ...headers: string[]): Buffer =>
  Buffer.from(
    [`${method} ${target} HTTP/1.1`, 'host: x', 's2-basin: socket-basin', ...headers, `content-length: ${body.length}`, '', body].join(
      '\r\n',
    ),
  );
const JSON_TYPE = 'content-type: application/json';
const good = fc.constantFrom(
  request('GET', '/v1/streams'),
  request('GET', '/v1/streams/s/records?seq_num=0'),
  request('GET', '/v1/streams/s/records?seq_num=0&wait=0', '', 'accept: text/event-stream'),
  request('POST', '/v1/streams/s/records', '{"records":[{"body":"x"}]}', JSON_TYPE),
  request('POST', '/v1/streams/s/records', '\0\0\x07\0\n\x04\x1a\x02hi', 'content-type: s2s/proto'),
  request('PUT', '/v1/streams/t', '{}', JSON_TYPE, 'expect: 100-continue'),
  request('HEAD', '/health'),
);
const frames = fc.constantFrom(
  Buffer.concat([H2_PREFACE, h2Settings(), h2Request(1, { path: '/v1/streams', headers: { 's2-basin': 'socket-basin' } })]),
  Buffer.concat([
    H2_PREFACE,
    h2Settings(),
    h2Request(1),
    h2Request(3, { method: 'POST', path: '/v1/streams/s/records', endStream: false }),
  ]),
);

interface Talk {
  readonly text: string;
}

/** Sends pieces, ends as told, and takes what comes until the server closes. @throws when it does not */
async function talk(pieces: readonly Uint8Array[], ending: 'end' | 'reset' | 'wait'): Promise<Talk> {
  const socket = connect({ port: server.port, host: '127.0.0.1', noDelay: true });
  let text = '';
  socket.on('data', (bytes: Buffer) => {
    text += bytes.toString('latin1');
  });
  socket.on('error', () => undefined);
  const closed = once(socket, 'close').catch(() => undefined);
  for (const piece of pieces) {
    if (socket.destroyed) break;
    socket.write(piece);
    await new Promise((resolve) => setImmediate(resolve));
  }
  if (ending === 'end') socket.end();
  else if (ending === 'reset') socket.resetAndDestroy();
  const late = setTimeout(() => socket.destroy(new Error('late')), END_MS_MAX);
  const begin = performance.now();
  await closed;
  clearTimeout(late);
  // Damage may take the end from a request for events: then they go on for as long as the client stays.
  if (/^content-type: text\/event-stream/im.test(text)) return { text };
  expect(
    performance.now() - begin,
    `neither answered nor cut: ${Buffer.concat(pieces).toString('hex')} ${ending} ${Buffer.from(text, 'latin1').toString('hex')}`,
  ).toBeLessThan(END_MS_MAX);
  return { text };
}

const cut = (bytes: Uint8Array, at: readonly number[]): Uint8Array[] => {
  const edges = [0, ...at.map((place) => place % (bytes.length + 1)).sort((a, b) => a - b), bytes.length];
  return edges.slice(0, -1).map((edge, i) => bytes.subarray(edge, edges[i + 1]));
};
const cuts = fc.array(fc.nat({ max: 400 }), { maxLength: 3 });
const ending = fc.constantFrom('end' as const, 'end' as const, 'reset' as const, 'wait' as const);

/** Many at once, so that the waits of some do not add up. */
const AT_ONCE = 100;
function conversations(bytes: fc.Arbitrary<Uint8Array>, check: (talked: Talk) => void): Promise<void> {
  const one = fc.tuple(bytes, cuts, ending);
  const property = fc.asyncProperty(fc.array(one, { minLength: AT_ONCE, maxLength: AT_ONCE }), async (all) => {
    for (const talked of await Promise.all(all.map(([sent, at, how]) => talk(cut(sent, at), how)))) check(talked);
    expect(await api.readBodies('s')).toContain('b');
  });
  return Promise.resolve(fc.assert(property, { ...PARAMETERS, numRuns: CASES / AT_ONCE }));
}

/** Each answer that failed is JSON, with a code and a message; none is a fault. */
function checkHttp1({ text }: Talk): void {
  for (const [, status, head = '', body = ''] of text.matchAll(
    /HTTP\/1\.1 (\d{3}) [^\r]*\r\n([\s\S]*?)\r\n\r\n([\s\S]*?)(?=HTTP\/1\.1 |$)/g,
  )) {
    expect(Number(status), text).toBeLessThan(500);
    if (Number(status) < 400 || Number(status) === 416 || body === '') continue;
    expect(head.toLowerCase()).toContain('content-type: application/json');
    expect(JSON.parse(body)).toEqual({ code: expect.any(String), message: expect.any(String) });
  }
}

describe(`connections (seed ${SEED}) are answered or cut:`, () => {
  test(
    'requests that are sent ahead, in pieces',
    () =>
      conversations(
        fc.array(good, { minLength: 1, maxLength: 5 }).map((all) => Buffer.concat(all)),
        checkHttp1,
      ),
    TIMEOUT_MS,
  );
  test(
    'requests that are damaged',
    () => {
      const bad = fc.tuple(fc.array(good, { minLength: 1, maxLength: 3 }), fc.array(damage, { minLength: 1, maxLength: 3 }));
      return conversations(
        bad.map(([all, harm]) => harm.reduce<Uint8Array>(damaged, Buffer.concat(all))),
        checkHttp1,
      );
    },
    TIMEOUT_MS,
  );
  test(
    'noise',
    () =>
      conversations(
        fc.array(noise, { minLength: 1, maxLength: 20 }).map((all) => Buffer.concat(all)),
        checkHttp1,
      ),
    TIMEOUT_MS,
  );
  test(
    'HTTP/2 that is damaged',
    () => {
      const bad = fc.tuple(frames, fc.array(damage, { minLength: 1, maxLength: 3 }));
      return conversations(
        bad.map(([bytes, harm]) => harm.reduce<Uint8Array>(damaged, bytes)),
        () => undefined,
      );
    },
    TIMEOUT_MS,
  );

  test('and nothing of them is left', async () => {
    await expect.poll(() => [server.handler.openCount, server.store.openReads], { timeout: 10_000 }).toEqual([0, 0]);
    await expect.poll(() => server.server.connectionsCount, { timeout: 10_000 }).toBeLessThanOrEqual(2);
  });
});
