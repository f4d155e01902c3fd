// The settings of a channel task, from the environment. A bad one ends the process with what it must be.

import { networkInterfaces } from 'node:os';
import type { OwnerAddress } from '#core/model/owner-address.ts';
import { needed, readStorageEnv, type StorageEnv, type Variables } from '#functions/aws/env.ts';
import { type LocalEnv, readEnv, SettingError } from '#functions/local/env.ts';
import type { MetricsName } from './load-metrics.ts';

export interface ChannelEnv extends Omit<LocalEnv, 'dataDir'>, StorageEnv {
  /** What the key that signs access tokens is derived from. Undefined: access is not checked. */
  readonly signingSecret: string | undefined;
  /** Where functions are told what to offload. Undefined: the task does its upkeep by itself. */
  readonly offloadQueueUrl: string | undefined;
  /** Where other tasks reach this one; undefined: where it listens. */
  readonly peerUrl: string | undefined;
  /** Where anybody does; undefined: only through other tasks. */
  readonly edgeUrl: string | undefined;
  /** Undefined: the task writes no metrics into its log. */
  readonly metrics: MetricsName | undefined;
}

const METRICS = /^([A-Za-z0-9_.#-]{1,200})\/([A-Za-z0-9_.-]{1,200})$/;
const SECRET_CHARS_MIN = 32;
const QUEUE_URL = /^https?:\/\/[^/]+\/.+/;

/** Where each look for work is a request that is paid for, jobs look less often than beside their own disk. */
const EVERY_MS = { gc: 2_000, delete: 2_000, trim: 20_000, compact: 20_000, measure: 20_000, sweep: 300_000 };

/** @throws SettingError naming the variable, and what it must be */
export function readChannelEnv(variables: Variables): ChannelEnv {
  const { dataDir: _unused, ...common } = readEnv({ MILLRACE_AUTH: 'required', ...variables });
  const offloadQueueUrl = queueUrl(variables);
  const upkeep = offloadQueueUrl === undefined ? 'here' : 'elsewhere';
  const storage = readStorageEnv(variables);
  const { channelsPerClass } = storage;
  return {
    ...common,
    ...storage,
    config: { ...common.config, channelsPerClass, upkeep, everyMs: { ...common.config.everyMs, ...EVERY_MS } },
    signingSecret: signingSecret(variables, common),
    offloadQueueUrl,
    peerUrl: baseUrl(variables, 'MILLRACE_PEER_URL'),
    edgeUrl: baseUrl(variables, 'MILLRACE_EDGE_URL'),
    metrics: metricsName(variables['MILLRACE_METRICS']),
  };
}

/** What the key that signs access tokens is derived from; undefined where access is not checked. @throws SettingError */
export function signingSecret(variables: Variables, { config, rootToken }: Pick<LocalEnv, 'config' | 'rootToken'>): string | undefined {
  const secret = variables['MILLRACE_SIGNING_SECRET'];
  if (config.access.mode === 'required') {
    for (const [name, value] of Object.entries({ MILLRACE_SIGNING_SECRET: secret, MILLRACE_ROOT_TOKEN: rootToken })) {
      if (!value) throw new SettingError(`${name} is missing; it is needed where access is checked (MILLRACE_AUTH is "required")`);
    }
  }
  if (secret !== undefined && secret.length < SECRET_CHARS_MIN) {
    throw new SettingError(`MILLRACE_SIGNING_SECRET must be at least ${SECRET_CHARS_MIN} characters that nobody can guess`);
  }
  return secret;
}

/** Where functions do the jobs, what tells them what to offload. */
function queueUrl(variables: Variables): string | undefined {
  const jobs = variables['MILLRACE_JOBS'] ?? 'task';
  const isSet = Boolean(variables['MILLRACE_OFFLOAD_QUEUE_URL']);
  if (jobs === 'task') {
    if (!isSet) return undefined;
    throw new SettingError(
      'MILLRACE_OFFLOAD_QUEUE_URL is set while MILLRACE_JOBS is "task"; set MILLRACE_JOBS to "functions", or leave it out',
    );
  }
  if (jobs !== 'functions') {
    throw new SettingError(`MILLRACE_JOBS is "${jobs}"; it must be "task" (which does its upkeep by itself) or "functions"`);
  }
  return needed(variables, 'MILLRACE_OFFLOAD_QUEUE_URL', QUEUE_URL, 'the URL of a queue of SQS, where MILLRACE_JOBS is "functions"');
}

/** Where this task is reached. Without a setting: where it listens, and of a task that listens on every address, the first that others may reach. */
export function ownAddress(env: Pick<ChannelEnv, 'peerUrl' | 'edgeUrl' | 'host' | 'tls'>, port: number): OwnerAddress {
  const { peerUrl, edgeUrl, host, tls } = env;
  const reached = isAnyAddress(host) ? (outerAddress() ?? host) : host;
  const name = reached.includes(':') ? `[${reached}]` : reached;
  const peer = peerUrl ?? `${tls === undefined ? 'http' : 'https'}://${name}:${port}`;
  return { peer, ...(edgeUrl === undefined ? {} : { edge: edgeUrl }) };
}

function isAnyAddress(host: string): boolean {
  return host === '0.0.0.0' || host === '::';
}

function outerAddress(): string | undefined {
  const all = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? []);
  return all.find(({ internal, family }) => !internal && family === 'IPv4')?.address;
}

function metricsName(text: string | undefined): MetricsName | undefined {
  if (text === undefined || text === '') return undefined;
  const [, namespace, cell] = METRICS.exec(text) ?? [];
  if (namespace !== undefined && cell !== undefined) return { namespace, cell };
  throw new SettingError(
    `MILLRACE_METRICS is "${text}"; it must be a namespace of CloudWatch and a name for the cell, such as Millrace/my-cell`,
  );
}

function baseUrl(variables: Variables, name: string): string | undefined {
  const value = variables[name];
  if (value === undefined || value === '') return undefined;
  const bare = value.replace(/\/$/, '');
  if (/^https?:\/\/[^/?#\s@]+$/.test(bare) && URL.canParse(bare)) return bare;
  throw new SettingError(`${name} is "${value}"; it must be a URL without a path, such as http://10.0.1.7:8080`);
}
