// Which tokens were revoked, kept in memory and brought up to date from metadata.
//
//   K2  What is known of revocations is never older than the bound when a token is taken, or a session goes on: beyond it nothing
//       is taken, as nobody can tell.
//
// Each look asks only for what was added since the last one, and a while before it: clocks of several processes differ.

import type { AccessTokens, Revocation } from '../../metadata/access-tokens.ts';
import type { Clock } from '../../ports/clock.ts';

/** Clocks that write revocations agree within this. */
const CLOCKS_APART_MS = 600_000;
const PAGE = 1_000;

export class Revocations {
  readonly #tokens: Pick<AccessTokens, 'revocations'>;
  readonly #clock: Clock;
  readonly #revoked = new Map<string, Revocation>();
  /** When the look began that all of memory is at least as new as (monotonic). */
  #asOf: number | undefined;
  #newestMs = 0;
  #looking: Promise<void> | undefined;

  constructor(tokens: Pick<AccessTokens, 'revocations'>, clock: Clock) {
    this.#tokens = tokens;
    this.#clock = clock;
  }

  /** How old what is known is, milliseconds; before the first look: for ever. */
  get ageMs(): number {
    return this.#asOf === undefined ? Number.POSITIVE_INFINITY : this.#clock.monotonic() - this.#asOf;
  }

  has(tokenId: string): boolean {
    return this.#revoked.has(tokenId);
  }

  /** One that was made here counts at once. */
  note(revocation: Revocation): void {
    this.#revoked.set(revocation.tokenId, revocation);
  }

  /** Asks metadata. Whoever asks meanwhile waits for the same answer, unless it may have begun too early for them. */
  async refresh(): Promise<void> {
    this.#looking ??= this.#look().finally(() => {
      this.#looking = undefined;
    });
    await this.#looking;
  }

  async #look(): Promise<void> {
    const beganAt = this.#clock.monotonic();
    const since = Math.max(0, this.#newestMs - CLOCKS_APART_MS);
    let after: Revocation | undefined;
    for (;;) {
      const page = await this.#tokens.revocations(since, PAGE, after);
      for (const revocation of page) {
        this.#revoked.set(revocation.tokenId, revocation);
        this.#newestMs = Math.max(this.#newestMs, revocation.revokedAt);
      }
      after = page.at(-1);
      if (page.length < PAGE || after === undefined) break;
    }
    this.#forgetExpired();
    this.#asOf = beganAt;
  }

  /** A token that would have expired is refused as such. */
  #forgetExpired(): void {
    const now = this.#clock.now() - CLOCKS_APART_MS;
    for (const { tokenId, expiresAt } of this.#revoked.values()) {
      if (expiresAt !== undefined && expiresAt < now) this.#revoked.delete(tokenId);
    }
  }
}
