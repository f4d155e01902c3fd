#!/usr/bin/env node
// The command `millrace`: finds a Node that can run the sources, and hands over to it with the flags that a server needs.
//
// npx starts this with whatever Node it finds, so it is plain JavaScript that an old one can parse. In order: this Node, the
// one that `npm ci` brought as a platform package, then every `node` on PATH. A Node that can replaces this process; under
// an older one it is a child, whose signals and exit code are passed on.

import { spawn, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { adviceFor, isNewEnough } from '../local/node-version.mjs';

/** As `npm start` has them; a test compares. */
const NODE_FLAGS = ['--max-semi-space-size=128', '--external-memory-accounted-in-global-limit'];
const THREADS = '16';
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT', 'SIGUSR1', 'SIGUSR2'];
const EXIT_FAILED = 1;

const main = fileURLToPath(new URL('main.ts', import.meta.url));

const resolve = createRequire(import.meta.url).resolve;

function isInstalled() {
  try {
    resolve('commander');
    return true;
  } catch {
    return false;
  }
}

function findNode() {
  if (isNewEnough(process.versions.node)) return process.execPath;
  return candidates().find((file) => {
    const answer = spawnSync(file, ['--version'], { encoding: 'utf8' });
    return answer.status === 0 && isNewEnough(answer.stdout);
  });
}

function candidates() {
  const found = [];
  try {
    const manifest = resolve(`node-${process.platform}-${process.arch}/package.json`);
    found.push(path.join(path.dirname(manifest), 'bin/node'));
  } catch {
    // Installed without optional packages, or on a system that has none.
  }
  const folders = (process.env.PATH || '').split(path.delimiter).filter((folder) => folder !== '');
  found.push(...folders.map((folder) => path.join(folder, process.platform === 'win32' ? 'node.exe' : 'node')));
  return found.filter((file, at) => existsSync(file) && found.indexOf(file) === at);
}

function runAsChild(node, args, env) {
  const child = spawn(node, args, { env, stdio: 'inherit' });
  for (const signal of SIGNALS) process.on(signal, () => child.kill(signal));
  child.once('error', (error) => {
    process.stderr.write(`millrace: cannot run ${node}: ${error.message}\n`);
    process.exit(EXIT_FAILED);
  });
  child.once('exit', (code, signal) => {
    if (signal === null) process.exit(code === null ? EXIT_FAILED : code);
    // Whoever waits for this process is to see how the child ended.
    process.removeAllListeners(signal);
    process.kill(process.pid, signal);
  });
}

const node = findNode();
if (node === undefined) {
  process.stderr.write(adviceFor(process.versions.node));
  process.exit(EXIT_FAILED);
} else if (!isInstalled()) {
  process.stderr.write(`millrace: its packages are missing; run "npm ci" in ${path.join(path.dirname(main), '../..')} first\n`);
  process.exit(EXIT_FAILED);
} else {
  const args = [...NODE_FLAGS, main, ...process.argv.slice(2)];
  const env = { ...process.env, UV_THREADPOOL_SIZE: process.env.UV_THREADPOOL_SIZE || THREADS };
  // Only where the running Node is the right one; it has this from 23.11 on.
  if (node === process.execPath && typeof process.execve === 'function') process.execve(node, [node, ...args], env);
  runAsChild(node, args, env);
}
