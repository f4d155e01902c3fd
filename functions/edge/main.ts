// `npm run edge`: the Worker in workerd on this machine, in front of `npm start`, or of the origin that MILLRACE_ORIGIN names.
//
// Every variable of the Worker may be set in the environment; docs/edge.md lists them.

import { type ChildProcess, spawn } from 'node:child_process';
import path from 'node:path';
import { SettingError } from '#functions/local/env.ts';
import { type RunningEdge, startEdge } from './workerd.ts';
import { readWranglerConfig } from './wrangler-config.ts';

const PORT = 8787;
const URL_LINE = /millrace listens on (\S+)/;

interface Origin {
  readonly url: string;
  /** Undefined: it is somebody else's. */
  readonly child: ChildProcess | undefined;
}

function edgePort(text: string | undefined): number {
  if (text === undefined) return PORT;
  if (/^\d{1,5}$/.test(text) && Number(text) <= 65_535) return Number(text);
  throw new SettingError(`EDGE_PORT is "${text}"; it must be a number from 0 (any free port) to 65535`);
}

/** The store as `npm start` runs it, which prints what it always does. */
async function startStore(): Promise<Origin> {
  const args = [
    '--max-semi-space-size=128',
    '--external-memory-accounted-in-global-limit',
    path.join(import.meta.dirname, '../local/main.ts'),
  ];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'], env: { UV_THREADPOOL_SIZE: '16', ...process.env } });
  process.once('exit', () => child.kill('SIGKILL'));
  const url = await new Promise<string>((resolve, reject) => {
    let text = '';
    child.stdout.setEncoding('utf8').on('data', (part: string) => {
      process.stdout.write(part);
      text = (text + part).slice(-4_096);
      const found = URL_LINE.exec(text)?.[1];
      if (found !== undefined) resolve(found);
    });
    child.once('close', (code) => reject(new SettingError(`the store has ended (${code})`)));
  });
  return { url, child };
}

/** Whether the origin checks tokens: one that does publishes what they are checked by. */
async function authOf(origin: string): Promise<'required' | 'off'> {
  const answer = await fetch(`${origin}/.well-known/jwks.json`).catch(() => undefined);
  if (answer?.ok !== true) throw new SettingError(`MILLRACE_ORIGIN is "${origin}", which does not answer as a store does`);
  const { keys } = (await answer.json()) as { keys: readonly unknown[] };
  return keys.length === 0 ? 'off' : 'required';
}

async function variablesOf(origin: string): Promise<Record<string, string>> {
  const { vars } = await readWranglerConfig();
  const given = Object.keys(vars).flatMap((name) => (process.env[name] === undefined ? [] : [[name, process.env[name] ?? '']]));
  // The rate limit of the network's edge would only be in the way here.
  return { MILLRACE_RATE_PER_SEC: '0', ...Object.fromEntries(given), MILLRACE_ORIGIN: origin, MILLRACE_AUTH: await authOf(origin) };
}

async function run(): Promise<void> {
  const port = edgePort(process.env['EDGE_PORT']);
  const named = process.env['MILLRACE_ORIGIN'];
  const origin: Origin = named ? { url: named, child: undefined } : await startStore();
  const edge = await startEdge({ port, variables: await variablesOf(origin.url), onOutput: (text) => process.stderr.write(text) });
  process.stdout.write(`# the same through the edge Worker: put it in the place of ${origin.url}\nthe edge listens on ${edge.url}\n`);
  await untilTheEnd(edge, origin);
}

/** A signal ends both, the store last: its clients are told by it. */
async function untilTheEnd(edge: RunningEdge, { child }: Origin): Promise<void> {
  const stopped = new Promise<'signal'>((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => resolve('signal'));
  });
  const storeEnded = new Promise<number | null>((resolve) => child?.once('close', resolve));
  const first = await Promise.race([stopped, storeEnded, edge.ended.then(() => 'workerd' as const)]);
  if (first === 'workerd') process.stderr.write('workerd has ended\n');
  child?.kill('SIGTERM');
  if (child !== undefined && child.exitCode === null) await storeEnded;
  await edge.close();
  process.exit(first === 'signal' ? 0 : 1);
}

await run().catch((error: unknown) => {
  process.stderr.write(`the edge cannot start: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exit(1);
});
