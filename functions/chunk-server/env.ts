// The settings of a chunk server, from the environment. A bad one ends the process with what it must be.

import { type LocalEnv, readEnv, SettingError } from '#functions/local/env.ts';

export interface ChunkServerEnv extends Pick<LocalEnv, 'port' | 'host' | 'dataDir' | 'waitMs' | 'tls' | 'storeBytesMax'> {
  /** For people: the start of the zone's identity. */
  readonly zoneName: string;
  /** Whoever has it may write and delete. */
  readonly secret: string;
}

type Variables = Readonly<Record<string, string | undefined>>;

const SECRET_CHARS_MIN = 32;
const ZONE_NAME = /^[a-z0-9-]{1,31}$/;
/** What else a machine listens on seldom. */
const PORT = '8090';

/** @throws SettingError naming the variable, and what it must be */
export function readChunkServerEnv(variables: Variables): ChunkServerEnv {
  const { port, host, dataDir, waitMs, tls, storeBytesMax } = readEnv({
    PORT,
    ...variables,
    MILLRACE_AUTH: 'off',
    MILLRACE_ROOT_TOKEN: undefined,
  });
  const zoneName = variables['MILLRACE_ZONE_NAME'] ?? 'zone';
  if (!ZONE_NAME.test(zoneName)) {
    throw new SettingError(`MILLRACE_ZONE_NAME is "${zoneName}"; it must be 1 to 31 characters of a-z, 0-9 and "-", such as use1-az4`);
  }
  return { port, host, dataDir, waitMs, tls, storeBytesMax, zoneName, secret: readZoneSecret(variables) };
}

/** What chunk servers and those who write to them share. What is wrong with it is told, and never what it is. */
export function readZoneSecret(variables: Variables): string {
  const secret = variables['MILLRACE_ZONE_SECRET'];
  const must = `at least ${SECRET_CHARS_MIN} characters that nobody can guess, the same for chunk servers and channel tasks`;
  if (!secret) throw new SettingError(`MILLRACE_ZONE_SECRET is missing; it must be ${must}`);
  if (secret.length < SECRET_CHARS_MIN || !/^[\x21-\x7e]+$/.test(secret)) {
    throw new SettingError(`MILLRACE_ZONE_SECRET must be ${must}, of visible ASCII without spaces`);
  }
  return secret;
}
