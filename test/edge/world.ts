// The Worker in workerd before a whole store over memory: every request that reaches the store is seen, and may be answered in its place.

import { setTimeout as sleep } from 'node:timers/promises';
import { onTestFinished } from 'vitest';
import { createTokenAuthority } from '#core/adapters/node/token-authority.ts';
import type { NodeRequest, NodeResponse } from '#core/api/http/exchange.ts';
import { type RunningEdge, startEdge } from '#functions/edge/workerd.ts';
import { Api } from '#test/support/api.ts';
import { type MemoryServer, startMemoryServer } from '#test/support/memory-server.ts';

export const ROOT_TOKEN = 'root-token-of-these-tests';
export const SECRET = 'a signing secret that only these tests know';
export const BASIN = 'edge-basin';

export interface Seen {
  readonly method: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
}

export interface Origin extends MemoryServer {
  /** Every request since it was emptied last. */
  readonly seen: Seen[];
  /** Breaks every connection that there is. */
  dropConnections(): void;
  /** While set, asked for each request whether it answers that. */
  intercept: ((request: NodeRequest, response: NodeResponse) => boolean) | undefined;
}

export interface OriginOptions {
  readonly auth?: 'off' | 'required';
  readonly revocationMsMax?: number;
}

export async function startOrigin({ auth = 'off', revocationMsMax = 10_000 }: OriginOptions = {}): Promise<Origin> {
  const seen: Seen[] = [];
  const sockets = new Set<NodeResponse['socket']>();
  const hooks: Pick<Origin, 'intercept'> = { intercept: undefined };
  const server = await startMemoryServer({ access: { mode: auth, revocationMsMax } }, ['express'], {
    authority: createTokenAuthority(SECRET, ROOT_TOKEN),
    intercept: (request, response) => {
      seen.push({ method: request.method ?? '', url: request.url ?? '', headers: request.headers });
      sockets.add(response.socket);
      return hooks.intercept?.(request, response) ?? false;
    },
  });
  const dropConnections = (): void => {
    for (const socket of sockets) socket?.destroy();
    sockets.clear();
  };
  return Object.assign(hooks, server, { seen, dropConnections });
}

export interface World {
  readonly origin: Origin;
  readonly edge: RunningEdge;
  /** Through the Worker, and past it. */
  readonly api: Api;
  readonly direct: Api;
}

/** @param variables of the Worker, besides those that this origin needs */
export async function startWorld(options: OriginOptions = {}, variables: Readonly<Record<string, string>> = {}): Promise<World> {
  const origin = await startOrigin(options);
  const edge = await startEdge({
    port: 0,
    variables: { MILLRACE_ORIGIN: origin.origin, MILLRACE_AUTH: options.auth ?? 'off', MILLRACE_RATE_PER_SEC: '0', ...variables },
  });
  return { origin, edge, api: new Api(edge.url, BASIN), direct: new Api(origin.origin, BASIN) };
}

/** For one test. */
export async function world(options: OriginOptions = {}, variables: Readonly<Record<string, string>> = {}): Promise<World> {
  const made = await startWorld(options, variables);
  onTestFinished(() => closeWorld(made));
  return made;
}

export async function closeWorld({ edge, origin }: World): Promise<void> {
  await edge.close();
  await origin.close();
}

export function bearer(token: string): Readonly<Record<string, string>> {
  return { authorization: `Bearer ${token}` };
}

/** A new token of that scope. */
export async function issue(api: Api, id: string, scope: object, more: object = {}): Promise<string> {
  const answer = await api.call('POST', '/access-tokens', { headers: bearer(ROOT_TOKEN), body: { id, scope, ...more } });
  if (answer.status !== 201) throw new Error(`issue: ${answer.status} ${answer.text}`);
  return (answer.json as { access_token: string }).access_token;
}

/** Records `0` to `count - 1` of a new stream, which lie in segments alone, as reads of it say. */
export async function offloadedStream(
  api: Api,
  stream: string,
  count: number,
  headers: Readonly<Record<string, string>> = {},
): Promise<void> {
  await api.call('POST', '/streams', { body: { stream }, headers });
  await api.append(stream, { records: Array.from({ length: count }, (_, i) => ({ body: `${i}` })) }, headers);
  await offloaded(api, stream, headers);
}

export async function offloaded(api: Api, stream: string, headers: Readonly<Record<string, string>> = {}, from = 0): Promise<void> {
  const end = Date.now() + 10_000;
  while (Date.now() < end) {
    const answer = await api.read(stream, `?seq_num=${from}&count=1`, headers);
    if (answer.headers.has('millrace-immutable')) return;
    await sleep(20);
  }
  throw new Error('the stream was not offloaded in time');
}
