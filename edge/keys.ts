// The public keys of access tokens: those of the settings, or those that the origin publishes, asked for again as they get old.
//
// Several requests may ask at once: none waits for what another one asked, as a Worker's requests share no I/O.

import { type CryptoKey, importJWK, type JWK } from 'jose';

/** The origin is asked again after this long. */
const KEYS_AGE_MS_MAX = 300_000;
/** And after this long where a token fits none of them: the key may be a new one. */
const KEYS_AGAIN_MS = 10_000;
/** More are no keys of ours. */
const KEYS_MAX = 8;

export class Keys {
  readonly #configured: string | undefined;
  readonly #ask: () => Promise<string>;
  #known: readonly CryptoKey[] | undefined;
  #askedAt = Number.NEGATIVE_INFINITY;

  /** @param configured a JWK set, which then is all there is. @param ask for the origin's, as JSON. */
  constructor(configured: string | undefined, ask: () => Promise<string>) {
    this.#configured = configured;
    this.#ask = ask;
  }

  /** @throws when they are not known, and cannot be asked for */
  async current(now: number): Promise<readonly CryptoKey[]> {
    if (this.#known !== undefined && (this.#configured !== undefined || now - this.#askedAt < KEYS_AGE_MS_MAX)) return this.#known;
    if (this.#configured !== undefined) {
      this.#known = await parseKeys(this.#configured);
      return this.#known;
    }
    try {
      return await this.#refresh(now);
    } catch (error) {
      // What was a key is one still, as far as anybody knows here.
      if (this.#known !== undefined) return this.#known;
      throw error;
    }
  }

  /** Those that came since; undefined where there can be none, or none can be asked for now. */
  async newer(now: number): Promise<readonly CryptoKey[] | undefined> {
    if (this.#configured !== undefined || now - this.#askedAt < KEYS_AGAIN_MS) return undefined;
    return await this.#refresh(now).catch(() => undefined);
  }

  async #refresh(now: number): Promise<readonly CryptoKey[]> {
    this.#known = await parseKeys(await this.#ask());
    this.#askedAt = now;
    return this.#known;
  }
}

/** The Ed25519 keys of a set. @throws when it is none */
export async function parseKeys(text: string): Promise<readonly CryptoKey[]> {
  const { keys } = JSON.parse(text) as { keys?: unknown };
  if (!Array.isArray(keys)) throw new Error('the origin publishes no JWK set');
  const ours = (keys as JWK[]).filter(({ kty, crv }) => kty === 'OKP' && crv === 'Ed25519').slice(0, KEYS_MAX);
  return await Promise.all(
    ours.map(async ({ x = '' }) => {
      const key = await importJWK({ kty: 'OKP', crv: 'Ed25519', x }, 'EdDSA');
      if (key instanceof Uint8Array) throw new Error('it holds what is no public key');
      return key;
    }),
  );
}
