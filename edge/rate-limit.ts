// How often one client may ask: counted by the platform where a binding is there, else by this isolate alone.

import { BoundedMap } from './bounded-map.ts';

/** Clients that are remembered; whoever is forgotten starts anew. */
const CLIENTS_MAX = 8_192;
/** A client may save up this many seconds of its rate. */
const BURST_SECS = 2;

interface Bucket {
  readonly tokens: number;
  readonly asOf: number;
}

export class RateLimiter {
  readonly #binding: RateLimit | undefined;
  readonly #perSec: number;
  readonly #buckets = new BoundedMap<Bucket>(CLIENTS_MAX);

  constructor(binding: RateLimit | undefined, perSec: number) {
    this.#binding = binding;
    this.#perSec = perSec;
  }

  async allows(client: string, now: number): Promise<boolean> {
    if (this.#binding !== undefined) return (await this.#binding.limit({ key: client })).success;
    return this.#perSec === 0 || this.#take(client, now);
  }

  #take(client: string, now: number): boolean {
    const most = this.#perSec * BURST_SECS;
    const { tokens, asOf } = this.#buckets.get(client) ?? { tokens: most, asOf: now };
    const filled = Math.min(most, tokens + (Math.max(0, now - asOf) / 1_000) * this.#perSec);
    const isAllowed = filled >= 1;
    this.#buckets.set(client, { tokens: isAllowed ? filled - 1 : filled, asOf: now });
    return isAllowed;
  }
}
