// Access tokens that were issued, by id, and those that were revoked. The secrets are nowhere: a token proves itself by its signature.
//
//   M19 A token is revoked in the transaction that frees its id: no id is used again while the token before it still counts.

import { refused, type StoreError } from '../model/errors.ts';
import { LIST_LIMIT_MAX } from '../model/limits.ts';
import { decodeClaims, encodeClaims, type TokenClaims } from '../model/token-claims.ts';
import type { Clock } from '../ports/clock.ts';
import type { Item, MetadataStore, Write } from '../ports/metadata-store.ts';
import { listNames, type NamePage, transact, unchanged } from './conditional.ts';
import { corruptItem, FieldReader } from './fields.ts';
import { ACCESS_TOKENS, accessTokenKey, paddedMs, REVOKED_TOKENS, revokedTokenKey } from './schema.ts';

/** A token that counts no more, though its signature holds. */
export interface Revocation {
  readonly tokenId: string;
  /** Milliseconds since 1970. */
  readonly revokedAt: number;
  /** From when on it would have expired; undefined: never. */
  readonly expiresAt?: number;
}

/** A revocation is kept this much longer than the token would have counted: clocks differ. */
const REVOCATION_MARGIN_MS = 24 * 3_600_000;

export class AccessTokens {
  readonly #store: MetadataStore;
  readonly #clock: Clock;

  constructor(store: MetadataStore, clock: Clock) {
    this.#store = store;
    this.#clock = clock;
  }

  /** Takes the id. One that has expired gives it up. @throws StoreError `resource_already_exists` */
  issue(claims: TokenClaims): Promise<void> {
    return transact<void>(this.#store, async () => {
      const item = await this.#store.get(accessTokenKey(claims.id), 'strong');
      if (item !== undefined && !this.#isExpired(decodeToken(item))) {
        throw refused('resource_already_exists', `an access token with the id "${claims.id}" already exists`);
      }
      const fields = { claims: encodeClaims(claims) };
      const write: Write = { kind: 'put', key: accessTokenKey(claims.id), fields, when: unchanged(item?.fields) };
      return { writes: [write], result: undefined, purpose: 'growth' };
    });
  }

  /** Frees the id, and puts the token on the list of those that count no more. @throws StoreError `access_token_not_found` */
  revoke(id: string): Promise<Revocation> {
    return transact<Revocation>(this.#store, async () => {
      const item = await this.#store.get(accessTokenKey(id), 'strong');
      if (item === undefined) throw tokenNotFound(id);
      const { tokenId, expiresAt } = decodeToken(item);
      if (this.#isExpired({ expiresAt })) throw tokenNotFound(id);
      const revocation = { tokenId, revokedAt: this.#clock.now(), ...(expiresAt === undefined ? {} : { expiresAt }) };
      const writes: readonly Write[] = [
        { kind: 'delete', key: accessTokenKey(id), when: unchanged(item.fields) },
        { kind: 'put', key: revokedTokenKey(revocation), fields: expiresAt === undefined ? {} : { expiresAt } },
      ];
      return { writes, result: revocation };
    });
  }

  /**
   * By id in byte order, without those that have expired: a page is full while more follow.
   *
   * Whoever expired is passed over here for as long as `purge` leaves it, so that each step gets as many as a page may have.
   */
  async list(page: NamePage): Promise<{ readonly tokens: readonly TokenClaims[]; readonly hasMore: boolean }> {
    const tokens: TokenClaims[] = [];
    let from = page;
    for (;;) {
      const { items, hasMore } = await listNames(this.#store, ACCESS_TOKENS, from);
      for (const item of items) {
        const token = decodeToken(item);
        if (this.#isExpired(token)) continue;
        if (tokens.length === page.limit) return { tokens, hasMore: true };
        tokens.push(token);
      }
      const last = items.at(-1);
      if (!hasMore || last === undefined) return { tokens, hasMore: false };
      from = { ...page, startAfter: last.sort, limit: LIST_LIMIT_MAX };
    }
  }

  /** Revocations in the order of their times, from `sinceMs` on; `after` is the last of the page before. */
  async revocations(sinceMs: number, limit: number, after?: Revocation): Promise<readonly Revocation[]> {
    const start = after === undefined ? paddedMs(sinceMs) : `${revokedTokenKey(after).sort}\0`;
    return (await this.#store.query(REVOKED_TOKENS, { start }, limit, 'strong')).map(decodeRevocation);
  }

  /** Forgets tokens and revocations that expired long ago, at most `limit` of the tokens behind `after`. Returns the last one looked at. */
  async purge(limit: number, after = ''): Promise<string | undefined> {
    const before = this.#clock.now() - REVOCATION_MARGIN_MS;
    const items = await this.#store.query(ACCESS_TOKENS, { start: after === '' ? '' : `${after}\0` }, limit, 'stale');
    for (const item of items) {
      const { expiresAt } = decodeToken(item);
      if (expiresAt === undefined || expiresAt >= before) continue;
      await this.#store.commit([{ kind: 'delete', key: accessTokenKey(item.sort), when: unchanged(item.fields) }]);
    }
    return items.length < limit ? undefined : items.at(-1)?.sort;
  }

  /** The same for revocations of tokens that would have expired by now, in the order of their times. */
  async purgeRevocations(limit: number, after?: Revocation): Promise<Revocation | undefined> {
    const before = this.#clock.now() - REVOCATION_MARGIN_MS;
    const found = await this.revocations(0, limit, after);
    for (const revocation of found) {
      if (revocation.expiresAt === undefined || revocation.expiresAt >= before) continue;
      await this.#store.commit([{ kind: 'delete', key: revokedTokenKey(revocation) }]);
    }
    return found.length < limit ? undefined : found.at(-1);
  }

  #isExpired({ expiresAt }: { readonly expiresAt?: number | undefined }): boolean {
    return expiresAt !== undefined && expiresAt <= this.#clock.now();
  }
}

function tokenNotFound(id: string): StoreError {
  return refused('access_token_not_found', `there is no access token with the id "${id}"`);
}

function decodeToken(item: Item): TokenClaims {
  const claims = decodeClaims(new FieldReader(item).text('claims'));
  if (claims === undefined || claims.id !== item.sort) throw corruptItem(item, 'its claims are not those of a token');
  return claims;
}

function decodeRevocation(item: Item): Revocation {
  const expiresAt = new FieldReader(item).optionalCount('expiresAt');
  return {
    revokedAt: Number(item.sort.slice(0, 16)),
    tokenId: item.sort.slice(17),
    ...(expiresAt === undefined ? {} : { expiresAt }),
  };
}
