// How commands end when something else does: the server, the reader of their output, or the patience of a person.

import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { newServer, type Server, startServer } from '#test/support/server.ts';
import { CliProcess, cliFor, LAUNCHER, MAIN, ROOT, runCli } from './support.ts';

const BASIN = 'cli-ending';
const OLD_NODE = '/usr/bin/node';

let server: Server;
let cli: ReturnType<typeof cliFor>;

beforeAll(async () => {
  server = await startServer();
  cli = cliFor(server.url);
  await cli.ok(['create', BASIN, '--create-on-append']);
});

afterAll(async () => {
  await server?.dispose();
});

async function storedLines(place: string): Promise<string[]> {
  return (await cli.ok(['read', place])).split('\n').slice(0, -1);
}

describe('a server that is away', () => {
  test('is said within seconds, with what to do, by every kind of command', async () => {
    const env = { MILLRACE_URL: 'http://127.0.0.1:9' };
    const commands = [
      ['ls'],
      ['create', BASIN],
      ['tail', `${BASIN}/s`],
      ['tail', '-f', `${BASIN}/s`],
      ['read', `${BASIN}/s`],
      ['append', `${BASIN}/s`],
    ];
    const results = await Promise.all(commands.map(async (args) => await runCli(args, { env, input: 'x\n' })));
    results.forEach(({ code, stdout, stderr }, at) => {
      expect([commands[at], code, stdout]).toEqual([commands[at], 3, '']);
      expect(stderr).toMatch(/^millrace: cannot reach http:\/\/127\.0\.0\.1:9.*"millrace start".*\n$/);
    });
  });

  test('an append that loses it says which records are stored, and which may be', async () => {
    const own = await startServer();
    try {
      const away = cliFor(own.url);
      await away.ok(['create', BASIN, '--create-on-append']);
      const append = away.start(['append', `${BASIN}/lost`]);
      append.child.stdin.write('a\nb\nc\n');
      await expect
        .poll(async () => (await away.run(['tail', `${BASIN}/lost`, '--json'])).stdout, { timeout: 10_000 })
        .toMatch(/"seq_num":3/);
      // It is sent, and no answer will come.
      process.kill(own.pid, 'SIGSTOP');
      append.child.stdin.write('d\n');
      await new Promise((resolve) => setTimeout(resolve, 500));
      await own.kill();
      const { code, stdout, stderr } = await append.result;
      expect([code, stdout]).toEqual([3, '']);
      expect(stderr).toMatch(
        /^millrace: cannot reach .*; the first 3 records are stored \(sequence numbers 0 to 2\); 1 more may be: read from 3 on to see\n$/,
      );
    } finally {
      await own.dispose();
    }
  });

  test('a follower sits out a restart, and misses and repeats nothing', async () => {
    const own = await newServer();
    try {
      await own.start();
      const restarted = cliFor(own.url);
      await restarted.ok(['create', BASIN, '--create-on-append']);
      await restarted.ok(['append', `${BASIN}/s`], { input: 'a\nb\n' });
      const tail = restarted.start(['tail', '-f', '-n', '9', `${BASIN}/s`]);
      await tail.until(({ stdout }) => stdout === 'a\nb\n');
      await own.kill();
      await own.start();
      await restarted.ok(['append', `${BASIN}/s`], { input: 'c\nd\n' });
      await tail.until(({ stdout }) => stdout === 'a\nb\nc\nd\n');
      tail.child.kill('SIGTERM');
      expect(await tail.result).toMatchObject({ code: 143, stdout: 'a\nb\nc\nd\n', stderr: '' });
    } finally {
      await own.dispose();
    }
  });
});

describe('an interrupt', () => {
  test('ends an append with every answer in, and what it says is what is stored', async () => {
    const place = `${BASIN}/interrupted`;
    const append = cli.start(['append', place]);
    let written = 0;
    const feed = setInterval(() => {
      for (let i = 0; i < 500; i += 1) append.child.stdin.write(`line ${written++}\n`);
    }, 5);
    await expect.poll(async () => (await cli.run(['tail', place, '--json'])).stdout, { timeout: 10_000 }).toMatch(/"seq_num":[1-9]\d{3}/);
    append.child.kill('SIGINT');
    const { code, stdout, stderr } = await append.result;
    clearInterval(feed);
    expect([code, stdout]).toEqual([130, '']);
    const stated = Number(/^millrace: interrupted; the first ([\d,]+) records are stored/.exec(stderr)?.[1]?.replaceAll(',', ''));
    expect(stated).toBeGreaterThan(0);
    expect(await storedLines(place)).toEqual(Array.from({ length: stated }, (_, at) => `line ${at}`));
  });

  test('ends at once what holds nothing', async () => {
    const silent = spawn(process.execPath, [
      '-e',
      'require("net").createServer(() => {}).listen(0, "127.0.0.1", function () { console.log(this.address().port) })',
    ]);
    try {
      const [port] = (await once(silent.stdout, 'data')) as [Buffer];
      const ls = new CliProcess(['ls'], { env: { MILLRACE_URL: `http://127.0.0.1:${Number(port)}` } });
      await new Promise((resolve) => setTimeout(resolve, 1_000));
      ls.child.kill('SIGINT');
      expect(await ls.result).toMatchObject({ code: 130, stdout: '', stderr: '' });
    } finally {
      silent.kill('SIGKILL');
    }
  });

  test('leaves no stream of a bench behind', async () => {
    const bench = cli.start(['bench', BASIN, '--duration', '60s']);
    await expect.poll(async () => await cli.ok(['ls', `${BASIN}/millrace-bench/`]), { timeout: 10_000 }).not.toBe('');
    bench.child.kill('SIGINT');
    expect(await bench.result).toMatchObject({ code: 130, stdout: '', stderr: 'millrace: interrupted; the stream is deleted\n' });
    expect(await cli.ok(['ls', `${BASIN}/millrace-bench/`])).toBe('');
  });
});

describe('a reader that goes away', () => {
  test('ends a read quietly, with 0', async () => {
    const place = `${BASIN}/piped`;
    const input = Array.from({ length: 50_000 }, (_, at) => `a line that fills the pipe ${at}`).join('\n');
    await cli.ok(['append', place], { input });
    const script = `"${process.execPath}" "${MAIN}" read ${place} | head -n 2; echo "\${PIPESTATUS[0]}"`;
    const shell = spawnSync('bash', ['--norc', '-c', script], {
      encoding: 'utf8',
      env: { ...process.env, NODE_OPTIONS: '', MILLRACE_URL: server.url },
    });
    expect([shell.stdout, shell.stderr]).toEqual(['a line that fills the pipe 0\na line that fills the pipe 1\n0\n', '']);
  });
});

describe('bench', () => {
  test('reports what it did, and cleans up', async () => {
    const report = JSON.parse(
      await cli.ok(['bench', BASIN, '--duration', '1s', '--rate', '50', '--record-bytes', '100', '--batch-records', '2', '--json']),
    );
    expect(report).toMatchObject({ record_bytes: 100, batch_records: 2, rate_batches: 50, in_flight: null });
    expect(report.append.records).toBeGreaterThanOrEqual(50);
    expect(report.append.records).toBeLessThanOrEqual(110);
    expect([report.append.bytes, report.read.records]).toEqual([report.append.records * 100, report.append.records]);
    for (const figures of [report.answer_us, report.delivery_us]) {
      expect(figures.p50).toBeGreaterThan(0);
      expect(figures.p50).toBeLessThanOrEqual(figures.p99);
      expect(figures.p99).toBeLessThanOrEqual(figures.max);
    }
    expect(await cli.ok(['ls', `${BASIN}/millrace-bench/`])).toBe('');
  });
});

describe('the launcher', () => {
  const oldVersion = spawnSync(OLD_NODE, ['--version'], { encoding: 'utf8' }).stdout ?? '';
  const isOld = /^v(1\d|2[0-2])\./.test(oldVersion);

  test.each([
    ['this Node', [process.execPath, LAUNCHER], true],
    [`an old Node (${oldVersion.trim()})`, [OLD_NODE, LAUNCHER], isOld],
  ] as const)('passes arguments, input, output and exit codes on, started by %s', async (_name, command, isHere) => {
    if (!isHere) return;
    const env = { MILLRACE_URL: server.url };
    const appended = await runCli(['append', `${BASIN}/launched`], { env, command, input: 'a b\n"c"\n' });
    expect([appended.code, appended.stderr]).toEqual([0, '']);
    expect((await runCli(['read', `${BASIN}/launched`, '--tail-offset', '2'], { env, command })).stdout).toBe('a b\n"c"\n');
    expect((await runCli(['bogus'], { env, command })).code).toBe(2);
  });

  test.each([
    ['this Node', [process.execPath, LAUNCHER]],
    ['an old Node', [isOld ? OLD_NODE : process.execPath, LAUNCHER]],
  ] as const)('runs a server, whose end is its own, started by %s', async (_name, command) => {
    const own = await newServer({ command: [command[0], command[1], 'start', '--host', '127.0.0.1'] });
    try {
      await own.start();
      expect(await (await fetch(`${own.url}/health`)).text()).toBe('OK');
      expect(await own.stop()).toEqual({ code: 0, signal: null });
    } finally {
      await own.dispose();
    }
  });

  test('says what is missing: a Node that is new enough, or the packages', () => {
    // A copy outside the project, where no package can be found.
    const run = (node: string) => {
      const script = `set -e; d=$(mktemp -d); mkdir -p $d/functions/cli $d/functions/local; cp functions/cli/millrace.mjs $d/functions/cli/
cp functions/local/node-version.mjs $d/functions/local/; echo '{"type":"module"}' > $d/package.json
code=0; PATH=/nowhere "${node}" $d/functions/cli/millrace.mjs ls || code=$?; rm -r $d; exit $code`;
      return spawnSync('/bin/sh', ['-c', script], { encoding: 'utf8', cwd: ROOT, env: { PATH: process.env['PATH'] } });
    };
    const bare = run(process.execPath);
    expect([bare.status, bare.stderr]).toEqual([
      1,
      expect.stringMatching(/^millrace: its packages are missing; run "npm ci" in \S+ first\n$/),
    ]);
    if (!isOld) return;
    const old = run(OLD_NODE);
    expect([old.status, old.stderr]).toEqual([1, expect.stringMatching(/^Millrace needs Node 24\.12 or newer, and this is Node /)]);
  });
});
