// The commands of the guides: every block that is marked `sh` is run as it stands, in order, against a real server that checks tokens.

import { execFile } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Api } from '#test/support/api.ts';
import { type Server, startServer } from '#test/support/server.ts';

const ROOT = path.join(import.meta.dirname, '../..');
const GUIDES = path.join(ROOT, 'docs/guides');
const ROOT_TOKEN = 'the-root-token-of-the-guides';

let server: Server;

beforeAll(async () => {
  server = await startServer({ env: { MILLRACE_AUTH: 'required', MILLRACE_ROOT_TOKEN: ROOT_TOKEN } });
});
afterAll(() => server?.dispose());

interface Ran {
  readonly code: number;
  readonly output: string;
}

/** All blocks of one guide in one shell, which ends at the first command that fails. */
function run(guide: string): Promise<Ran> {
  const blocks = [...readFileSync(path.join(GUIDES, guide), 'utf8').matchAll(/^```sh\n(.*?)^```$/gms)].map(([, block]) => block);
  expect(blocks.length).toBeGreaterThan(0);
  const script = ['set -euo pipefail', ...blocks].join('\n');
  const env = {
    ...process.env,
    PATH: `${path.join(ROOT, 'node_modules/.bin')}${path.delimiter}${process.env['PATH'] ?? ''}`,
    URL: server.url,
    TOKEN: ROOT_TOKEN,
    MILLRACE_URL: server.url,
    MILLRACE_TOKEN: ROOT_TOKEN,
  };
  return new Promise((resolve) => {
    execFile('bash', ['-c', script], { cwd: ROOT, env }, (error, stdout, stderr) =>
      resolve({ code: error === null ? 0 : Number(error.code ?? 1), output: stdout + stderr }),
    );
  });
}

describe('the commands of the guides', () => {
  test('curl.md: append, read, follow, resume, and tokens that can do less', async () => {
    const { code, output } = await run('curl.md');
    expect([code, output]).toEqual([0, expect.stringContaining('"start":{"seq_num":0,')]);
    // Each of its own: the append that must not land twice, what follows, what resumes, and what the reader may not.
    expect(output.match(/"seq_num_mismatch"/g)).toHaveLength(1);
    expect(output.match(/^event: batch$/gm)).toHaveLength(2);
    expect(output.match(/^id: 3,4,/gm)).toHaveLength(2);
    expect(output.match(/^data: \[DONE\]$/gm)).toHaveLength(2);
    expect(output.match(/"permission_denied"/g)).toHaveLength(1);
    const api = new Api(server.url, 'guide-curl');
    const answer = await api.read('orders', '?seq_num=0', { authorization: `Bearer ${ROOT_TOKEN}` });
    expect((answer.json as { records: { body: string }[] }).records.map(({ body }) => body)).toEqual([
      'first',
      'second',
      '\0\u0001',
      'once',
    ]);
    const tokens = await api.call('GET', '/access-tokens', { headers: { authorization: `Bearer ${ROOT_TOKEN}` } });
    expect(tokens.text).not.toContain('guide-reader');
  });

  test('browser.md: a token that reads one stream', async () => {
    const { code, output } = await run('browser.md');
    expect([code, output.trim()]).toEqual([0, expect.stringMatching(/^\S{40,}$/)]);
    const api = new Api(server.url, 'my-first-basin');
    const refused = await api.append('orders', { records: [{ body: 'x' }] }, { authorization: `Bearer ${output.trim()}` });
    expect(refused.json).toMatchObject({ code: 'permission_denied' });
  });
});

describe('the index', () => {
  const index = readFileSync(path.join(GUIDES, 'README.md'), 'utf8');

  test('names every guide and every file to copy, and nothing else', () => {
    const files = readdirSync(GUIDES).filter((name) => name !== 'README.md');
    expect(files.length).toBeGreaterThan(6);
    const named = [...index.matchAll(/\]\(([\w.-]+)\)/g)].map(([, name]) => name ?? '');
    expect([...new Set(named)].sort()).toEqual(files.sort());
  });

  test('every link of a guide leads to a file', () => {
    const guides = readdirSync(GUIDES).filter((name) => name.endsWith('.md'));
    const lost = guides.flatMap((guide) =>
      [...readFileSync(path.join(GUIDES, guide), 'utf8').matchAll(/\]\(([\w./-]+)(?:#[\w-]+)?\)/g)]
        .map(([, target]) => target ?? '')
        .filter((target) => !existsSync(path.join(GUIDES, target)))
        .map((target) => `${guide}: ${target}`),
    );
    expect(lost).toEqual([]);
  });
});
