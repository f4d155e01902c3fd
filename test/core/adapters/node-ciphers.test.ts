// That the ciphers are what they are called: vectors of the specifications, by hand where they are long.

import { randomBytes } from 'node:crypto';
import { inspect } from 'node:util';
import { fc, test as prop } from '@fast-check/vitest';
import sodium from 'libsodium-wrappers';
import { describe, expect, test } from 'vitest';
import { loadNodeCiphers } from '#core/adapters/node/node-ciphers.ts';
import { InvariantError } from '#core/base/invariant.ts';
import { STREAM_CIPHERS, type StreamCipher } from '#core/model/stream-config.ts';
import { CIPHER_BYTES, type KeyedCipher } from '#core/ports/cipher.ts';

const ciphers = await loadNodeCiphers();

const bytes = (hex: string): Uint8Array => new Uint8Array(Buffer.from(hex.replaceAll(' ', ''), 'hex'));
const hex = (value: Uint8Array): string => Buffer.from(value).toString('hex');

interface Vector {
  readonly name: string;
  readonly cipher: StreamCipher;
  readonly key: string;
  readonly nonce: string;
  readonly associated: string;
  readonly plain: string;
  readonly encrypted: string;
  readonly tag: string;
}

// McGrew and Viega, "The Galois/Counter Mode of Operation (GCM)", as submitted to NIST: test cases 13 to 16.
const ZERO_KEY = '00'.repeat(32);
const GCM_KEY = 'feffe9928665731c6d6a8f9467308308'.repeat(2);
const GCM_PLAIN =
  'd9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b391aafd255';
const GCM_ENCRYPTED =
  '522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662898015ad';
const GCM: Pick<Vector, 'cipher' | 'key' | 'nonce'> = { cipher: 'aes-256-gcm', key: GCM_KEY, nonce: 'cafebabefacedbaddecaf888' };

// draft-irtf-cfrg-aegis-aead, appendix "AEGIS-256 Test Vectors", with the tags of 256 bits.
const AEGIS: Pick<Vector, 'cipher' | 'key' | 'nonce'> = {
  cipher: 'aegis-256',
  key: `1001${'00'.repeat(30)}`,
  nonce: `100002${'00'.repeat(29)}`,
};

const VECTORS: readonly Vector[] = [
  {
    name: 'GCM 13: nothing',
    cipher: 'aes-256-gcm',
    key: ZERO_KEY,
    nonce: '00'.repeat(12),
    associated: '',
    plain: '',
    encrypted: '',
    tag: '530f8afbc74536b9a963b4f1c4cb738b',
  },
  {
    name: 'GCM 14: one block',
    cipher: 'aes-256-gcm',
    key: ZERO_KEY,
    nonce: '00'.repeat(12),
    associated: '',
    plain: '00'.repeat(16),
    encrypted: 'cea7403d4d606b6e074ec5d3baf39d18',
    tag: 'd0d1c8a799996bf0265b98b5d48ab919',
  },
  {
    ...GCM,
    name: 'GCM 15: four blocks',
    associated: '',
    plain: GCM_PLAIN,
    encrypted: GCM_ENCRYPTED,
    tag: 'b094dac5d93471bdec1a502270e3cc6c',
  },
  {
    ...GCM,
    name: 'GCM 16: associated bytes',
    associated: 'feedfacedeadbeeffeedfacedeadbeefabaddad2',
    plain: GCM_PLAIN.slice(0, 120),
    encrypted: GCM_ENCRYPTED.slice(0, 120),
    tag: '76fc6ece0f4e1768cddf8853bb2d551b',
  },
  {
    ...AEGIS,
    name: 'AEGIS-256 1: one block',
    associated: '',
    plain: '00'.repeat(16),
    encrypted: '754fc3d8c973246dcc6d741412a4b236',
    tag: '1181a1d18091082bf0266f66297d167d2e68b845f61a3b0527d31fc7b7b89f13',
  },
  {
    ...AEGIS,
    name: 'AEGIS-256 2: nothing',
    associated: '',
    plain: '',
    encrypted: '',
    tag: '6a348c930adbd654896e1666aad67de989ea75ebaa2b82fb588977b1ffec864a',
  },
  {
    ...AEGIS,
    name: 'AEGIS-256 3: associated bytes',
    associated: '0001020304050607',
    plain: '000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f',
    encrypted: 'f373079ed84b2709faee373584585d60accd191db310ef5d8b11833df9dec711',
    tag: 'b7d28d0c3c0ebd409fd22b44160503073a547412da0854bfb9723020dab8da1a',
  },
  {
    ...AEGIS,
    name: 'AEGIS-256 4: part of a block',
    associated: '0001020304050607',
    plain: '000102030405060708090a0b0c0d',
    encrypted: 'f373079ed84b2709faee37358458',
    tag: '8c1cc703c81281bee3f6d9966e14948b4a175b2efbdc31e61a98b4465235c2d9',
  },
  {
    ...AEGIS,
    name: 'AEGIS-256 5: blocks and a part',
    associated: '000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f20212223242526272829',
    plain: '101112131415161718191a1b1c1d1e1f202122232425262728292a2b2c2d2e2f3031323334353637',
    encrypted: '57754a7d09963e7c787583a2e7b859bb24fa1e04d49fd550b2511a358e3bca252a9b1b8b30cc4a67',
    tag: 'a3aca270c006094d71c20e6910b5161c0826df233d08919a566ec2c05990f734',
  },
];

/** Those that the draft says must not open. */
const REFUSED: readonly Vector[] = [
  { ...AEGIS, name: 'AEGIS-256 6: key and nonce exchanged', key: AEGIS.nonce, nonce: AEGIS.key },
  { ...AEGIS, name: 'AEGIS-256 7: another ciphertext', encrypted: 'f373079ed84b2709faee37358459' },
  { ...AEGIS, name: 'AEGIS-256 8: other associated bytes', associated: '0001020304050608' },
  { ...AEGIS, name: 'AEGIS-256 9: another tag', tag: '8c1cc703c81281bee3f6d9966e14948b4a175b2efbdc31e61a98b4465235c2da' },
].map((vector) => ({
  associated: '0001020304050607',
  plain: '000102030405060708090a0b0c0d',
  encrypted: 'f373079ed84b2709faee37358458',
  tag: '8c1cc703c81281bee3f6d9966e14948b4a175b2efbdc31e61a98b4465235c2d9',
  ...vector,
}));

function keyedBy({ cipher, key }: Vector): KeyedCipher {
  return ciphers.withKey(cipher, bytes(key));
}

const anyCipher = fc.constantFrom(...STREAM_CIPHERS);
const none = new Uint8Array(0);

describe('the ciphers', () => {
  test.each(VECTORS)('give what the specification says: $name', (vector) => {
    const keyed = keyedBy(vector);
    const [nonce, associated, plain] = [bytes(vector.nonce), bytes(vector.associated), bytes(vector.plain)];
    const out = new Uint8Array(plain.length + CIPHER_BYTES[vector.cipher].tag);
    keyed.encrypt(nonce, associated, plain, out);
    expect(hex(out)).toBe(vector.encrypted + vector.tag);
    const back = new Uint8Array(plain.length);
    expect(keyed.decrypt(nonce, associated, out, back)).toBe(true);
    expect(hex(back)).toBe(vector.plain);
  });

  test.each(REFUSED)('do not open what the specification refuses: $name', (vector) => {
    const out = new Uint8Array(bytes(vector.plain).length);
    const encrypted = bytes(vector.encrypted + vector.tag);
    expect(keyedBy(vector).decrypt(bytes(vector.nonce), bytes(vector.associated), encrypted, out)).toBe(false);
    expect(hex(out)).toBe('00'.repeat(out.length));
  });

  prop.prop([anyCipher, fc.uint8Array({ maxLength: 300 }), fc.uint8Array({ maxLength: 40 }), fc.nat(), fc.nat({ max: 7 })])(
    'open what they encrypted, and nothing that differs in a bit',
    (cipher, plain, associated, at, bit) => {
      const key = randomBytes(32);
      const nonce = randomBytes(CIPHER_BYTES[cipher].nonce);
      const keyed = ciphers.withKey(cipher, key);
      const encrypted = new Uint8Array(plain.length + CIPHER_BYTES[cipher].tag);
      keyed.encrypt(nonce, associated, plain, encrypted);
      const back = new Uint8Array(plain.length);
      expect(keyed.decrypt(nonce, associated, encrypted, back)).toBe(true);
      expect(back).toEqual(plain);
      const flip = (value: Uint8Array): Uint8Array => value.map((byte, i) => (i === at % value.length ? byte ^ (1 << bit) : byte));
      expect(keyed.decrypt(nonce, associated, flip(encrypted), back)).toBe(false);
      expect(ciphers.withKey(cipher, flip(key)).decrypt(nonce, associated, encrypted, back)).toBe(false);
      expect(keyed.decrypt(flip(nonce), associated, encrypted, back)).toBe(false);
      if (associated.length > 0) expect(keyed.decrypt(nonce, flip(associated), encrypted, back)).toBe(false);
    },
  );

  test.each(STREAM_CIPHERS)('%s takes the largest record, after small ones and before them', (cipher) => {
    for (const size of [10, 1024 * 1024 + 100, 10]) {
      const keyed = ciphers.withKey(cipher, randomBytes(32));
      const [nonce, associated] = [randomBytes(CIPHER_BYTES[cipher].nonce), randomBytes(21)];
      const plain = new Uint8Array(randomBytes(size));
      const encrypted = new Uint8Array(size + CIPHER_BYTES[cipher].tag);
      keyed.encrypt(nonce, associated, plain, encrypted);
      const back = new Uint8Array(size);
      expect(keyed.decrypt(nonce, associated, encrypted, back)).toBe(true);
      expect(Buffer.compare(back, plain)).toBe(0);
    }
  });

  test.each(STREAM_CIPHERS)('%s takes no key, nonce or room of another length', (cipher) => {
    const { nonce, tag } = CIPHER_BYTES[cipher];
    const keyed = ciphers.withKey(cipher, randomBytes(32));
    expect(() => keyed.encrypt(randomBytes(nonce), none, none, new Uint8Array(tag))).not.toThrow();
    expect(() => ciphers.withKey(cipher, randomBytes(31))).toThrow(InvariantError);
    expect(() => keyed.encrypt(randomBytes(nonce + 1), none, none, new Uint8Array(tag))).toThrow(InvariantError);
    expect(() => keyed.encrypt(randomBytes(nonce), none, none, new Uint8Array(tag + 1))).toThrow(InvariantError);
    expect(() => keyed.decrypt(randomBytes(nonce), none, none, none)).toThrow(InvariantError);
  });

  test.each(STREAM_CIPHERS)('%s with a key does not change with the bytes that the key came in, and prints nothing of it', (cipher) => {
    const { nonce, tag } = CIPHER_BYTES[cipher];
    const key = new Uint8Array(32).fill(7);
    const [keyed, fresh] = [ciphers.withKey(cipher, key), ciphers.withKey(cipher, key.slice())];
    key.fill(0);
    const [a, b] = [new Uint8Array(tag), new Uint8Array(tag)];
    keyed.encrypt(new Uint8Array(nonce), none, none, a);
    fresh.encrypt(new Uint8Array(nonce), none, none, b);
    expect(a).toEqual(b);
    expect(inspect(keyed, { depth: 9, showHidden: true })).not.toContain('7, 7');
  });

  test('a key leaves the memory of the WebAssembly module with the call that it came for', () => {
    const { libsodium } = sodium as unknown as { readonly libsodium: { readonly HEAPU8: Uint8Array } };
    const key = randomBytes(32);
    const keyed = ciphers.withKey('aegis-256', key);
    const plain = randomBytes(100);
    const encrypted = new Uint8Array(132);
    const holds = (bytes: Buffer): boolean => Buffer.from(libsodium.HEAPU8.buffer).includes(bytes);
    keyed.encrypt(new Uint8Array(32), none, plain, encrypted);
    // The search finds what is there.
    expect([holds(plain), holds(key)]).toEqual([true, false]);
    keyed.decrypt(new Uint8Array(32), none, encrypted, new Uint8Array(100));
    keyed.decrypt(new Uint8Array(32).fill(1), none, encrypted, new Uint8Array(100));
    expect(holds(key)).toBe(false);
  });
});
