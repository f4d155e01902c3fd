// Passes a whole HTTP exchange on to the process that serves its stream, streaming both ways, and finds that process first.
//
//   P2  Nothing that may have had an effect is sent again: a request goes to another peer only if the one before it cannot have taken
//       it, or said that it did not; else its client is told that the effect is unknown.
//   P3  A request waits for an owner, and follows from one to the next, for a bounded time and number of times.
//
// What is passed on carries the client's own credentials: the owner checks them as ever. While nobody owns a channel its requests wait
// here unread.

import { refused, StoreError } from '../../model/errors.ts';
import type { ChannelId } from '../../model/ids.ts';
import type { Route } from '../../placement/routes.ts';
import type { ChannelPeers, PeerAnswer, PeerCall } from '../../ports/channel-peer.ts';
import type { Clock } from '../../ports/clock.ts';
import { mediaType } from '../../wire/media-type.ts';
import type { Owners } from '../owners.ts';
import type { BodyBudget } from './body.ts';
import { type Draining, serverDraining } from './draining.ts';
import type { Exchange } from './exchange.ts';
import { followOf, NOBODY, OWNER, requestHeaders } from './follow.ts';
import { givePassed } from './passed-answer.ts';
import { PassedBody } from './passed-body.ts';

/** Clients wait 5 s for an answer; those that wait here for an owner are told in good time, and come again. */
const HELD_MS_MAX = 2_500;
const FOLLOWS_MAX = 3;
/** A follower waits so long for a channel that is about to be served here. */
const HELD_FOLLOWER_MS_MAX = 500;
/** Between two looks for an owner. */
const LOOK_MS = 50;

export interface PassOnDeps {
  readonly owners: Owners;
  readonly peers: ChannelPeers;
  readonly clock: Clock;
  readonly draining: Draining;
  /** What the bodies of all requests that are passed on may take of memory until they are answered. */
  readonly budget: BodyBudget;
}

export interface Passable {
  readonly exchange: Exchange;
  readonly channel: ChannelId;
  /** What was read of it already, whole and unpacked; else it is passed on as it comes. */
  readonly body?: Uint8Array;
  /** Called when the channel turned out not to be the stream's any more. */
  forgetName(): void;
}

/** Resolves to the status that the client was answered with, or to `here` once this process serves the channel: nothing was read then. */
export function passOn(deps: PassOnDeps, passable: Passable): Promise<number | 'here'> {
  const passage = new Passage(deps, passable);
  return passage.run().finally(() => passage.end());
}

/** Where to go next: by a route, or as a peer said. */
interface Target {
  readonly base: string;
  readonly route?: Route;
}

class Passage {
  readonly #deps: PassOnDeps;
  readonly #passable: Passable;
  readonly #exchange: Exchange;
  readonly #body: PassedBody;
  readonly #since: number;
  #isOurs = false;
  #follows = 0;
  /** Where the last peer said that the stream is served. */
  #told: Target | undefined;

  constructor(deps: PassOnDeps, passable: Passable) {
    this.#deps = deps;
    this.#passable = passable;
    const { exchange, body } = passable;
    this.#exchange = exchange;
    const isSession = mediaType(exchange.headers['content-type']) === 'session';
    const hasBody = exchange.method !== 'GET' && exchange.method !== 'HEAD' && exchange.method !== 'DELETE';
    this.#body = new PassedBody(body ?? (hasBody ? exchange.body : undefined), isSession && hasBody, deps.budget);
    this.#since = deps.clock.monotonic();
  }

  async run(): Promise<number | 'here'> {
    const { owners } = this.#deps;
    for (;;) {
      const isHere = owners.isHere(this.#passable.channel);
      if (isHere && !this.#body.isBegun) return 'here';
      const target = isHere ? { base: owners.address.peer } : await this.#target();
      if (target !== undefined) {
        this.#tellFollower(target);
        const status = await this.#attempt(target);
        if (status !== undefined) return status;
      }
      await this.#pause();
    }
  }

  end(): void {
    this.#body.stop();
  }

  async #target(): Promise<Target | undefined> {
    const { owners } = this.#deps;
    const told = this.#told;
    this.#told = undefined;
    if (told !== undefined) return told;
    const route = await owners.find(this.#passable.channel);
    // This process has it, and is not ready yet, or no longer.
    this.#isOurs = route?.address.peer === owners.address.peer;
    if (route === undefined || this.#isOurs) return undefined;
    return { base: route.address.peer, route };
  }

  /** Whoever follows by itself is told where to go. @throws StoreError `moved` */
  #tellFollower({ base, route }: Target): void {
    const follow = followOf(this.#exchange.headers);
    const owner = follow === 'peer' ? base : follow === 'edge' ? route?.address.edge : undefined;
    if (owner === undefined) return;
    this.#exchange.addHeaders({ [OWNER]: owner });
    throw refused('moved', `the stream is served by ${owner}`);
  }

  /** Until the next look. @throws StoreError `unowned` once that was long enough, `client_hangup`, `draining` */
  async #pause(): Promise<void> {
    const { clock, draining } = this.#deps;
    if (draining.over.aborted) throw serverDraining();
    // Whoever follows waits by itself.
    const isFollower = followOf(this.#exchange.headers) === 'peer';
    const heldMs = isFollower ? (this.#isOurs ? HELD_FOLLOWER_MS_MAX : 0) : HELD_MS_MAX;
    if (clock.monotonic() - this.#since >= heldMs) throw unowned();
    if (this.#told !== undefined) return;
    await clock.sleep(LOOK_MS, this.#exchange.gone).catch(() => {
      throw refused('client_hangup', 'the client went away');
    });
  }

  /** Undefined: the peer did not take it, and another one may. */
  async #attempt(target: Target): Promise<number | undefined> {
    const { peers, draining } = this.#deps;
    const { headers, method, path, query, host, gone } = this.#exchange;
    const { body } = this.#passable;
    const call = peers.open(target.base, {
      method,
      target: query === '' ? path : `${path}?${query}`,
      headers: requestHeaders(headers, host, body),
    });
    const leave = (): void => call.close();
    gone.addEventListener('abort', leave, { once: true });
    try {
      if (gone.aborted) throw refused('client_hangup', 'the client went away');
      if (!this.#body.sendTo(call)) throw unowned();
      const answer = await this.#answer(call, target);
      if (answer === undefined) return undefined;
      this.#body.settle();
      await givePassed(this.#exchange, answer, { draining, input: this.#body, close: leave });
      return answer.status;
    } finally {
      gone.removeEventListener('abort', leave);
      call.close();
    }
  }

  /** The answer that is the client's; undefined: the peer did not take the request. (P2) */
  async #answer(call: PeerCall, target: Target): Promise<PeerAnswer | undefined> {
    const { owners } = this.#deps;
    let answer: PeerAnswer;
    try {
      answer = await this.#untilOver(call);
    } catch (error) {
      if (target.route !== undefined && !this.#exchange.gone.aborted) owners.refused(target.route, 'unreached');
      if (!(error instanceof StoreError) || !this.#mayRepeat(error)) throw error;
      this.#body.hold();
      return undefined;
    }
    const { status, headers } = answer;
    if (status !== 421 && !(status === 503 && headers[OWNER] === NOBODY)) {
      if (status === 503 && target.route !== undefined) owners.doubt(target.route);
      return answer;
    }
    this.#body.hold();
    if (target.route !== undefined) owners.refused(target.route, 'said');
    if (status === 421) this.#follow(headers[OWNER]);
    return undefined;
  }

  #mayRepeat(error: StoreError): boolean {
    const { method, gone } = this.#exchange;
    return !gone.aborted && error.code === 'unavailable' && (error.effect === 'none' || method === 'GET' || method === 'HEAD');
  }

  /** @throws StoreError `unowned` after too many */
  #follow(owner: unknown): void {
    this.#passable.forgetName();
    this.#follows += 1;
    if (this.#follows > FOLLOWS_MAX) throw unowned();
    if (typeof owner === 'string' && isBase(owner) && owner !== this.#deps.owners.address.peer) this.#told = { base: owner };
  }

  /** A read that waits for records ends with this server. */
  async #untilOver(call: PeerCall): Promise<PeerAnswer> {
    const { over } = this.#deps.draining;
    const isRead = this.#exchange.method === 'GET';
    const end = (): void => call.close();
    if (isRead) over.addEventListener('abort', end, { once: true });
    try {
      return await call.answer;
    } catch (error) {
      throw isRead && over.aborted ? serverDraining() : error;
    } finally {
      over.removeEventListener('abort', end);
    }
  }
}

function isBase(url: string): boolean {
  return /^https?:\/\/[^/?#\s]+$/.test(url);
}

function unowned(): StoreError {
  return refused('unowned', 'the stream is being taken over by another task; try again');
}
