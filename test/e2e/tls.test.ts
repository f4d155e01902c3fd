// The real process with a certificate: the official SDK on hosts of basins, sessions over both protocols, renewal without a restart.

import dns from 'node:dns';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import http2 from 'node:http2';
import https from 'node:https';
import { tmpdir } from 'node:os';
import path from 'node:path';
import tls from 'node:tls';
import { AppendInput, AppendRecord, BatchTransform, Producer, S2 } from '@s2-dev/streamstore';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { encodeAppendInput, frameOf } from '#bench/protocol.ts';
import type { Certificate } from '#core/adapters/node/http/tls.ts';
import { Api } from '#test/support/api.ts';
import { makeCertificate, writeCertificate } from '#test/support/certificate.ts';
import { RawConnection } from '#test/support/raw.ts';
import { newServer, type Server, startServer } from '#test/support/server.ts';

const BASIN = 'tls-basin';

let dir: string;
let certificate: Certificate;
let settings: Record<string, string>;
let server: Server;
const trusted = tls.getCACertificates('default');
const lookup = dns.lookup;

beforeAll(async () => {
  dir = await mkdtemp(path.join(tmpdir(), 'millrace-tls-'));
  certificate = await makeCertificate();
  settings = await writeCertificate(dir, certificate);
  tls.setDefaultCACertificates([...trusted, certificate.cert]);
  // Names below localhost need not resolve on every machine; the SDK takes no lookup of its own.
  dns.lookup = ((name: string, ...rest: unknown[]) =>
    Reflect.apply(lookup, dns, [name.endsWith('.b.localhost') ? '127.0.0.1' : name, ...rest])) as typeof lookup;
  server = await startServer({ env: { ...settings, MILLRACE_BASIN_SUFFIX: 'b.localhost' } });
  const api = new Api(server.url, BASIN);
  await api.createBasin({ create_stream_on_append: true });
});
afterAll(async () => {
  dns.lookup = lookup;
  tls.setDefaultCACertificates(trusted);
  await server?.dispose();
  await rm(dir, { recursive: true, force: true });
});

test('the line with the URL says https, and commands to try name hosts of basins', () => {
  expect(server.output).toMatch(/^millrace listens on https:\/\/127\.0\.0\.1:\d+$/m);
  expect(server.output).toContain(`S2_BASIN_ENDPOINT=https://{basin}.b.localhost:${server.port} `);
});

describe.each(['s2s', 'fetch'] as const)('the SDK over TLS, on the host of its basin, over %s', (forceTransport) => {
  test('appends, reads, and runs sessions and producers', async () => {
    const s2 = new S2({
      accessToken: 'any',
      endpoints: { account: server.url, basin: `https://{basin}.b.localhost:${server.port}` },
    });
    expect((await s2.basins.list()).basins.map(({ name }) => name)).toContain(BASIN);
    const stream = s2.basin(BASIN).stream(`sdk ${forceTransport}`, { forceTransport });
    await stream.append(AppendInput.create([AppendRecord.string({ body: 'first' })]));
    const session = await stream.appendSession();
    const ticket = await session.submit(AppendInput.create([AppendRecord.string({ body: 'second' })]));
    expect((await ticket.ack()).start.seqNum).toBe(1);
    await session.close();
    const producer = new Producer(new BatchTransform({ lingerDurationMillis: 1 }), await stream.appendSession());
    await (await producer.submit(AppendRecord.string({ body: 'third' }))).ack();
    await producer.close();
    const bodies: string[] = [];
    for await (const { body } of await stream.readSession({ start: { from: { seqNum: 0 } }, stop: { limits: { count: 3 } } }))
      bodies.push(body);
    expect(bodies).toEqual(['first', 'second', 'third']);
    expect((await stream.checkTail()).tail.seqNum).toBe(3);
    await stream.close();
  });
});

describe('an append session over TLS', () => {
  const frame = (body: string): Buffer => frameOf(encodeAppendInput([{ body: Buffer.from(body) }]));
  const headers = { 's2-basin': BASIN, 'content-type': 's2s/proto' };

  test('is full duplex on HTTP/1.1', async () => {
    const request = https.request(`${server.url}/v1/streams/h1/records`, { method: 'POST', headers, agent: false });
    request.flushHeaders();
    const [response] = await once(request, 'response');
    expect([response.statusCode, response.headers['content-type']]).toEqual([200, 's2s/proto']);
    for (const body of ['a', 'b', 'c']) {
      request.write(frame(body));
      const [ack] = await once(response, 'data');
      expect(ack[3]).toBe(0);
    }
    request.end();
    await once(response, 'end');
    expect(await new Api(server.url, BASIN).readBodies('h1')).toEqual(['a', 'b', 'c']);
  });

  test('works on HTTP/2, beside a read session on the same connection', async () => {
    const client = http2.connect(server.url);
    const append = client.request({ ':method': 'POST', ':path': '/v1/streams/h2/records', ...headers });
    append.write(frame('a'));
    expect((await once(append, 'data'))[0][3]).toBe(0);
    const read = client.request({ ':path': '/v1/streams/h2/records?seq_num=0', ...headers });
    expect(String((await once(read, 'data'))[0])).toContain('a');
    expect((client.socket as tls.TLSSocket).alpnProtocol).toBe('h2');
    client.destroy();
  });
});

test('plaintext on the port is told what to do', async () => {
  const raw = await RawConnection.open(server.url);
  raw.send('GET /health HTTP/1.1\r\nhost: x\r\n\r\n');
  await expect.poll(() => raw.isClosed).toBe(true);
  expect(raw.text).toMatch(/^HTTP\/1.1 400 .*this port speaks TLS/s);
});

describe('a renewed certificate', () => {
  const presented = async (): Promise<string> => {
    const socket = tls.connect({ port: server.port, host: '127.0.0.1', rejectUnauthorized: false });
    await once(socket, 'secureConnect');
    const name = socket.getPeerCertificate().subject.CN;
    socket.destroy();
    return String(name);
  };

  test('serves after SIGHUP, and also without one; one that cannot be used is told, and changes nothing', async () => {
    expect(await presented()).toBe('localhost');
    const open = http2.connect(server.url);
    await once(open, 'connect');

    await writeCertificate(dir, await makeCertificate('by-signal'));
    process.kill(server.pid, 'SIGHUP');
    await expect.poll(presented, { timeout: 3_000 }).toBe('by-signal');

    await writeFile(settings['MILLRACE_TLS_KEY'] ?? '', certificate.key);
    process.kill(server.pid, 'SIGHUP');
    await expect.poll(() => server.output, { timeout: 3_000 }).toContain('"event":"server.certificate.failed"');
    expect(server.output).toContain('does not fit the certificate');
    expect(await presented()).toBe('by-signal');

    await writeCertificate(dir, await makeCertificate('by-change'));
    await expect.poll(presented, { timeout: 10_000 }).toBe('by-change');
    // Nobody was cut.
    const stream = open.request({ ':path': '/health' });
    expect(String((await once(stream, 'data'))[0])).toBe('OK');
    open.destroy();
    await writeCertificate(dir, certificate);
    process.kill(server.pid, 'SIGHUP');
    await expect.poll(presented, { timeout: 3_000 }).toBe('localhost');
  });
});

test.each([
  [
    'a certificate that is not there',
    (): Record<string, string> => ({ ...settings, MILLRACE_TLS_CERT: path.join(dir, 'none.pem') }),
    'none.pem',
  ],
  [
    'a certificate and no key',
    (): Record<string, string> => ({ MILLRACE_TLS_CERT: path.join(dir, 'cert.pem') }),
    'MILLRACE_TLS_KEY is missing',
  ],
])('a start with %s ends with one line that says so', async (_, env, said) => {
  const refused = await newServer({ env: env() });
  try {
    refused.spawn();
    expect((await refused.exited).code).toBe(1);
    expect(refused.output.split('\n').filter((line) => line.startsWith('millrace cannot start: '))).toEqual([
      expect.stringContaining(said),
    ]);
    expect(refused.output).not.toMatch(/^\s+at /m);
  } finally {
    await refused.dispose();
  }
});
