// docs/examples/leader-election.ts over a real server: candidates that are killed, stopped for longer than their lease, and woken.
//
// What must hold is read from the stream itself: between two claims there is nothing but what the first of them wrote.

import { type ChildProcess, spawn } from 'node:child_process';
import path from 'node:path';
import { AppendRecord, S2, type S2Stream } from '@s2-dev/streamstore';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Server, startServer } from '#test/support/server.ts';
import { campaign, type Term, TermOver } from '../../docs/examples/leader-election.ts';

const BASIN = 'election-basin';
const LEASE_MS = 1_000;
/** For the followers' margin, the claim, and a machine that is busy with other tests. */
const MOVE_MS_MAX = LEASE_MS * 1.1 + 8_000;
const ROOT = path.join(import.meta.dirname, '../..');
const CAREFUL = path.join(ROOT, 'docs/examples/elect.ts');
const RECKLESS = path.join(ROOT, 'test/support/reckless-leader.ts');

let server: Server;
let s2: S2;
const children = new Map<string, ChildProcess>();
const printed = new Map<string, string>();

beforeAll(async () => {
  server = await startServer();
  s2 = new S2({ accessToken: 'none', endpoints: { account: server.url, basin: server.url } });
  await s2.basins.create({ basin: BASIN });
});

afterAll(async () => {
  for (const child of children.values()) child.kill('SIGKILL');
  await server?.dispose();
});

function candidate(script: string, streamName: string, name: string): void {
  const child = spawn(process.execPath, [script, server.url, BASIN, streamName, name, String(LEASE_MS)], {
    env: { ...process.env, NODE_OPTIONS: '' },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  children.set(name, child);
  child.stdout.setEncoding('utf8').on('data', (text: string) => printed.set(name, (printed.get(name) ?? '') + text));
}

interface Claim {
  readonly term: number;
  readonly token: string;
  readonly name: string;
}

/** Everything of the stream, by claim, with what lies behind it up to the next fence. */
async function history(stream: S2Stream): Promise<{ claims: Claim[]; foreign: string[]; works: Map<string, number> }> {
  const claims: Claim[] = [];
  const foreign: string[] = [];
  const works = new Map<string, number>();
  let token = '';
  // A read from the very tail that may not wait is refused.
  if ((await stream.checkTail()).tail.seqNum === 0) return { claims, foreign, works };
  const session = await stream.readSession({ start: { from: { seqNum: 0 } }, stop: { waitSecs: 0 } });
  for await (const { seqNum, body, headers } of session) {
    const named = new Map(headers);
    if (named.get('') === 'fence') token = body;
    else if (named.get('election') === 'claim') claims.push({ term: seqNum - 1, token, name: body });
    else if (named.has('term')) {
      works.set(token, (works.get(token) ?? 0) + 1);
      if (named.get('term') !== token) foreign.push(`record ${seqNum} of ${named.get('term')} under ${token}`);
    }
  }
  return { claims, foreign, works };
}

/** Waits for a claim later than `after`. */
async function nextClaim(stream: S2Stream, after: number): Promise<Claim> {
  const deadline = performance.now() + MOVE_MS_MAX;
  for (;;) {
    const { claims } = await history(stream);
    const last = claims.at(-1);
    if (last !== undefined && last.term > after) return last;
    if (performance.now() > deadline) throw new Error(`nobody claimed after term ${after} within ${MOVE_MS_MAX} ms`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

describe('leader election', () => {
  test('no write of a deposed leader lands behind the next claim, and leadership moves in bounded time', { timeout: 120_000 }, async () => {
    const streamName = 'contended';
    await s2.basin(BASIN).streams.create({ stream: streamName });
    const stream = s2.basin(BASIN).stream(streamName);
    const start = (name: string): void => candidate(name.startsWith('reckless') ? RECKLESS : CAREFUL, streamName, name);
    start('reckless-1');
    let leader = await nextClaim(stream, -1);
    for (const name of ['reckless-2', 'careful-1', 'careful-2']) start(name);
    // Every process is up before the first one falls.
    await new Promise((resolve) => setTimeout(resolve, LEASE_MS));
    const paused: Claim[] = [];
    for (const fault of ['pause', 'kill', 'pause', 'pause', 'kill', 'server', 'pause'] as const) {
      const old = leader;
      const child = children.get(old.name);
      if (fault === 'pause') child?.kill('SIGSTOP');
      else if (fault === 'kill') child?.kill('SIGKILL');
      else {
        await server.kill();
        await server.start();
        // Whoever led may lead on: nothing but the server was away.
        leader = (await history(stream)).claims.at(-1) ?? leader;
        continue;
      }
      // Resolved within the bound, or nothing is.
      leader = await nextClaim(stream, old.term);
      expect(leader.name).not.toBe(old.name);
      if (fault === 'pause') {
        paused.push(old);
        child?.kill('SIGCONT');
      } else start(`${old.name}-again`);
      await new Promise((resolve) => setTimeout(resolve, 300));
    }
    // A reckless leader that was stopped wakes up, writes on, and meets the fence.
    for (const { name, term } of paused.filter((one) => one.name.startsWith('reckless'))) {
      await expect.poll(() => printed.get(name), { timeout: 10_000 }).toContain(`${name} was refused in term ${term}\n`);
    }
    for (const child of children.values()) child.kill('SIGKILL');

    const { claims, foreign, works } = await history(stream);
    expect(foreign).toEqual([]);
    expect(new Set(claims.map(({ token }) => token)).size).toBe(claims.length);
    expect(claims.length).toBeGreaterThanOrEqual(7);
    expect(paused.length).toBe(4);
    // It is no victory over leaders that do nothing.
    expect([...works.values()].filter((count) => count > 0).length).toBeGreaterThanOrEqual(claims.length - 2);
  });

  test('a leader that lives is left alone, also by a follower that was stopped and heard nothing, and one that resigns is followed at once', {
    timeout: 60_000,
  }, async () => {
    const streamName = 'calm';
    await s2.basin(BASIN).streams.create({ stream: streamName });
    candidate(CAREFUL, streamName, 'first');
    const stream = s2.basin(BASIN).stream(streamName);
    const first = await nextClaim(stream, -1);
    expect([first.term, first.name]).toEqual([0, 'first']);
    candidate(CAREFUL, streamName, 'second');
    await new Promise((resolve) => setTimeout(resolve, 2 * LEASE_MS));
    children.get('second')?.kill('SIGSTOP');
    await new Promise((resolve) => setTimeout(resolve, 2 * LEASE_MS));
    children.get('second')?.kill('SIGCONT');
    await new Promise((resolve) => setTimeout(resolve, LEASE_MS));
    expect((await history(stream)).claims).toEqual([first]);
    children.get('first')?.kill('SIGTERM');
    const second = await nextClaim(stream, first.term);
    expect(second.name).toBe('second');
    // It ended well: by a resignation, and not by a lease that ran out.
    await expect.poll(() => children.get('first')?.exitCode, { timeout: 5_000 }).toBe(0);
    const { records } = await stream.read({ start: { from: { seqNum: second.term - 1 } }, stop: { limits: { count: 1 } } });
    expect([records[0]?.headers, records[0]?.body]).toEqual([[['', 'fence']], '']);
  });

  test('a leader that reaches nobody stops to believe that it leads when its lease runs out, and asks nobody for it', async () => {
    const stream = s2.basin(BASIN).stream('unreachable');
    await s2.basin(BASIN).streams.create({ stream: 'unreachable' });
    const stop = new AbortController();
    const seen: unknown[] = [];
    const lead = async (term: Term): Promise<void> => {
      await term.append([AppendRecord.string({ body: 'work' })]);
      process.kill(server.pid, 'SIGSTOP');
      const stoppedAt = performance.now();
      await new Promise((resolve) => term.signal.addEventListener('abort', resolve));
      const believedMs = performance.now() - stoppedAt;
      const refused = await term.append([AppendRecord.string({ body: 'late' })]).catch((error: unknown) => error);
      process.kill(server.pid, 'SIGCONT');
      stop.abort();
      seen.push(believedMs, refused);
    };
    await campaign({ stream, name: 'alone', leaseMs: LEASE_MS, signal: stop.signal, lead });
    const [believedMs, refused] = seen;
    expect(refused).toBeInstanceOf(TermOver);
    // Up to a lease behind the last renewal that was answered.
    expect(believedMs).toBeLessThan(LEASE_MS + 500);
    expect((await history(stream)).claims.length).toBe(1);
  });
});
