// The server under test: where it is, who asks, and which features it lacks, each with the reason.
//
// A feature that is switched off or answers 501 is told as missing, so that its cases are skipped and never passed.

import { randomBytes } from 'node:crypto';
import { send, type WireRequest } from './client/http.ts';
import { parseJson, printJson } from './json.ts';

export interface Target {
  /** Scheme, host and port. */
  readonly url: string;
  /** May do everything. Any text where authentication is off. */
  readonly token: string;
  /** Of host-based basins: `<basin>.<suffix>`. */
  readonly basinSuffix?: string;
  /** With TLS: the same server, or another one of its kind that takes the same token. */
  readonly tlsUrl?: string;
  /** Whether certificates that nobody vouches for will do. */
  readonly insecure?: boolean;
  /** Starts another server of the same kind, which may be stopped. */
  readonly startAnother?: () => Promise<OtherServer>;
}

/** A server that belongs to one case. */
export interface OtherServer {
  readonly target: Target;
  /** Tells it to stop, as its host would; resolves when it has. */
  stop(): Promise<void>;
  /** Ends it without a word. */
  kill(): Promise<void>;
  /** Starts it again on the same data and port. */
  start(): Promise<void>;
  /** Moves its wall clock so far ahead of the true time. */
  setClockAhead(ms: number): Promise<void>;
  dispose(): Promise<void>;
}

export const FEATURES = ['auth', 'locations', 'metrics', 'encryption', 'host-basins', 'plaintext', 'tls', 'restart'] as const;
export type Feature = (typeof FEATURES)[number];

/** Why a feature is missing; what is not named is there. */
export type Missing = ReadonlyMap<Feature, string>;

const PROBE_MS_MAX = 10_000;

/** @throws when the target does not answer, or answers what no S2 server does */
export async function probe(target: Target): Promise<Missing> {
  const missing = new Map<Feature, string>();
  const found = await Promise.all([
    probeAuth(target).then((reason) => ['auth', reason] as const),
    probeImplemented(target, '/v1/locations').then((reason) => ['locations', reason] as const),
    probeImplemented(target, '/v1/metrics?set=active-basins&start=0&end=0').then((reason) => ['metrics', reason] as const),
    probeEncryption(target).then((reason) => ['encryption', reason] as const),
  ]);
  for (const [feature, reason] of found) if (reason !== undefined) missing.set(feature, reason);
  if (target.basinSuffix === undefined) missing.set('host-basins', 'no basin suffix is given (--basin-suffix)');
  if (target.tlsUrl === undefined) missing.set('tls', 'no URL with TLS is given (--tls-url)');
  if (target.startAnother === undefined) missing.set('restart', 'the target cannot be stopped from here');
  if (!target.url.startsWith('http:')) missing.set('plaintext', 'the target is not asked over plaintext');
  return missing;
}

async function ask(target: Target, method: string, path: string, body?: unknown, headers: Readonly<Record<string, string>> = {}) {
  const request: WireRequest = {
    method,
    path,
    headers: { authorization: `Bearer ${target.token}`, ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...headers },
    ...(body === undefined ? {} : { body: printJson(body) }),
  };
  const { status, bytes } = await send(target, request, AbortSignal.timeout(PROBE_MS_MAX));
  return { status, text: bytes.toString() };
}

async function probeAuth(target: Target): Promise<string | undefined> {
  const known = await ask(target, 'GET', '/v1/basins?limit=1');
  if (known.status !== 200) throw new Error(`GET /v1/basins answers ${known.status} ${known.text}: is the token right (--token)?`);
  const unknown = await ask(target, 'GET', '/v1/basins?limit=1', undefined, { authorization: 'Bearer not-a-token' });
  return unknown.status === 200 ? 'the server takes any token: authentication is off' : await probeImplemented(target, '/v1/access-tokens');
}

async function probeImplemented(target: Target, path: string): Promise<string | undefined> {
  const { status } = await ask(target, 'GET', path);
  return status === 501 ? `GET ${path.split('?')[0]} answers 501` : undefined;
}

async function probeEncryption(target: Target): Promise<string | undefined> {
  const basin = `conf-probe-${randomBytes(5).toString('hex')}`;
  const created = await ask(target, 'POST', '/v1/basins', { basin, config: { stream_cipher: 'aes-256-gcm' } });
  if (created.status === 501) return 'a basin with a cipher answers 501';
  if (created.status !== 201) throw new Error(`POST /v1/basins answers ${created.status} ${created.text}`);
  try {
    const stream = await ask(target, 'POST', '/v1/streams', { stream: 's' }, { 's2-basin': basin });
    if (stream.status === 501) return 'a stream with a cipher answers 501';
    const { cipher } = parseJson(stream.text) as { cipher?: unknown };
    return cipher === 'aes-256-gcm' ? undefined : 'streams do not take the cipher of their basin';
  } finally {
    await ask(target, 'DELETE', `/v1/basins/${basin}`);
  }
}
