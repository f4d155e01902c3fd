// The certificate of the port: two PEM files that the settings name, checked before they are used, and read again when they change.
//
// A certificate that cannot be used ends a start, and is only told when it was to replace another one: that one stays.

import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import type { Certificate } from '#core/adapters/node/http/tls.ts';
import type { HttpServer } from '#core/adapters/node/http-server.ts';
import type { ProcessTrace } from '#core/adapters/node/process-trace.ts';
import { SettingError } from './env.ts';

type Log = Pick<ProcessTrace['log'], 'info' | 'error'>;

export interface CertificateFiles {
  readonly certFile: string;
  readonly keyFile: string;
}

/** What is known of a certificate that can be used. */
export interface LoadedCertificate extends Certificate {
  readonly subject: string;
  readonly validTo: Date;
}

/** How often the files are looked at. */
const CHANGE_CHECK_MS = 5_000;

/** @throws SettingError naming the setting, the file, and what is wrong with it. */
export async function loadCertificate({ certFile, keyFile }: CertificateFiles): Promise<LoadedCertificate> {
  const cert = await readPem('MILLRACE_TLS_CERT', certFile);
  const key = await readPem('MILLRACE_TLS_KEY', keyFile);
  const parsed = parse('MILLRACE_TLS_CERT', certFile, 'no certificate in PEM', () => new X509Certificate(cert));
  if (key.includes('ENCRYPTED')) throw bad('MILLRACE_TLS_KEY', keyFile, 'is protected by a passphrase; give a key without one');
  const parsedKey: KeyObject = parse('MILLRACE_TLS_KEY', keyFile, 'no private key in PEM', () => createPrivateKey(key));
  if (!parsed.checkPrivateKey(parsedKey)) {
    throw bad('MILLRACE_TLS_KEY', keyFile, `does not fit the certificate in "${certFile}"`);
  }
  return { cert, key, subject: parsed.subject.replaceAll('\n', ', '), validTo: parsed.validToDate };
}

/** Renewed certificates are taken over while serving: when their files change, and on SIGHUP. */
export async function keepCertificate(server: Pick<HttpServer, 'replaceCertificate'>, files: CertificateFiles, log: Log): Promise<void> {
  const reload = async (): Promise<void> => {
    try {
      const certificate = await loadCertificate(files);
      server.replaceCertificate(certificate);
      log.info({ event: 'server.certificate', subject: certificate.subject, validTo: certificate.validTo });
    } catch (error) {
      // Connections go on with the one before.
      log.error({ event: 'server.certificate.failed', message: error instanceof Error ? error.message : String(error) });
    }
  };
  process.on('SIGHUP', () => void reload());
  await watchCertificate(files, () => void reload());
}

/**
 * Calls `onChange` when either file was changed, or replaced; one that is missing for a moment is looked for again.
 *
 * @returns what ends this.
 */
export async function watchCertificate(files: CertificateFiles, onChange: () => void, checkMs = CHANGE_CHECK_MS): Promise<() => void> {
  let seen = await stamp(files);
  const timer = setInterval(async () => {
    const now = await stamp(files);
    if (now === undefined || now === seen) return;
    seen = now;
    onChange();
  }, checkMs);
  timer.unref();
  return () => clearInterval(timer);
}

async function stamp({ certFile, keyFile }: CertificateFiles): Promise<string | undefined> {
  try {
    const stats = await Promise.all([certFile, keyFile].map((file) => stat(file, { bigint: true })));
    return stats.map(({ ino, size, mtimeNs }) => `${ino}/${size}/${mtimeNs}`).join(' ');
  } catch {
    return undefined;
  }
}

async function readPem(setting: string, file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    if (code === 'ENOENT') throw bad(setting, file, 'does not exist');
    throw bad(setting, file, `cannot be read (${String(code)})`);
  }
}

function parse<T>(setting: string, file: string, what: string, read: () => T): T {
  try {
    return read();
  } catch {
    throw bad(setting, file, `holds ${what}`);
  }
}

function bad(setting: string, file: string, why: string): SettingError {
  return new SettingError(`${setting} is "${file}", which ${why}`);
}
