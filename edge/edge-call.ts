// What a request asks for, as far as its path, host and headers say: the row of the authorisation table, basin and stream.

import { RegExpRouter } from 'hono/router/reg-exp-router';
import { refused } from '../core/model/errors.ts';
import { authorize, type Principal, type Target } from '../core/model/principal.ts';
import { type AccessRule, AUTHORIZATION, type RouteName } from '../core/wire/authorization.ts';
import type { BasinOfHost } from '../core/wire/basin-host.ts';

export interface Rule extends AccessRule {
  readonly name: RouteName;
}

export interface EdgeCall {
  readonly request: Request;
  readonly url: URL;
  /** What the logs of all that serve it call the request. */
  readonly id: string;
  /** Undefined: the origin says what is wrong with it. */
  readonly rule: Rule | undefined;
  readonly basin: string | undefined;
  /** Whoever asks, once that is known; till then nobody in particular. */
  readonly streamKey: string | undefined;
}

const REQUEST_ID = /^[\w.:-]{1,128}$/;
const router = new RegExpRouter<Rule>();
for (const [name, rule] of Object.entries(AUTHORIZATION)) {
  const [method = '', path = ''] = name.split(' ');
  router.add(method, path, { ...rule, name: name as RouteName });
}

/** @throws StoreError `bad_header` where host and header name different basins */
export function callOf(request: Request, basinOfHost: BasinOfHost): EdgeCall {
  const url = new URL(request.url);
  const given = request.headers.get('x-request-id');
  return {
    request,
    url,
    id: given !== null && REQUEST_ID.test(given) ? given : crypto.randomUUID(),
    rule: ruleOf(request.method, url.pathname),
    basin: basinOf(request, basinOfHost(url.host)),
    streamKey: undefined,
  };
}

/** The call as its principal means it: a token with a prefix calls streams by what comes behind it. */
export function namedFor(call: EdgeCall, { streamPrefix }: Principal): EdgeCall {
  const { rule, basin } = call;
  const stream = rule?.on === 'stream in path' ? segment(call, 2) : undefined;
  return stream === undefined || basin === undefined ? call : { ...call, streamKey: streamKeyOf(basin, streamPrefix + stream) };
}

/**
 * A key for each stream, and one for all that may ask for it. Names are as the client wrote them, so nothing is certain of them but that
 * a header, and so the basin, holds no line feed.
 */
export function streamKeyOf(basin: string, stream: string): string {
  return `${basin}\n${stream}`;
}

/** Whether the token allows this, as far as path and headers tell. @throws StoreError `permission_denied` */
export function authorizeCall(call: EdgeCall, principal: Principal): void {
  if (call.rule === undefined) return;
  authorize(principal, call.rule.operation, targetOf(call, call.rule, principal));
}

/** What cannot be told here is left out: the origin refuses it. */
function targetOf(call: EdgeCall, { on }: Rule, { streamPrefix }: Principal): Target {
  const { basin } = call;
  switch (on) {
    case 'account':
    case 'basin in body':
    case 'token in body':
      return {};
    case 'basin in path':
      return { ...named('basin', segment(call, 2)) };
    case 'basin in header':
    case 'stream in body':
      return { ...named('basin', basin) };
    case 'stream in path':
      return { ...named('basin', basin), ...named('stream', segment(call, 2), streamPrefix) };
    case 'basin and stream in path':
      return { ...named('basin', segment(call, 2)), ...named('stream', segment(call, 3), streamPrefix) };
    case 'token in path':
      return { ...named('accessToken', segment(call, 2)) };
  }
}

function named(kind: keyof Target, name: string | undefined, prefix = ''): Target {
  return name === undefined ? {} : { [kind]: prefix + name };
}

/** Decoded; undefined where the path has none, or is not valid. */
function segment({ url }: EdgeCall, at: number): string | undefined {
  const text = url.pathname.slice(1).split('/')[at];
  try {
    return text === undefined ? undefined : decodeURIComponent(text);
  } catch {
    return undefined;
  }
}

function ruleOf(method: string, path: string): Rule | undefined {
  const [found] = router.match(method === 'HEAD' ? 'GET' : method, path);
  return found[0]?.[0] as Rule | undefined;
}

function basinOf(request: Request, ofHost: string | undefined): string | undefined {
  const given = request.headers.get('s2-basin') ?? undefined;
  if (given !== undefined && ofHost !== undefined && given !== ofHost) {
    throw refused('bad_header', `the header \`s2-basin\` names another basin than the host, which is that of "${ofHost}"`);
  }
  return given ?? ofHost;
}
