// One case at work: its own names, its requests with everything that goes without saying, and what it leaves behind.
//
// Every failure that the server answers, in whatever case, is compared with the table of codes: a code that is not in it, under
// another status, or in another shape fails the case.

import { setTimeout as sleep } from 'node:timers/promises';
import type { Case, Expectation, Request } from './case.ts';
import { checkTail } from './case.ts';
import { EventStream } from './client/events.ts';
import { type Origin, openExchange } from './client/exchange.ts';
import { type Answer, type Protocol, send, type WireRequest } from './client/http.ts';
import { Session } from './client/session.ts';
import { failureProblems } from './error-table.ts';
import { compare, mention, type Scope, show } from './expect.ts';
import { parseJson, printJson } from './json.ts';
import type { OtherServer, Target } from './target.ts';

export interface FullAnswer extends Answer {
  readonly text: string;
  /** Undefined where the body is no JSON. */
  readonly json: unknown;
}

export class CaseFailure extends Error {
  override readonly name = 'CaseFailure';
}

const POLL_MS = 50;

export class CaseClient {
  readonly target: Target;
  /** The name of the case's basin; other names of the case start with it, too. */
  readonly basin: string;
  readonly scope: Scope;
  /** The case is over, for whatever reason. */
  readonly signal: AbortSignal;
  readonly #others: OtherServer[] = [];
  readonly #twins: CaseClient[] = [];

  constructor(target: Target, basin: string, signal: AbortSignal) {
    this.target = target;
    this.basin = basin;
    this.signal = signal;
    this.scope = new Map([['basin', basin]]);
  }

  /** Makes the basin and the streams that the case asks for. */
  async setUp({ basin = {}, streams = {} }: Pick<Case, 'basin' | 'streams'>): Promise<void> {
    if (basin === null) return;
    await this.expect({ method: 'POST', path: '/basins', json: { basin: this.basin, config: basin } }, { status: 201 });
    for (const [stream, config] of Object.entries(streams)) {
      await this.expect({ method: 'POST', path: '/streams', json: { stream, config } }, { status: 201 });
    }
  }

  async call(request: Request, origin: Origin = this.target): Promise<FullAnswer> {
    const wire = this.#wire(request);
    const answer = await send(origin, wire, this.signal);
    const text = answer.bytes.toString();
    const full = { ...answer, text, json: jsonOf(text) };
    const problems = failureProblems(wire.path, full);
    if (problems.length > 0) throw new CaseFailure([`${request.method} ${wire.path}`, ...problems, `got ${brief(full)}`].join('\n  '));
    return full;
  }

  /** @throws CaseFailure that tells the request, every difference, and the answer */
  async expect(request: Request, expectation: Expectation, origin: Origin = this.target): Promise<FullAnswer> {
    const until = performance.now() + (expectation.withinMs ?? 0);
    for (;;) {
      const answer = await this.call(request, origin);
      const problems = this.#problems(expectation, answer);
      if (problems.length === 0) return answer;
      if (performance.now() >= until) {
        const tries = expectation.withinMs === undefined ? '' : ` (for ${expectation.withinMs} ms)`;
        const asked = `${request.method} ${mention(request.path, this.scope)}${tries}`;
        throw new CaseFailure([asked, ...problems, `got ${brief(answer)}`].join('\n  '));
      }
      await this.sleep(POLL_MS);
    }
  }

  /** An append or read session. `query` may be empty. */
  async session(stream: string, options: Omit<Request, 'path' | 'json' | 'body'> & { readonly query?: string }): Promise<Session> {
    const query = options.query === undefined || options.query === '' ? '' : `?${options.query}`;
    const path = `/streams/${encodeURIComponent(stream)}/records${query}`;
    const wire = this.#wire({ ...options, path, headers: { 'content-type': 's2s/proto', ...options.headers } });
    const exchange = await openExchange(this.target, wire, this.signal);
    if (options.method === 'GET') exchange.end();
    return await Session.of(exchange);
  }

  appendSession(stream: string, over: Protocol = 'h2', headers: Readonly<Record<string, string>> = {}): Promise<Session> {
    return this.session(stream, { method: 'POST', over, headers });
  }

  readSession(stream: string, query: string, over: Protocol = 'h2', headers: Readonly<Record<string, string>> = {}): Promise<Session> {
    return this.session(stream, { method: 'GET', query, over, headers });
  }

  async events(stream: string, query: string, headers: Readonly<Record<string, string>> = {}): Promise<EventStream> {
    const path = `/streams/${encodeURIComponent(stream)}/records?${query}`;
    const wire = this.#wire({ method: 'GET', path, headers: { accept: 'text/event-stream', ...headers } });
    const exchange = await openExchange(this.target, wire, this.signal);
    exchange.end();
    return await EventStream.of(exchange);
  }

  /** The sequence number of the tail. */
  async tail(stream: string): Promise<number> {
    const { json } = await this.expect(checkTail(stream), { status: 200 });
    return (json as { tail: { seq_num: number } }).tail.seq_num;
  }

  /** Waits until records below `seqNum` cannot be read any more: trimming takes its time. */
  async trimmedTo(stream: string, seqNum: number, withinMs: number): Promise<void> {
    const until = performance.now() + withinMs;
    for (;;) {
      const { json } = await this.call({ method: 'GET', path: `/streams/${encodeURIComponent(stream)}/records?seq_num=0&count=1` });
      const first = (json as { records?: { seq_num: number }[] }).records?.[0]?.seq_num;
      if (first === undefined || first >= seqNum) return;
      if (performance.now() > until) throw new CaseFailure(`record ${first} can still be read after ${withinMs} ms`);
      await this.sleep(POLL_MS);
    }
  }

  async sleep(ms: number): Promise<void> {
    await sleep(ms, undefined, { signal: this.signal });
  }

  /** Another server, for this case alone; it is gone with the case. */
  async startAnother(): Promise<{ server: OtherServer; client: CaseClient }> {
    const server = await this.target.startAnother?.();
    if (server === undefined) throw new Error('the target has no other server: the case needs `restart`');
    this.#others.push(server);
    return { server, client: new CaseClient(server.target, this.basin, this.signal) };
  }

  /**
   * Where the wall clock can be moved: on another server. Without one it is the target itself, where what comes with time is waited for.
   *
   * @returns `pass`, which gives how long is left to wait
   */
  async timeMachine(made: Pick<Case, 'basin' | 'streams'>): Promise<{ client: CaseClient; pass: (ms: number) => Promise<number> }> {
    if (this.target.startAnother === undefined) {
      await this.setUp(made);
      return { client: this, pass: (ms) => Promise.resolve(ms) };
    }
    const { server, client } = await this.startAnother();
    await client.setUp(made);
    const pass = async (ms: number): Promise<number> => {
      await server.setClockAhead(ms);
      return 0;
    };
    return { client, pass };
  }

  /** The target that speaks TLS, with what the case makes there; it may be the same server or another. */
  overTls(): CaseClient {
    const { tlsUrl, token } = this.target;
    if (tlsUrl === undefined) throw new Error('the target has no TLS: the case needs `tls`');
    const client = new CaseClient({ url: tlsUrl, token, insecure: true }, this.basin, this.signal);
    this.#twins.push(client);
    return client;
  }

  /** Basins and tokens whose names start with that of the case's basin go away, and other servers. */
  async cleanUp(signal: AbortSignal): Promise<void> {
    await Promise.all([...this.#others.map((server) => server.dispose()), ...this.#twins.map((client) => client.cleanUp(signal))]);
    const prefix = encodeURIComponent(this.basin);
    const names = async (path: string, field: string, key: string): Promise<string[]> => {
      const { json } = await this.#cleaning('GET', `${path}?prefix=${prefix}`, signal);
      const found = (json as { [field: string]: { [key: string]: string }[] | undefined } | undefined)?.[field] ?? [];
      return found.flatMap((one) => one[key] ?? []);
    };
    for (const name of await names('/v1/basins', 'basins', 'name')) await this.#cleaning('DELETE', `/v1/basins/${name}`, signal);
    for (const id of await names('/v1/access-tokens', 'access_tokens', 'id')) {
      await this.#cleaning('DELETE', `/v1/access-tokens/${encodeURIComponent(id)}`, signal);
    }
  }

  async #cleaning(method: string, path: string, signal: AbortSignal): Promise<{ json: unknown }> {
    const { bytes } = await send(this.target, { method, path, headers: { authorization: `Bearer ${this.target.token}` } }, signal);
    return { json: jsonOf(bytes.toString()) };
  }

  #problems(expectation: Expectation, answer: FullAnswer): string[] {
    const statuses = typeof expectation.status === 'number' ? [expectation.status] : expectation.status;
    const problems = statuses.includes(answer.status) ? [] : [`status: expected ${statuses.join(' or ')}, got ${answer.status}`];
    for (const [name, expected] of Object.entries(expectation.headers ?? {})) {
      problems.push(...compare(expected, answer.headers[name], this.scope, `header ${name}`));
    }
    if (expectation.json !== undefined) problems.push(...compare(expectation.json, answer.json, this.scope, 'body'));
    if (expectation.text !== undefined) problems.push(...compare(expectation.text, answer.text, this.scope, 'body'));
    return problems;
  }

  #wire(request: Request): WireRequest {
    const path = mention(request.path, this.scope, encodeURIComponent);
    const token = request.as === undefined ? this.target.token : request.as === null ? undefined : String(this.scope.get(request.as));
    const isOfBasin = /^\/streams(?:[/?]|$)/.test(request.path);
    const basin = request.basin === undefined ? (isOfBasin ? this.basin : null) : request.basin;
    const body = request.json === undefined ? request.body : mention(printJson(request.json), this.scope);
    const headers: Record<string, string> = {
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      ...(basin === null ? {} : { 's2-basin': mention(basin, this.scope) }),
      ...(request.json === undefined ? {} : { 'content-type': 'application/json' }),
    };
    for (const [name, value] of Object.entries(request.headers ?? {})) headers[name] = mention(value, this.scope);
    return {
      method: request.method,
      path: path.startsWith('//') ? path.slice(1) : `/v1${path}`,
      headers,
      ...(body === undefined ? {} : { body }),
      ...(request.over === undefined ? {} : { over: request.over }),
    };
  }
}

function jsonOf(text: string): unknown {
  try {
    return parseJson(text);
  } catch {
    return undefined;
  }
}

function brief({ status, text, bytes }: FullAnswer): string {
  return `${status} ${bytes.length > 2_000 ? `${bytes.length} bytes` : show(text)}`;
}
