// Where requests go: to the owner that an answer named, as long as the settings allow it, and back to the origin where that fails.

import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { type RunningEdge, startEdge } from '#functions/edge/workerd.ts';

interface Task {
  readonly url: string;
  readonly server: Server;
  /** Method, path, whether it may be told to go elsewhere, and the body that it read. */
  readonly seen: {
    readonly request: string;
    readonly follow: string | undefined;
    readonly authorization: string | undefined;
    body: string;
  }[];
  answer: (request: IncomingMessage, response: ServerResponse) => void;
}

/** Reads the body and says how long it was. */
function own(request: IncomingMessage, response: ServerResponse): void {
  let bytes = 0;
  request.on('data', (part: Buffer) => {
    bytes += part.length;
  });
  request.on('end', () => {
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify({ bytes }));
  });
}

/** Told to go elsewhere, from the head alone; told nothing of it, it would pass the request on. */
function moved(to: () => string): Task['answer'] {
  return (request, response) => {
    if (request.headers['millrace-follow'] !== 'edge') return own(request, response);
    response.writeHead(421, { 'content-type': 'application/json', 'millrace-owner': to() });
    response.end('{"code":"moved","message":"elsewhere"}');
    request.resume();
  };
}

async function task(answer: Task['answer'] = own): Promise<Task> {
  const seen: Task['seen'] = [];
  const made: { answer: Task['answer'] } = { answer };
  const server = createServer((request, response) => {
    const one = {
      request: `${request.method} ${request.url}`,
      follow: request.headers['millrace-follow'] as string | undefined,
      authorization: request.headers.authorization,
      body: '',
    };
    seen.push(one);
    request.on('data', (part: Buffer) => {
      if (one.body.length < 1_000) one.body += part.toString();
    });
    request.on('error', () => undefined);
    made.answer(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return Object.assign(made, { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, server, seen });
}

async function edgeOf(origin: Task, owners = 'http://127.0.0.1:*'): Promise<RunningEdge> {
  const edge = await startEdge({
    port: 0,
    variables: { MILLRACE_ORIGIN: origin.url, MILLRACE_OWNERS: owners, MILLRACE_AUTH: 'off', MILLRACE_RATE_PER_SEC: '0' },
  });
  onTestFinished(() => edge.close());
  return edge;
}

const RECORDS = '/v1/streams/one/records';

async function ask(edge: RunningEdge, method: string, body?: string | ReadableStream): Promise<{ status: number; json: unknown }> {
  const init = { method, headers: { 's2-basin': 'basin-one', authorization: 'Bearer secret' }, ...(body === undefined ? {} : { body }) };
  const response = await fetch(edge.url + RECORDS, { ...init, duplex: 'half' } as RequestInit);
  return { status: response.status, json: await response.json() };
}

test('follows where a stream moved to, with its whole body, and goes there at once from then on', async () => {
  const owner = await task((request, response) => {
    response.setHeader('millrace-owner', owner.url);
    own(request, response);
  });
  const origin = await task(moved(() => owner.url));
  const edge = await edgeOf(origin);
  expect(await ask(edge, 'POST', 'hello')).toEqual({ status: 200, json: { bytes: 5 } });
  expect([origin.seen.length, owner.seen.length]).toEqual([1, 1]);
  expect(owner.seen[0]).toMatchObject({ body: 'hello', authorization: 'Bearer secret', request: `POST ${RECORDS}` });
  expect(await ask(edge, 'GET')).toEqual({ status: 200, json: { bytes: 0 } });
  expect([origin.seen.length, owner.seen.length]).toEqual([1, 2]);
});

test('a body that flows is never sent twice: whoever gets it passes it on', async () => {
  const owner = await task();
  const origin = await task(moved(() => owner.url));
  const edge = await edgeOf(origin);
  const parts = Array.from({ length: 10 }, (_, i) => String(i).repeat(20_000));
  const flowing = new ReadableStream({
    pull(controller) {
      const part = parts.shift();
      if (part === undefined) controller.close();
      else controller.enqueue(Buffer.from(part));
    },
  });
  expect(await ask(edge, 'POST', flowing)).toEqual({ status: 200, json: { bytes: 200_000 } });
  expect([origin.seen.map(({ follow }) => follow), owner.seen.length]).toEqual([[undefined], 0]);
});

test('an append session asks for its way first, without input, and only while it does not know it', async () => {
  const owner = await task((request, response) => {
    if (request.headers['millrace-follow'] === 'edge') response.setHeader('millrace-owner', owner.url);
    own(request, response);
  });
  const origin = await task(moved(() => owner.url));
  const edge = await edgeOf(origin);
  const open = async (): Promise<unknown> => {
    const body = new Blob(['x'.repeat(1_000)]).stream();
    const init = { method: 'POST', headers: { 's2-basin': 'basin-one', 'content-type': 's2s/proto' }, body, duplex: 'half' };
    return await (await fetch(edge.url + RECORDS, init as RequestInit)).json();
  };
  expect(await open()).toEqual({ bytes: 1_000 });
  expect(origin.seen.map(({ body }) => body.length)).toEqual([0]);
  expect(owner.seen.map(({ body, follow }) => [body.length, follow])).toEqual([
    [0, 'edge'],
    [1_000, undefined],
  ]);
  expect(await open()).toEqual({ bytes: 1_000 });
  expect([origin.seen.length, owner.seen.length]).toEqual([1, 3]);
});

test('a session that would be refused is refused without its input', async () => {
  const origin = await task((request, response) => {
    request.resume();
    response.writeHead(404, { 'content-type': 'application/json' }).end('{"code":"stream_not_found","message":"none"}');
  });
  const edge = await edgeOf(origin);
  const init = {
    method: 'POST',
    headers: { 's2-basin': 'basin-one', 'content-type': 's2s/proto' },
    body: new Blob(['x']).stream(),
    duplex: 'half',
  };
  const answer = await fetch(edge.url + RECORDS, init as RequestInit);
  expect([answer.status, await answer.json()]).toEqual([404, { code: 'stream_not_found', message: 'none' }]);
  expect(origin.seen).toHaveLength(1);
});

test('is refused with 503 where nobody is the owner, and nobody is asked more than four times', async () => {
  const one: Task = await task((request, response) => {
    request.resume();
    response.writeHead(421, { 'millrace-owner': two.url }).end('{}');
  });
  const two: Task = await task((request, response) => {
    request.resume();
    response.writeHead(421, { 'millrace-owner': one.url }).end('{}');
  });
  const edge = await edgeOf(one);
  expect(await ask(edge, 'POST', 'x')).toEqual({ status: 503, json: { code: 'unavailable', message: expect.any(String) } });
  expect([...one.seen, ...two.seen]).toHaveLength(4);
  // The last is not told that it may be sent on.
  expect(two.seen.at(-1)?.follow).toBeUndefined();
});

test('a route is dropped where its owner says that the stream is elsewhere', async () => {
  const next = await task();
  const owner = await task();
  const origin = await task(moved(() => owner.url));
  const edge = await edgeOf(origin);
  owner.answer = (request, response) => {
    response.setHeader('millrace-owner', owner.url);
    own(request, response);
  };
  await ask(edge, 'POST', 'x');
  owner.answer = moved(() => next.url);
  expect(await ask(edge, 'POST', 'xyz')).toEqual({ status: 200, json: { bytes: 3 } });
  expect([origin.seen.length, owner.seen.length, next.seen.length]).toEqual([1, 2, 1]);
});

test('where an owner says that nobody serves the stream now, the origin is asked, which may know better', async () => {
  const owner = await task((request, response) => {
    response.setHeader('millrace-owner', owner.url);
    own(request, response);
  });
  const origin = await task(moved(() => owner.url));
  const edge = await edgeOf(origin);
  const nobody: Task['answer'] = (request, response) => {
    request.resume();
    response.writeHead(503, { 'content-type': 'application/json', 'millrace-owner': 'none', 'retry-after-ms': '500' });
    response.end('{"code":"unavailable","message":"nobody"}');
  };
  await ask(edge, 'POST', 'x');
  owner.answer = nobody;
  origin.answer = own;
  expect(await ask(edge, 'POST', 'xyz')).toEqual({ status: 200, json: { bytes: 3 } });
  origin.answer = nobody;
  expect(await ask(edge, 'POST', 'x')).toEqual({ status: 503, json: { code: 'unavailable', message: 'nobody' } });
});

test('X4: credentials go nowhere that the settings do not allow: the origin is asked to pass on', async () => {
  const stranger = await task();
  for (const named of [stranger.url, 'http://user@127.0.0.1/', 'javascript:1', `${stranger.url}/path`, 'nonsense']) {
    const origin = await task(moved(() => named));
    const edge = await edgeOf(origin, 'https://*.tasks.example.com');
    expect(await ask(edge, 'POST', 'hello'), named).toEqual({ status: 200, json: { bytes: 5 } });
    expect(origin.seen.map(({ follow }) => follow)).toEqual(['edge', undefined]);
    await edge.close();
  }
  expect(stranger.seen).toEqual([]);
});

test('X5: an append that an owner may have taken is not sent again; a read goes to the origin', async () => {
  const owner = await task((request, response) => {
    response.setHeader('millrace-owner', owner.url);
    own(request, response);
  });
  const origin = await task(moved(() => owner.url));
  const edge = await edgeOf(origin);
  await ask(edge, 'POST', 'x');
  owner.answer = (request) => request.socket.destroy();
  origin.answer = own;
  const before = owner.seen.length;
  expect(await ask(edge, 'POST', 'x')).toEqual({ status: 503, json: { code: 'unavailable', message: expect.any(String) } });
  expect([owner.seen.length, origin.seen.length]).toEqual([before + 1, 1]);
  // The route is gone with it.
  expect(await ask(edge, 'POST', 'x')).toEqual({ status: 200, json: { bytes: 1 } });

  origin.answer = moved(() => owner.url);
  owner.answer = (request, response) => {
    response.setHeader('millrace-owner', owner.url);
    own(request, response);
  };
  await ask(edge, 'GET');
  owner.answer = (request) => request.socket.destroy();
  origin.answer = own;
  expect(await ask(edge, 'GET')).toEqual({ status: 200, json: { bytes: 0 } });
});
