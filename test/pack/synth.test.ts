// `npm run synth` as people run it: without credentials or a network, in time, with nothing left to say for cdk-nag and cfn-lint.

import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { isMissing } from '#test/support/aws/emulators.ts';

const SYNTH_SECONDS_MAX = 15;
const CONTEXTS = {
  development: [],
  production: [
    'size=large',
    'chunkServers=i8g.large',
    'certificate=arn:aws:acm:us-east-1:123456789012:certificate/0',
    'hostName=a.example.com',
  ],
  trial: ['size=small', 'controlPlane=yes', 'removal=destroy'],
};

const hasLint = spawnSync('cfn-lint', ['--version']).status === 0;
const noLint = isMissing(hasLint ? undefined : 'cfn-lint is not there; install it with: pip install cfn-lint');

describe('npm run synth', () => {
  const out = mkdtempSync(path.join(tmpdir(), 'millrace-synth-'));
  afterAll(() => rmSync(out, { recursive: true, force: true }));

  test.each(Object.entries(CONTEXTS))('of a cell for %s takes no credentials, and satisfies the rules', (name, contexts) => {
    const folder = path.join(out, name);
    const args = ['run', 'synth', '--', '--output', folder, ...contexts.flatMap((context) => ['-c', context])];
    const env = { PATH: process.env['PATH'], HOME: out, AWS_EC2_METADATA_DISABLED: 'true', CDK_DISABLE_CLI_TELEMETRY: 'true' };
    // Processor time, which is the same beside other work; bash tells it of all that it ran.
    const script = 'npm "$@"; status=$?; times >&2; exit $status';
    const { status, stdout, stderr } = spawnSync('bash', ['-c', script, 'bash', ...args], { env, encoding: 'utf8' });
    const took = Number(
      /(\d+)m([\d.]+)s (\d+)m([\d.]+)s\s*$/
        .exec(stderr)
        ?.slice(1)
        .reduce((sum, text, k) => sum + Number(text) * (k % 2 === 0 ? 60 : 1), 0),
    );
    console.log(`synth of ${name}: ${took} s`);
    expect(stdout + stderr).not.toMatch(/AwsSolutions/);
    expect(status, stdout + stderr).toBe(0);
    expect(took).toBeLessThan(SYNTH_SECONDS_MAX);
    if (noLint) return;
    const lint = spawnSync('cfn-lint', ['-i', 'W', '--', `${folder}/Millrace.template.json`], { encoding: 'utf8' });
    expect(lint).toMatchObject({ status: 0, stdout: '' });
  });

  test('with zones that are none says so, and fails', () => {
    const env = { PATH: process.env['PATH'], HOME: out };
    const { status, stderr } = spawnSync('npm', ['run', 'synth', '--', '--output', path.join(out, 'bad'), '-c', 'zones=a=b'], {
      env,
      encoding: 'utf8',
    });
    expect(status).not.toBe(0);
    expect(stderr).toContain('zones must be three availability zones');
  });
});
