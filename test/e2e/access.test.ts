// Access tokens against the real process: the root token, what is kept of secrets, and the tour of the README.

import { execFile } from 'node:child_process';
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { S2 } from '@s2-dev/streamstore';
import { describe, expect, onTestFinished, test } from 'vitest';
import { type Server, type ServerOptions, startServer } from '#test/support/server.ts';

const REQUIRED = { MILLRACE_AUTH: 'required' };
const GIVEN = 'a-root-token-that-was-given';

async function started(options: ServerOptions): Promise<Server> {
  const server = await startServer(options);
  onTestFinished(() => server.dispose());
  return server;
}

function client(server: Server, accessToken: string): S2 {
  return new S2({ accessToken, endpoints: { account: server.url, basin: server.url }, retry: { maxAttempts: 1 } });
}

/** Whether any file of the data folder holds the text. */
async function isKept(server: Server, text: string): Promise<boolean> {
  const files = await readdir(server.dataDir, { recursive: true, withFileTypes: true });
  for (const file of files) {
    if (file.isFile() && (await readFile(path.join(file.parentPath, file.name))).includes(text)) return true;
  }
  return false;
}

describe('the root token', () => {
  test('is printed at the first start, once, and is kept nowhere', async () => {
    const server = await started({ env: REQUIRED });
    const tokens = [...server.output.matchAll(/^millrace_root_[\w-]+$/gm)].map(([token]) => token);
    expect(tokens).toHaveLength(1);
    const [token = ''] = tokens;
    await client(server, token).basins.create({ basin: 'kept-basin' });
    await expect(client(server, `${token}x`).basins.list()).rejects.toMatchObject({ status: 401, code: 'authn' });
    expect(server.output.split(token)).toHaveLength(2);
    await server.stop();
    expect(await isKept(server, token)).toBe(false);
    await server.start();
    expect(server.output).not.toContain('millrace_root_');
    expect((await client(server, token).basins.list()).basins).toHaveLength(1);
  });

  test('that is given is never printed, and what it issued outlives a restart, until it is revoked', async () => {
    const server = await started({ env: { ...REQUIRED, MILLRACE_ROOT_TOKEN: GIVEN } });
    const issued = await client(server, GIVEN).accessTokens.issue({ id: 'lister', scope: { ops: ['list-basins'] } });
    await server.kill();
    await server.start();
    await client(server, issued.accessToken).basins.list();
    await client(server, GIVEN).accessTokens.revoke({ id: 'lister' });
    await expect(client(server, issued.accessToken).basins.list()).rejects.toMatchObject({ status: 401 });
    await server.kill();
    await server.start();
    await expect(client(server, issued.accessToken).basins.list()).rejects.toMatchObject({ status: 401 });
    await server.stop();
    for (const secret of [GIVEN, issued.accessToken]) {
      expect(server.output).not.toContain(secret);
      expect(await isKept(server, secret)).toBe(false);
    }
  });
});

test('the tour of the README goes as it says', async () => {
  const server = await started({ env: { ...REQUIRED, MILLRACE_ROOT_TOKEN: GIVEN } });
  const script = path.join(import.meta.dirname, '../../docs/examples/access-tour.ts');
  const env = { ...process.env, MILLRACE_ROOT_TOKEN: GIVEN };
  const { stdout } = await promisify(execFile)(process.execPath, [script, server.url], { env });
  expect(stdout.trim().split('\n')).toEqual([
    '1. a token for streams of one prefix was issued',
    '2. it appends to alice/diary, which now ends at 1',
    '3. outside of its prefix: 403 permission_denied',
    '4. the token was revoked',
    '5. it appends no more: 401 authn',
  ]);
});
