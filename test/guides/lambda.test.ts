// docs/guides/append-from-lambda.ts, bundled by the command of lambda.md, as a process behind Lambda's Runtime API that is frozen
// between invocations, against a real server with TLS and access tokens.

import { execFileSync } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import http from 'node:http';
import net, { type Socket } from 'node:net';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { makeCertificate, writeCertificate } from '#test/support/certificate.ts';
import { createLambda, type Lambda } from '#test/support/lambda/lambda.ts';
import { type Server, startServer } from '#test/support/server.ts';
import { temporaryFolder } from '#test/support/temporary-folder.ts';

const ROOT = path.join(import.meta.dirname, '../..');
const ROOT_TOKEN = 'the-root-token-of-the-lambda-guide';
const BASIN = 'guide-lambda';
/** Longer than Node's fetch keeps a connection of its own accord (4 s). */
const QUIET_MS = 5_000;

let server: Server;
let proxy: CountingProxy;
let secrets: http.Server;
let lambda: Lambda;

/** Counts the TCP connections to a server, and cuts them. */
class CountingProxy {
  connections = 0;
  readonly #sockets = new Set<Socket>();
  readonly #server: net.Server;

  constructor(target: () => number) {
    this.#server = net.createServer((near) => {
      this.connections += 1;
      const far = net.connect(target(), '127.0.0.1');
      for (const [one, other] of [
        [near, far],
        [far, near],
      ] as const) {
        this.#sockets.add(one);
        one.pipe(other);
        one.on('error', () => undefined);
        one.on('close', () => {
          this.#sockets.delete(one);
          other.destroy();
        });
      }
    });
  }

  async listen(): Promise<number> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    return (this.#server.address() as net.AddressInfo).port;
  }

  cut(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  close(): void {
    this.cut();
    this.#server.close();
  }
}

/** As root, past the proxy: JSON over curl's own way, which trusts the certificate that it is told to. */
function call(method: string, at: string, body?: object): unknown {
  const args = ['-sS', '--fail-with-body', '--cacert', certificateFile, '-X', method, `${server.url}/v1${at}`, '-H', `s2-basin: ${BASIN}`];
  args.push('-H', `authorization: Bearer ${ROOT_TOKEN}`, '-H', 'content-type: application/json');
  if (body !== undefined) args.push('-d', JSON.stringify(body));
  return JSON.parse(execFileSync('curl', args, { encoding: 'utf8' })) as unknown;
}

interface StoredRecord {
  readonly body: string;
  readonly headers: [string, string][];
}

function recordsFrom(seqNum: number): StoredRecord[] {
  return (call('GET', `/streams/from-queue/records?seq_num=${seqNum}&count=1000`) as { records: StoredRecord[] }).records;
}

function tail(): number {
  return (call('GET', '/streams/from-queue/records/tail') as { tail: { seq_num: number } }).tail.seq_num;
}

interface Message {
  readonly messageId: string;
  readonly body: string;
}

/** @param isTimed false: whether it answers in time is up to the function alone, and not to how busy this machine is */
async function deliver(messages: readonly Message[], timeoutMs = 20_000, isTimed = true): Promise<string[]> {
  const answer = await lambda.invoke({ Records: messages }, { timeoutMs, isTimed });
  return (answer as { batchItemFailures: { itemIdentifier: string }[] }).batchItemFailures.map((one) => one.itemIdentifier);
}

const messages = (name: string, count: number, body = name): Message[] =>
  Array.from({ length: count }, (_, i) => ({ messageId: `${name}-${i}`, body: `${body} ${i}` }));

let certificateFile = '';

beforeAll(async () => {
  const settings = await writeCertificate(await temporaryFolder(), await makeCertificate());
  certificateFile = settings['MILLRACE_TLS_CERT'] ?? '';
  server = await startServer({ env: { ...settings, MILLRACE_AUTH: 'required', MILLRACE_ROOT_TOKEN: ROOT_TOKEN } });
  call('POST', '/basins', { basin: BASIN });
  call('POST', '/streams', { stream: 'from-queue' });
  const scope = { basins: { exact: BASIN }, streams: { exact: 'from-queue' }, ops: ['append'] };
  const { access_token: token } = call('POST', '/access-tokens', { id: 'function', scope }) as { access_token: string };

  // Secrets Manager, as far as the function asks it.
  secrets = http.createServer((_, response) => {
    response.writeHead(200, { 'content-type': 'application/x-amz-json-1.1' }).end(JSON.stringify({ SecretString: token }));
  });
  await new Promise<void>((resolve) => secrets.listen(0, '127.0.0.1', resolve));
  proxy = new CountingProxy(() => server.port);
  const port = await proxy.listen();

  const folder = await temporaryFolder();
  const [, command = ''] = /^(npx esbuild .*)$/m.exec(await readFile(path.join(ROOT, 'docs/guides/lambda.md'), 'utf8')) ?? [];
  const shell = command.replace('npx esbuild', 'node_modules/.bin/esbuild').replace('--outfile=function/', `--outfile=${folder}/`);
  expect(shell).toContain(folder);
  execFileSync('bash', ['-c', shell], { cwd: ROOT, stdio: 'pipe' });
  lambda = await createLambda({
    folder,
    timeoutMs: 20_000,
    env: {
      MILLRACE_URL: `https://127.0.0.1:${port}`,
      MILLRACE_BASIN: BASIN,
      MILLRACE_STREAM: 'from-queue',
      MILLRACE_TOKEN_SECRET_ID: 'token-of-the-guide',
      NODE_EXTRA_CA_CERTS: certificateFile,
      AWS_REGION: 'us-east-1',
      AWS_ACCESS_KEY_ID: 'test',
      AWS_SECRET_ACCESS_KEY: 'test',
      AWS_ENDPOINT_URL_SECRETS_MANAGER: `http://127.0.0.1:${(secrets.address() as net.AddressInfo).port}`,
    },
  });
}, 60_000);

afterAll(async () => {
  await lambda?.dispose();
  proxy?.close();
  secrets?.close();
  await server?.dispose();
});

describe('the function of the Lambda guide', { timeout: 60_000 }, () => {
  test('acknowledges before it returns, on one TLS connection for all invocations', async () => {
    for (let i = 0; i < 5; i += 1) {
      expect(await deliver(messages(`call-${i}`, 3))).toEqual([]);
      expect(tail()).toBe(3 * (i + 1));
    }
    // It is frozen meanwhile.
    await sleep(QUIET_MS);
    expect(await deliver(messages('thawed', 1))).toEqual([]);
    expect(proxy.connections).toBe(1);
    expect(recordsFrom(15)).toEqual([expect.objectContaining({ body: 'thawed 0', headers: [['id', 'thawed-0']] })]);
  });

  test('appends on where the connection died while it was frozen', async () => {
    const before = proxy.connections;
    proxy.cut();
    expect(await deliver(messages('reconnected', 1))).toEqual([]);
    expect(proxy.connections).toBe(before + 1);
    expect(recordsFrom(16).at(-1)?.body).toBe('reconnected 0');
  });

  test('splits what is more than an append may hold, in order', async () => {
    const start = tail();
    // Five of 300 KiB are more than 1 MiB; 1,100 more than a thousand records.
    expect(await deliver(messages('large', 5, 'x'.repeat(300 * 1024)))).toEqual([]);
    expect(await deliver(messages('many', 1_100))).toEqual([]);
    expect(tail()).toBe(start + 1_105);
    const bodies = [...recordsFrom(start + 5), ...recordsFrom(start + 1_005)].map(({ body }) => body);
    expect(bodies.slice(0, 1_000)).toEqual(messages('many', 1_000).map(({ body }) => body));
    expect(bodies.at(-1)).toBe('many 1099');
  });

  test('gives back to the queue, before its time is over, what it has no acknowledgement of', async () => {
    const start = tail();
    process.kill(server.pid, 'SIGSTOP');
    const failed = await deliver(messages('unheard', 2), 2_000, false);
    process.kill(server.pid, 'SIGCONT');
    expect(failed).toEqual(['unheard-0', 'unheard-1']);
    // A message that no append may hold fails, with all behind it; those before it are there.
    const large = { messageId: 'too-large', body: 'x'.repeat(1024 * 1024) };
    expect(await deliver([...messages('before', 1000), large, ...messages('behind', 1)])).toEqual(['too-large', 'behind-0']);
    await expect.poll(() => recordsFrom(start).some(({ headers }) => headers[0]?.[1] === 'before-0')).toBe(true);
    expect(lambda.log).toContain('append.failed');
    expect(lambda.log).not.toContain('unheard 0');
  });
});
