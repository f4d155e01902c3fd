// The Worker in workerd, the runtime of Cloudflare's network, on this machine: bundled, configured, and started on a port.

import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Readable } from 'node:stream';
import { build } from 'esbuild';
import { EDGE_DIR, readWranglerConfig, type WranglerConfig } from './wrangler-config.ts';

const START_MS_MAX = 20_000;

export interface EdgeOptions {
  /** 0: any free one. */
  readonly port: number;
  /** Beside those of wrangler.jsonc, or in their place. */
  readonly variables: Readonly<Record<string, string>>;
  /** Told what workerd and the Worker print. */
  readonly onOutput?: (text: string) => void;
}

export interface RunningEdge {
  /** Without a path. */
  readonly url: string;
  readonly pid: number;
  /** What workerd and the Worker printed; the last of it. */
  readonly output: () => string;
  /** Resolves with its exit code once it has ended, by itself or by `close`. */
  readonly ended: Promise<number | null>;
  close(): Promise<void>;
}

let bundled: Promise<string> | undefined;

/** The Worker as one ES module; made once a process. */
export function bundleWorker(): Promise<string> {
  bundled ??= makeBundle();
  return bundled;
}

async function makeBundle(): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [path.join(EDGE_DIR, 'worker.ts')],
    bundle: true,
    write: false,
    format: 'esm',
    platform: 'neutral',
    mainFields: ['module', 'main'],
    conditions: ['workerd', 'worker', 'browser'],
    target: 'es2024',
    logLevel: 'silent',
  });
  return outputFiles[0]?.text ?? '';
}

/** @throws Error with what workerd said, when it cannot start */
export async function startEdge({ port, variables, onOutput = () => undefined }: EdgeOptions): Promise<RunningEdge> {
  const config = await readWranglerConfig();
  const dir = await mkdtemp(path.join(tmpdir(), 'millrace-edge-'));
  try {
    await writeFile(path.join(dir, 'worker.js'), await bundleWorker());
    await writeFile(path.join(dir, 'worker.capnp'), capnp(port, config, { ...config.vars, ...variables }));
    return await started(spawnWorkerd(path.join(dir, 'worker.capnp')), dir, onOutput);
  } catch (error) {
    await rm(dir, { recursive: true, force: true });
    throw error;
  }
}

/** workerd's configuration. Text of Cap'n Proto is escaped as that of JSON. */
export function capnp(port: number, config: WranglerConfig, variables: Readonly<Record<string, string>>): string {
  const text = (value: string): string => JSON.stringify(value);
  const bindings = Object.entries(variables).map(([name, value]) => `(name = ${text(name)}, text = ${text(value)})`);
  return `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [
    (name = "edge", worker = .edge),
    # Without "private" no origin on this machine could be reached.
    (name = "internet", network = (allow = ["public", "private"], tlsOptions = (trustBrowserCas = true))),
  ],
  sockets = [(name = "http", address = "127.0.0.1:${port}", http = (), service = "edge")],
);
const edge :Workerd.Worker = (
  modules = [(name = "worker", esModule = embed "worker.js")],
  compatibilityDate = ${text(config.compatibility_date)},
  compatibilityFlags = [${config.compatibility_flags.map(text).join(', ')}],
  bindings = [${bindings.join(', ')}],
);
`;
}

function spawnWorkerd(configFile: string): ChildProcess {
  // The package's own script only starts the binary: a signal to it would leave that running.
  const packaged = `@cloudflare/workerd-${process.platform}-${process.arch === 'x64' ? '64' : process.arch}/bin/workerd`;
  const binary = createRequire(createRequire(import.meta.url).resolve('workerd/package.json')).resolve(packaged);
  return spawn(binary, ['serve', configFile, '--control-fd=3'], { stdio: ['ignore', 'pipe', 'pipe', 'pipe'] });
}

const OUTPUT_CHARS_MAX = 64 * 1024;

async function started(child: ChildProcess, dir: string, onOutput: (text: string) => void): Promise<RunningEdge> {
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding('utf8').on('data', (text: string) => {
      output = (output + text).slice(-OUTPUT_CHARS_MAX);
      onOutput(text);
    });
  }
  const ended = new Promise<number | null>((resolve) => {
    child.once('error', (error) => {
      output += String(error);
      resolve(null);
    });
    child.once('close', (code) => resolve(code));
  }).finally(() => rm(dir, { recursive: true, force: true }));
  const kill = (): void => void child.kill('SIGKILL');
  process.once('exit', kill);
  void ended.then(() => process.off('exit', kill));
  const port = await Promise.race([listening(child.stdio[3] as Readable), ended, after(START_MS_MAX)]);
  if (typeof port !== 'object' || port === null) {
    kill();
    throw new Error(`workerd did not start:\n${output}`);
  }
  return {
    url: `http://127.0.0.1:${port.port}`,
    pid: child.pid ?? 0,
    output: () => output,
    ended,
    async close() {
      kill();
      await ended;
    },
  };
}

/** workerd tells of its sockets in lines of JSON. */
function listening(control: Readable): Promise<{ readonly port: number }> {
  return new Promise((resolve) => {
    let text = '';
    control.setEncoding('utf8').on('data', (part: string) => {
      text += part;
      const port = /"event":"listen","socket":"http","port":(\d+)/.exec(text)?.[1];
      if (port !== undefined) resolve({ port: Number(port) });
    });
  });
}

function after(ms: number): Promise<'late'> {
  return new Promise((resolve) => setTimeout(() => resolve('late'), ms).unref());
}
