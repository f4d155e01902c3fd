// Access tokens and encryption keys through the command line: secrets are printed once, by the command that is for it.

import { randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Server, startServer } from '#test/support/server.ts';
import { cliFor } from './support.ts';

const ROOT_TOKEN = randomBytes(24).toString('base64url');
const BASIN = 'cli-tokens';

let server: Server;
let folder: string;
let root: ReturnType<typeof cliFor>;

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'millrace-cli-'));
  server = await startServer({ env: { MILLRACE_AUTH: 'required', MILLRACE_ROOT_TOKEN: ROOT_TOKEN, MILLRACE_REVOCATION_SECS: '1' } });
  root = cliFor(server.url, { MILLRACE_TOKEN: ROOT_TOKEN });
  await root.ok(['create', BASIN, '--auto-create']);
});

afterAll(async () => {
  await server?.dispose();
  await rm(folder, { recursive: true, force: true });
});

describe('token', () => {
  test('one that is issued for a prefix works there, is refused elsewhere, and not at all once it is revoked', async () => {
    const issue = ['token', 'issue', 'alice', '--basins', BASIN, '--streams', 'alice/*', '--ops', 'append,read', '--expires', '1h'];
    const secret = (await root.ok(issue)).trimEnd();
    expect(secret).toMatch(/^\S{20,}$/);
    const alice = cliFor(server.url, { S2_ACCESS_TOKEN: secret });
    await alice.ok(['append', `${BASIN}/alice/diary`], { input: 'dear diary\n' });
    expect(await alice.ok(['read', `${BASIN}/alice/diary`])).toBe('dear diary\n');

    const refused = await Promise.all([
      alice.run(['append', `${BASIN}/bob/diary`], { input: 'x\n' }),
      alice.run(['read', `${BASIN}/bob/diary`]),
      alice.run(['tail', `${BASIN}/alice/diary`]),
      alice.run(['token', 'ls']),
    ]);
    for (const { code, stdout, stderr } of refused) {
      expect([code, stdout]).toEqual([1, '']);
      expect(stderr).toMatch(/^millrace: permission_denied: .*"millrace token issue".*\n$/);
      expect(stderr).not.toContain(secret);
    }

    expect(await root.ok(['token', 'revoke', 'alice'])).toBe('revoked alice\n');
    await expect.poll(async () => (await alice.run(['read', `${BASIN}/alice/diary`])).code, { timeout: 5_000 }).toBe(1);
    const late = await alice.run(['read', `${BASIN}/alice/diary`]);
    expect(late.stderr).toMatch(/^millrace: authn: .*MILLRACE_TOKEN or --token.*\n$/);
    expect(late.stderr).not.toContain(secret);
    const again = await root.run(['token', 'revoke', 'alice']);
    expect([again.code, again.stderr]).toEqual([1, expect.stringMatching(/^millrace: access_token_not_found: /)]);
  });

  test('ls shows ids and scopes, and never a secret', async () => {
    const json = await root.ok([
      'token',
      'issue',
      'tenant-1',
      '--streams',
      'tenant-1/*',
      '--basins',
      '*',
      '--op-groups',
      'basin=r,stream=rw',
      '--auto-prefix',
      '--json',
    ]);
    const { id, access_token: secret } = JSON.parse(json);
    expect(id).toBe('tenant-1');
    expect(await root.ok(['token', 'ls', 'tenant'])).toBe('tenant-1\n');
    const long = await root.ok(['token', 'ls', 'tenant', '--long']);
    expect(long).toMatch(/^tenant-1 {2}expires \S+ {2}basins=\* streams=tenant-1\/\* tokens=- auto-prefix {2}ops=basin=r,stream=rw\n$/);
    const listed = await root.ok(['token', 'ls', '--json']);
    expect(JSON.parse(listed)).toMatchObject({
      id: 'tenant-1',
      auto_prefix_streams: true,
      scope: {
        basins: { prefix: '' },
        streams: { prefix: 'tenant-1/' },
        access_tokens: null,
        op_groups: { stream: { read: true, write: true } },
      },
    });
    expect(long + listed).not.toContain(secret);

    const tenant = cliFor(server.url, { MILLRACE_TOKEN: secret });
    await tenant.ok(['append', `${BASIN}/events`], { input: 'e\n' });
    expect(await tenant.ok(['ls', BASIN])).toBe('events\n');
    expect(await root.ok(['ls', `${BASIN}/tenant-1/`])).toBe('tenant-1/events\n');
  });

  test('without one, and with a wrong one, every command says what to give', async () => {
    const nobody = cliFor(server.url);
    const results = await Promise.all([
      nobody.run(['ls']),
      nobody.run(['append', `${BASIN}/s`], { input: 'x\n' }),
      nobody.run(['ls', '--token', 'wrong-token-wrong-token']),
    ]);
    for (const { code, stderr } of results) {
      expect([code, stderr]).toEqual([
        1,
        expect.stringMatching(/^millrace: authn: .*\(give a valid token with MILLRACE_TOKEN or --token\)/),
      ]);
      expect(stderr).not.toContain('wrong-token-wrong-token');
    }
  });

  test('one that is issued twice, or can do nothing, is refused', async () => {
    const args = ['token', 'issue', 'twice', '--op-groups', 'account=r'];
    await root.ok(args);
    const again = await root.run(args);
    expect([again.code, again.stdout, again.stderr]).toEqual([1, '', expect.stringMatching(/^millrace: resource_already_exists: /)]);
    const useless = await root.run(['token', 'issue', 'prefixless', '--ops', 'read', '--auto-prefix', '--streams', 'one']);
    expect([useless.code, useless.stderr]).toEqual([2, expect.stringMatching(/^millrace: --auto-prefix needs a prefix/)]);
  });
});

describe('encryption', () => {
  test('the key comes from a file, as bytes or base64, and without it nothing is read', async () => {
    const key = randomBytes(32);
    const other = path.join(folder, 'other.key');
    const raw = path.join(folder, 'raw.key');
    const text = path.join(folder, 'text.key');
    await writeFile(raw, key);
    await writeFile(text, `${key.toString('base64')}\n`);
    await writeFile(other, randomBytes(32));
    await root.ok(['create', 'cli-encrypted', '--cipher', 'aes-256-gcm', '--auto-create']);
    await root.ok(['append', 'cli-encrypted/s', '--encryption-key-file', raw], { input: 'secret\n' });
    expect(await root.ok(['read', 'cli-encrypted/s', '--encryption-key-file', text])).toBe('secret\n');
    expect(await root.ok(['ls', 'cli-encrypted', '--long'])).toMatch(/ aes-256-gcm {2}s\n$/);

    const [none, wrong, absent, short] = await Promise.all([
      root.run(['read', 'cli-encrypted/s']),
      root.run(['read', 'cli-encrypted/s', '--encryption-key-file', other]),
      root.run(['read', 'cli-encrypted/s', '--encryption-key-file', path.join(folder, 'none.key')]),
      root.run(['read', 'cli-encrypted/s', '--encryption-key-file', import.meta.filename]),
    ]);
    expect([none.code, none.stdout, none.stderr]).toEqual([1, '', expect.stringMatching(/^millrace: bad_header: .*aes-256-gcm/)]);
    expect([wrong.code, wrong.stdout, wrong.stderr]).toEqual([
      1,
      '',
      expect.stringMatching(/^millrace: decryption_failed: .*--encryption-key-file/),
    ]);
    expect([absent.code, absent.stderr]).toEqual([2, expect.stringMatching(/^millrace: the key file .* cannot be read: ENOENT\n$/)]);
    expect([short.code, short.stderr]).toEqual([2, expect.stringMatching(/^millrace: the key file .* holds no key: /)]);
  });
});

describe('metrics', () => {
  test('are those of the API', async () => {
    const basins = await root.ok(['metrics', 'active-basins']);
    expect(basins).toContain(`active_basins  ${BASIN}\n`);
    const lines = (await root.ok(['metrics', 'append-ops', BASIN, '--interval', 'minute', '--json'])).trimEnd().split('\n');
    for (const line of lines) expect(JSON.parse(line)).toMatchObject({ accumulation: { interval: 'minute', unit: 'operations' } });
    const refused = await root.run(['metrics', 'storage', BASIN, '--interval', 'day']);
    expect([refused.code, refused.stderr]).toEqual([1, expect.stringMatching(/^millrace: invalid: /)]);
  });
});
