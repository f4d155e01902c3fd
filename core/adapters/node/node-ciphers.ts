// The host's AEAD ciphers: AES-256-GCM by node:crypto (OpenSSL), AEGIS-256 by libsodium.

import { createCipheriv, createDecipheriv, createSecretKey, type KeyObject } from 'node:crypto';
import { invariant } from '../../base/invariant.ts';
import { ENCRYPTION_KEY_BYTES } from '../../model/limits.ts';
import type { StreamCipher } from '../../model/stream-config.ts';
import { CIPHER_BYTES, type Cipher, type KeyedCipher } from '../../ports/cipher.ts';
import { loadAegis256 } from './aegis256.ts';

const AES = 'aes-256-gcm';
const { tag: AES_TAG_BYTES } = CIPHER_BYTES[AES];

/** Resolves once both can be used. */
export async function loadNodeCiphers(): Promise<Cipher> {
  const aegis = await loadAegis256();
  return {
    withKey(cipher, key) {
      invariant(key.length === ENCRYPTION_KEY_BYTES, 'a key has 32 bytes');
      // Bytes as a key would become a KeyObject with every call: three quarters of the time for a small record.
      return checked(cipher, cipher === AES ? keyedAes(createSecretKey(key)) : aegis.withKey(key));
    },
  };
}

function checked(cipher: StreamCipher, keyed: KeyedCipher): KeyedCipher {
  const bytes = CIPHER_BYTES[cipher];
  const check = (nonce: Uint8Array, plain: Uint8Array, encrypted: Uint8Array): void => {
    invariant(nonce.length === bytes.nonce, 'a nonce is as long as its cipher says');
    invariant(encrypted.length === plain.length + bytes.tag, 'what is encrypted is longer by a tag');
  };
  return {
    encrypt(nonce, associated, plain, out) {
      check(nonce, plain, out);
      keyed.encrypt(nonce, associated, plain, out);
    },
    decrypt(nonce, associated, encrypted, out) {
      check(nonce, out, encrypted);
      return keyed.decrypt(nonce, associated, encrypted, out);
    },
  };
}

function keyedAes(key: KeyObject): KeyedCipher {
  return {
    encrypt(nonce, associated, plain, out) {
      const cipher = createCipheriv(AES, key, nonce, { authTagLength: AES_TAG_BYTES });
      cipher.setAAD(associated);
      out.set(cipher.update(plain));
      // In counter mode nothing is left for the end but the tag.
      cipher.final();
      out.set(cipher.getAuthTag(), plain.length);
    },
    decrypt(nonce, associated, encrypted, out) {
      const cipher = createDecipheriv(AES, key, nonce, { authTagLength: AES_TAG_BYTES });
      cipher.setAAD(associated);
      cipher.setAuthTag(encrypted.subarray(out.length));
      const plain = cipher.update(encrypted.subarray(0, out.length));
      try {
        cipher.final();
      } catch {
        // It throws for one reason only: the tag is not the one that these bytes have.
        return false;
      }
      out.set(plain);
      return true;
    },
  };
}
