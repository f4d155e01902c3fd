// The HTTP face of the store: takes every request of the server to a route or a session, and every failure to an answer.
//
//   A14  Every request is answered: with JSON where it fails, also for unknown routes, wrong methods, and our own faults.
//   A19  A drain ends in bounded time, whatever clients and the store do: sessions and long polls are told, whoever does not
//        listen is cut.
//
// hono's router finds routes; sessions and answers run straight on the node streams. A host creates it with a Service.

import { RegExpRouter } from 'hono/router/reg-exp-router';
import { refused, type StoreError } from '../../model/errors.ts';
import { authorizeCommands, knownFailure, type Principal, ROOT } from '../../model/principal.ts';
import type { ChannelPeers } from '../../ports/channel-peer.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Codec } from '../../ports/codec.ts';
import { type BasinOfHost, basinHosts } from '../../wire/basin-host.ts';
import { CORS_AGE_SECS, CORS_ANSWER_HEADERS, CORS_METHODS, CORS_REQUEST_HEADERS } from '../../wire/cors.ts';
import { errorAnswer } from '../../wire/error-answer.ts';
import { mediaType } from '../../wire/media-type.ts';
import { SharedEncodings } from '../../wire/shared-encodings.ts';
import { parseEventId } from '../../wire/sse.ts';
import type { Access } from '../access/access.ts';
import type { Tokens } from '../access/tokens.ts';
import type { ServiceSettings } from '../basins.ts';
import type { Owners } from '../owners.ts';
import type { Service } from '../service.ts';
import { Admission } from './admission.ts';
import { serveAppendSession } from './append-session.ts';
import { acceptedEncoding, Bodies, holdAnswer, packBody, withBody } from './body.ts';
import type { Answer, AnswerHeaders, Call } from './call.ts';
import { Draining } from './draining.ts';
import { Exchange, type NodeRequest, type NodeResponse } from './exchange.ts';
import { authorizeRoute, type Named, streamTarget } from './names-in.ts';
import { openApi } from './openapi.ts';
import { type OwnedRequest, Passing, tellNotServed } from './owned-request.ts';
import { HTTP_PATIENCE, type HttpPatience } from './patience.ts';
import { eventEncoder, frameEncoder, serveReadSession } from './read-sessions.ts';
import { header, parseQuery, parseRead, requestFormat } from './request.ts';
import { json, type Route } from './route.ts';
import { ROUTES } from './routes.ts';

/** `degraded`: requests are taken, and those for streams of the first storage class fail. */
export type Readiness = 'ready' | 'degraded';

/** What requests are served from. */
export interface Served {
  readonly service: Service;
  readonly access: Access;
  readonly tokens: Tokens;
  readonly settings: ServiceSettings;
  /** Absent where one process serves every channel. */
  readonly owners?: Owners;
}

export interface HttpHandlerDeps {
  /** Resolves once requests can be served; until then they wait (A22). */
  readonly served: Promise<Served>;
  readonly clock: Clock;
  readonly codec: Codec;
  /** How other processes are reached; without it nothing is passed on. */
  readonly peers?: ChannelPeers;
  /** Asked once requests are served. */
  readonly readiness: () => Readiness;
  /** Prometheus text. */
  readonly metrics: () => string | Promise<string>;
  /** Called once for each request: the route's pattern, `session`, `passed on`, or `none`; seconds from its head to its answer, or a session's end. */
  readonly observe?: (method: string, route: string, status: number, seconds: number) => void;
  /** Host names below which each basin has one of its own; default none. */
  readonly basinSuffixes?: readonly string[];
  /** For tests; the default is in patience.ts. */
  readonly patience?: HttpPatience;
  /** A failure that is ours, and what the request called itself (`x-request-id`). */
  readonly report?: (error: unknown, requestId?: string) => void;
}

export interface HttpHandler {
  handle(request: NodeRequest, response: NodeResponse): void;
  /** Requests and sessions that are not answered to their end. */
  readonly openCount: number;
  /**
   * Advises sessions to go elsewhere, ends them after `graceMs`, and a little later cuts whoever is left. Resolves then, or
   * once every request is answered. Until sessions are ended, what comes is served: its client has no other connection yet.
   */
  drain(graceMs: number): Promise<void>;
}

/** What a request was, and its status. */
type Outcome = readonly [name: string, status: number];

const CORS: AnswerHeaders = {
  'access-control-allow-origin': '*',
  'access-control-expose-headers': CORS_ANSWER_HEADERS.join(', '),
};
const PREFLIGHT: AnswerHeaders = {
  ...CORS,
  'access-control-allow-methods': CORS_METHODS.join(', '),
  'access-control-allow-headers': CORS_REQUEST_HEADERS.join(', '),
  'access-control-max-age': CORS_AGE_SECS,
};
const STREAMING: AnswerHeaders = { ...CORS, 'cache-control': 'no-cache, no-transform', 'x-accel-buffering': 'no' };
const NOTHING = new Uint8Array(0);
const KEYS = '/.well-known/jwks.json';
const TEXTS: ReadonlySet<string> = new Set(['/health', '/ping', '/metrics', '/openapi.json', KEYS]);
/** From the end of sessions to the end of their connections: what a client that reads needs to hear of it. */
const CUT_MS = 1_000;

export function createHttpHandler(deps: HttpHandlerDeps): HttpHandler {
  return new Handler(deps);
}

class Handler implements HttpHandler {
  readonly #deps: HttpHandlerDeps;
  readonly #router = new RegExpRouter<Route>();
  readonly #methods = new RegExpRouter<Route['method']>();
  readonly #patience: HttpPatience;
  readonly #basinOfHost: BasinOfHost;
  readonly #draining = new Draining();
  readonly #admission: Admission<Served>;
  readonly #bodies: Bodies;
  readonly #passing: Passing | undefined;
  readonly #shared = new SharedEncodings();
  readonly #open = new Map<Promise<void>, Exchange>();

  constructor(deps: HttpHandlerDeps) {
    this.#deps = deps;
    this.#patience = deps.patience ?? HTTP_PATIENCE;
    this.#basinOfHost = basinHosts(deps.basinSuffixes ?? []);
    this.#bodies = new Bodies(this.#patience, this.#draining);
    this.#passing = deps.peers === undefined ? undefined : new Passing(deps.peers, deps.clock, this.#draining);
    this.#admission = new Admission(deps.served, deps.clock, this.#draining);
    for (const route of ROUTES) {
      this.#router.add(route.method, route.path, route);
      this.#methods.add('ALL', route.path, route.method);
    }
  }

  get openCount(): number {
    return this.#open.size;
  }

  handle(request: NodeRequest, response: NodeResponse): void {
    const exchange = new Exchange(request, response, this.#patience.readMs, this.#basinOfHost);
    const serving = this.#serve(exchange).catch((error: unknown) => this.#answerError(exchange, error));
    this.#open.set(serving, exchange);
    void serving.finally(() => this.#open.delete(serving));
  }

  async drain(graceMs: number): Promise<void> {
    this.#draining.advise();
    const isServed = await this.#areAllServed(graceMs);
    this.#draining.finish();
    if (isServed || (await this.#areAllServed(CUT_MS))) return;
    // What their requests still do in the store is its own to end.
    for (const exchange of this.#open.values()) exchange.cut();
  }

  /** False when `ms` were not enough. */
  #areAllServed(ms: number): Promise<boolean> {
    return new Promise((resolve) => {
      let isLate = false;
      const timer = this.#deps.clock.after(ms, () => {
        isLate = true;
        resolve(false);
      });
      const look = async (): Promise<void> => {
        while (this.#open.size > 0 && !isLate) await Promise.all(this.#open.keys());
        timer.cancel();
        resolve(!isLate);
      };
      void look();
    });
  }

  async #serve(exchange: Exchange): Promise<void> {
    const { method, path } = exchange;
    if (method === 'OPTIONS') return exchange.answer(204, PREFLIGHT, NOTHING);
    if (TEXTS.has(path)) {
      if (method !== 'GET' && method !== 'HEAD') throw wrongMethod(method);
      if (path === '/openapi.json') return this.#answer(exchange, openApi());
      if (path === KEYS) return this.#answerKeys(exchange);
      if (path === '/metrics') return this.#answerText(exchange, 200, await this.#deps.metrics());
      return this.#answerHealth(exchange);
    }
    const startedAt = this.#deps.clock.monotonic();
    let route: Route | undefined;
    let principal: Principal = ROOT;
    // A method that no route takes may be any word.
    const observe = (name: string, status: number): void =>
      this.#deps.observe?.(route === undefined ? 'any' : method, name, status, (this.#deps.clock.monotonic() - startedAt) / 1_000);
    try {
      route = this.#find(method, path);
      const served = await this.#admission.admit(exchange);
      principal = await served.access.authenticate(exchange.headers.authorization);
      const named: Named = { exchange, principal, segments: exchange.path.slice(1).split('/') };
      authorizeRoute(route.access, named);
      observe(...(await this.#serveNamed(served, named, route)));
    } catch (error) {
      observe(route?.path ?? 'none', errorAnswer(error).status);
      throw knownFailure(principal, error);
    }
  }

  #find(method: string, path: string): Route {
    const [found] = this.#router.match(method === 'HEAD' ? 'GET' : method, path);
    const route = found[0]?.[0];
    if (route !== undefined) return route as Route;
    if (this.#methodsAt(path).length > 0) throw wrongMethod(method);
    // A segment without a character would be a name, and no name is empty.
    const named = path.replace(/\/(?=\/|$)/g, '/-');
    if (named !== path && this.#methodsAt(named).length > 0) throw refused('bad_path', 'a name in the path is empty');
    throw refused('not_found', 'there is nothing at this path');
  }

  /** What the path takes, HEAD with GET. */
  #methodsAt(path: string): readonly string[] {
    if (TEXTS.has(path)) return ['GET', 'HEAD'];
    const [found] = this.#methods.match('GET', path);
    return found.flatMap(([method]) => (method === 'GET' ? ['GET', 'HEAD'] : [method]));
  }

  /** What is told of it: a name, and its status. */
  async #serveNamed(served: Served, named: Named, route: Route): Promise<Outcome> {
    const { owners, service } = served;
    const owned = owners === undefined ? undefined : this.#passing?.request(owners, service, named, route.name);
    const elsewhere = await owned?.passedOn();
    if (elsewhere !== undefined) return ['passed on', elsewhere];
    try {
      if (await this.#serveSession(served, named, route)) return ['session', 200];
      return await this.#serveUnary(served, named, route, owned);
    } catch (error) {
      if (owned === undefined) throw error;
      return ['passed on', await owned.passedLate(error)];
    }
  }

  async #serveUnary(
    { service, settings, tokens, access }: Served,
    named: Named,
    route: Route,
    owned: OwnedRequest | undefined,
  ): Promise<Outcome> {
    const { exchange } = named;
    const call = (body: Uint8Array): Call => ({
      ...named,
      service,
      settings,
      tokens,
      access,
      draining: this.#draining,
      query: parseQuery(exchange.query),
      body,
    });
    const handle = (body: Uint8Array): Promise<Answer | number> => {
      const handled = route.handle(call(body));
      return owned === undefined ? handled : handled.catch((error: unknown) => owned.passedLate(error, body));
    };
    const answer = route.hasBody ? await withBody(exchange, this.#bodies, handle) : await route.handle(call(NOTHING));
    if (typeof answer === 'number') return ['passed on', answer];
    if (route.method === 'GET' && answer.body !== undefined) holdAnswer(exchange, this.#bodies, answer.body);
    await this.#answer(exchange, answer);
    return [route.path, answer.status];
  }

  async #answer(exchange: Exchange, { status, contentType, body, headers }: Answer): Promise<void> {
    if (body === undefined) {
      exchange.answer(status, { ...CORS, ...headers }, NOTHING);
      return;
    }
    const packed = await packBody(body, exchange.headers['accept-encoding'], this.#bodies);
    exchange.answer(
      status,
      {
        ...CORS,
        ...headers,
        ...(contentType === undefined ? {} : { 'content-type': contentType }),
        ...(packed.encoding === undefined ? {} : { 'content-encoding': packed.encoding }),
        vary: 'accept-encoding',
      },
      packed.body,
    );
  }

  /** False when the request is not one for a session. */
  async #serveSession(served: Served, named: Named, route: Route): Promise<boolean> {
    const { headers, method } = named.exchange;
    if (route.path !== '/v1/streams/:stream/records' || method === 'HEAD') return false;
    const isFramed = mediaType(header(headers, 'content-type')) === 'session';
    if (route.method === 'POST') {
      if (isFramed) await this.#appendSession(served, named);
      return isFramed;
    }
    const isEvents = !isFramed && mediaType(header(headers, 'accept')) === 'event-stream';
    if (isFramed || isEvents) await this.#readSession(served, named, isEvents);
    return isFramed || isEvents;
  }

  async #appendSession({ service, access }: Served, named: Named): Promise<void> {
    const { exchange, principal } = named;
    const session = await service.openAppendSession(streamTarget(named), ({ commands }) => {
      access.check(principal);
      authorizeCommands(principal, commands);
    });
    exchange.head(200, { ...STREAMING, 'content-type': 's2s/proto' });
    await serveAppendSession(exchange, session, {
      codec: this.#deps.codec,
      draining: this.#draining,
      budget: this.#bodies.budget,
      patience: this.#patience,
      known: (error) => knownFailure(principal, error),
    });
  }

  async #readSession({ service, access }: Served, named: Named, isEvents: boolean): Promise<void> {
    const { codec, clock } = this.#deps;
    const { exchange, principal } = named;
    const { headers } = exchange;
    const target = streamTarget(named);
    const format = isEvents ? requestFormat(headers) : 'raw';
    const lastEventId = isEvents ? header(headers, 'last-event-id') : undefined;
    const resume = lastEventId === undefined ? undefined : parseEventId(lastEventId);
    const request = parseRead(parseQuery(exchange.query), resume);
    const session = await service.openRead(target, request, 'session');
    exchange.head(200, { ...STREAMING, 'content-type': isEvents ? 'text/event-stream' : 's2s/proto' });
    const encoder = isEvents
      ? eventEncoder(format, clock, resume, this.#shared)
      : frameEncoder(this.#draining, codec, acceptedEncoding(headers['accept-encoding']), this.#shared);
    await serveReadSession(exchange, session, encoder, this.#draining, {
      check: () => access.check(principal),
      known: (error) => knownFailure(principal, error),
    });
  }

  /** The public keys of access tokens (RFC 7517); none where access is not checked. */
  async #answerKeys(exchange: Exchange): Promise<void> {
    const { access } = await this.#admission.admit(exchange);
    await this.#answer(exchange, json(200, { keys: access.publicKeys.map((key) => ({ ...key, alg: 'EdDSA', use: 'sig' })) }));
  }

  #answerHealth(exchange: Exchange): void {
    const served = this.#admission.isStarting ? 'starting' : this.#deps.readiness();
    const readiness = this.#draining.advised.aborted ? 'draining' : served;
    this.#answerText(exchange, readiness === 'ready' ? 200 : 503, readiness === 'ready' ? 'OK' : readiness);
  }

  #answerText(exchange: Exchange, status: number, text: string): void {
    exchange.answer(status, { ...CORS, 'content-type': 'text/plain; charset=utf-8' }, Buffer.from(text));
  }

  #answerError(exchange: Exchange, error: unknown): void {
    tellNotServed({ exchange }, error);
    const { status, body, retryAfterMs } = errorAnswer(error);
    if (status >= 500 && !(error instanceof Error && error.name === 'StoreError')) this.#deps.report?.(error, requestId(exchange));
    if (exchange.hasHead) {
      exchange.destroy();
      return;
    }
    const retry: AnswerHeaders =
      retryAfterMs === undefined ? {} : { 'retry-after-ms': retryAfterMs, 'retry-after': Math.ceil(retryAfterMs / 1_000) };
    const challenge: AnswerHeaders = status === 401 ? { 'www-authenticate': 'Bearer' } : {};
    const allowed: AnswerHeaders = status === 405 ? { allow: this.#methodsAt(exchange.path).join(', ') } : {};
    exchange.answer(status, { ...CORS, ...retry, ...challenge, ...allowed, 'content-type': 'application/json' }, Buffer.from(body));
  }
}

/** For the log, so nothing but a short plain word. */
function requestId({ headers }: Exchange): string | undefined {
  const id = headers['x-request-id'];
  return typeof id === 'string' && /^[\w.:-]{1,128}$/.test(id) ? id : undefined;
}

function wrongMethod(method: string): StoreError {
  return refused('method_not_allowed', `this path does not take ${method}`);
}
