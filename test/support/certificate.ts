// A certificate that signs itself, made when it is needed: no key lies in the repository.

import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { generate } from 'selfsigned';
import type { Certificate } from '#core/adapters/node/http/tls.ts';

/** For 127.0.0.1, localhost, and every basin below `b.localhost`. */
export async function makeCertificate(commonName = 'localhost'): Promise<Certificate> {
  const pems = await generate([{ name: 'commonName', value: commonName }], {
    keyType: 'ec',
    extensions: [
      { name: 'basicConstraints', cA: true, critical: true },
      {
        name: 'subjectAltName',
        altNames: [
          { type: 2, value: 'localhost' },
          { type: 2, value: '*.b.localhost' },
          { type: 7, ip: '127.0.0.1' },
        ],
      },
    ],
  });
  return { cert: pems.cert, key: pems.private };
}

/** Writes both into `dir`. @returns the settings that name them. */
export async function writeCertificate(dir: string, { cert, key }: Certificate): Promise<Record<string, string>> {
  const files = { MILLRACE_TLS_CERT: path.join(dir, 'cert.pem'), MILLRACE_TLS_KEY: path.join(dir, 'key.pem') };
  await writeFile(files.MILLRACE_TLS_KEY, key);
  await writeFile(files.MILLRACE_TLS_CERT, cert);
  return files;
}
