// Runs the tests of functions, as processes behind Lambda's Runtime API: with our own small client of it, and with AWS's, which is
// what Lambda runs. `npm run test:lambda`.
//
// AWS's client compiles an addon when it is installed (a minute, with cmake and a C++ compiler), so it is no dependency: it is
// installed into a cache folder, once.

import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';

const RIC = 'aws-lambda-ric@4.0.2';
const cache = path.resolve('node_modules/.cache/lambda-ric');
const entry = path.join(cache, 'node_modules/aws-lambda-ric/index.mjs');

function run(program: string, args: readonly string[], options: { cwd?: string; env?: NodeJS.ProcessEnv } = {}): boolean {
  return spawnSync(program, args, { stdio: 'inherit', ...options }).status === 0;
}

/** Undefined: it cannot be installed here. */
function installed(): string | undefined {
  if (existsSync(entry)) return entry;
  mkdirSync(cache, { recursive: true });
  writeFileSync(path.join(cache, 'package.json'), '{"private":true}');
  console.log(`installs ${RIC} into ${path.relative('.', cache)}: about a minute`);
  const args = ['install', '--no-audit', '--no-fund', '--no-save', '--loglevel=error', RIC];
  return run('npm', args, { cwd: cache }) && existsSync(entry) ? entry : undefined;
}

const tests = (env: NodeJS.ProcessEnv): boolean =>
  run('vitest', ['run', '--config', 'test/lambda/vitest.config.ts', ...process.argv.slice(2)], { env: { ...process.env, ...env } });

const ric = installed();
let isGood = true;
if (ric === undefined) {
  console.log(`skipped: ${RIC} cannot be installed; it needs cmake, make and g++: apt-get install cmake make g++`);
  isGood = process.env['MILLRACE_TEST_SKIPS'] !== 'none' && tests({});
} else {
  isGood = tests({ MILLRACE_TEST_RIC: ric });
}
process.exitCode = isGood ? 0 : 1;
