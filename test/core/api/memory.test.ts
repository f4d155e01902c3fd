// What many clients at once may cost: bodies that unpack to far more than was sent, and answers that nobody takes.

import { setTimeout as sleep } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { BodyBudget } from '#core/api/http/body.ts';
import { Gate } from '#core/base/gate.ts';
import { Api } from '#test/support/api.ts';
import { RawConnection } from '#test/support/raw.ts';
import { startServer, type TestServer } from './server.ts';

const MIB = 1024 * 1024;

let server: TestServer;
let api: Api;

beforeAll(async () => {
  server = await startServer();
  api = new Api(server.origin, 'costly-basin');
  await api.createBasin();
  for (const stream of ['a', 'large']) await api.createStream(stream);
  await api.appendBodies('large', 'x'.repeat(900_000));
});
afterAll(() => server.close());

describe('unpacked bodies', () => {
  // A batch of one record, which is held until its append is over, in a body of 7 MiB.
  const body = gzipSync(Buffer.concat([Buffer.from('{"records":[{}]'), Buffer.alloc(7 * MIB, 0x20), Buffer.from('}')]));
  const send = () =>
    api.call('POST', '/streams/a/records', { body, headers: { 'content-type': 'application/json', 'content-encoding': 'gzip' } });

  test('A10: count by what they unpack to; beyond the budget they get 429 with Retry-After, and nothing of them is written', async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    server.store.gate = promise;
    const before = server.store.appended;
    let refusedCount = 0;
    const answers = Array.from({ length: 60 }, async () => {
      const answer = await send();
      if (answer.status === 429) refusedCount += 1;
      return answer;
    });
    await expect.poll(() => refusedCount + server.store.appended - before, { timeout: 20_000 }).toBe(60);
    const taken = server.store.appended - before;
    // 256 MiB of budget, of which one that is being unpacked asks for 16.
    expect(taken).toBeGreaterThanOrEqual(30);
    expect(taken * 7).toBeLessThanOrEqual(256);
    resolve();
    server.store.gate = undefined;
    for (const answer of await Promise.all(answers)) {
      if (answer.status === 200) continue;
      expect(answer).toMatchObject({ status: 429, json: { code: 'rate_limited' } });
      expect(answer.headers.get('retry-after')).toBe('1');
    }
    expect(await api.tail('a')).toBe(taken);
  });

  test('A10: give back what they took, whatever becomes of them', async () => {
    const bad = gzipSync(Buffer.alloc(20 * MIB));
    for (let round = 0; round < 3; round += 1) {
      const statuses = await Promise.all(
        Array.from({ length: 20 }, async (_, at) => {
          const garbage = at % 2 === 0 ? bad : Buffer.from('no gzip at all');
          const headers = { 'content-type': 'application/json', 'content-encoding': 'gzip' };
          return (await api.call('POST', '/streams/a/records', { body: garbage, headers })).status;
        }),
      );
      expect(new Set(statuses)).toEqual(new Set([413, 400]));
    }
    const answers = await Promise.all(Array.from({ length: 20 }, send));
    expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 200));
  });
});

test('A10: answers that are not taken have a bound, beyond which reads get 429; once they are taken there is room again', async () => {
  const get = `GET /v1/streams/large/records?seq_num=0 HTTP/1.1\r\nhost: x\r\ns2-basin: ${api.basin}\r\n\r\n`;
  const raws = await Promise.all(Array.from({ length: 3 }, () => RawConnection.open(server.origin)));
  for (const raw of raws) {
    raw.socket.pause();
    // Sent ahead: node reads all of them before it sees that the first answer is not taken.
    raw.send(get.repeat(150));
  }
  await expect.poll(() => server.server.connectionsCount).toBeGreaterThanOrEqual(3);
  await expect.poll(() => server.handler.openCount, { timeout: 20_000 }).toBe(0);
  // What is small, and what writes, is not refused.
  expect(await api.tail('large')).toBe(1);
  expect((await api.append('a', { records: [{}] })).status).toBe(200);
  const count = (pattern: RegExp): number => raws.reduce((sum, { text }) => sum + (text.match(pattern)?.length ?? 0), 0);
  for (const raw of raws) raw.socket.resume();
  const chars = (): number => raws.reduce((sum, { text }) => sum + text.length, 0);
  for (let before = -1; chars() !== before; ) {
    before = chars();
    await sleep(1_000);
  }
  expect(count(/HTTP\/1.1 /g)).toBe(450);
  // Beside the budget: what the kernel takes of each connection.
  expect(count(/HTTP\/1.1 200/g) * 900_000).toBeLessThan(256 * MIB + 3 * 8 * MIB);
  expect(count(/HTTP\/1.1 429/g)).toBe(450 - count(/HTTP\/1.1 200/g));
  expect(count(/^retry-after: 1\r$/gm)).toBe(count(/"code":"rate_limited"/g));
  expect(count(/"code":"rate_limited"/g)).toBeGreaterThan(100);
  for (const raw of raws) raw.reset();
  expect((await api.read('large', '?seq_num=0')).status).toBe(200);
}, 40_000);

describe('BodyBudget', () => {
  test('A10: refuses what does not fit, and takes it once there is room', () => {
    const budget = new BodyBudget(10);
    budget.take(6);
    expect(() => budget.take(5)).toThrow('too many');
    expect(budget.bytes).toBe(6);
    budget.give(1);
    budget.take(5);
    expect(budget.bytes).toBe(10);
  });
});

describe('Gate', () => {
  test('lets as many in as it may, in order, also after one of them failed', async () => {
    const gate = new Gate(2);
    let inside = 0;
    let insideMax = 0;
    const order: number[] = [];
    const outcomes = await Promise.allSettled(
      Array.from({ length: 20 }, (_, at) =>
        gate.run(async () => {
          order.push(at);
          inside += 1;
          insideMax = Math.max(insideMax, inside);
          await new Promise((resolve) => setTimeout(resolve, 1));
          inside -= 1;
          if (at % 3 === 0) throw new Error('failed');
        }),
      ),
    );
    expect(insideMax).toBe(2);
    expect(order).toEqual(outcomes.map((_, at) => at));
    expect(outcomes.filter(({ status }) => status === 'rejected')).toHaveLength(7);
  });
});
