// A browser's EventSource, as the `eventsource` package has it: it resumes by Last-Event-ID, by itself, also after a restart.

import { EventSource } from 'eventsource';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Api } from '#test/support/api.ts';
import { type Server, startServer } from '#test/support/server.ts';

let server: Server;
let api: Api;
const open: EventSource[] = [];

interface Batch {
  readonly records: readonly { readonly seq_num: number; readonly body: string }[];
  readonly tail?: { readonly seq_num: number };
}

interface Followed {
  readonly bodies: string[];
  readonly ids: string[];
  readonly tails: number[];
  readonly source: EventSource;
  done: boolean;
}

/** Follows a stream as a page would, noting what it gets. */
function follow(stream: string, query: string): Followed {
  const source = new EventSource(`${server.url}/v1${api.recordsPath(stream, query)}`, {
    fetch: (input, init) => fetch(input, { ...init, headers: { ...init.headers, 's2-basin': api.basin } }),
  });
  open.push(source);
  const followed: Followed = { bodies: [], ids: [], tails: [], source, done: false };
  source.addEventListener('batch', (event) => {
    followed.ids.push(event.lastEventId);
    followed.bodies.push(...(JSON.parse(event.data) as Batch).records.map((record) => record.body));
  });
  source.addEventListener('ping', (event) => {
    followed.tails.push((JSON.parse(event.data) as Required<Batch>).tail.seq_num);
  });
  source.addEventListener('message', (event) => {
    if (event.data !== '[DONE]') return;
    followed.done = true;
    source.close();
  });
  return followed;
}

beforeAll(async () => {
  server = await startServer();
  api = new Api(server.url, 'event-basin');
  await api.createBasin();
});

afterAll(async () => {
  for (const source of open) source.close();
  await server?.dispose();
});

describe('EventSource', () => {
  test('gets what is there, the tail, and then what comes, each batch with the id to resume from', async () => {
    await api.createStream('follow');
    await api.appendBodies('follow', 'a', 'b');
    const followed = follow('follow', '?seq_num=0');
    await expect.poll(() => followed.tails).toEqual([2]);
    await api.appendBodies('follow', 'c');
    await expect.poll(() => followed.bodies).toEqual(['a', 'b', 'c']);
    // Last sequence number, records so far, metered bytes so far: 8 a record and its body.
    expect(followed.ids).toEqual(['1,2,18', '2,3,27']);
    followed.source.close();
  });

  test('a bounded read ends with [DONE]', async () => {
    await api.createStream('bounded');
    await api.appendBodies('bounded', 'a', 'b', 'c');
    const followed = follow('bounded', '?seq_num=0&count=2');
    await expect.poll(() => followed.done).toBe(true);
    expect(followed.bodies).toEqual(['a', 'b']);
  });

  test.each(['kill -9', 'SIGTERM'])('goes on without a gap or a repeat after a restart by %s', async (how) => {
    await api.createStream(how);
    await api.appendBodies(how, 'a', 'b');
    const followed = follow(how, '?seq_num=0');
    await expect.poll(() => followed.bodies).toEqual(['a', 'b']);
    if (how === 'kill -9') await server.kill();
    else await server.stop();
    await server.start();
    await api.appendBodies(how, 'c');
    await expect.poll(() => followed.bodies, { timeout: 15_000 }).toEqual(['a', 'b', 'c']);
    followed.source.close();
  });
});

describe('Last-Event-ID', () => {
  const events = { accept: 'text/event-stream' };

  test('overrides the start, and counts what was delivered before', async () => {
    await api.createStream('resume');
    await api.appendBodies('resume', 'a', 'b', 'c', 'd', 'e');
    const answer = await api.read('resume', '?seq_num=0&count=4', { ...events, 'last-event-id': '1,2,18' });
    expect([answer.status, answer.headers.get('content-type')]).toEqual([200, 'text/event-stream']);
    expect(answer.text.match(/"body":"\w"/g)).toEqual(['"body":"c"', '"body":"d"']);
    expect(answer.text.endsWith('data: [DONE]\n\n')).toBe(true);
  });

  test('is refused when it is malformed', async () => {
    await api.createStream('malformed');
    for (const id of ['x', '1', '1,2', '1,2,3,4', '-1,0,0']) {
      const answer = await api.read('malformed', '?seq_num=0', { ...events, 'last-event-id': id });
      expect([answer.status, answer.json], id).toEqual([400, { code: 'bad_header', message: expect.any(String) }]);
    }
  });

  test('what can be refused beforehand is an ordinary answer, not an event', async () => {
    const missing = await api.read('nowhere', '?seq_num=0', events);
    expect([missing.status, missing.json]).toEqual([404, { code: 'stream_not_found', message: expect.any(String) }]);
    await api.createStream('empty');
    expect((await api.read('empty', '?seq_num=7', events)).json).toEqual({ tail: { seq_num: 0, timestamp: 0 } });
  });
});
