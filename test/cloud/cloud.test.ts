// The smoke test of a real account, as far as it goes without one: what it is told and tells, and a whole run on a cell of this machine
// in the place of one in the cloud, with its failures.

import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { AppendInput, AppendRecord, S2 } from '@s2-dev/streamstore';
import { afterEach, describe, expect, onTestFinished, test } from 'vitest';
import { type Server, startServer } from '#test/support/server.ts';
import { temporaryFolder } from '#test/support/temporary-folder.ts';
import type { CloudCell, Outputs } from './cell.ts';
import { Ledger } from './ledger.ts';
import { latenciesOf } from './measure.ts';
import { type Options, parseOptions, ZONES_EXAMPLE } from './options.ts';
import { costOf, idleCosts, planText } from './plan.ts';
import { type RunOptions, run } from './run.ts';

const AWS_DOC = path.join(import.meta.dirname, '../../docs/aws.md');
const ZONES = ['--zones', ZONES_EXAMPLE];

function options(...args: string[]): Options {
  return parseOptions(args, () => undefined);
}

describe('the options', () => {
  test('have defaults, and take what is given', () => {
    expect(options()).toEqual({ profile: undefined, region: 'us-east-1', zones: undefined, appends: 500, isAgreed: false });
    expect(options(...ZONES, '--profile', 'trial', '--appends', '20', '--yes')).toEqual({
      profile: 'trial',
      region: 'us-east-1',
      zones: ZONES_EXAMPLE,
      appends: 20,
      isAgreed: true,
    });
  });

  test.each([
    [['--zones', 'us-east-1a=use1-az4'], /there are 1/],
    [['--zones', ZONES_EXAMPLE, '--region', 'us-west-2'], /does not lie in us-west-2/],
    [['--zones', 'us-east-1a=use1-az4,us-east-1b=use1-az4,us-east-1c=use1-az5'], /the same id/],
    [['--appends', '0'], /must be 1 to/],
    [['--unknown'], /unknown option/],
    [['more'], /too many arguments/],
  ])('%j are refused', (args, message) => {
    expect(() => options(...args)).toThrow(message);
  });
});

describe('the plan', () => {
  test('names what is made, what stays, and what it costs, by the table of docs/aws.md', async () => {
    const aws = await readFile(AWS_DOC, 'utf8');
    const idle = idleCosts(aws);
    const [, total = ''] = /^\| \*\*in all\*\* \| \| \*\*\$(\d+)\*\*/m.exec(aws) ?? [];
    const month = idle.reduce((sum, part) => sum + part.month, 0);
    expect(Math.abs(month - Number(total))).toBeLessThan(2);
    const { cell, requests } = costOf(idle, 500);
    expect(cell).toBeCloseTo(Number(total) / 730, 2);
    expect(requests).toBeGreaterThan(0.01);
    expect(requests).toBeLessThan(0.1);
    const text = planText(options(...ZONES, '--profile', 'trial'), 'MillraceCloudTestX', idle);
    for (const part of [...idle.map((one) => one.part), 'MillraceCloudTestX', 'us-east-1', 'trial', ZONES_EXAMPLE])
      expect(text).toContain(part);
    expect(text).toContain(`In all about $${(cell + requests).toFixed(2)}`);
  });

  test('is not made of a table that is not there', () => {
    expect(() => idleCosts('# On AWS\n')).toThrow('holds no table');
  });
});

test('latencies are told as the median and the 99th percentile', () => {
  expect(latenciesOf(Array.from({ length: 1_000 }, (_, i) => 1_000 - i))).toEqual({ medianMs: 501, p99Ms: 991 });
  expect(() => latenciesOf([])).toThrow();
});

describe('npm run test:cloud', { timeout: 60_000 }, () => {
  interface Ran {
    readonly code: number;
    readonly output: string;
  }

  /** As where nobody has credentials, or where somebody has. */
  async function start(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Ran> {
    const home = await temporaryFolder();
    const clean = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('AWS_')));
    return await new Promise((resolve) => {
      execFile(
        process.execPath,
        [path.join(import.meta.dirname, 'main.ts'), ...args],
        { env: { ...clean, HOME: home, AWS_EC2_METADATA_DISABLED: 'true', NODE_OPTIONS: '', ...env } },
        (error, stdout, stderr) => resolve({ code: error === null ? 0 : Number(error.code ?? 1), output: stdout + stderr }),
      ).stdin?.end();
    });
  }

  test('is skipped with 0 and the reason where there are no credentials, also with --yes', async () => {
    expect(await start([...ZONES, '--yes'])).toEqual({
      code: 0,
      output: expect.stringMatching(/^skipped: there are no credentials of AWS/),
    });
    expect(await start(['--profile', 'nobody', ...ZONES, '--yes'])).toEqual({ code: 0, output: expect.stringMatching(/^skipped: /) });
  });

  test('creates nothing before it was agreed to, and says how; without zones it asks for them', async () => {
    // No endpoint of theirs answers: whoever asked AWS would hear of that.
    const credentials = { AWS_ACCESS_KEY_ID: 'test', AWS_SECRET_ACCESS_KEY: 'test', AWS_ENDPOINT_URL: 'http://127.0.0.1:9' };
    const { code, output } = await start(ZONES, credentials);
    expect([code, output]).toEqual([1, expect.stringContaining('This makes the stack MillraceCloudTest')]);
    expect(output).toMatch(/start it with --yes\.\nNothing was created\.\n$/);
    expect(await start([], credentials)).toEqual({ code: 1, output: expect.stringContaining(`--zones ${ZONES_EXAMPLE}`) });
    expect(await start(['--zones', 'nonsense'])).toEqual({ code: 1, output: expect.stringContaining('zones must be three') });
  });
});

/** A server of this machine in the place of a stack. */
class LocalCell implements CloudCell {
  readonly calls: string[] = [];
  left: readonly string[] = [];
  /** What a call does besides, or in the place of what it would. */
  readonly on: Partial<Record<'deploy' | 'kill' | 'destroy', () => Promise<void> | void>> = {};
  server: Server | undefined;

  async deploy(): Promise<Outputs> {
    this.calls.push('deploy');
    await this.on.deploy?.();
    this.server = await startServer();
    return { Endpoint: this.server.url, RootTokenSecret: 'any', Cluster: 'any' };
  }

  async rootToken(): Promise<string> {
    return await Promise.resolve('any');
  }

  async killTask(): Promise<void> {
    this.calls.push('kill');
    await this.on.kill?.();
    await this.server?.kill();
    // As ECS does: in its own time.
    setTimeout(() => void this.server?.start(), 300);
  }

  async destroy(): Promise<void> {
    this.calls.push('destroy');
    await this.on.destroy?.();
    await this.server?.dispose();
  }

  async leftovers(): Promise<readonly string[]> {
    this.calls.push('leftovers');
    return await Promise.resolve(this.left);
  }
}

describe('a run', { timeout: 90_000 }, () => {
  const RUN = { plan: 'the plan', appends: 1, tails: 1, outage: { quietMs: 10_000, msMax: 60_000 }, healthyMsMax: 5_000 };
  let cell = new LocalCell();
  let said: string[] = [];

  afterEach(async () => {
    await cell.server?.dispose();
    cell = new LocalCell();
    said = [];
  });

  function start(signal = new AbortController().signal, isAgreed = true, more: Partial<RunOptions> = {}): Promise<number> {
    const agree = (): Promise<boolean> => Promise.resolve(isAgreed);
    return run({ cell, say: (line) => said.push(line), agree, signal }, { ...RUN, ...more });
  }

  test('deploys, measures both classes, survives the kill, reads everything back, and leaves nothing', async () => {
    expect([await start(undefined, true, { appends: 10, tails: 10 }), said]).toEqual([0, expect.any(Array)]);
    expect(cell.calls).toEqual(['deploy', 'kill', 'destroy', 'leftovers']);
    const text = said.join('\n');
    expect(said[0]).toBe('the plan');
    for (const name of ['express', 'standard']) {
      expect(text).toMatch(new RegExp(`^append, ${name}: median [\\d.]+ ms, p99 [\\d.]+ ms`, 'm'));
      expect(text).toMatch(new RegExp(`^append to reader, ${name}: median [\\d.]+ ms, p99 [\\d.]+ ms`, 'm'));
    }
    const [, outageMs = '', failed = ''] = /the next append was acknowledged after (\d+) ms; (\d+) were refused/.exec(text) ?? [];
    expect(Number(outageMs)).toBeGreaterThan(300);
    expect(Number(failed)).toBeGreaterThan(0);
    const [, count = ''] = /every one of (\d+) acknowledged records is there/.exec(text) ?? [];
    expect(Number(count)).toBeGreaterThan(2 * (10 + 10));
    expect(said.at(-1)).toBe('nothing is left');
  });

  test('that nobody agreed to makes nothing', async () => {
    expect(await start(undefined, false)).toBe(1);
    expect([cell.calls, said]).toEqual([[], ['the plan', 'Nothing was created.']]);
  });

  test('takes down a deployment that failed, and one whose measurement failed', async () => {
    cell.on.deploy = () => {
      throw new Error('no room in that zone');
    };
    expect(await start()).toBe(1);
    expect([cell.calls, said]).toEqual([
      ['deploy', 'destroy', 'leftovers'],
      ['the plan', 'failed: no room in that zone', 'nothing is left'],
    ]);
    cell = new LocalCell();
    cell.on.kill = () => {
      throw new Error('no such task');
    };
    expect(await start()).toBe(1);
    expect(cell.calls).toEqual(['deploy', 'kill', 'destroy', 'leftovers']);
    expect(said).toContain('failed: no such task');
  });

  test('takes down what was made when it is interrupted', async () => {
    const controller = new AbortController();
    cell.on.deploy = () => controller.abort();
    expect(await start(controller.signal)).toBe(1);
    expect(cell.calls).toEqual(['deploy', 'destroy', 'leftovers']);
    expect(said.slice(-2)).toEqual(['interrupted; takes down what was made', 'nothing is left']);
  });

  test('tries a teardown again, and says what failed', async () => {
    cell.on.deploy = () => {
      throw new Error('no room in that zone');
    };
    cell.on.destroy = () => {
      cell.on.destroy = () => undefined;
      throw new Error('a bucket is not empty');
    };
    expect(await start()).toBe(1);
    expect(cell.calls).toEqual(['deploy', 'destroy', 'destroy', 'leftovers']);
    expect(said).toContain('teardown failed (1 of 2 tries): a bucket is not empty');
  });

  test('is no success where something is left, however well the rest went', async () => {
    cell.left = ['AWS::S3::Bucket forgotten (DELETE_SKIPPED)'];
    expect(await start()).toBe(1);
    expect(said.slice(-2)).toEqual([
      expect.stringMatching(/^every one of \d+ acknowledged records is there/),
      'LEFT IN THE ACCOUNT, and may cost: AWS::S3::Bucket forgotten (DELETE_SKIPPED)',
    ]);
  });
});

test('the ledger finds what is lost, what is another, and what is there twice', async () => {
  const server = await startServer();
  onTestFinished(() => server.dispose());
  const s2 = new S2({ accessToken: 'any', endpoints: { account: server.url, basin: server.url } });
  await s2.basins.create({ basin: 'ledger-basin' });
  const basin = s2.basin('ledger-basin');
  await basin.streams.create({ stream: 'one' });
  await basin.stream('one').append(AppendInput.create(['a', 'b', 'b'].map((body) => AppendRecord.string({ body }))));
  const check = async (...acknowledged: [number, string][]): Promise<void> => {
    const ledger = new Ledger();
    for (const [seqNum, body] of acknowledged) ledger.acknowledged('one', seqNum, body);
    await ledger.check(basin);
  };
  await expect(check([0, 'a'])).rejects.toThrow('one: 2 repeats 1');
  await expect(check([0, 'x'])).rejects.toThrow('one: 0 is "a" in place of "x"');
  await expect(check([3, 'd'])).rejects.toThrow('one: 3 is lost');
  await expect(check([0, 'a'], [0, 'a'])).rejects.toThrow('acknowledged twice');
});
