// The key that a request brings for a stream whose records are encrypted. (S2 v1 API, section 5.4.)
//
//   E5  A key lives as long as the request or session that brought it, and is part of no message, event, log or item: nothing
//       of it can be printed from here, and what refuses it names the cipher alone.

import { refused } from '../model/errors.ts';
import { ENCRYPTION_KEY_BYTES } from '../model/limits.ts';
import type { StreamCipher } from '../model/stream-config.ts';
import { decodeBase64 } from '../wire/base64.ts';

const ENCODER = new TextEncoder();

/** As it came. What it stands for matters only where there is a cipher, and is looked at there. */
export class CustomerKey {
  readonly #text: string;

  constructor(text: string) {
    this.#text = text;
  }

  /** ENCRYPTION_KEY_BYTES. @throws StoreError `bad_header` */
  bytesFor(cipher: StreamCipher): Uint8Array {
    const text = ENCODER.encode(this.#text);
    const bytes = new Uint8Array(text.length);
    const end = decodeBase64(text, 0, text.length, bytes, 0);
    if (end === undefined) throw refused('bad_header', `the encryption key for stream cipher '${cipher}' is not standard padded base64`);
    if (end !== ENCRYPTION_KEY_BYTES) {
      throw refused('bad_header', `an encryption key for stream cipher '${cipher}' has ${ENCRYPTION_KEY_BYTES} bytes, not ${end}`);
    }
    return bytes.slice(0, end);
  }
}

/** The key of a request for a stream with this cipher. @throws StoreError `bad_header` */
export function requireKey(cipher: StreamCipher, key: CustomerKey | undefined): Uint8Array {
  if (key === undefined) throw refused('bad_header', `missing encryption key for stream cipher '${cipher}'`);
  return key.bytesFor(cipher);
}
