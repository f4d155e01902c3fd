// docs/guides/service-producer.ts and service-relay.ts as ECS runs them: processes that are killed, told to end by SIGTERM, and
// started again, against a real server that is restarted under them.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Api } from '#test/support/api.ts';
import { type Server, startServer } from '#test/support/server.ts';

const GUIDES = path.join(import.meta.dirname, '../../docs/guides');
const ORDERS = 300;

let server: Server;
const children = new Set<ChildProcess>();

beforeAll(async () => {
  server = await startServer();
});
afterAll(async () => {
  for (const child of children) child.kill('SIGKILL');
  await server?.dispose();
});

interface Service {
  readonly child: ChildProcess;
  readonly output: () => string;
  /** What SIGTERM makes of it. */
  drain(): Promise<number | null>;
  kill(): Promise<void>;
}

function start(script: string, basin: string): Service {
  let output = '';
  const child = spawn(process.execPath, [path.join(GUIDES, script)], {
    env: { ...process.env, NODE_OPTIONS: '', MILLRACE_URL: server.url, MILLRACE_BASIN: basin, PORT: '0' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  children.add(child);
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text: string) => (output += text));
  const end = async (signal: 'SIGTERM' | 'SIGKILL'): Promise<number | null> => {
    const ended = once(child, 'close');
    child.kill(signal);
    await ended;
    return child.exitCode;
  };
  return {
    child,
    output: () => output,
    drain: () => end('SIGTERM'),
    async kill() {
      await end('SIGKILL');
    },
  };
}

describe('the producer', () => {
  test('answers every order that it took once it is durable, and drains at SIGTERM', async () => {
    const api = new Api(server.url, 'guide-producer');
    await api.createBasin();
    await api.createStream('orders');
    const service = start('service-producer.ts', api.basin);
    await expect.poll(service.output, { timeout: 30_000 }).toMatch(/port (\d+)\n/);
    const at = `http://127.0.0.1:${/port (\d+)\n/.exec(service.output())?.[1]}`;
    expect((await fetch(`${at}/health`)).status).toBe(200);
    const order = async (i: number): Promise<[number, string] | undefined> => {
      const body = `{"order":${i}}`;
      try {
        const answer = await fetch(`${at}/orders`, { method: 'POST', body, headers: { 'idempotency-key': `key-${i}` } });
        return answer.status === 201 ? [((await answer.json()) as { seqNum: number }).seqNum, body] : undefined;
      } catch {
        // It came when the service took no more connections.
        return undefined;
      }
    };
    expect(await order(0)).toEqual([0, '{"order":0}']);
    const waiting = Array.from({ length: ORDERS }, (_, i) => order(i + 1));
    await Promise.race(waiting);
    expect(await service.drain()).toBe(0);
    expect(service.output()).toContain('drained');
    const answered = (await Promise.all(waiting)).filter((one) => one !== undefined);
    expect(answered.length).toBeGreaterThan(0);
    const bodies = await api.readBodies('orders');
    for (const [seqNum, body] of answered) expect(bodies[seqNum]).toBe(body);
    // Whoever got no answer learns nothing; but what a drained service took it has answered.
    expect(bodies).toHaveLength(answered.length + 1);
    const { json } = await api.read('orders', '?seq_num=0&count=1');
    expect((json as { records: object[] }).records).toEqual([expect.objectContaining({ headers: [['id', 'key-0']] })]);
  });
});

describe('the relay', () => {
  test('writes one invoice an order, in order, through kills, a drain, a twin, and a restart of the server', {
    timeout: 120_000,
  }, async () => {
    const api = new Api(server.url, 'guide-relay');
    await api.createBasin();
    await api.createStream('orders');
    await api.createStream('invoices');
    let done = 0;
    const some = async (): Promise<void> => {
      for (const end = done + ORDERS / 6; done < end; done += 1) await api.appendBodies('orders', `${done}`);
    };
    const caughtUp = (): Promise<void> => expect.poll(() => api.tail('invoices'), { timeout: 30_000 }).toBeGreaterThanOrEqual(done);
    const first = start('service-relay.ts', api.basin);
    await some();
    await caughtUp();
    await Promise.all([some(), sleep(50).then(() => first.kill())]);
    const second = start('service-relay.ts', api.basin);
    await some();
    const twin = start('service-relay.ts', api.basin);
    // Both are there, and take the same orders.
    await expect.poll(twin.output, { timeout: 30_000 }).toContain('goes on at order');
    await some();
    await caughtUp();
    await twin.kill();
    await server.kill();
    await server.start();
    await some();
    await caughtUp();
    const [, code] = await Promise.all([some(), sleep(20).then(() => second.drain())]);
    expect([code, second.output()]).toEqual([0, expect.stringContaining('drained')]);
    const third = start('service-relay.ts', api.basin);
    await caughtUp();
    expect(await third.drain()).toBe(0);
    expect(await api.readBodies('invoices')).toEqual(Array.from({ length: ORDERS }, (_, i) => `invoice for ${i}`));
  });
});
