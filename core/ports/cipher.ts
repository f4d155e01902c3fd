// Authenticated encryption with the keys of customers: what core/format needs of it, for one record at a time.

import type { StreamCipher } from '../model/stream-config.ts';

/** What a cipher adds to the bytes it encrypts. They are part of the record format: an adapter has exactly these. */
export const CIPHER_BYTES: Readonly<Record<StreamCipher, { readonly nonce: number; readonly tag: number }>> = {
  'aegis-256': { nonce: 32, tag: 32 },
  'aes-256-gcm': { nonce: 12, tag: 16 },
};

/** The AEAD ciphers. */
export interface Cipher {
  /** @param key ENCRYPTION_KEY_BYTES. It lives as long as what is returned, and is part of nothing that is ever thrown or printed. */
  withKey(cipher: StreamCipher, key: Uint8Array): KeyedCipher;
}

/**
 * A cipher with one key. Synchronous, because work on a thread pool would end in real order; callers bound what they pass.
 *
 * Neither call keeps or changes what it is given, but for `out`, which overlaps nothing else. A nonce is as long as CIPHER_BYTES says.
 */
export interface KeyedCipher {
  /**
   * Writes ciphertext and then tag into `out`, which is as long as `plain` and a tag.
   *
   * @param nonce never the same one twice with a key.
   * @param associated authenticated and not encrypted, few bytes; decryption needs the same.
   */
  encrypt(nonce: Uint8Array, associated: Uint8Array, plain: Uint8Array, out: Uint8Array): void;
  /**
   * Writes the plain bytes of `encrypted` (ciphertext and tag, at least as long as a tag) into `out`, which is shorter by the tag.
   *
   * @returns false where another key, nonce or associated bytes were used, or a byte was changed: then `out` holds nothing of use.
   */
  decrypt(nonce: Uint8Array, associated: Uint8Array, encrypted: Uint8Array, out: Uint8Array): boolean;
}
