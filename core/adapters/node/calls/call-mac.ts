// Who may call: a message authentication code over the prelude of every request, made with a secret that both sides have.
//
// Made anew for each request, it tells a listener nothing that opens another one: the secret itself never travels. It covers the
// operation, the identity of the zone, and length and checksum of the body. Why that is enough: docs/chunk-server.md.

import { createHmac, createSecretKey, type KeyObject, timingSafeEqual } from 'node:crypto';
import type { Checksum } from '../../../ports/checksum.ts';
import { encodePrelude, MAC_BYTES } from '../../../wire/call-frame.ts';

export class CallMac {
  readonly #key: KeyObject;

  constructor(secret: string) {
    this.#key = createSecretKey(Buffer.from(secret, 'utf8'));
  }

  /** The prelude of a request, signed. */
  sign(head: Uint8Array, bodyBytes: number, bodyCrc: number, checksum: Checksum): Uint8Array {
    const prelude = encodePrelude('request', head, bodyBytes, bodyCrc, checksum);
    const macAt = prelude.length - MAC_BYTES;
    prelude.set(this.#macOf(prelude.subarray(0, macAt)), macAt);
    return prelude;
  }

  /** In a time that says nothing of how much of it is right. */
  isRight(signed: Uint8Array, mac: Uint8Array): boolean {
    return mac.length === MAC_BYTES && timingSafeEqual(this.#macOf(signed), mac);
  }

  #macOf(signed: Uint8Array): Buffer {
    return createHmac('sha256', this.#key).update(signed).digest();
  }
}
