// The Worker's path of a request: who asks, may they, is it known already, else on to the origin.
//
// It is a filter and a cache before an origin that checks everything itself: nothing here is the only guard.

import { Hono } from 'hono';
import { cors } from 'hono/cors';
import { refused, StoreError } from '../core/model/errors.ts';
import { knownFailure, type Principal, ROOT } from '../core/model/principal.ts';
import { type BasinOfHost, basinHosts } from '../core/wire/basin-host.ts';
import { CORS_AGE_SECS, CORS_ANSWER_HEADERS, CORS_METHODS, CORS_REQUEST_HEADERS } from '../core/wire/cors.ts';
import { mediaType } from '../core/wire/media-type.ts';
import { failure, historyAnswer, passedBack } from './answers.ts';
import { authorizeCall, callOf, type EdgeCall, namedFor } from './edge-call.ts';
import { type Forwarded, forward } from './forward.ts';
import { History, parseImmutable } from './history.ts';
import { type HistoryRead, historyRead } from './history-key.ts';
import { ANSWER_BYTES_MAX, HistoryStore } from './history-store.ts';
import { Keys } from './keys.ts';
import { Owners } from './owners.ts';
import { RateLimiter } from './rate-limit.ts';
import type { Settings } from './settings.ts';
import { type Identity, Tokens } from './tokens.ts';

/** Answered to anybody, by the origin. */
const OPEN_PATHS: ReadonlySet<string> = new Set(['/health', '/ping', '/openapi.json', '/.well-known/jwks.json']);
/** For operators, who reach the origin itself. */
const CLOSED_PATHS: ReadonlySet<string> = new Set(['/metrics']);
const EXPOSED = [...CORS_ANSWER_HEADERS, 'retry-after', 'x-request-id', 'millrace-cache'].join(', ');
/** What is told of a stream that is not there any more, or is another one. */
const GONE: ReadonlySet<number> = new Set([404, 409]);

/** What lets an answer be sent while something goes on behind it. */
type Later = (work: Promise<unknown>) => void;

export function createApp(settings: Settings): Hono {
  const edge = new Edge(settings);
  const app = new Hono();
  const { corsOrigins } = settings;
  app.options(
    '*',
    cors({
      origin: corsOrigins === '*' ? '*' : [...corsOrigins],
      allowMethods: [...CORS_METHODS],
      allowHeaders: [...CORS_REQUEST_HEADERS, 'x-request-id'],
      maxAge: CORS_AGE_SECS,
    }),
  );
  app.all('*', (context) => edge.answer(context.req.raw, (work) => context.executionCtx.waitUntil(work)));
  return app;
}

class Edge {
  readonly #settings: Settings;
  readonly #basinOfHost: BasinOfHost;
  readonly #tokens: Tokens;
  readonly #owners: Owners;
  readonly #history: History;
  readonly #limiter: RateLimiter;

  constructor(settings: Settings) {
    const { origin, owners, auth, keys, revocationMsMax, historyMsMax, rateLimiter, ratePerSec } = settings;
    this.#settings = settings;
    this.#basinOfHost = basinHosts(settings.basinSuffixes);
    this.#tokens = new Tokens(new Keys(keys, () => keysOf(origin)), auth, revocationMsMax);
    this.#owners = new Owners(origin, owners);
    this.#history = new History(new HistoryStore(), historyMsMax);
    this.#limiter = new RateLimiter(rateLimiter, ratePerSec);
  }

  /** Never throws. */
  async answer(request: Request, later: Later): Promise<Response> {
    let id = '-';
    let principal: Principal = ROOT;
    let response: Response;
    try {
      const call = callOf(request, this.#basinOfHost);
      id = call.id;
      this.#refuseWhatDoesNotFit(call);
      if (OPEN_PATHS.has(call.url.pathname)) {
        response = passedBack(await forward(call, this.#owners));
      } else {
        const identity = await this.#admit(call);
        principal = identity.principal;
        authorizeCall(call, principal);
        response = await this.#serve(namedFor(call, principal), identity, later);
      }
    } catch (error) {
      response = this.#failed(request, id, knownFailure(principal, error));
    }
    response.headers.set('x-request-id', id);
    this.#allowPages(request, response.headers);
    return response;
  }

  /** For pages of other origins that ask without a preflight, or behind one. */
  #allowPages(request: Request, headers: Headers): void {
    const { corsOrigins } = this.#settings;
    const page = corsOrigins === '*' ? '*' : (request.headers.get('origin') ?? '');
    if (corsOrigins !== '*') headers.append('vary', 'origin');
    if (corsOrigins !== '*' && !corsOrigins.includes(page)) return;
    headers.set('access-control-allow-origin', page);
    headers.set('access-control-expose-headers', EXPOSED);
  }

  async #admit({ request }: EdgeCall): Promise<Identity> {
    const header = request.headers.get('authorization');
    const now = Date.now();
    const address = `address ${request.headers.get('cf-connecting-ip') ?? 'unknown'}`;
    // A token that is not known here costs a check of its signature, or the origin a look: its sender is counted before.
    const isKnown = this.#tokens.isKnown(header);
    if (!isKnown) await this.#count(address, now);
    const identity = await this.#tokens.identify(header, now);
    const { claims } = identity.principal;
    if (claims !== undefined) await this.#count(`token ${claims.tokenId}`, now);
    else if (isKnown) await this.#count(address, now);
    return identity;
  }

  async #count(client: string, now: number): Promise<void> {
    if (!(await this.#limiter.allows(client, now))) throw refused('rate_limited', 'too many requests; try again later');
  }

  async #serve(call: EdgeCall, identity: Identity, later: Later): Promise<Response> {
    const { streamKey } = call;
    const read = this.#history.isOff ? undefined : historyRead(call);
    if (read === undefined || !identity.isKnown) {
      const sent = await forward(call, this.#owners);
      this.#learn(call, identity, sent);
      return passedBack(sent);
    }
    const now = Date.now();
    // X1: before it is known whether anything is kept.
    const kept = this.#tokens.isBelieved(identity, now) ? await this.#history.find(read, now) : undefined;
    if (kept !== undefined) return historyAnswer(kept, true);
    // What is kept is given to clients that unpack nothing, too.
    const encodings = /\bgzip\b(?!\s*;\s*q=0(?:\.0*)?\b)/i.test(call.request.headers.get('accept-encoding') ?? '') ? 'gzip' : 'identity';
    const sent = await forward(call, this.#owners, encodings);
    this.#learn(call, identity, sent);
    if (streamKey !== undefined && GONE.has(sent.response.status)) this.#history.forget(streamKey, sent.sentAt);
    return (await this.#keep(read, identity, sent, later)) ?? passedBack(sent);
  }

  /** The answer, if it is one that may be kept; it is whole in the origin's memory, and here for a moment. */
  async #keep(read: HistoryRead, identity: Identity, { response, sentAt }: Forwarded, later: Later): Promise<Response | undefined> {
    const immutable = response.status === 200 ? parseImmutable(response.headers.get('millrace-immutable')) : undefined;
    const length = response.headers.get('content-length');
    if (immutable === undefined || length === null || Number(length) > ANSWER_BYTES_MAX) return undefined;
    const { tokenMs } = immutable;
    // Where either side checks tokens and the other does not, nobody can be told what was kept for others.
    if ((tokenMs === 'open') !== (identity.token === undefined)) return undefined;
    if (tokenMs !== 'open') this.#tokens.believe(identity, sentAt, tokenMs);
    const answer = { contentType: response.headers.get('content-type') ?? 'application/json', body: await response.arrayBuffer() };
    later(this.#history.keep(read, immutable, sentAt, answer));
    return historyAnswer(answer, false);
  }

  /** What an answer says besides. */
  #learn({ rule, url, streamKey }: EdgeCall, identity: Identity, { response }: Forwarded): void {
    if (response.status === 401) this.#tokens.doubt(identity);
    // Refused: nothing has changed, and the name may be none.
    if (response.status >= 400 && response.status < 500) return;
    if (rule?.name === 'DELETE /v1/streams/:stream' && streamKey !== undefined) this.#history.forget(streamKey, Date.now());
    if (rule?.name === 'DELETE /v1/basins/:basin') this.#history.forgetBasin(url.pathname.split('/')[3] ?? '', Date.now());
  }

  /** Says where to go with what does not go through here. @throws StoreError */
  #refuseWhatDoesNotFit({ request, url }: EdgeCall): void {
    const { regionalUrl, takesAppendSessions } = this.#settings;
    if (CLOSED_PATHS.has(url.pathname)) throw refused('not_found', 'there is nothing at this path');
    if (request.headers.has('upgrade')) {
      throw refused('bad_header', `connections are not upgraded here; sessions over HTTP/2 are at the regional endpoint, ${regionalUrl}`);
    }
    const isSession = request.method === 'POST' && mediaType(request.headers.get('content-type') ?? undefined) === 'session';
    if (isSession && !takesAppendSessions) {
      throw refused('invalid', `append sessions do not go through this endpoint; open them at the regional endpoint, ${regionalUrl}`);
    }
  }

  #failed({ method, url }: Request, id: string, error: unknown): Response {
    const response = failure(error);
    if (response.status >= 500) {
      const cause = error instanceof StoreError ? error.cause : error;
      const path = new URL(url).pathname;
      console.error(JSON.stringify({ event: 'edge.failed', requestId: id, method, path, status: response.status, cause: String(cause) }));
    }
    return response;
  }
}

async function keysOf(origin: string): Promise<string> {
  const response = await fetch(`${origin}/.well-known/jwks.json`);
  if (!response.ok) throw new Error(`the origin answered ${response.status} for its keys`);
  return await response.text();
}
