// The suite itself: what it must find wrong, and what it must not take for right.

import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { type Case, type CaseFile, get, ok, refusal } from './case.ts';
import { decodeBatch, encodeAppend } from './client/proto.ts';
import {
  absent,
  atLeast,
  compare,
  including,
  listOf,
  listWith,
  matching,
  not,
  number,
  oneOf,
  saved,
  savedAs,
  someText,
  time,
  u64,
} from './expect.ts';
import { parseJson, printJson } from './json.ts';
import { sectionReports } from './report.ts';
import { type Result, runCases } from './run.ts';
import type { Missing, Target } from './target.ts';

const problems = (expected: Parameters<typeof compare>[0], actual: unknown): string[] => compare(expected, actual, new Map(), 'body');

describe('an expectation', () => {
  test.each<[string, Parameters<typeof compare>[0], unknown, unknown]>([
    ['a value', 1, 1, 2],
    ['a whole number of any kind', 18_446_744_073_709_551_615n, 18_446_744_073_709_551_615n, 18_446_744_073_709_551_614n],
    ['text and not a number', '1', '1', 1],
    ['null and not nothing', null, null, undefined],
    ['an object with these fields', { a: 1 }, { a: 1 }, {}],
    ['and with no others', { a: 1 }, { a: 1 }, { a: 1, b: 2 }],
    ['a list of this length', [1], [1], [1, 1]],
    ['a list in this order', [1, 2], [1, 2], [2, 1]],
    ['no field', { a: absent }, {}, { a: null }],
    ['some fields', including({ a: 1 }), { a: 1, b: 2 }, { b: 2 }],
    ['items alike', listOf(u64), [1, 2], [1, -1]],
    ['an item among others', listWith(2), [1, 2], [1, 3]],
    ['one of several', oneOf(1, 'a'), 'a', 'b'],
    ['64 bits', u64, 2n ** 64n - 1n, 2n ** 64n],
    ['a number', number, 1.5, '1.5'],
    ['at least', atLeast(3), 3, 2],
    ['a pattern', matching(/^a/), 'ab', 'ba'],
    ['text that is not empty', someText, 'a', ''],
    ['a time', time, '2026-01-02T03:04:05.678901Z', '2026-01-02T03:04:05+02:00'],
    ['anything else', not(1), 2, 1],
  ])('asks for %s', (_, expected, right, wrong) => {
    expect(problems(expected, right)).toEqual([]);
    expect(problems(expected, wrong)).not.toEqual([]);
  });

  test('remembers what it saw, and says where it is not the same', () => {
    const scope = new Map();
    expect(compare({ a: savedAs('seen', someText) }, { a: 'x' }, scope, 'body')).toEqual([]);
    expect(compare(['{seen}/y', saved('seen')], ['x/y', 'x'], scope, 'body')).toEqual([]);
    expect(compare({ b: [saved('seen')] }, { b: ['y'] }, scope, 'body')).toEqual(['body.b[0]: expected "x", got "y"']);
  });
});

describe('JSON', () => {
  test('keeps whole numbers that a double does not', () => {
    const text = '{"a":18446744073709551615,"b":1.5,"c":"9007199254740993","d":9007199254740993}';
    expect(parseJson(text)).toEqual({ a: 18_446_744_073_709_551_615n, b: 1.5, c: '9007199254740993', d: 9_007_199_254_740_993n });
    expect(printJson(parseJson(text))).toBe(text);
  });
});

describe('protobuf', () => {
  test('is that of the golden frames', () => {
    const golden = { records: [{ timestamp: 5, headers: [{ name: 'k', value: 'v' }] }], matchSeqNum: 0, fencingToken: '' };
    expect(encodeAppend(golden).toString('hex')).toBe('0a0a080512060a016b12017610001a00');
    expect(decodeBatch(Buffer.from('0a0710e80722026869', 'hex'))).toMatchObject({
      records: [{ seqNum: 0n, timestamp: 1_000n }],
      tail: undefined,
    });
  });
});

let server: Server | undefined;
afterEach(() => {
  server?.closeAllConnections();
  server?.close();
});

/** A server that answers everything alike. */
async function answering(
  status: number,
  body: string,
  headers: Record<string, string> = { 'content-type': 'application/json' },
): Promise<Target> {
  const started = createServer((_, response) => response.writeHead(status, headers).end(body));
  server = started;
  await new Promise<void>((resolve) => started.listen(0, '127.0.0.1', resolve));
  return { url: `http://127.0.0.1:${(started.address() as AddressInfo).port}`, token: 'any' };
}

async function run(target: Target, one: Omit<Case, 'name' | 'shows'>, missing: Missing = new Map()): Promise<Result> {
  const files: CaseFile[] = [{ file: 'f', cases: [{ name: 'n', shows: ['1.5-shape'], basin: null, ...one }] }];
  const [result] = await Promise.all(runCases(files, target, missing, { concurrency: 1 }).values());
  if (result === undefined) throw new Error('there is no result');
  return result;
}

const REFUSAL = '{"code":"stream_not_found","message":"x"}';

describe('a run', () => {
  test('passes what answers as expected', async () => {
    const target = await answering(404, REFUSAL);
    expect((await run(target, { steps: [[get('/x'), refusal(404, 'stream_not_found')]] })).outcome).toBe('passed');
  });

  test.each<[string, number, string, Record<string, string>, RegExp]>([
    ['another status', 200, REFUSAL, {}, /status: expected 404, got 200/],
    ['another code', 404, '{"code":"basin_not_found","message":"x"}', {}, /body.code/],
    ['no message', 404, '{"code":"stream_not_found","message":""}', {}, /message/],
    ['more fields', 404, '{"code":"stream_not_found","message":"x","more":1}', {}, /more: expected nothing/],
    ['no JSON', 404, 'not found', {}, /got nothing/],
    ['no JSON type', 404, REFUSAL, { 'content-type': 'text/html' }, /a failure is text\/html/],
  ])('fails on %s', async (_, status, body, headers, reason) => {
    const target = await answering(status, body, { 'content-type': 'application/json', ...headers });
    const result = await run(target, { steps: [[get('/x'), refusal(404, 'stream_not_found')]] });
    expect(result.outcome).toBe('failed');
    expect(result.reason).toMatch(reason);
  });

  test.each([
    [500, '{"code":"exploded","message":"x"}'],
    [404, '{"code":"invalid","message":"x"}'],
    [412, '{"code":"seq_num_mismatch","message":"x"}'],
    [416, '{"tail":{"seq_num":1}}'],
  ])('fails on a failure that is in no table, though the case expects its status: %i %s', async (status, body) => {
    const result = await run(await answering(status, body), { steps: [[get('/x'), { status }]] });
    expect(result.outcome).toBe('failed');
  });

  test('fails when what it polls for does not come, and when it takes too long', async () => {
    const target = await answering(200, '{}');
    expect((await run(target, { steps: [[get('/x'), { ...ok([]), withinMs: 120 }]] })).reason).toMatch(/for 120 ms/);
    const late = await run(target, { timeoutMs: 50, run: (client) => client.sleep(60_000) });
    expect([late.outcome, late.reason]).toEqual(['failed', 'not done after 50 ms']);
  });

  test('fails when nobody answers', async () => {
    const result = await run({ url: 'http://127.0.0.1:1', token: 'any' }, { steps: [[get('/x'), ok()]] });
    expect([result.outcome, result.reason]).toEqual(['failed', expect.stringContaining('ECONNREFUSED')]);
  });

  test('does not run what the target lacks, nor what is pending, and never counts it as passed', async () => {
    const target = await answering(200, '{}');
    const skipped = await run(target, { needs: ['metrics'], steps: [[get('/x'), ok()]] }, new Map([['metrics', 'it answers 501']]));
    expect([skipped.outcome, skipped.reason]).toEqual(['skipped', 'metrics: it answers 501']);
    const pending = await run(target, { pending: 'not yet', steps: [[get('/x'), ok()]] });
    expect(pending.outcome).toBe('pending');
    const passed = await run(target, { steps: [[get('/x'), ok()]] });
    const section = (results: Result[]) => sectionReports(results).find((one) => one.section === '1.5');
    expect(section([passed])).toMatchObject({ passed: 1, failed: 0, skipped: 0 });
    expect(section([passed, skipped])).toMatchObject({ passed: 0, skipped: 1 });
    expect(section([passed, skipped, pending])).toMatchObject({ passed: 0, skipped: 0, pending: 1 });
    expect(section([passed, skipped, { ...passed, outcome: 'failed' }])).toMatchObject({ passed: 0, failed: 1, skipped: 0 });
  });
});
