// Takes the bearer token of a request to who asks with it. (S2 v1 API, section 6.1.)
//
//   K3  A token counts only with our signature, before it expires, and while it is not revoked: when a request comes, and again
//       before each step of a session.
//
// A token is verified once and then known; what may change (time, revocations) is looked at each time.

import type { AccessTokens } from '../../metadata/access-tokens.ts';
import { refused, type StoreError } from '../../model/errors.ts';
import { type Principal, principalOf, ROOT } from '../../model/principal.ts';
import { decodeClaims } from '../../model/token-claims.ts';
import type { Clock } from '../../ports/clock.ts';
import type { PublicKey, TokenAuthority } from '../../ports/token-authority.ts';
import { Revocations } from './revocations.ts';

/** Tokens that are known to be ours; the one that was seen first goes first. */
const KNOWN_TOKENS_MAX = 4_096;

export interface AccessSettings {
  /** `off`: everybody is root, with any token or none. */
  readonly mode: 'off' | 'required';
  /** A revocation is known everywhere this long after it was answered. */
  readonly revocationMsMax: number;
}

export interface AccessDeps {
  readonly authority: TokenAuthority;
  readonly tokens: Pick<AccessTokens, 'revocations'>;
  readonly clock: Clock;
}

export class Access {
  readonly revocations: Revocations;
  readonly #deps: AccessDeps;
  readonly #settings: AccessSettings;
  readonly #known = new Map<string, Principal>();

  constructor(deps: AccessDeps, settings: AccessSettings) {
    this.#deps = deps;
    this.#settings = settings;
    this.revocations = new Revocations(deps.tokens, deps.clock);
  }

  /** @param header the value of `authorization`. @throws StoreError `authn`; `unavailable` when revocations cannot be looked up (K2) */
  async authenticate(header: string | undefined): Promise<Principal> {
    if (this.#settings.mode === 'off') return ROOT;
    const principal = await this.#identify(bearer(header));
    if (principal.claims !== undefined && this.revocations.ageMs > this.#settings.revocationMsMax) {
      await this.revocations.refresh().catch(() => undefined);
    }
    this.check(principal);
    return principal;
  }

  /** Whether a session may go on. @throws StoreError as `authenticate` */
  check({ claims }: Principal): void {
    if (claims === undefined) return;
    if (claims.expiresAt !== undefined && claims.expiresAt <= this.#deps.clock.now()) {
      throw refused('authn', 'the access token has expired');
    }
    if (this.revocations.has(claims.tokenId)) throw refused('authn', 'the access token was revoked');
    if (this.revocations.ageMs > this.#settings.revocationMsMax) {
      throw refused('unavailable', 'whether the access token was revoked cannot be looked up now; try again');
    }
  }

  /** What tokens can be checked by elsewhere; none where they are not checked here. */
  get publicKeys(): readonly PublicKey[] {
    return this.#settings.mode === 'off' ? [] : [this.#deps.authority.publicKey];
  }

  /**
   * How long whoever was told so may still believe that this principal's token is not revoked: its revocation is known everywhere
   * within the bound, there too (K2). `open` where nothing is checked; undefined for the root token, which only is known here.
   */
  believedMs({ claims }: Principal): number | 'open' | undefined {
    const { mode, revocationMsMax } = this.#settings;
    if (mode === 'off') return 'open';
    return claims === undefined ? undefined : Math.max(0, Math.floor(revocationMsMax - this.revocations.ageMs));
  }

  async #identify(token: string): Promise<Principal> {
    const known = this.#known.get(token);
    if (known !== undefined) return known;
    if (this.#deps.authority.isRoot(token)) return ROOT;
    const text = await this.#deps.authority.verify(token);
    const claims = text === undefined ? undefined : decodeClaims(text);
    if (claims === undefined) throw invalidToken();
    const principal = principalOf(claims);
    this.#remember(token, principal);
    return principal;
  }

  #remember(token: string, principal: Principal): void {
    if (this.#known.size >= KNOWN_TOKENS_MAX) {
      const oldest = this.#known.keys().next().value;
      if (oldest !== undefined) this.#known.delete(oldest);
    }
    this.#known.set(token, principal);
  }
}

function bearer(header: string | undefined): string {
  if (header === undefined) throw refused('authn', 'expected `Authorization: Bearer <access token>`');
  const token = /^Bearer +(\S+) *$/i.exec(header)?.[1];
  if (token === undefined) throw invalidToken();
  return token;
}

function invalidToken(): StoreError {
  return refused('authn', 'the access token is not valid');
}
