// What becomes of a request that is passed on when its owner is not where it was, does not answer, or breaks off.

import http from 'node:http';
import http2 from 'node:http2';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { BASIN, bodyOf, type PassingWorld, type Peer, startPassing, startPeer } from './passing-world.ts';

let world: PassingWorld;
const peers: Peer[] = [];
beforeEach(async () => {
  world = await startPassing();
});
afterEach(async () => {
  for (const peer of peers.splice(0)) peer.close();
  await world.close();
  expect(world.faults).toEqual([]);
});

async function peerThat(handle: Peer['handle']): Promise<Peer> {
  const peer = await startPeer(handle);
  peers.push(peer);
  return peer;
}

const RECORDS = '/v1/streams/stream/records';
const ACK = '{"ack":true}';
const ok: Peer['handle'] = (request, response) => {
  request.resume().on('end', () => response.writeHead(200, { 'content-type': 'application/json', 'content-length': ACK.length }).end(ACK));
};
const moved =
  (owner: () => string): Peer['handle'] =>
  (request, response) => {
    request.resume();
    response.writeHead(421, { 'millrace-owner': owner() }).end('{}');
  };

function append(body: string = '{"records":[{"body":"x"}]}', headers: Record<string, string> = {}): Promise<Response> {
  return fetch(world.origin + RECORDS, {
    method: 'POST',
    headers: { 's2-basin': BASIN, 'content-type': 'application/json', ...headers },
    body,
  });
}

async function codeOf(answer: Response): Promise<unknown> {
  return ((await answer.json()) as { readonly code: unknown }).code;
}

const frame = (flags: number, payload: string): Buffer => {
  const bytes = Buffer.from(payload);
  const head = Buffer.alloc(4);
  head.writeUIntBE(bytes.length + 1, 0, 3);
  head[3] = flags;
  return Buffer.concat([head, bytes]);
};

describe('a request that is passed on', () => {
  test('keeps its method, path, query, host, credentials, and body; what belongs to a connection goes, and no hop may pass it on again (P1)', async () => {
    const peer = await peerThat(ok);
    world.routes = [{ peer: peer.base }];
    const bodies: Promise<Buffer>[] = [];
    peer.handle = (request, response) => {
      bodies.push(bodyOf(request));
      ok(request, response);
    };
    const sent = await new Promise<number | undefined>((resolve) => {
      const request = http.request(`${world.origin}${RECORDS}?a=%20b`, {
        method: 'POST',
        headers: {
          's2-basin': BASIN,
          host: 'some.host:99',
          authorization: 'Bearer t',
          'x-request-id': '7',
          'content-type': 'application/json',
          connection: 'x-own, keep-alive',
          'x-own': '1',
          'millrace-follow': 'nonsense',
        },
      });
      request.on('response', (response) => resolve(response.resume().statusCode));
      request.write('{"records":');
      setTimeout(() => request.end('[]}'), 20);
    });
    expect(sent).toBe(200);
    const [seen] = peer.seen;
    expect([seen?.method, seen?.url]).toEqual(['POST', `${RECORDS}?a=%20b`]);
    expect(seen?.headers).toMatchObject({
      host: 'some.host:99',
      authorization: 'Bearer t',
      'x-request-id': '7',
      'millrace-follow': 'peer',
    });
    expect(seen?.headers['x-own']).toBeUndefined();
    expect(String(await bodies[0])).toBe('{"records":[]}');
  });

  test('comes over HTTP/2 too, and is answered there', async () => {
    world.routes = [{ peer: (await peerThat(ok)).base }];
    const session = http2.connect(world.origin);
    const stream = session.request({ ':method': 'POST', ':path': RECORDS, 's2-basin': BASIN, 'content-type': 'application/json' });
    stream.end('{"records":[]}');
    const [status, text] = await new Promise<[unknown, string]>((resolve) => {
      let said = '';
      let head: unknown;
      stream.on('response', (headers) => {
        head = headers[':status'];
      });
      stream.on('data', (piece) => {
        said += piece;
      });
      stream.on('end', () => resolve([head, said]));
    });
    session.close();
    expect([status, text]).toEqual([200, ACK]);
  });

  test('that says it follows is never passed on (P1)', async () => {
    const peer = await peerThat(ok);
    world.routes = [{ peer: peer.base, edge: 'https://edge.example' }];
    const asked = await Promise.all(['peer', 'edge'].map((follow) => append(undefined, { 'millrace-follow': follow })));
    expect(asked.map(({ status, headers }) => [status, headers.get('millrace-owner')])).toEqual([
      [421, peer.base],
      [421, 'https://edge.example'],
    ]);
    expect(peer.seen).toEqual([]);
    world.routes = [];
    const unowned = await append(undefined, { 'millrace-follow': 'peer' });
    expect([unowned.status, unowned.headers.get('millrace-owner'), unowned.headers.get('retry-after')]).toEqual([503, 'none', '1']);
  });

  test('goes to the next owner where nothing can have reached the one before (P2)', async () => {
    const gone = await peerThat(ok);
    gone.close();
    const heir = await peerThat(ok);
    world.routes = [{ peer: gone.base }, { peer: heir.base }];
    expect((await append()).status).toBe(200);
    expect(heir.seen.length).toBe(1);
  });

  test('goes whole to where it is told to, and no further than three times (P3)', async () => {
    const body = JSON.stringify({ records: [{ body: 'x'.repeat(300_000) }] });
    const bodies: Promise<Buffer>[] = [];
    const owner = await peerThat((request, response) => {
      bodies.push(bodyOf(request));
      ok(request, response);
    });
    const former = await peerThat(moved(() => owner.base));
    world.routes = [{ peer: former.base }];
    expect((await append(body)).status).toBe(200);
    expect(String(await bodies[0])).toBe(body);
    const one = await peerThat(moved(() => two.base));
    const two = await peerThat(moved(() => one.base));
    world.routes = [{ peer: one.base }];
    const answer = await append();
    expect([answer.status, await codeOf(answer)]).toEqual([503, 'unavailable']);
    expect(one.seen.length + two.seen.length).toBe(4);
  });

  test('waits for an owner, and is told in time that there is none (P3)', async () => {
    const peer = await peerThat(ok);
    setTimeout(() => {
      world.routes = [{ peer: peer.base }];
    }, 300);
    expect((await append()).status).toBe(200);
    world.routes = [];
    const since = performance.now();
    const answer = await append();
    expect([answer.status, await codeOf(answer), answer.headers.get('retry-after')]).toEqual([503, 'unavailable', '1']);
    expect(performance.now() - since).toBeLessThan(4_000);
  });

  test('is served here once this process is the owner', async () => {
    setTimeout(() => {
      world.isHere = true;
    }, 100);
    expect((await append()).status).toBe(200);
  });

  test('goes to another peer where one says that it does not serve it now: a server that drains', async () => {
    const drains = await peerThat((request, response) => {
      request.resume();
      response.writeHead(503, { 'millrace-owner': 'none' }).end('{"code":"server_draining"}');
    });
    world.routes = [{ peer: drains.base }, { peer: (await peerThat(ok)).base }];
    expect((await append()).status).toBe(200);
  });

  test('is not sent again when its answer is lost: it may have been taken (P2)', async () => {
    const takes = await peerThat((request) => request.resume().on('end', () => request.socket.destroy()));
    const next = await peerThat(ok);
    world.routes = [{ peer: takes.base }, { peer: next.base }];
    const answer = await append();
    expect([answer.status, await codeOf(answer)]).toEqual([503, 'unavailable']);
    expect(next.seen).toEqual([]);
    // A read has no effect.
    world.routes = [{ peer: (await peerThat((request) => void request.socket.destroy())).base }, { peer: next.base }];
    expect((await fetch(world.origin + RECORDS, { headers: { 's2-basin': BASIN } })).status).toBe(200);
  });

  test('a plain failure of the owner is the client’s, whatever it is', async () => {
    const fails = await peerThat((request, response) => {
      request.resume();
      response.writeHead(503, { 'content-type': 'application/json' }).end('{"code":"unavailable"}');
    });
    const next = await peerThat(ok);
    world.routes = [{ peer: fails.base }, { peer: next.base }];
    expect((await append()).status).toBe(503);
    expect(next.seen).toEqual([]);
    // But the route was in doubt.
    expect((await append()).status).toBe(200);
  });

  test('does not take more of a body than its owner does', async () => {
    const slow = await peerThat(() => undefined);
    world.routes = [{ peer: slow.base }];
    const request = http.request(world.origin + RECORDS, { method: 'POST', headers: { 's2-basin': BASIN, 'content-type': 's2s/proto' } });
    request.on('error', () => undefined);
    const piece = Buffer.alloc(1024 * 1024);
    let sent = 0;
    let isStuck = false;
    while (sent < 256 && !isStuck) {
      sent += 1;
      isStuck = await new Promise<boolean>((resolve) => {
        const stuck = setTimeout(() => resolve(true), 500);
        request.write(piece, () => {
          clearTimeout(stuck);
          resolve(false);
        });
      });
    }
    request.destroy();
    expect(isStuck).toBe(true);
    expect(sent).toBeLessThan(48);
  });

  test('does not take more of an answer than its client does', async () => {
    let written = 0;
    const fast = await peerThat((_, response) => {
      response.writeHead(200, { 'content-type': 's2s/proto' });
      const piece = Buffer.alloc(256 * 1024);
      const more = (): void => {
        while (written < 256 * 1024 * 1024) {
          written += piece.length;
          if (!response.write(piece)) return void response.once('drain', more);
        }
      };
      more();
    });
    world.routes = [{ peer: fast.base }];
    const request = http.get(world.origin + RECORDS, { headers: { 's2-basin': BASIN, 'content-type': 's2s/proto' } });
    request.on('error', () => undefined);
    await new Promise((resolve) => request.once('response', resolve));
    for (let before = -1; before !== written; ) {
      before = written;
      await new Promise((resolve) => setTimeout(resolve, 500));
    }
    expect(written).toBeLessThan(48 * 1024 * 1024);
    request.destroy();
  });
});

describe('a session that is passed on', () => {
  const collect = (headers: Record<string, string>): Promise<{ bytes: Buffer; isWhole: boolean }> =>
    new Promise((resolve, reject) => {
      const request = http.get(world.origin + RECORDS, { headers: { 's2-basin': BASIN, ...headers } });
      request.on('error', reject);
      request.on('response', (response) => {
        const pieces: Buffer[] = [];
        response.on('data', (piece: Buffer) => pieces.push(piece));
        response.on('error', () => undefined);
        response.on('close', () => resolve({ bytes: Buffer.concat(pieces), isWhole: response.complete }));
      });
    });
  const breaksAfter =
    (type: string, bytes: string | Buffer): Peer['handle'] =>
    (_, response) => {
      response.writeHead(200, { 'content-type': type });
      response.write(bytes);
      setTimeout(() => response.destroy(), 50);
    };

  test('ends with a terminal frame, or an event, when its owner breaks off, and is cut in the middle of one (P4)', async () => {
    const frames = await peerThat(breaksAfter('s2s/proto', Buffer.concat([frame(0, 'one'), frame(0, 'two')])));
    world.routes = [{ peer: frames.base }];
    const framed = await collect({ 'content-type': 's2s/proto' });
    const before = frame(0, 'one').length + frame(0, 'two').length;
    expect([framed.isWhole, framed.bytes[before + 3], framed.bytes.readUInt16BE(before + 4)]).toEqual([true, 0x80, 503]);
    expect(framed.bytes.toString()).toContain('"unavailable"');

    world.routes = [{ peer: (await peerThat(breaksAfter('text/event-stream', 'event: batch\ndata: {}\n\n'))).base }];
    const events = await collect({ accept: 'text/event-stream' });
    expect([events.isWhole, events.bytes.toString()]).toEqual([true, expect.stringContaining('event: error')]);

    world.routes = [{ peer: (await peerThat(breaksAfter('s2s/proto', frame(0, 'half').subarray(0, 6)))).base }];
    expect((await collect({ 'content-type': 's2s/proto' })).isWhole).toBe(false);
    world.routes = [{ peer: (await peerThat(breaksAfter('text/event-stream', 'event: batch\ndata: {'))).base }];
    expect((await collect({ accept: 'text/event-stream' })).isWhole).toBe(false);
  });

  test('through a server that drains is advised, and told to go once what it sent is acknowledged', async () => {
    const inputs: Buffer[] = [];
    let acknowledge = (): void => undefined;
    const peer = await peerThat((request, response) => {
      response.writeHead(200, { 'content-type': 's2s/proto' }).flushHeaders();
      request.on('data', (piece: Buffer) => inputs.push(piece));
      acknowledge = () => void response.write(frame(0, 'ack'));
    });
    world.routes = [{ peer: peer.base }];
    const request = http.request(world.origin + RECORDS, { method: 'POST', headers: { 's2-basin': BASIN, 'content-type': 's2s/proto' } });
    request.write(frame(0, 'input 1'));
    request.write(frame(0, 'input 2'));
    const response = await new Promise<http.IncomingMessage>((resolve) => request.once('response', resolve));
    const got: Buffer[] = [];
    response.on('data', (piece: Buffer) => got.push(piece));
    await expect.poll(() => Buffer.concat(inputs).toString()).toContain('input 2');
    acknowledge();
    await expect.poll(() => Buffer.concat(got).length).toBe(frame(0, 'ack').length);
    const drained = world.handler.drain(100);
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(response.complete).toBe(false);
    acknowledge();
    await new Promise((resolve) => response.once('end', resolve));
    await drained;
    request.destroy();
    const bytes = Buffer.concat(got);
    const size = frame(0, 'ack').length;
    // The second is marked, and the third is the last.
    expect([bytes[3], bytes[size + 3], bytes[2 * size + 3]]).toEqual([0, 0x10, 0x80]);
    expect(bytes.toString()).toContain('server_draining');
  });
});
