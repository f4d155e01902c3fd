// What a reader asks for after a connection broke, against a server that breaks it wherever the test says.

import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { Connection } from '#functions/cli/connection.ts';
import { type ReadQuery, type ReadRecord, readBatches } from '#functions/cli/record-reader.ts';

/** What one request is answered with; `cut` breaks the connection off, else the body ends. */
interface Answer {
  readonly status?: number;
  readonly body: string;
  readonly cut?: true;
}

let server: Server | undefined;

afterEach(() => {
  server?.closeAllConnections();
  server?.close();
});

/** @returns the queries that were asked, in order, and the sequence numbers that came */
async function read(query: ReadQuery, answers: readonly Answer[]): Promise<{ asked: string[]; seqNums: number[]; error: unknown }> {
  const asked: string[] = [];
  const listening = createServer((request, response) => {
    const { status = 200, body, cut } = answers[asked.length] ?? { status: 500, body: '{"code":"invalid","message":"asked too often"}' };
    asked.push(decodeURIComponent(new URL(request.url ?? '', 'http://x').search));
    response.writeHead(status, { 'content-type': status === 200 ? 'text/event-stream' : 'application/json' });
    if (cut === undefined) response.end(body);
    else response.write(body, () => setTimeout(() => response.destroy(), 20));
  });
  server = listening;
  await new Promise<void>((resolve) => listening.listen(0, '127.0.0.1', resolve));
  const connection = new Connection({ url: `http://127.0.0.1:${(listening.address() as AddressInfo).port}` });
  const records: ReadRecord[] = [];
  let error: unknown;
  try {
    const options = { encryptionKey: undefined, signal: new AbortController().signal };
    for await (const some of readBatches(connection, { basin: 'my-basin', stream: 'a/b' }, query, options)) records.push(...some);
  } catch (thrown) {
    error = thrown;
  }
  return { asked, seqNums: records.map((one) => Number(one.seqNum)), error };
}

function batch(...seqNums: number[]): string {
  const records = seqNums.map((seq_num) => ({ seq_num, timestamp: 1, body: Buffer.from('abc').toString('base64') }));
  return `event: batch\nid: 0,0,0\ndata: ${JSON.stringify({ records })}\n\n`;
}

const ping = (tail: number): string => `event: ping\ndata: {"timestamp":1,"tail":{"seq_num":${tail},"timestamp":1}}\n\n`;
const problem = (code: string): string => `event: error\ndata: {"code":"${code}","message":"m"}\n\n`;
const DONE = 'data: [DONE]\n\n';
const FROM_0: ReadQuery = { start: { by: 'seq_num', at: '0' } };

describe('readBatches', () => {
  test('goes on behind the last record, and asks for what the limits leave', async () => {
    const query: ReadQuery = { start: { by: 'timestamp', at: '1' }, count: 5, bytes: 100, until: '9', waitSeconds: 3 };
    const { asked, seqNums, error } = await read(query, [
      { body: batch(7, 8), cut: true },
      { body: batch(9), cut: true },
      { body: batch(10, 11) + DONE },
    ]);
    expect(error).toBeUndefined();
    expect(seqNums).toEqual([7, 8, 9, 10, 11]);
    // Three bytes and eight of overhead a record.
    expect(asked).toEqual([
      '?timestamp=1&count=5&bytes=100&until=9&wait=3',
      '?seq_num=9&count=3&bytes=78&until=9&wait=3',
      '?seq_num=10&count=2&bytes=67&until=9&wait=3',
    ]);
  });

  test('a tail that was told fixes a start that was relative to it', async () => {
    const { asked, seqNums } = await read({ start: { by: 'tail_offset', at: '0' } }, [
      { body: ping(4), cut: true },
      { body: batch(4) + DONE },
    ]);
    expect(asked).toEqual(['?tail_offset=0', '?seq_num=4']);
    expect(seqNums).toEqual([4]);
  });

  test('an event that came in part is not delivered, and comes again', async () => {
    const { seqNums, asked } = await read(FROM_0, [{ body: batch(0) + batch(1).slice(0, -1), cut: true }, { body: batch(1) + DONE }]);
    expect([seqNums, asked]).toEqual([
      [0, 1],
      ['?seq_num=0', '?seq_num=1'],
    ]);
  });

  test('an end without the last event is a break, and a draining server is one', async () => {
    const { seqNums, error } = await read(FROM_0, [
      { body: batch(0) },
      { body: batch(1) + problem('server_draining') },
      { status: 503, body: '{"code":"unavailable","message":"m"}' },
      { body: batch(2) + DONE },
    ]);
    expect([seqNums, error]).toEqual([[0, 1, 2], undefined]);
  });

  test('limits that are used up, and a start at the tail, are the end after a break', async () => {
    const limited = await read({ ...FROM_0, count: 2 }, [{ body: batch(0, 1), cut: true }]);
    expect([limited.seqNums, limited.asked.length, limited.error]).toEqual([[0, 1], 1, undefined]);
    const atTail = await read({ ...FROM_0, waitSeconds: 0 }, [
      { body: batch(0, 1), cut: true },
      { status: 416, body: '{"tail":{"seq_num":2,"timestamp":1}}' },
    ]);
    expect([atTail.seqNums, atTail.error]).toEqual([[0, 1], undefined]);
  });

  test('what does not pass is said at once: a refusal, before and after records', async () => {
    const before = await read(FROM_0, [{ status: 404, body: '{"code":"stream_not_found","message":"m"}' }]);
    expect([before.asked.length, before.error]).toMatchObject([1, { code: 'stream_not_found', status: 404 }]);
    const after = await read(FROM_0, [{ body: batch(0) + problem('decryption_failed') }]);
    expect([after.seqNums, after.error]).toMatchObject([[0], { code: 'decryption_failed' }]);
  });

  test('a server that never answers well is given up before the first record, after three attempts', async () => {
    const { asked, error } = await read(
      FROM_0,
      Array.from({ length: 9 }, () => ({ status: 503, body: '{"code":"unavailable","message":"m"}' })),
    );
    expect([asked.length, error]).toMatchObject([3, { code: 'unavailable' }]);
  });
});
