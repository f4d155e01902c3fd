// A request that the owner of its stream's channel has to answer: passed on as a whole where that is another process, before its body
// is read where possible. In a cell of one process there is none of this.

import type { ChannelId } from '../../model/ids.ts';
import type { ChannelPeers } from '../../ports/channel-peer.ts';
import type { Clock } from '../../ports/clock.ts';
import type { RouteName } from '../../wire/authorization.ts';
import type { Owners } from '../owners.ts';
import type { Service } from '../service.ts';
import { BodyBudget } from './body.ts';
import type { Draining } from './draining.ts';
import { followOf, isNotServed, movedChannel, NOBODY, OWNER } from './follow.ts';
import { type Named, pathStream } from './names-in.ts';
import { type PassOnDeps, passOn } from './pass-on.ts';

/** What of a stream only its owner knows, or must be in order with its appends. */
const OWNED: ReadonlySet<RouteName> = new Set<RouteName>([
  'PUT /v1/streams/:stream',
  'PATCH /v1/streams/:stream',
  'DELETE /v1/streams/:stream',
  'GET /v1/streams/:stream/records/tail',
  'GET /v1/streams/:stream/records',
  'POST /v1/streams/:stream/records',
]);

/** Bodies of all requests that are passed on, until they are answered: beyond it a request has one try. */
const KEPT_BYTES_MAX = 64 * 1024 * 1024;

/** How one server passes requests on. */
export class Passing {
  readonly #peers: ChannelPeers;
  readonly #clock: Clock;
  readonly #draining: Draining;
  readonly #budget = new BodyBudget(KEPT_BYTES_MAX);

  constructor(peers: ChannelPeers, clock: Clock, draining: Draining) {
    this.#peers = peers;
    this.#clock = clock;
    this.#draining = draining;
  }

  /** Undefined: any process may answer the request. */
  request(owners: Owners, service: Service, named: Named, route: RouteName): OwnedRequest | undefined {
    if (!OWNED.has(route)) return undefined;
    const deps = { owners, peers: this.#peers, clock: this.#clock, draining: this.#draining, budget: this.#budget };
    const isTriedHere = owners.readsFirst === true && route === 'GET /v1/streams/:stream/records';
    return new OwnedRequest(deps, service, named, isTriedHere);
  }
}

export class OwnedRequest {
  readonly #deps: PassOnDeps;
  readonly #service: Service;
  readonly #named: Named;
  readonly #isTriedHere: boolean;
  #isLate = false;

  /** @param isTriedHere it may be answered without the owner; where it is not, it is passed on late */
  constructor(deps: PassOnDeps, service: Service, named: Named, isTriedHere: boolean) {
    this.#deps = deps;
    this.#service = service;
    this.#named = named;
    this.#isTriedHere = isTriedHere;
  }

  /** Resolves to the status that the client was answered with elsewhere; undefined: it is answered here, and nothing was read. */
  async passedOn(): Promise<number | undefined> {
    if (this.#isTriedHere) return undefined;
    const { streams } = this.#service;
    const [basin, stream] = pathStream(this.#named);
    const found = streams.channelOf(basin, stream);
    const channel = found instanceof Promise ? await found : found;
    if (channel !== undefined) {
      const outcome = this.#deps.owners.isHere(channel) ? 'here' : await this.#pass(channel);
      if (outcome !== 'here') return outcome;
    }
    this.#tellOwner();
    return undefined;
  }

  /**
   * The same, once the use case has refused as the channel is elsewhere by now.
   *
   * @param body what was read of the request: all of it.
   * @throws `refusal` where it says something else, or the channel has come back
   */
  async passedLate(refusal: unknown, body?: Uint8Array): Promise<number> {
    const channel = movedChannel(refusal);
    // Once is enough: what was read of it is not there a second time.
    if (channel === undefined || this.#isLate || this.#named.exchange.hasHead) throw refusal;
    this.#isLate = true;
    const outcome = await this.#pass(channel, body);
    if (outcome === 'here') throw refusal;
    return outcome;
  }

  #pass(channel: ChannelId, body?: Uint8Array): Promise<number | 'here'> {
    const { exchange } = this.#named;
    const [basin, stream] = pathStream(this.#named);
    const forgetName = (): void => this.#service.streams.forget(basin, stream);
    return passOn(this.#deps, { exchange, channel, forgetName, ...(body === undefined ? {} : { body }) });
  }

  #tellOwner(): void {
    const { exchange } = this.#named;
    const follow = followOf(exchange.headers);
    const here = follow === undefined ? undefined : this.#deps.owners.address[follow];
    if (here !== undefined) exchange.addHeaders({ [OWNER]: here });
  }
}

/** A follower is told when it may go elsewhere with what was refused here. */
export function tellNotServed({ exchange }: Pick<Named, 'exchange'>, error: unknown): void {
  if (isNotServed(error) && followOf(exchange.headers) !== undefined) exchange.addHeaders({ [OWNER]: NOBODY });
}
