// Use cases over access tokens: issue, list, revoke. (S2 v1 API, section 6.1.)

import { toHex } from '../../base/bytes.ts';
import type { AccessTokens } from '../../metadata/access-tokens.ts';
import { type AccessScope, coversScope, operationsOf } from '../../model/access-scope.ts';
import { refused } from '../../model/errors.ts';
import type { Principal } from '../../model/principal.ts';
import { encodeClaims, type TokenClaims } from '../../model/token-claims.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Random } from '../../ports/random.ts';
import type { TokenAuthority } from '../../ports/token-authority.ts';
import type { Page } from '../deps.ts';
import type { Meter } from '../usage/meter.ts';
import type { Revocations } from './revocations.ts';

export interface TokenRequest {
  readonly id: string;
  readonly scope: AccessScope;
  /** Milliseconds since 1970; undefined: as long as the token that issues it. */
  readonly expiresAt?: number;
  readonly isPrefixed: boolean;
}

export interface TokensDeps {
  readonly authority: TokenAuthority;
  readonly tokens: Pick<AccessTokens, 'issue' | 'revoke' | 'list'>;
  readonly revocations: Revocations;
  readonly clock: Clock;
  readonly random: Random;
  readonly meter: Pick<Meter, 'operation'>;
}

export class Tokens {
  readonly #deps: TokensDeps;

  constructor(deps: TokensDeps) {
    this.#deps = deps;
  }

  /**
   * The secret of a new token, which is told this once and kept nowhere.
   *
   * @throws StoreError `invalid`, `permission_denied` (K1), `resource_already_exists`
   */
  async issue(issuer: Principal, request: TokenRequest): Promise<string> {
    const { authority, tokens, clock, random, meter } = this.#deps;
    const { id, scope, isPrefixed } = request;
    const now = clock.now();
    if (operationsOf(scope).size === 0) throw refused('invalid', 'an access token allows at least one operation, by `ops` or `op_groups`');
    if (isPrefixed && scope.streams.kind !== 'prefix') {
      throw refused('invalid', '`auto_prefix_streams` needs a prefix as the scope of `streams`');
    }
    const expiresAt = expiry(request.expiresAt, issuer.claims?.expiresAt, now);
    if (!coversScope(issuer.scope, scope)) throw refused('permission_denied', 'an access token allows no more than the one that issues it');
    const claims: TokenClaims = {
      tokenId: toHex(random.bytes(16)),
      id,
      issuedAt: now,
      ...(expiresAt === undefined ? {} : { expiresAt }),
      isPrefixed,
      scope,
    };
    const secret = await authority.sign(encodeClaims(claims));
    await tokens.issue(claims);
    meter.operation('issue-access-token');
    return secret;
  }

  async list(page: Page): Promise<{ readonly items: readonly TokenClaims[]; readonly hasMore: boolean }> {
    const { tokens, hasMore } = await this.#deps.tokens.list(page);
    this.#deps.meter.operation('list-access-tokens');
    return { items: tokens, hasMore };
  }

  /** From here on it is refused here; elsewhere within the bound of access.ts. @throws StoreError `access_token_not_found` */
  async revoke(id: string): Promise<void> {
    this.#deps.revocations.note(await this.#deps.tokens.revoke(id));
    this.#deps.meter.operation('revoke-access-token');
  }
}

/** No token outlives the one that issued it (K1). */
function expiry(asked: number | undefined, issuers: number | undefined, now: number): number | undefined {
  if (asked === undefined) return issuers;
  if (asked <= now) throw refused('invalid', '`expires_at` lies in the past');
  if (issuers !== undefined && asked > issuers) throw refused('invalid', '`expires_at` lies behind that of the token that issues it');
  return asked;
}
