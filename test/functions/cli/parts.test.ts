// The pieces of the command line that read bytes and arguments, without a process.

import { fc, test as prop } from '@fast-check/vitest';
import { S2Error } from '@s2-dev/streamstore';
import { describe, expect, test } from 'vitest';
import { refusalOf } from '#functions/cli/connection.ts';
import { parseExact } from '#functions/cli/exact-json.ts';
import { CliError } from '#functions/cli/exit-code.ts';
import { failureOf, hadNoEffect } from '#functions/cli/failure.ts';
import { linesOf } from '#functions/cli/lines.ts';
import { parsePlace } from '#functions/cli/place.ts';
import { printable } from '#functions/cli/printable.ts';
import { eventsOf } from '#functions/cli/sse.ts';
import { durationText, seconds, timestamp, u64 } from '#functions/cli/values.ts';
import { runCli } from './support.ts';

async function* chunked(bytes: Buffer, sizes: readonly number[]): AsyncGenerator<Buffer<ArrayBuffer>> {
  let at = 0;
  for (let turn = 0; at < bytes.length; turn += 1) {
    const size = sizes[turn % sizes.length] ?? 1;
    yield Buffer.from(bytes.subarray(at, at + size));
    at += size;
  }
}

const sizes = fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 5 });

describe('linesOf', () => {
  prop.prop([fc.array(fc.constantFrom(...Buffer.from('\n\n\r\0ab\xff', 'latin1')), { maxLength: 60 }), sizes])(
    'gives the bytes between newlines, however they come in',
    async (values, chunkSizes) => {
      const bytes = Buffer.from(values);
      const lines: Buffer[] = [];
      for await (const some of linesOf(chunked(bytes, chunkSizes), 100)) lines.push(...some);
      const expected = bytes.toString('latin1').split('\n');
      if (expected.at(-1) === '') expected.pop();
      expect(lines.map((line) => line.toString('latin1'))).toEqual(expected);
    },
  );

  test('refuses a line as soon as it is too long, after all lines before it', async () => {
    const lines: string[] = [];
    const endless = (async function* () {
      yield Buffer.from('a\nbb\n');
      for (;;) yield Buffer.from('xxxx');
    })();
    const reading = (async () => {
      for await (const some of linesOf(endless, 10)) lines.push(...some.map(String));
    })();
    await expect(reading).rejects.toThrow('line 3 is longer than a record can be (10 bytes)');
    expect(lines).toEqual(['a', 'bb']);
  });
});

describe('eventsOf', () => {
  prop.prop([sizes, fc.constantFrom('\n', '\r\n')])('finds every event, however the bytes come in', async (chunkSizes, newline) => {
    const text = [
      ': a comment',
      '',
      'event: batch',
      'id: 1',
      'data: {"é":1}',
      '',
      'data: first',
      'data:second',
      '',
      'event: ping',
      'data: x',
      '',
      '',
    ];
    const events: unknown[] = [];
    const body = ReadableStream.from(chunked(Buffer.from(text.join(newline)), chunkSizes));
    for await (const event of eventsOf(body, () => undefined)) events.push(event);
    expect(events).toEqual([
      { name: 'batch', data: '{"é":1}' },
      { name: 'message', data: 'first\nsecond' },
      { name: 'ping', data: 'x' },
    ]);
  });
});

describe('arguments', () => {
  test('a place is divided at its first slash', () => {
    expect(parsePlace('my-basin')).toEqual({ basin: 'my-basin', stream: undefined });
    expect(parsePlace('my-basin/a//b/')).toEqual({ basin: 'my-basin', stream: 'a//b/' });
    for (const wrong of ['My-basin', 'my-basin-', '-my-basin', 'seven-7', 'my-basin/', 'my-basin/..', `my-basin/${'é'.repeat(257)}`]) {
      expect(() => parsePlace(wrong), wrong).toThrow(CliError);
    }
  });

  test('durations, instants and u64 are exact, and nothing else passes for one', () => {
    expect(['90', '90s', '2m', '3h', '7d', '2w'].map(seconds)).toEqual([90, 90, 120, 10_800, 604_800, 1_209_600]);
    expect([1, 60, 90, 3_600, 86_400, 604_800].map(durationText)).toEqual(['1s', '1m', '90s', '1h', '1d', '7d']);
    expect(u64('18446744073709551615')).toBe('18446744073709551615');
    expect(timestamp('2026-01-31T12:00:00Z')).toBe('1769860800000');
    const refused: [(text: string) => unknown, string][] = [
      [seconds, '7 d'],
      [seconds, '-1'],
      [u64, '18446744073709551616'],
      [u64, '1.5'],
      [timestamp, 'yesterday'],
      [timestamp, '1e3'],
    ];
    for (const [parse, text] of refused) expect(() => parse(text), text).toThrow('It must be');
  });

  prop.prop([fc.bigInt({ min: 0n, max: 0xffff_ffff_ffff_ffffn })])('a u64 in JSON stays what it is', (value) => {
    expect(BigInt((parseExact(`{"a":[${value}]}`) as { a: [number | bigint] }).a[0])).toBe(value);
  });
});

describe('failures', () => {
  test('are one line, without control characters', () => {
    const { line } = failureOf(refusalOf(404, JSON.stringify({ code: 'stream_not_found', message: 'a\nb\u001b[31m\u009b' })), 'http://x');
    expect(line).toBe(
      'millrace: stream_not_found: a b\\u001b[31m\\u009b (see the streams with "millrace ls <basin>", or create it with "millrace create")',
    );
    expect(printable('é 漢 🙂')).toBe('é 漢 🙂');
  });

  test('an append is said to have done nothing only where that is certain', () => {
    const refused = (status: number, code: string, origin: 'server' | 'sdk') =>
      hadNoEffect(new S2Error({ message: '', status, code, origin }));
    expect([refused(422, 'invalid', 'server'), refused(429, 'rate_limited', 'server'), refused(502, 'ECONNREFUSED', 'sdk')]).toEqual([
      true,
      true,
      true,
    ]);
    expect([refused(503, 'unavailable', 'server'), refused(408, 'request_timeout', 'server'), refused(502, 'ECONNRESET', 'sdk')]).toEqual([
      false,
      false,
      false,
    ]);
    expect(hadNoEffect(new Error('anything'))).toBe(false);
  });

  test('never show a token, not even one that cannot be sent', async () => {
    const env = { MILLRACE_URL: 'http://127.0.0.1:9' };
    const secret = 'top-secret';
    for (const args of [
      ['ls', '--token', `${secret}\n`],
      ['ls', '--token', secret],
      ['read', 'my-basin/s', '--token', `${secret}é`],
    ]) {
      const { code, stdout, stderr } = await runCli(args, { env: { ...env, MILLRACE_DEBUG: '1' } });
      expect(code).not.toBe(0);
      expect(stdout + stderr).not.toContain(secret);
    }
  });
});
