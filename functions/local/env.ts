// The settings of `npm start`, from the environment. A bad one ends the process with what it must be.

import { type CellConfig, DEFAULT_CELL_CONFIG, LOCATION_NAME } from '#core/cell/config.ts';
import { BASIN_NAME_BYTES_MAX } from '#core/model/limits.ts';
import type { CertificateFiles } from './certificate.ts';

const MIB = 1024 * 1024;
const BACKLOG_MIB_MIN = 8;
/** Long enough that nobody guesses it, if it is random. */
const ROOT_TOKEN_CHARS_MIN = 20;
/** Zones hold the backlog, and what GC has not come to. */
const ZONE_BACKLOGS = DEFAULT_CELL_CONFIG.zoneBytesMax / DEFAULT_CELL_CONFIG.channel.backlogBytesMax;

export interface LocalEnv {
  readonly port: number;
  readonly host: string;
  readonly dataDir: string;
  /** How long a start waits for the process that has the data folder to end. */
  readonly waitMs: number;
  /** Undefined: the one that was printed at the first start, if access is checked at all. */
  readonly rootToken: string | undefined;
  readonly config: CellConfig;
  /** Bytes that each store may take: segments, chunks of the standard class, and the files of each zone. Undefined: as many as there are. */
  readonly storeBytesMax: number | undefined;
  /** Host names below which each basin has one of its own; in lower case. */
  readonly basinSuffixes: readonly string[];
  /** Undefined: the port speaks plaintext. */
  readonly tls: CertificateFiles | undefined;
}

export class SettingError extends Error {
  override readonly name = 'SettingError';
}

/** @throws SettingError naming the variable, what it is, and what it must be. */
export function readEnv(env: Readonly<Record<string, string | undefined>>): LocalEnv {
  const port = env['PORT'] ?? '8080';
  if (!/^\d{1,5}$/.test(port) || Number(port) > 65_535) {
    throw new SettingError(`PORT is "${port}"; it must be a number from 0 (any free port) to 65535`);
  }
  const dataDir = env['MILLRACE_DATA_DIR'] ?? '.millrace';
  if (dataDir === '') throw new SettingError('MILLRACE_DATA_DIR is empty; it must name a folder');
  const host = env['MILLRACE_HOST'] ?? '127.0.0.1';
  if (host === '') throw new SettingError('MILLRACE_HOST is empty; it must be an address to listen on, such as 127.0.0.1');
  const config = { ...withBacklog(env['MILLRACE_BACKLOG_MIB']), access: access(env), location: location(env['MILLRACE_LOCATION']) };
  return {
    port: Number(port),
    host,
    dataDir,
    storeBytesMax: storeBytesMax(env['MILLRACE_STORE_MAX_MIB']),
    waitMs: waitMs(env['MILLRACE_WAIT_SECS']),
    rootToken: rootToken(env['MILLRACE_ROOT_TOKEN'], config.access),
    config,
    basinSuffixes: basinSuffixes(env['MILLRACE_BASIN_SUFFIX']),
    tls: certificateFiles(env['MILLRACE_TLS_CERT'], env['MILLRACE_TLS_KEY']),
  };
}

function storeBytesMax(mib: string | undefined): number | undefined {
  if (mib === undefined || mib === '') return undefined;
  if (!/^\d{1,9}$/.test(mib) || Number(mib) < 1) {
    throw new SettingError(`MILLRACE_STORE_MAX_MIB is "${mib}"; it must be a whole number of MiB from 1 up`);
  }
  return Number(mib) * MIB;
}

function waitMs(secs: string | undefined): number {
  if (secs === undefined) return 0;
  if (/^\d{1,5}$/.test(secs)) return 1_000 * Number(secs);
  throw new SettingError(`MILLRACE_WAIT_SECS is "${secs}"; it must be a whole number of seconds from 0 (do not wait) to 99999`);
}

function location(name: string | undefined): string {
  if (name === undefined) return DEFAULT_CELL_CONFIG.location;
  if (LOCATION_NAME.test(name)) return name;
  throw new SettingError(`MILLRACE_LOCATION is "${name}"; it must be 1 to 64 letters, digits, ":", "." or "-", such as aws:us-east-1`);
}

function access(env: Readonly<Record<string, string | undefined>>): CellConfig['access'] {
  const mode = env['MILLRACE_AUTH'] ?? 'off';
  if (mode !== 'off' && mode !== 'required') {
    throw new SettingError(`MILLRACE_AUTH is "${mode}"; it must be "off" (any bearer token or none) or "required"`);
  }
  const secs = env['MILLRACE_REVOCATION_SECS'] ?? '10';
  if (!/^\d{1,5}$/.test(secs) || Number(secs) < 1) {
    throw new SettingError(`MILLRACE_REVOCATION_SECS is "${secs}"; it must be a whole number of seconds from 1 to 99999`);
  }
  return { mode, revocationMsMax: 1_000 * Number(secs) };
}

/** What is wrong with it is told, and never what it is. */
function rootToken(token: string | undefined, { mode }: CellConfig['access']): string | undefined {
  if (token === undefined) return undefined;
  if (mode === 'off') {
    throw new SettingError('MILLRACE_ROOT_TOKEN is set while MILLRACE_AUTH is "off"; set MILLRACE_AUTH to "required", or leave it out');
  }
  if (token.length < ROOT_TOKEN_CHARS_MIN || !/^[\x21-\x7e]+$/.test(token)) {
    throw new SettingError(`MILLRACE_ROOT_TOKEN must be at least ${ROOT_TOKEN_CHARS_MIN} visible ASCII characters without spaces`);
  }
  return token;
}

/** A basin's name, a dot and a suffix must fit in a host name. */
const SUFFIX_CHARS_MAX = 253 - BASIN_NAME_BYTES_MAX - 1;
const HOST_NAME = /^(?!-)[a-z0-9-]{1,63}(?<!-)(\.(?!-)[a-z0-9-]{1,63}(?<!-))*$/;

function basinSuffixes(list: string | undefined): readonly string[] {
  if (list === undefined || list.trim() === '') return [];
  return list.split(',').map((part) => {
    const suffix = part.trim().toLowerCase().replace(/^\./, '');
    if (HOST_NAME.test(suffix) && suffix.length <= SUFFIX_CHARS_MAX) return suffix;
    throw new SettingError(
      `MILLRACE_BASIN_SUFFIX is "${list}"; it must be a host name without a port, such as b.localhost, or several with commas between them`,
    );
  });
}

function certificateFiles(certFile: string | undefined, keyFile: string | undefined): CertificateFiles | undefined {
  if (!certFile && !keyFile) return undefined;
  if (!certFile || !keyFile) {
    throw new SettingError(
      `${certFile ? 'MILLRACE_TLS_KEY' : 'MILLRACE_TLS_CERT'} is missing; TLS takes a certificate and its key, each in a PEM file`,
    );
  }
  return { certFile, keyFile };
}

/** Why nothing listens, in terms of the settings; any other failure is given back as it is. */
export function listenError(error: unknown, { port, host }: Pick<LocalEnv, 'port' | 'host'>): unknown {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  switch (code) {
    case 'EADDRINUSE':
      return new SettingError(`port ${port} on ${host} is taken; stop what listens there, or choose another one with PORT`);
    case 'EACCES':
      return new SettingError(`port ${port} on ${host} is not allowed for this user; choose another one with PORT`);
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
    case 'EINVAL':
      return new SettingError(
        `MILLRACE_HOST is "${host}", which does not resolve; it must be an address of this machine, such as 127.0.0.1`,
      );
    case 'EADDRNOTAVAIL':
    case 'EAFNOSUPPORT':
      return new SettingError(`MILLRACE_HOST is "${host}", which is no address of this machine; 127.0.0.1 and 0.0.0.0 always work`);
    default:
      return error;
  }
}

/** What may wait for offload decides how much memory and how much of each zone is needed. */
function withBacklog(mib: string | undefined): CellConfig {
  const config = DEFAULT_CELL_CONFIG;
  if (mib === undefined) return config;
  if (!/^\d{1,6}$/.test(mib) || Number(mib) < BACKLOG_MIB_MIN) {
    throw new SettingError(`MILLRACE_BACKLOG_MIB is "${mib}"; it must be a whole number of MiB from ${BACKLOG_MIB_MIN} up`);
  }
  const backlogBytesMax = Number(mib) * MIB;
  return {
    ...config,
    channel: { ...config.channel, backlogBytesMax },
    offload: { ...config.offload, backlogBytesMin: Math.min(config.offload.backlogBytesMin, backlogBytesMax / 4) },
    zoneBytesMax: ZONE_BACKLOGS * backlogBytesMax,
  };
}
