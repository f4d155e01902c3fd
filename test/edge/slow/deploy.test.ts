// `npm run deploy:edge`, as far as it goes without an account: what it reads, and what wrangler is told.

import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { expect, test } from 'vitest';
import { temporaryFolder } from '#test/support/temporary-folder.ts';

const SCRIPT = path.join(import.meta.dirname, '../../../functions/edge/deploy.ts');
const CELL = { Endpoint: 'https://cell.example.com', RootTokenSecret: 'arn:aws:secretsmanager:us-east-1:123456789012:secret:x' };

interface Ran {
  readonly code: number;
  readonly output: string;
}

async function deploy(outputs: unknown, ...more: string[]): Promise<Ran> {
  const file = path.join(await temporaryFolder(), 'cdk-outputs.json');
  if (outputs !== undefined) await writeFile(file, typeof outputs === 'string' ? outputs : JSON.stringify(outputs));
  const env = { ...process.env, CI: '1', MILLRACE_CORS_ORIGINS: 'https://page.example.com', WRANGLER_HIDE_BANNER: 'true' };
  return await new Promise((resolve) => {
    execFile(process.execPath, [SCRIPT, '--dry-run', '--outputs', file, ...more], { env }, (error, stdout, stderr) =>
      resolve({ code: error === null ? 0 : Number(error.code ?? 1), output: stdout + stderr }),
    );
  });
}

test('a dry run bundles the Worker, and points it to the cell', async () => {
  const { code, output } = await deploy({ Millrace: CELL });
  expect([code, output]).toEqual([0, expect.stringContaining('in front of https://cell.example.com')]);
  expect(output).toMatch(/Total Upload: [\d.]+ KiB/);
  expect(Number(/Total Upload: ([\d.]+) KiB/.exec(output)?.[1])).toBeLessThan(400);
  for (const name of ['MILLRACE_ORIGIN', 'MILLRACE_CORS_ORIGINS', 'RATE_LIMITER', 'MILLRACE_AUTH ("required")'])
    expect(output).toContain(`env.${name}`);
  expect(output).not.toContain('Unexpected fields');
});

test('one of several cells is chosen', async () => {
  const both = { One: CELL, Two: { Endpoint: 'http://two.example.com' }, Other: { Bucket: 'x' } };
  expect(await deploy(both)).toEqual({ code: 1, output: expect.stringContaining('--stack One|Two') });
  const { code, output } = await deploy(both, '--stack', 'Two');
  expect([code, output]).toEqual([0, expect.stringMatching(/in front of http:\/\/two\.example\.com[\s\S]*speaks plaintext/)]);
});

test('outputs that are not as they should be are named', async () => {
  expect(await deploy(undefined)).toEqual({ code: 1, output: expect.stringContaining('cdk deploy --outputs-file') });
  expect(await deploy('not json')).toEqual({ code: 1, output: expect.stringContaining('is not JSON') });
  expect(await deploy({ Other: {} })).toEqual({ code: 1, output: expect.stringContaining('holds no output "Endpoint"') });
  expect(await deploy({ One: { Endpoint: 'nonsense' } })).toEqual({ code: 1, output: expect.stringContaining('which is no URL') });
});
