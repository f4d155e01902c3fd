// One port, two protocols, and connections that misbehave.

import { once } from 'node:events';
import { request as http1Request } from 'node:http';
import { connect as connectHttp2 } from 'node:http2';
import { connect, type Socket } from 'node:net';
import { afterEach, describe, expect, onTestFinished, test } from 'vitest';
import { createHttpServer, type HttpServer, type HttpServerOptions } from '#core/adapters/node/http-server.ts';
import { FLAG, FRAME, H2_PREFACE, h2Frame, h2Frames, h2Request, h2Settings, type SeenFrame } from '#test/support/h2-frames.ts';

let server: HttpServer;
let port = 0;
afterEach(() => server.close());

async function start(options: Partial<HttpServerOptions> = {}): Promise<void> {
  server = createHttpServer({
    handle: (request, response) => {
      // The session memory of a half-open request must not depend on its end.
      if (request.url === '/never') return;
      request.resume();
      request.once('end', () => (response as import('node:http').ServerResponse).end(`HTTP/${request.httpVersion}`));
    },
    ...options,
  });
  port = await server.listen(0, '127.0.0.1');
}

function open(): Promise<{ socket: Socket; text: () => string; closed: Promise<void> }> {
  return new Promise((resolve, reject) => {
    let received = '';
    const socket = connect(port, '127.0.0.1', () => resolve({ socket, text: () => received, closed }));
    socket.on('data', (piece) => {
      received += piece.toString('latin1');
    });
    const closed = new Promise<void>((done) => socket.once('close', () => done()));
    socket.once('error', reject);
  });
}

function getHttp2(path = '/'): Promise<string> {
  return new Promise((resolve, reject) => {
    const client = connectHttp2(`http://127.0.0.1:${port}`);
    client.once('error', reject);
    const stream = client.request({ ':path': path });
    let text = '';
    stream.on('data', (piece) => {
      text += piece;
    });
    stream.once('end', () => {
      client.close();
      resolve(text);
    });
  });
}

function getHttp1(agent?: import('node:http').Agent): Promise<string> {
  return new Promise((resolve, reject) => {
    const request = http1Request({ port, host: '127.0.0.1', ...(agent === undefined ? {} : { agent }) }, (response) => {
      let text = '';
      response.on('data', (piece) => {
        text += piece;
      });
      response.once('end', () => resolve(text));
    });
    request.once('error', reject);
    request.end();
  });
}

describe('the shared port', () => {
  test('sends small pieces at once', async () => {
    const sockets: Socket[] = [];
    await start({
      handle: (request, response) => {
        sockets.push(request.socket);
        (response as import('node:http').ServerResponse).end('x');
      },
    });
    await getHttp1();
    // A socket is accepted before its protocol is known, so one protocol tells of both. Node has no other way to ask.
    const [socket] = sockets;
    const isUndelayed = Object.getOwnPropertySymbols(socket).find((symbol) => symbol.description === 'kSetNoDelay') ?? 'none';
    expect(Reflect.get(socket ?? {}, isUndelayed)).toBe(true);
  });

  test('answers each client in its own protocol', async () => {
    await start();
    expect(await Promise.all([getHttp1(), getHttp2(), getHttp1(), getHttp2()])).toEqual(['HTTP/1.1', 'HTTP/2.0', 'HTTP/1.1', 'HTTP/2.0']);
  });

  test.each([
    ['HTTP/1.1', 'GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n', 'HTTP/1.1 200 OK'],
    ['a method that starts as the preface does', 'PRIX / HTTP/1.1\r\nhost: x\r\n\r\n', 'HTTP/1.1 400'],
    ['the HTTP/2 preface', `PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n${'\0'.repeat(3)}\u0004${'\0'.repeat(5)}`, '\u0004'],
  ])('knows %s also when it comes byte by byte', async (_what, bytes, answer) => {
    await start();
    const { socket, text } = await open();
    socket.setNoDelay(true);
    for (const byte of bytes) {
      socket.write(Buffer.from(byte, 'latin1'));
      await new Promise((resolve) => setImmediate(resolve));
    }
    await expect.poll(text).toContain(answer);
    socket.destroy();
  });

  test('A15: a connection that says nothing, or half a preface, is closed', async () => {
    await start({ idleMsMax: 100 });
    const silent = await open();
    const slow = await open();
    slow.socket.write('PRI * HTT');
    await Promise.all([silent.closed, slow.closed]);
    await expect.poll(() => server.connectionsCount).toBe(0);
  });

  test('A15: a request whose head never ends is answered with 408 and closed', async () => {
    await start({ headersMsMax: 200 });
    const { socket, text, closed } = await open();
    socket.write('GET / HTTP/1.1\r\nhost: x\r\n');
    const drip = setInterval(() => socket.write('a: b\r\n'), 20);
    await closed;
    clearInterval(drip);
    expect(text()).toMatch(/^HTTP\/1.1 408 .*"code":"request_timeout"/s);
  });

  test('A15: an HTTP/2 connection whose headers never end is closed', async () => {
    await start({ idleMsMax: 100 });
    for (const sent of [h2Request(1).subarray(0, 20), h2Frame(FRAME.headers, 0, 1, h2Request(1).subarray(9))]) {
      const { socket, closed } = await open();
      socket.write(Buffer.concat([H2_PREFACE, h2Settings(), sent]));
      await closed;
    }
    await expect.poll(() => server.connectionsCount).toBe(0);
  });

  test('A15: a request under way outlives every timeout', async () => {
    await start({ headersMsMax: 100, idleMsMax: 100 });
    const client = connectHttp2(`http://127.0.0.1:${port}`);
    const stream = client.request({ ':path': '/never' });
    const { socket } = await open();
    let isClosed = false;
    for (const closable of [stream, socket])
      closable.once('close', () => {
        isClosed = true;
      });
    socket.write('POST /never HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n');
    await new Promise((resolve) => setTimeout(resolve, 600));
    expect(isClosed).toBe(false);
    client.destroy();
    socket.destroy();
  });

  test('headers beyond the bound and bytes that are no request are answered in JSON', async () => {
    await start();
    const flood = await open();
    flood.socket.write(`GET / HTTP/1.1\r\nhost: x\r\na: ${'x'.repeat(40_000)}\r\n\r\n`);
    await flood.closed;
    expect(flood.text()).toMatch(/^HTTP\/1.1 431 .*\{"code":"bad_header"/s);
    const noise = await open();
    noise.socket.write('\u0000\u0001\u0002 nonsense\r\n\r\n');
    await noise.closed;
    expect(noise.text()).toMatch(/^HTTP\/1.1 400 .*\{"code":"bad_header"/s);
  });

  test.each([
    ['without a host header', 'GET / HTTP/1.1\r\n\r\n', 400, 'bad_header'],
    ['with two host headers', 'GET / HTTP/1.1\r\nhost: a\r\nHost: b\r\n\r\n', 400, 'bad_header'],
    ['for a tunnel', 'CONNECT x:1 HTTP/1.1\r\nhost: x:1\r\n\r\n', 405, 'method_not_allowed'],
  ])('a request %s is answered in JSON, and its connection closed', async (_, bytes, status, code) => {
    await start();
    const { socket, text, closed } = await open();
    socket.write(bytes);
    await closed;
    expect(text()).toMatch(new RegExp(`^HTTP/1.1 ${status} .*\r\n\r\n\\{"code":"${code}","message":"`, 's'));
  });

  test.each([
    ['an expectation that nobody knows', 'GET / HTTP/1.1\r\nhost: x\r\nexpect: the-unexpected\r\n\r\n'],
    ['a wish to speak another protocol', 'GET / HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: h2c\r\n\r\n'],
    ['HTTP/1.0 without a host', 'GET / HTTP/1.0\r\n\r\n'],
  ])('a request with %s is a request like any other', async (_, bytes) => {
    await start();
    const { socket, text } = await open();
    socket.write(bytes);
    await expect.poll(text).toMatch(/^HTTP\/1.1 200 OK.*HTTP\/1.[01](\r\n|$)/s);
  });

  test.each([
    ['PING', h2Frame(FRAME.ping, 0, 0, Buffer.alloc(8))],
    ['SETTINGS', h2Settings([4, 65_535])],
  ])('A20: a connection that sends %s without end is closed with ENHANCE_YOUR_CALM; a few are answered', async (_, frame) => {
    await start();
    const { socket, text, closed } = await open();
    const seen = (): SeenFrame[] => h2Frames(Buffer.from(text(), 'latin1'));
    socket.write(Buffer.concat([H2_PREFACE, h2Settings()]));
    for (let sent = 0; sent < 100; sent += 10) socket.write(Buffer.concat(Array.from({ length: 10 }, () => frame)));
    await expect.poll(() => seen().filter(({ flags, type }) => type === frame[3] && flags === FLAG.ack).length).toBeGreaterThanOrEqual(100);
    let isClosed = false;
    void closed.then(() => {
      isClosed = true;
    });
    // In small pieces: a flood in one piece is what the library below sees by itself.
    for (let sent = 0; sent < 20_000 && !isClosed; sent += 10) {
      socket.write(Buffer.concat(Array.from({ length: 10 }, () => frame)));
      await new Promise((resolve) => setImmediate(resolve));
    }
    await closed;
    const goaway = seen().find(({ type }) => type === FRAME.goaway);
    expect(goaway?.payload.readUInt32BE(4)).toBe(0xb);
    expect(await getHttp2()).toBe('HTTP/2.0');
  });

  describe('of requests that are sent ahead', () => {
    /** Each is answered a little later, in node's two writes. */
    const slow: Partial<HttpServerOptions> = {
      handle: (request, response) => {
        request.resume();
        const body = Buffer.from(`"${request.url}"`);
        setTimeout(() => {
          (response as import('node:http').ServerResponse).writeHead(200, { 'content-length': body.length });
          (response as import('node:http').ServerResponse).end(body);
        }, 30);
      },
    };

    test('none has its 100 Continue between the head and the body of an answer', async () => {
      await start(slow);
      const { socket, text } = await open();
      const request = (path: string) => `POST ${path} HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-length: 1\r\n\r\n.`;
      socket.write(request('/a') + request('/b'));
      await expect.poll(text).toMatch(/"\/b"$/);
      const [first, ...answers] = text().split(/(?=HTTP\/1\.1 )/);
      expect(first).toBe('HTTP/1.1 100 Continue\r\n\r\n');
      expect(answers.map((answer) => answer.split('\r\n\r\n')[1])).toEqual(['"/a"', '"/b"']);
      socket.destroy();
    });

    test('those before what cannot be parsed have their answers first', async () => {
      await start(slow);
      const { socket, text, closed } = await open();
      socket.write('GET /a HTTP/1.1\r\nhost: x\r\n\r\nPOST /b HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\n\r\n.noise\r\n');
      await closed;
      const answers = text().split(/(?=HTTP\/1\.1 )/);
      expect(answers.map((answer) => [answer.slice(9, 12), answer.split('\r\n\r\n')[1]])).toEqual([
        ['200', '"/a"'],
        ['200', '"/b"'],
        ['400', expect.stringContaining('"bad_header"')],
      ]);
    });

    test('one whose own body cannot be parsed is told so', async () => {
      await start({ handle: () => undefined });
      const { socket, text, closed } = await open();
      socket.write('POST /a HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\nnoise\r\n');
      await closed;
      expect(text()).toMatch(/^HTTP\/1\.1 400 [\s\S]*"bad_header"/);
    });
  });

  test('connections whose clients hang up in any state are forgotten', async () => {
    await start();
    const client = connectHttp2(`http://127.0.0.1:${port}`);
    client.on('error', () => undefined);
    client.request({ ':path': '/never' }).on('error', () => undefined);
    const half = await open();
    half.socket.write(`PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n`);
    const idle = await open();
    await expect.poll(() => server.connectionsCount).toBe(3);
    client.destroy();
    half.socket.end();
    idle.socket.end();
    await expect.poll(() => server.connectionsCount).toBe(0);
  });

  test('once retired it takes no new connection, serves those that are there, and tells their clients to take another one', async () => {
    await start();
    const http1 = await open();
    const client = connectHttp2(`http://127.0.0.1:${port}`);
    onTestFinished(() => client.destroy());
    const goaways: number[][] = [];
    client.on('goaway', (code: number, lastStreamId: number) => goaways.push([code, lastStreamId]));
    await once(client, 'remoteSettings');
    await expect.poll(() => server.connectionsCount).toBe(2);
    server.retire();
    await expect(getHttp1()).rejects.toMatchObject({ code: 'ECONNREFUSED' });
    const stream = client.request({ ':path': '/late' });
    const [headers] = (await once(stream, 'response')) as [Record<string, unknown>];
    expect(headers[':status']).toBe(200);
    stream.resume();
    http1.socket.write('GET /late HTTP/1.1\r\nhost: x\r\n\r\n');
    await http1.closed;
    expect(http1.text()).toMatch(/^HTTP\/1.1 200 OK\r\n(.+\r\n)*connection: close\r\n/i);
    // It refuses nothing yet: the last stream that it names is the last that there may be.
    await expect.poll(() => goaways[0]).toEqual([0, 2 ** 31 - 1]);
  });

  test('a stream that comes right behind the GOAWAY of its client is served, and the connection ends with it', async () => {
    await start();
    const { socket, text, closed } = await open();
    const goaway = h2Frame(FRAME.goaway, 0, 0, Buffer.alloc(8));
    socket.write(Buffer.concat([H2_PREFACE, h2Settings(), h2Request(1), goaway, h2Request(3)]));
    const answered = (): number[] =>
      h2Frames(Buffer.from(text(), 'latin1'))
        .filter(({ type }) => type === FRAME.headers)
        .map(({ stream }) => stream);
    await expect.poll(answered).toEqual([1, 3]);
    await closed;
    await expect.poll(() => server.connectionsCount).toBe(0);
  });

  test('once draining it takes no new connection, finishes what is under way, and closes the rest', async () => {
    await start();
    const slow = await open();
    slow.socket.write('POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\n');
    await expect.poll(() => server.connectionsCount).toBe(1);
    await new Promise((resolve) => setTimeout(resolve, 20));
    server.drain();
    await expect(getHttp1()).rejects.toMatchObject({ code: 'ECONNREFUSED' });
    slow.socket.write('ok');
    await expect.poll(slow.text).toContain('HTTP/1.1 200 OK');
    await server.close();
    expect(server.connectionsCount).toBe(0);
  });
});
