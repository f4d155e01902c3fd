// Basins by host name, against the real process in plaintext.

import { once } from 'node:events';
import { type IncomingMessage, request } from 'node:http';
import { type ClientHttp2Session, connect } from 'node:http2';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Api } from '#test/support/api.ts';
import { RawConnection } from '#test/support/raw.ts';
import { type Server, startServer } from '#test/support/server.ts';

const BASIN = 'host-basin';
const HOST = `${BASIN}.b.localhost`;

let server: Server;
let client: ClientHttp2Session;

beforeAll(async () => {
  server = await startServer({ env: { MILLRACE_BASIN_SUFFIX: 'b.localhost, streams.example' } });
  const api = new Api(server.url, BASIN);
  await api.createBasin();
  await api.createStream('s');
  await api.appendBodies('s', 'found');
  client = connect(server.url);
});
afterAll(async () => {
  client?.destroy();
  await server?.dispose();
});

interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly json: unknown;
}

type Ask = (method: string, path: string, host: string, headers?: Record<string, string>, body?: object) => Promise<Answer>;

const overHttp1: Ask = async (method, path, host, headers = {}, body) => {
  const sent = request(`${server.url}/v1${path}`, { method, agent: false, headers: { host, ...headers } });
  sent.end(body === undefined ? undefined : JSON.stringify(body));
  const [response] = (await once(sent, 'response')) as [IncomingMessage];
  const pieces: Buffer[] = [];
  for await (const piece of response) pieces.push(piece);
  return { status: response.statusCode ?? 0, headers: response.headers, json: JSON.parse(Buffer.concat(pieces).toString() || 'null') };
};

const overHttp2: Ask = async (method, path, host, headers = {}, body) => {
  const stream = client.request({ ':method': method, ':path': `/v1${path}`, ':authority': host, ...headers });
  stream.end(body === undefined ? undefined : JSON.stringify(body));
  const [head] = (await once(stream, 'response')) as [Record<string, unknown>];
  const pieces: Buffer[] = [];
  for await (const piece of stream) pieces.push(piece);
  return { status: Number(head[':status']), headers: head, json: JSON.parse(Buffer.concat(pieces).toString() || 'null') };
};

describe.each([
  ['HTTP/1.1', overHttp1],
  ['HTTP/2', overHttp2],
] as const)('over %s', (_version, ask) => {
  test.each([
    ['the host alone', HOST, {}, 200],
    ['the host with a port, in capitals', `${HOST.toUpperCase()}:1234`, {}, 200],
    ['another suffix', `${BASIN}.streams.example`, {}, 200],
    ['the header alone', 'localhost', { 's2-basin': BASIN }, 200],
    ['both, the same', HOST, { 's2-basin': BASIN }, 200],
    ['a basin that is not there', 'other-basin.b.localhost', {}, 404],
  ])('%s names the basin', async (_what, host, headers, status) => {
    const answer = await ask('GET', '/streams/s/records?seq_num=0', host, headers as Record<string, string>);
    expect([answer.status, answer.json]).toMatchObject([
      status,
      status === 200 ? { records: [{ body: 'found' }] } : { code: 'basin_not_found' },
    ]);
  });

  test.each([
    ['neither', 'localhost', {}],
    ['the suffix alone', 'b.localhost', {}],
    ['a host that is no suffix of ours', `${BASIN}.c.localhost`, {}],
    ['two that differ', HOST, { 's2-basin': 'other-basin' }],
    ['a label that is no name of a basin', 'short.b.localhost', {}],
    ['two labels', `a.${HOST}`, {}],
  ])('%s is refused with bad_header', async (_what, host, headers) => {
    for (const path of ['/streams', '/streams/s', '/streams/s/records/tail', '/streams/s/records']) {
      const answer = await ask('GET', path, host, headers as Record<string, string>);
      expect([answer.status, answer.json]).toMatchObject([400, { code: 'bad_header' }]);
    }
  });

  test('streams are made, appended to and listed on the host of their basin', async () => {
    const json = { 'content-type': 'application/json' };
    const stream = `made over ${_version}`;
    expect((await ask('POST', '/streams', HOST, json, { stream })).status).toBe(201);
    const path = `/streams/${encodeURIComponent(stream)}/records`;
    expect((await ask('POST', path, HOST, json, { records: [{ body: 'x' }] })).status).toBe(200);
    expect((await ask('GET', '/streams?prefix=made', HOST)).json).toMatchObject({
      streams: expect.arrayContaining([expect.objectContaining({ name: stream })]),
    });
  });

  test('what belongs to the account is answered the same on the host of a basin', async () => {
    expect((await ask('GET', '/basins', HOST)).json).toMatchObject({ basins: [{ name: BASIN }] });
    expect((await ask('GET', `/basins/${BASIN}`, 'other-basin.b.localhost')).status).toBe(200);
  });

  test('a browser may ask the host of a basin', async () => {
    const preflight = await ask('OPTIONS', '/streams/s/records', HOST, {
      origin: 'https://app.example',
      'access-control-request-method': 'POST',
    });
    expect([preflight.status, preflight.headers['access-control-allow-origin']]).toEqual([204, '*']);
    const answer = await ask('GET', '/streams/s/records/tail', HOST, { origin: 'https://app.example' });
    expect([answer.status, answer.headers['access-control-allow-origin']]).toEqual([200, '*']);
  });
});

test('a request that names its whole URL is for the host in there', async () => {
  const raw = await RawConnection.open(server.url);
  raw.send(`GET http://${HOST}/v1/streams/s/records/tail HTTP/1.1\r\nhost: other-basin.b.localhost\r\n\r\n`);
  await expect.poll(() => raw.status).toBe(200);
  raw.reset();
});
