// Where the requests of a stream go: its channel's owner as an answer named it, or the origin, which knows.
//
//   X4  A request, and so its credentials, goes to the origin or to a URL that the settings allow, and nowhere else.
//
// A route is a hint: whoever does not own the stream says so (421), or passes the request on.

import { BoundedMap } from './bounded-map.ts';
import type { OwnerPattern } from './settings.ts';

const ROUTES_MAX = 4_096;
/** A route is asked for anew after this long, so that one which still works by passing on does not stay for ever. */
const ROUTE_AGE_MS_MAX = 60_000;

interface Route {
  readonly base: string;
  readonly notedAt: number;
}

export class Owners {
  readonly origin: string;
  readonly #patterns: readonly OwnerPattern[];
  readonly #routes = new BoundedMap<Route>(ROUTES_MAX);

  constructor(origin: string, patterns: readonly OwnerPattern[]) {
    this.origin = origin;
    this.#patterns = patterns;
  }

  /** Whether the settings know of any place beside the origin. */
  get mayBeElsewhere(): boolean {
    return this.#patterns.length > 0;
  }

  knows(stream: string, now: number): boolean {
    const route = this.#routes.get(stream);
    return route !== undefined && now - route.notedAt < ROUTE_AGE_MS_MAX;
  }

  /** @param stream its name, with its basin's; undefined for what belongs to no stream */
  find(stream: string | undefined, now: number): string {
    const route = stream === undefined ? undefined : this.#routes.get(stream);
    return route !== undefined && now - route.notedAt < ROUTE_AGE_MS_MAX ? route.base : this.origin;
  }

  note(stream: string, base: string, now: number): void {
    // Where it is known already, its age goes on: else a route in use would never be asked for anew.
    if (this.#routes.get(stream)?.base !== base || now - (this.#routes.get(stream)?.notedAt ?? 0) >= ROUTE_AGE_MS_MAX) {
      this.#routes.set(stream, { base, notedAt: now });
    }
  }

  forget(stream: string): void {
    this.#routes.delete(stream);
  }

  /** The base URL that a header names, if it is one that requests may go to (X4). */
  allowed(header: string | null): string | undefined {
    if (header === null || !URL.canParse(header)) return undefined;
    const url = new URL(header);
    if (url.pathname !== '/' || url.search !== '' || url.hash !== '' || url.username !== '' || url.password !== '') return undefined;
    return url.origin === this.origin || this.#patterns.some((pattern) => matches(pattern, url)) ? url.origin : undefined;
  }
}

function matches({ protocol, host, isBelow, port }: OwnerPattern, url: URL): boolean {
  if (url.protocol !== protocol || (port !== '*' && url.port !== port)) return false;
  return isBelow ? url.hostname.endsWith(`.${host}`) && url.hostname.length > host.length + 1 : url.hostname === host;
}
