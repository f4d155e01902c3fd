// Who asks: what an access token says, checked with a public key alone. The origin checks all of it again, and is never told more.
//
//   X1  Nothing that is kept here is given but to a token with a valid signature, within its scope, before it expires, and whose
//       standing the origin vouched for within the bound on revocations.
//
// The root token is no signed one: only the origin can judge it, so whatever looks like none of ours goes there.

import { compactVerify, errors } from 'jose';
import { refused, type StoreError } from '../core/model/errors.ts';
import { type Principal, principalOf, ROOT } from '../core/model/principal.ts';
import { decodeClaims } from '../core/model/token-claims.ts';
import { BoundedMap } from './bounded-map.ts';
import type { Keys } from './keys.ts';

const TOKEN_TYPE = 'millrace-access';
const TOKENS_MAX = 4_096;
/** A longer one is checked each time, and nothing that is kept is given to it: all that are remembered must fit in memory. */
const REMEMBERED_CHARS_MAX = 2_048;
/** Beyond this nothing of ours goes. */
const TOKEN_CHARS_MAX = 24 * 1024;
const DECODER = new TextDecoder();

interface Known {
  readonly principal: Principal;
  /** The origin said that it is not revoked, and that this may be believed until then. */
  believedUntil: number;
}

export interface Identity {
  readonly principal: Principal;
  /** False: the principal is taken for one that may do anything, as only the origin can tell. */
  readonly isKnown: boolean;
  /** Undefined where access is not checked. */
  readonly token: string | undefined;
}

const UNKNOWN = { principal: ROOT, isKnown: false } as const;

export class Tokens {
  readonly #keys: Keys;
  readonly #auth: 'required' | 'off';
  readonly #revocationMsMax: number;
  readonly #known = new BoundedMap<Known>(TOKENS_MAX);

  constructor(keys: Keys, auth: 'required' | 'off', revocationMsMax: number) {
    this.#keys = keys;
    this.#auth = auth;
    this.#revocationMsMax = revocationMsMax;
  }

  /** Whether the token was checked here before, so that it costs nothing now. */
  isKnown(header: string | null): boolean {
    return this.#auth === 'off' || this.#known.get(bearerOf(header) ?? '') !== undefined;
  }

  /** @throws StoreError `authn` for none, one that is no bearer token, one that is not ours, and one that has expired */
  async identify(header: string | null, now: number): Promise<Identity> {
    if (this.#auth === 'off') return { principal: ROOT, isKnown: true, token: undefined };
    const token = bearerOf(header);
    if (token === undefined) {
      throw header === null ? refused('authn', 'expected `Authorization: Bearer <access token>`') : invalidToken();
    }
    if (token.length > TOKEN_CHARS_MAX || !looksSigned(token)) return { ...UNKNOWN, token };
    const known = this.#known.get(token) ?? (await this.#verify(token, now));
    if (known === undefined) return { ...UNKNOWN, token };
    const { claims } = known.principal;
    if (claims?.expiresAt !== undefined && claims.expiresAt <= now) throw refused('authn', 'the access token has expired');
    return { principal: known.principal, isKnown: true, token };
  }

  /** The origin took the token at `asOf`, and says for how long that may be believed. */
  believe({ token }: Identity, asOf: number, ms: number): void {
    const known = token === undefined ? undefined : this.#known.get(token);
    if (known !== undefined) known.believedUntil = Math.max(known.believedUntil, asOf + Math.min(ms, this.#revocationMsMax));
  }

  /** The origin did not take it. */
  doubt({ token }: Identity): void {
    const known = token === undefined ? undefined : this.#known.get(token);
    if (known !== undefined) known.believedUntil = 0;
  }

  /** Whether something may be given without asking the origin (X1). */
  isBelieved({ token, isKnown }: Identity, now: number): boolean {
    if (!isKnown) return false;
    return token === undefined || (this.#known.get(token)?.believedUntil ?? 0) > now;
  }

  /** Undefined: nobody can tell here. @throws StoreError `authn` */
  async #verify(token: string, now: number): Promise<Known | undefined> {
    let keys: Awaited<ReturnType<Keys['current']>>;
    try {
      keys = await this.#keys.current(now);
    } catch {
      return undefined;
    }
    const text = (await verified(token, keys)) ?? (await verified(token, (await this.#keys.newer(now)) ?? []));
    const claims = text === undefined ? undefined : decodeClaims(text);
    if (claims === undefined) throw invalidToken();
    const known: Known = { principal: principalOf(claims), believedUntil: 0 };
    if (token.length <= REMEMBERED_CHARS_MAX) this.#known.set(token, known);
    return known;
  }
}

async function verified(token: string, keys: Awaited<ReturnType<Keys['current']>>): Promise<string | undefined> {
  for (const key of keys) {
    try {
      const { payload, protectedHeader } = await compactVerify(token, key, { algorithms: ['EdDSA'] });
      if (protectedHeader.typ === TOKEN_TYPE) return DECODER.decode(payload);
    } catch (error) {
      if (!(error instanceof errors.JOSEError)) throw error;
    }
  }
  return undefined;
}

function bearerOf(header: string | null): string | undefined {
  return /^Bearer +(\S+) *$/i.exec(header ?? '')?.[1];
}

function looksSigned(token: string): boolean {
  return /^[\w-]+\.[\w-]+\.[\w-]+$/.test(token);
}

function invalidToken(): StoreError {
  return refused('authn', 'the access token is not valid');
}
