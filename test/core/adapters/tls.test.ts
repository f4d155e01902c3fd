// The port with a certificate: what is agreed on, who is refused, and how long anything may take.

import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { connect as connectHttp2 } from 'node:http2';
import { request } from 'node:https';
import { connect, type Socket } from 'node:net';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import { afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { Certificate } from '#core/adapters/node/http/tls.ts';
import { createHttpServer, type HttpServer, type HttpServerOptions } from '#core/adapters/node/http-server.ts';
import { makeCertificate } from '#test/support/certificate.ts';

let certificate: Certificate;
let server: HttpServer;
let port = 0;
const open = new Set<Socket>();

beforeAll(async () => {
  certificate = await makeCertificate();
});
afterEach(async () => {
  for (const socket of open) socket.destroy();
  open.clear();
  await server.close();
});

async function start(options: Partial<HttpServerOptions> = {}): Promise<void> {
  server = createHttpServer({
    handle: (message, response) => {
      message.resume();
      message.once('end', () => (response as ServerResponse).end(`HTTP/${message.httpVersion}`));
    },
    certificate,
    ...options,
  });
  port = await server.listen(0, '127.0.0.1');
}

interface Spoken {
  readonly socket: Socket;
  readonly text: () => string;
  readonly closed: Promise<void>;
}

function listen(socket: Socket): Spoken {
  let received = '';
  open.add(socket);
  socket.on('data', (piece) => {
    received += piece.toString('latin1');
  });
  socket.on('error', () => undefined);
  const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()));
  return { socket, text: () => received, closed };
}

async function openPlain(): Promise<Spoken> {
  const socket = connect(port, '127.0.0.1');
  await once(socket, 'connect');
  return listen(socket);
}

async function openTls(protocols?: string[]): Promise<Spoken & { socket: TLSSocket }> {
  const socket = connectTls({
    port,
    host: '127.0.0.1',
    ca: certificate.cert,
    ...(protocols === undefined ? {} : { ALPNProtocols: protocols }),
  });
  await once(socket, 'secureConnect');
  return { ...listen(socket), socket };
}

describe('ALPN', () => {
  test.each([
    [['h2', 'http/1.1'], 'h2'],
    [['http/1.1', 'h2'], 'h2'],
    [['h2'], 'h2'],
    [['http/1.1'], 'http/1.1'],
    [undefined, false],
  ])('a client that offers %j gets %s', async (offered, agreed) => {
    await start();
    expect((await openTls(offered)).socket.alpnProtocol).toBe(agreed);
  });

  test('a client that offers only what is not spoken here is refused in the handshake', async () => {
    await start();
    await expect(openTls(['spdy/3'])).rejects.toMatchObject({ code: 'ERR_SSL_TLSV1_ALERT_NO_APPLICATION_PROTOCOL' });
    await expect.poll(() => server.connectionsCount).toBe(0);
  });
});

describe('over TLS', () => {
  test('each client is answered in its own protocol', async () => {
    await start();
    const client = connectHttp2(`https://127.0.0.1:${port}`, { ca: certificate.cert, servername: 'localhost' });
    const stream = client.request({ ':path': '/' });
    const [bytes] = await once(stream, 'data');
    expect(String(bytes)).toBe('HTTP/2.0');
    client.close();
    const answered = once(request({ port, host: '127.0.0.1', ca: certificate.cert, agent: false }).end(), 'response');
    const [response] = (await answered) as [IncomingMessage];
    expect(String((await once(response, 'data'))[0])).toBe('HTTP/1.1');
  });

  test('HTTP/1.1 is full duplex, and a client may close its half', async () => {
    await start({
      handle: (message, response) => {
        (response as ServerResponse).writeHead(200);
        (response as ServerResponse).flushHeaders();
        message.pipe(response as ServerResponse);
      },
    });
    const { socket, text } = await openTls(['http/1.1']);
    socket.write('POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n');
    await expect.poll(text).toContain('200 OK');
    for (const word of ['one', 'three']) {
      socket.write(`${word.length}\r\n${word}\r\n`);
      await expect.poll(text).toContain(`${word.length}\r\n${word}\r\n`);
    }
    socket.end('0\r\n\r\n');
    await expect.poll(text).toMatch(/\r\n0\r\n\r\n$/);
  });

  test('the HTTP/2 preface without ALPN is no request, and is told so', async () => {
    await start();
    const { socket, text, closed } = await openTls();
    socket.write('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
    await closed;
    expect(text()).toMatch(/^HTTP\/1.1 400 .*"code":"bad_header"/s);
  });

  test('connections whose clients hang up in any state are forgotten', async () => {
    await start();
    const half = await openPlain();
    half.socket.write(Buffer.from([0x16, 0x03, 0x01]));
    const silent = await openPlain();
    const http1 = await openTls(['http/1.1']);
    const http2 = await openTls(['h2']);
    const asking = await openTls(['http/1.1']);
    asking.socket.write('POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\n');
    await expect.poll(() => server.connectionsCount).toBe(5);
    half.socket.end();
    silent.socket.resetAndDestroy();
    http1.socket.end();
    http2.socket.end();
    asking.socket.destroy();
    await expect.poll(() => server.connectionsCount).toBe(0);
  });
});

describe('plaintext on a TLS port', () => {
  test('gets 400 that says what to do, and is closed', async () => {
    await start();
    const { socket, text, closed } = await openPlain();
    socket.write('GET /v1/basins HTTP/1.1\r\nhost: x\r\n\r\n');
    await closed;
    expect(text()).toMatch(/^HTTP\/1.1 400 Bad Request\r\n.*\{"code":"bad_header","message":"this port speaks TLS: use https"\}$/s);
  });

  test('is closed where it is HTTP/2, also byte by byte', async () => {
    await start();
    const { socket, closed } = await openPlain();
    for (const byte of 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n') socket.write(byte);
    await closed;
    await expect.poll(() => server.connectionsCount).toBe(0);
  });

  test.each([
    ['noise in place of a handshake', Buffer.concat([Buffer.from([0x16, 0x03, 0x01, 0x00, 0x40]), Buffer.alloc(64, 0xee)])],
    ['a record that is too long', Buffer.concat([Buffer.from([0x16, 0x03, 0x01, 0xff, 0xff]), Buffer.alloc(0xffff)])],
  ])('%s is closed', async (_, bytes) => {
    await start();
    const { socket, closed } = await openPlain();
    socket.write(bytes);
    await closed;
    await expect.poll(() => server.connectionsCount).toBe(0);
  });
});

describe('A21: a handshake', () => {
  test('that never ends is closed, whatever comes meanwhile', async () => {
    await start({ headersMsMax: 300 });
    const silent = await openPlain();
    silent.socket.write(Buffer.from([0x16]));
    const dripping = await openPlain();
    dripping.socket.write(Buffer.from([0x16, 0x03, 0x01, 0x02, 0x00]));
    const drip = setInterval(() => dripping.socket.write(Buffer.from([1])), 20);
    await Promise.all([silent.closed, dripping.closed]);
    clearInterval(drip);
    await expect.poll(() => server.connectionsCount).toBe(0);
  });

  test('that is not begun is closed, and so is a connection that says nothing after it', async () => {
    await start({ idleMsMax: 200 });
    const silent = await openPlain();
    const quiet1 = await openTls(['http/1.1']);
    const quiet2 = await openTls(['h2']);
    await Promise.all([silent.closed, quiet1.closed, quiet2.closed]);
    await expect.poll(() => server.connectionsCount).toBe(0);
  });

  test('hundreds that never end keep nobody from being served', async () => {
    await start();
    const stuck = await Promise.all(Array.from({ length: 300 }, openPlain));
    for (const { socket } of stuck) socket.write(Buffer.from([0x16, 0x03, 0x01, 0x02]));
    await expect.poll(() => server.connectionsCount).toBe(300);
    const { socket, text } = await openTls();
    socket.write('GET / HTTP/1.1\r\nhost: x\r\n\r\n');
    await expect.poll(text).toContain('HTTP/1.1');
  });

  test('after a certificate was replaced gets the new one; connections go on with the old', async () => {
    await start();
    const before = await openTls(['http/1.1']);
    const renewed = await makeCertificate('renewed');
    server.replaceCertificate(renewed);
    const after = connectTls({ port, host: '127.0.0.1', ca: renewed.cert });
    open.add(after);
    await once(after, 'secureConnect');
    expect(after.getPeerCertificate().subject.CN).toBe('renewed');
    before.socket.write('GET / HTTP/1.1\r\nhost: x\r\n\r\n');
    await expect.poll(before.text).toContain('200 OK');
    expect(() => server.replaceCertificate({ cert: renewed.cert, key: certificate.key })).toThrow(/key values mismatch/);
    const still = connectTls({ port, host: '127.0.0.1', ca: renewed.cert });
    open.add(still);
    await once(still, 'secureConnect');
  });
});

test('a certificate with the key of another one is refused at once', async () => {
  const other = await makeCertificate();
  expect(() => createHttpServer({ handle: () => undefined, certificate: { cert: certificate.cert, key: other.key } })).toThrow(
    /key values mismatch/,
  );
  await start();
});
