// AEGIS-256 (draft-irtf-cfrg-aegis-aead) by libsodium in WebAssembly: 32-byte nonces, and the 32-byte tags that libsodium makes.
//
// The package's own wrapper copies each key into memory of the module that it then frees as it is. So its functions are called
// on memory that is held here: a key stays in it for the time of one call, and a small record costs two thirds of the time.

import sodium from 'libsodium-wrappers';
import { invariant } from '../../base/invariant.ts';
import { ENCRYPTION_KEY_BYTES } from '../../model/limits.ts';
import { CIPHER_BYTES, type KeyedCipher } from '../../ports/cipher.ts';

const { nonce: NONCE_BYTES, tag: TAG_BYTES } = CIPHER_BYTES['aegis-256'];
const ASSOCIATED_BYTES_MAX = 1_024;
const SCRATCH_BYTES_MIN = 64 * 1024;

/** What is used of the module. A u64 goes in as two halves, the lower one first; addresses are numbers. */
interface SodiumModule {
  /** Another view once the module's memory has grown. */
  readonly HEAPU8: Uint8Array;
  _malloc(bytes: number): number;
  _free(address: number): void;
  _crypto_aead_aegis256_abytes(): number;
  _crypto_aead_aegis256_npubbytes(): number;
  _crypto_aead_aegis256_keybytes(): number;
  /** out, outBytes (0), plain, plainBytes (2), associated, associatedBytes (2), none (0), nonce, key; 0: done. */
  _crypto_aead_aegis256_encrypt(...args: readonly number[]): number;
  /** out, outBytes (0), none (0), encrypted, encryptedBytes (2), associated, associatedBytes (2), nonce, key; 0: it opened. */
  _crypto_aead_aegis256_decrypt(...args: readonly number[]): number;
}

/** Resolves once the module is compiled. */
export async function loadAegis256(): Promise<Aegis256> {
  await sodium.ready;
  const { libsodium } = sodium as unknown as { readonly libsodium: SodiumModule };
  invariant(libsodium._crypto_aead_aegis256_abytes() === TAG_BYTES, 'AEGIS-256 has the tag that the record format gives it');
  invariant(libsodium._crypto_aead_aegis256_npubbytes() === NONCE_BYTES, 'AEGIS-256 has the nonce that the record format gives it');
  invariant(libsodium._crypto_aead_aegis256_keybytes() === ENCRYPTION_KEY_BYTES, 'AEGIS-256 takes the keys that customers have');
  return new Aegis256(libsodium);
}

export class Aegis256 {
  readonly #module: SodiumModule;
  readonly #keyAt: number;
  readonly #nonceAt: number;
  readonly #associatedAt: number;
  /** Memory for what goes in, and behind it for what comes out. */
  #scratchAt = 0;
  #scratchBytes = 0;

  constructor(module: SodiumModule) {
    this.#module = module;
    this.#keyAt = this.#allocate(ENCRYPTION_KEY_BYTES);
    this.#nonceAt = this.#allocate(NONCE_BYTES);
    this.#associatedAt = this.#allocate(ASSOCIATED_BYTES_MAX);
  }

  withKey(key: Uint8Array): KeyedCipher {
    const own = key.slice();
    return {
      encrypt: (nonce, associated, plain, out) => this.#encrypt(own, nonce, associated, plain, out),
      decrypt: (nonce, associated, encrypted, out) => this.#decrypt(own, nonce, associated, encrypted, out),
    };
  }

  #encrypt(key: Uint8Array, nonce: Uint8Array, associated: Uint8Array, plain: Uint8Array, out: Uint8Array): void {
    const from = this.#place(key, nonce, associated, plain);
    const to = from + plain.length;
    const given = [from, plain.length, 0, this.#associatedAt, associated.length, 0];
    const failed = this.#module._crypto_aead_aegis256_encrypt(to, 0, ...given, 0, this.#nonceAt, this.#keyAt);
    this.#forgetKey();
    invariant(failed === 0, 'AEGIS-256 encrypts whatever it is given');
    out.set(this.#module.HEAPU8.subarray(to, to + out.length));
  }

  #decrypt(key: Uint8Array, nonce: Uint8Array, associated: Uint8Array, encrypted: Uint8Array, out: Uint8Array): boolean {
    const from = this.#place(key, nonce, associated, encrypted);
    const to = from + encrypted.length;
    const given = [from, encrypted.length, 0, this.#associatedAt, associated.length, 0];
    const failed = this.#module._crypto_aead_aegis256_decrypt(to, 0, 0, ...given, this.#nonceAt, this.#keyAt);
    this.#forgetKey();
    if (failed !== 0) return false;
    out.set(this.#module.HEAPU8.subarray(to, to + out.length));
    return true;
  }

  /** Copies everything that goes in; where `bytes` lie, behind which there is room for what comes out. */
  #place(key: Uint8Array, nonce: Uint8Array, associated: Uint8Array, bytes: Uint8Array): number {
    invariant(associated.length <= ASSOCIATED_BYTES_MAX, 'the associated bytes of a record are few');
    this.#reserve(2 * bytes.length + TAG_BYTES);
    const heap = this.#module.HEAPU8;
    heap.set(key, this.#keyAt);
    heap.set(nonce, this.#nonceAt);
    heap.set(associated, this.#associatedAt);
    heap.set(bytes, this.#scratchAt);
    return this.#scratchAt;
  }

  #forgetKey(): void {
    this.#module.HEAPU8.fill(0, this.#keyAt, this.#keyAt + ENCRYPTION_KEY_BYTES);
  }

  /** Callers bound a record; this grows to the largest that came. */
  #reserve(bytes: number): void {
    if (bytes <= this.#scratchBytes) return;
    if (this.#scratchBytes > 0) this.#module._free(this.#scratchAt);
    this.#scratchBytes = Math.max(SCRATCH_BYTES_MIN, 2 ** Math.ceil(Math.log2(bytes)));
    this.#scratchAt = this.#allocate(this.#scratchBytes);
  }

  #allocate(bytes: number): number {
    const address = this.#module._malloc(bytes);
    invariant(address !== 0, 'the WebAssembly module has memory for one record');
    return address;
  }
}
