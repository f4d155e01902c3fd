// Records in and out of the command line: the same bytes, in the same order, whatever they are.

import { createHash, randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Server, startServer } from '#test/support/server.ts';
import { cliFor } from './support.ts';

const BASIN = 'cli-records';

let server: Server;
let cli: ReturnType<typeof cliFor>;

beforeAll(async () => {
  server = await startServer();
  cli = cliFor(server.url);
  await cli.ok(['create', BASIN, '--create-on-append', '--uncapped']);
});

afterAll(async () => {
  await server?.dispose();
});

function sha256(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/** Lines of all lengths and all bytes but the newline. */
function anyLines(count: number): Buffer {
  const noise = randomBytes(count * 24);
  noise.forEach((byte, at) => {
    if (byte === 0x0a) noise[at] = 0x0b;
  });
  const lines: Buffer[] = [];
  for (let at = 0; at < count; at += 1) lines.push(noise.subarray(at * 24, at * 24 + (at % 25)), Buffer.from(`${at}\r\n`));
  return Buffer.concat(lines);
}

describe('append and read', () => {
  test('100,000 lines come back as they went in, byte for byte and in order', async () => {
    const input = anyLines(100_000);
    const appended = await cli.run(['append', `${BASIN}/many`, '--json'], { input });
    expect([appended.code, appended.stderr]).toEqual([0, '']);
    expect(JSON.parse(appended.stdout)).toEqual({ records: 100_000, start_seq_num: 0, end_seq_num: 100_000, tail_seq_num: 100_000 });
    const read = await cli.run(['read', `${BASIN}/many`]);
    expect([read.code, read.stderr, read.out.length]).toEqual([0, '', input.length]);
    expect(sha256(read.out)).toBe(sha256(input));
  });

  test('empty lines are records, and a last line needs no newline', async () => {
    expect(await cli.ok(['append', `${BASIN}/lines`], { input: '\n\na\n\nb' })).toBe(
      `5 records appended to ${BASIN}/lines: sequence numbers 0 to 4, tail 5\n`,
    );
    expect(await cli.ok(['read', `${BASIN}/lines`])).toBe('\n\na\n\nb\n');
    expect(await cli.ok(['append', `${BASIN}/lines`], { input: '' })).toBe(`no record appended to ${BASIN}/lines\n`);
  });

  test('a line as large as a record can be is one, and a larger one is refused after all before it', async () => {
    const largest = Buffer.alloc(1024 * 1024 - 8, 'x');
    await cli.ok(['append', `${BASIN}/large`], { input: Buffer.concat([largest, Buffer.from('\n')]) });
    const refused = await cli.run(['append', `${BASIN}/large`], {
      input: Buffer.concat([Buffer.from('a\nb\n'), largest, Buffer.from('x\nc\n')]),
    });
    expect([refused.code, refused.stdout]).toEqual([1, '']);
    expect(refused.stderr).toBe(
      'millrace: line 3 is longer than a record can be (1048568 bytes); the first 2 records are stored (sequence numbers 1 to 2)\n',
    );
    const { out } = await cli.run(['read', `${BASIN}/large`]);
    expect(sha256(out)).toBe(sha256(Buffer.concat([largest, Buffer.from('\na\nb\n')])));
  });

  test('headers, timestamps and bodies go the whole way round as JSON, in base64 also where they are no text', async () => {
    const lines = [
      '{"timestamp":1000,"headers":[["k","v"],["k","w"]],"body":"héllo"}',
      '',
      '{"seq_num":77,"body":"the number is not taken over"}',
      '{"headers":[["only","this"]]}',
    ];
    await cli.ok(['append', `${BASIN}/json`, '--format', 'json', '--header', 'by=cli', '--header', 'eq=a=b'], { input: lines.join('\n') });
    const records = JSON.parse(await cli.ok(['read', `${BASIN}/json`, '--format', 'json']));
    expect(records).toEqual([
      {
        seq_num: 0,
        timestamp: 1_000,
        headers: [
          ['k', 'v'],
          ['k', 'w'],
          ['by', 'cli'],
          ['eq', 'a=b'],
        ],
        body: 'héllo',
      },
      {
        seq_num: 1,
        timestamp: expect.any(Number),
        headers: [
          ['by', 'cli'],
          ['eq', 'a=b'],
        ],
        body: 'the number is not taken over',
      },
      {
        seq_num: 2,
        timestamp: expect.any(Number),
        headers: [
          ['only', 'this'],
          ['by', 'cli'],
          ['eq', 'a=b'],
        ],
        body: '',
      },
    ]);
    const bytes = Buffer.from([0xff, 0x0a, 0x00, 0xc3]).toString('base64');
    await cli.ok(['append', `${BASIN}/bytes`, '--format', 'json', '--base64'], {
      input: `{"headers":[["${bytes}","${bytes}"]],"body":"${bytes}"}`,
    });
    const out = await cli.ok(['read', `${BASIN}/bytes`, '--format', 'jsonl', '--base64']);
    expect(JSON.parse(out)).toMatchObject({ headers: [[bytes, bytes]], body: bytes });
    await cli.ok(['append', `${BASIN}/copy`, '--format', 'json', '--base64'], { input: out });
    expect(await cli.ok(['read', `${BASIN}/copy`, '--format', 'jsonl', '--base64'])).toBe(out);
  });

  test('a line that is no record is refused by its number', async () => {
    const wrong: readonly (readonly [string, string])[] = [
      ['nonsense', 'line 2 is no JSON'],
      ['[1]', 'line 2 is no JSON object'],
      ['{"body":1}', 'line 2: "body" must be a string'],
      ['{"headers":[["k"]]}', 'line 2: "headers" must be pairs of strings, such as [["name","value"]]'],
      ['{"timestamp":1712345678901234567}', 'line 2: "timestamp" must be a whole number from 0 to 2^53 - 1'],
    ];
    const results = await Promise.all(
      wrong.map(
        async ([line], at) =>
          await cli.run(['append', `${BASIN}/wrong-${at}`, '--format', 'json'], { input: `{"body":"x"}\n${line}\n{}\n` }),
      ),
    );
    results.forEach(({ code, stderr }, at) => {
      expect([code, stderr]).toEqual([1, `millrace: ${wrong[at]?.[1]}; the first 1 records are stored (sequence numbers 0 to 0)\n`]);
    });
  });

  test('a condition that fails leaves the stream as it was', async () => {
    const place = `${BASIN}/conditions`;
    await cli.ok(['append', place, '--match-seq-num', '0'], { input: Buffer.concat([anyLines(2_500)]) });
    const moved = await cli.run(['append', place, '--match-seq-num', '0'], { input: 'x\n' });
    expect([moved.code, moved.stderr]).toEqual([
      1,
      'millrace: seq_num_mismatch: the next record gets sequence number 2500; no record is stored\n',
    ]);
    await cli.ok(['fence', place, 'mine']);
    const fenced = await cli.run(['append', place, '--fencing-token', 'other'], { input: 'x\n' });
    expect([fenced.code, fenced.stderr]).toEqual([
      1,
      'millrace: fencing_token_mismatch: the stream has the fencing token "mine"; no record is stored\n',
    ]);
    await cli.ok(['append', place, '--fencing-token', 'mine', '--match-seq-num', '2501'], { input: 'x\n' });
    expect(await cli.ok(['tail', place, '--json'])).toMatch(/^\{"tail":\{"seq_num":2502,/);
  });
});

describe('what a read covers', () => {
  const place = `${BASIN}/range`;
  beforeAll(async () => {
    const input = [1_000, 2_000, 2_000, 3_000].map((timestamp, at) => JSON.stringify({ timestamp, body: `r${at}` })).join('\n');
    await cli.ok(['append', place, '--format', 'json'], { input });
  });

  test('starts, limits and bounds are those of the API', async () => {
    const cases: readonly (readonly [string[], string])[] = [
      [[], 'r0\nr1\nr2\nr3\n'],
      [['--seq-num', '2'], 'r2\nr3\n'],
      [['--timestamp', '1500'], 'r1\nr2\nr3\n'],
      [['--timestamp', '1970-01-01T00:00:03Z'], 'r3\n'],
      [['--tail-offset', '1'], 'r3\n'],
      [['--count', '2'], 'r0\nr1\n'],
      [['--bytes', '25'], 'r0\nr1\n'],
      [['--until', '2000'], 'r0\n'],
      [['--count', '0'], ''],
      [['--seq-num', '4'], ''],
      [['--tail-offset', '0'], ''],
      [['--seq-num', '99', '--clamp', '--wait', '1s'], ''],
    ];
    const results = await Promise.all(cases.map(async ([args]) => await cli.run(['read', place, ...args])));
    expect(results.map(({ code, stdout, stderr }, at) => [cases[at]?.[0], stdout, code, stderr])).toEqual(
      cases.map(([args, lines]) => [args, lines, 0, '']),
    );
  });

  test('a start beyond the tail is refused with the tail, and JSON stays JSON when nothing is there', async () => {
    const beyond = await cli.run(['read', place, '--seq-num', '5']);
    expect([beyond.code, beyond.stdout, beyond.stderr]).toEqual([
      1,
      '',
      'millrace: range_not_satisfiable: the start lies beyond what is written; the tail is 4, its timestamp 3000 (--clamp starts at the tail)\n',
    ]);
    expect(JSON.parse(await cli.ok(['read', place, '--seq-num', '4', '--format', 'json']))).toEqual([]);
  });

  test('timestamps above 2^53 are exact', async () => {
    const nanoseconds = '1712345678901234567';
    const response = await fetch(`${server.url}/v1/streams/nanos/records`, {
      method: 'POST',
      headers: { 's2-basin': BASIN, 'content-type': 'application/json' },
      body: `{"records":[{"timestamp":${nanoseconds},"body":"now"}]}`,
    });
    // Where the server does not keep them yet, there is nothing to show.
    const stored = (await response.text()).match(/"timestamp":(\d+)/)?.[1];
    expect(await cli.ok(['read', `${BASIN}/nanos`, '--format', 'jsonl'])).toBe(
      `{"seq_num":0,"timestamp":${stored},"headers":[],"body":"now"}\n`,
    );
    expect(await cli.ok(['tail', `${BASIN}/nanos`, '--json'])).toBe(`{"tail":{"seq_num":1,"timestamp":${stored}}}\n`);
    expect(stored).toBe(nanoseconds);
  });
});

describe('tail', () => {
  test('says where the stream ends', async () => {
    const place = `${BASIN}/tail`;
    await cli.ok(['create', place]);
    expect(await cli.ok(['tail', place])).toBe('tail 0, nothing was written yet\n');
    await cli.ok(['append', place], { input: 'a\nb\n' });
    expect(await cli.ok(['tail', place])).toMatch(/^tail 2, last record at \d+ \([\d-]+T[\d:.]+Z\)\n$/);
  });

  test('follows a slow append line by line, from before the tail on, until Ctrl-C', async () => {
    const place = `${BASIN}/followed`;
    await cli.ok(['append', place], { input: 'old\nlast\n' });
    const tail = cli.start(['tail', '-f', '-n', '1', place]);
    await tail.until(({ stdout }) => stdout === 'last\n');
    const append = cli.start(['append', place]);
    append.child.stdin.write('one\n');
    await tail.until(({ stdout }) => stdout === 'last\none\n');
    append.child.stdin.write('two\nthr');
    await tail.until(({ stdout }) => stdout === 'last\none\ntwo\n');
    append.child.stdin.end('ee\n');
    expect((await append.result).code).toBe(0);
    await tail.until(({ stdout }) => stdout === 'last\none\ntwo\nthree\n');
    tail.child.kill('SIGINT');
    expect(await tail.result).toMatchObject({ code: 130, stdout: 'last\none\ntwo\nthree\n', stderr: '' });
  });
});
