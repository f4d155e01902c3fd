// What the settings of TLS and of basin hosts may be, and what is said where they may not.

import { mkdtemp, rm, symlink, unlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { loadCertificate, watchCertificate } from '#functions/local/certificate.ts';
import { readEnv, SettingError } from '#functions/local/env.ts';
import { makeCertificate, writeCertificate } from '#test/support/certificate.ts';

let dir: string;
const at = (name: string): string => path.join(dir, name);

beforeAll(async () => {
  dir = await mkdtemp(path.join(tmpdir(), 'millrace-certificate-'));
  await writeCertificate(dir, await makeCertificate());
  await writeFile(at('empty.pem'), '');
  await writeFile(at('noise.pem'), '-----BEGIN CERTIFICATE-----\nbm9pc2U=\n-----END CERTIFICATE-----\n');
  await writeFile(at('other-key.pem'), (await makeCertificate()).key);
  await writeFile(at('locked-key.pem'), '-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n');
});
afterAll(() => rm(dir, { recursive: true, force: true }));

describe('the files of a certificate', () => {
  test('are read, with the key', async () => {
    const loaded = await loadCertificate({ certFile: at('cert.pem'), keyFile: at('key.pem') });
    expect(loaded.subject).toBe('CN=localhost');
    expect(loaded.validTo.getTime()).toBeGreaterThan(Date.now());
  });

  test.each([
    ['cert', 'none.pem', 'key.pem', /^MILLRACE_TLS_CERT is ".*none.pem", which does not exist$/],
    ['key', 'cert.pem', 'none.pem', /^MILLRACE_TLS_KEY is ".*none.pem", which does not exist$/],
    ['folder', 'cert.pem', '.', /^MILLRACE_TLS_KEY is ".*", which cannot be read \(EISDIR\)$/],
    ['empty', 'empty.pem', 'key.pem', /^MILLRACE_TLS_CERT is ".*empty.pem", which holds no certificate in PEM$/],
    ['noise', 'noise.pem', 'key.pem', /^MILLRACE_TLS_CERT is ".*noise.pem", which holds no certificate in PEM$/],
    ['no key', 'cert.pem', 'cert.pem', /^MILLRACE_TLS_KEY is ".*cert.pem", which holds no private key in PEM$/],
    ['other', 'cert.pem', 'other-key.pem', /^MILLRACE_TLS_KEY is ".*other-key.pem", which does not fit the certificate in ".*cert.pem"$/],
    ['locked', 'cert.pem', 'locked-key.pem', /^MILLRACE_TLS_KEY is ".*locked-key.pem", which is protected by a passphrase/],
  ])('that cannot be used are named, and what is wrong: %s', async (_, cert, key, said) => {
    const loading = loadCertificate({ certFile: at(cert), keyFile: at(key) });
    await expect(loading).rejects.toThrow(said);
    await expect(loading).rejects.toBeInstanceOf(SettingError);
  });

  test('are looked at again when they change: also where a link comes to name others, or one is missing for a moment', async () => {
    let changes = 0;
    const stop = await watchCertificate({ certFile: at('link.pem'), keyFile: at('key.pem') }, () => (changes += 1), 10);
    onTestFinished(stop);
    await symlink(at('cert.pem'), at('link.pem'));
    await expect.poll(() => changes).toBe(1);
    await unlink(at('link.pem'));
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(changes).toBe(1);
    await symlink(at('noise.pem'), at('link.pem'));
    await expect.poll(() => changes).toBe(2);
    stop();
    await writeFile(at('noise.pem'), 'other');
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(changes).toBe(2);
  });
});

describe('the settings', () => {
  test('of TLS are both or neither; an empty one is none', () => {
    expect(readEnv({}).tls).toBeUndefined();
    expect(readEnv({ MILLRACE_TLS_CERT: '', MILLRACE_TLS_KEY: '' }).tls).toBeUndefined();
    expect(readEnv({ MILLRACE_TLS_CERT: 'a', MILLRACE_TLS_KEY: 'b' }).tls).toEqual({ certFile: 'a', keyFile: 'b' });
    expect(() => readEnv({ MILLRACE_TLS_CERT: 'a' })).toThrow(/^MILLRACE_TLS_KEY is missing/);
    expect(() => readEnv({ MILLRACE_TLS_KEY: 'b', MILLRACE_TLS_CERT: '' })).toThrow(/^MILLRACE_TLS_CERT is missing/);
  });

  test.each([
    [undefined, []],
    ['', []],
    ['b.localhost', ['b.localhost']],
    ['.B.Localhost, streams.example ', ['b.localhost', 'streams.example']],
    ['localhost', ['localhost']],
  ])('MILLRACE_BASIN_SUFFIX=%j means %j', (value, suffixes) => {
    expect(readEnv({ MILLRACE_BASIN_SUFFIX: value }).basinSuffixes).toEqual(suffixes);
  });

  test.each([
    'b.localhost:8080',
    '{basin}.b.localhost',
    '*.b.localhost',
    'https://b.localhost',
    'b..localhost',
    '-b.localhost',
    'b.localhost,',
    `${'a'.repeat(64)}.b`,
    Array.from({ length: 110 }, () => 'a').join('.'),
  ])('MILLRACE_BASIN_SUFFIX=%j is refused', (value) => {
    expect(() => readEnv({ MILLRACE_BASIN_SUFFIX: value })).toThrow(/^MILLRACE_BASIN_SUFFIX is .* must be a host name/);
  });

  test.each(['local', 'aws:us-east-1', 'a', 'x'.repeat(64), 'Rack-7.b:2'])('MILLRACE_LOCATION=%j is a location', (value) => {
    expect(readEnv({ MILLRACE_LOCATION: value }).config.location).toBe(value);
    expect(readEnv({}).config.location).toBe('local');
  });

  test.each(['', 'x'.repeat(65), 'eu west', 'zürich', 'a/b', 'a_b'])('MILLRACE_LOCATION=%j is refused', (value) => {
    expect(() => readEnv({ MILLRACE_LOCATION: value })).toThrow(/^MILLRACE_LOCATION is .* must be 1 to 64 letters/);
  });
});
