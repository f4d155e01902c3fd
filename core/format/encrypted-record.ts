// How records lie in a stream with a cipher: each by itself, so that it is read by itself, under the key of whoever appended it.
//
//   encrypted  := prefix u32 (bit 29, never bit 31) | timestamp u64 | meteredBytes u32 | form u8 | nonce | ciphertext | tag
//   form       := bit 7: has headers · bits 0–6: 1 aegis-256 (nonce 32, tag 32) · 2 aes-256-gcm (nonce 12, tag 16)
//   plain text := [headers] | body, as in record.ts
//   associated := streamId 16 | meteredBytes u32 | form u8
//
// Commands stay plain. Timestamps and sequence numbers are given later, by the channel, and are not authenticated. api/ encrypts
// before a batch goes to the channel and decrypts what a reader gives: nothing between them needs, or has, the key.
//
//   E1  An encrypted record opens only under the key that encrypted it, in the stream that it was written to, and unchanged:
//       its bytes, its weight, and whether it has headers.
//   E3  In a stream with a cipher a plain record is given only if it is a command.

import { writeHex, writeU32 } from '../base/bytes.ts';
import { invariant } from '../base/invariant.ts';
import { refused, type StoreError } from '../model/errors.ts';
import type { SeqNum, StreamId } from '../model/ids.ts';
import type { RecordRun } from '../model/read.ts';
import type { StreamCipher } from '../model/stream-config.ts';
import { CIPHER_BYTES, type Cipher, type KeyedCipher } from '../ports/cipher.ts';
import type { Random } from '../ports/random.ts';
import { lendBatchMemory } from './batch-memory.ts';
import {
  corruptRecord,
  ENCRYPTED,
  ENCRYPTED_METER_BYTES,
  HAS_HEADERS,
  NO_TIMESTAMP,
  RECORD_PREFIX_BYTES,
  type RecordBatch,
  RecordCursor,
} from './record.ts';

const FORMS: Readonly<Record<StreamCipher, number>> = { 'aegis-256': 1, 'aes-256-gcm': 2 };
const FORM_HAS_HEADERS = 0x80;
const STREAM_ID_BYTES = 16;
const TIMESTAMP_BYTES = 8;
/** Weight and form. */
const HEAD_BYTES = ENCRYPTED_METER_BYTES + 1;

/** As many records of a run as opened, now plain. `failedAt`: the first that did not; nothing behind it was tried. */
export interface DecryptedRun {
  readonly run: RecordRun;
  readonly meteredBytes: number;
  readonly failedAt?: SeqNum;
}

/** One stream's cipher with one customer's key, which nothing of this shows. */
export class RecordEncryption {
  readonly cipher: StreamCipher;
  readonly #keyed: KeyedCipher;
  /** The stream's id, and behind it the head of the record at hand. */
  readonly #associated = new Uint8Array(STREAM_ID_BYTES + HEAD_BYTES);

  constructor(ciphers: Cipher, cipher: StreamCipher, key: Uint8Array, streamId: StreamId) {
    this.cipher = cipher;
    this.#keyed = ciphers.withKey(cipher, key);
    writeHex(this.#associated, 0, streamId);
  }

  /** The batch with everything but its commands encrypted, in memory of its own; `batch` stays as it is. */
  encrypt(batch: RecordBatch, random: Random): RecordBatch {
    invariant(batch.encryption === undefined, 'E1: a record is encrypted once');
    const { nonce: nonceBytes, tag } = CIPHER_BYTES[this.cipher];
    const out = lendBatchMemory(batch.bytes.length + batch.count * (HEAD_BYTES + nonceBytes + tag));
    const nonces = random.bytes(nonceBytes * (batch.count - batch.commands.length));
    const cursor = new RecordCursor(batch.bytes);
    let at = 0;
    let encrypted = 0;
    let end = 0;
    for (let index = 0; cursor.next(); index += 1) {
      if (cursor.isCommand) {
        out.set(batch.bytes.subarray(cursor.start, cursor.end), at);
        at += cursor.end - cursor.start;
        continue;
      }
      at = this.#encryptRecord(batch.bytes, cursor, nonces.subarray(encrypted * nonceBytes, (encrypted + 1) * nonceBytes), out, at);
      encrypted += 1;
      end = index + 1;
    }
    invariant(encrypted + batch.commands.length === batch.count, 'E1: each record but commands has a nonce of its own');
    return { ...batch, bytes: out.subarray(0, at), encryption: { cipher: this.cipher, end } };
  }

  /** @throws StoreError `corrupt` for what no stream with this cipher holds. */
  decrypt({ first, count, bytes }: RecordRun): DecryptedRun {
    const out = new Uint8Array(bytes.length);
    const cursor = new RecordCursor(bytes);
    let at = 0;
    let opened = 0;
    let metered = 0;
    for (; opened < count; opened += 1) {
      if (!cursor.next() || !cursor.hasTimestamp) throw corruptRecord(cursor.end);
      const next = this.#decryptRecord(bytes, cursor, out, at);
      if (next === undefined) break;
      at = next;
      metered += cursor.meteredBytes;
    }
    const run = { first, count: opened, bytes: out.subarray(0, at) };
    return { run, meteredBytes: metered, ...(opened < count ? { failedAt: (first + opened) as SeqNum } : {}) };
  }

  /** Where the next record goes. */
  #encryptRecord(bytes: Uint8Array, cursor: RecordCursor, nonce: Uint8Array, out: Uint8Array, at: number): number {
    const plain = bytes.subarray(cursor.start + RECORD_PREFIX_BYTES, cursor.end);
    const contentAt = at + RECORD_PREFIX_BYTES;
    const cipherTextAt = contentAt + HEAD_BYTES + nonce.length;
    const end = cipherTextAt + plain.length + CIPHER_BYTES[this.cipher].tag;
    writeU32(out, at, (cursor.hasTimestamp ? 0 : NO_TIMESTAMP) + ENCRYPTED + (end - contentAt));
    out.set(
      bytes.subarray(cursor.start + RECORD_PREFIX_BYTES - TIMESTAMP_BYTES, cursor.start + RECORD_PREFIX_BYTES),
      contentAt - TIMESTAMP_BYTES,
    );
    writeU32(out, contentAt, cursor.meteredBytes);
    out[contentAt + ENCRYPTED_METER_BYTES] = FORMS[this.cipher] + (cursor.headersCount > 0 ? FORM_HAS_HEADERS : 0);
    out.set(nonce, contentAt + HEAD_BYTES);
    this.#keyed.encrypt(nonce, this.#associatedOf(out, contentAt), plain, out.subarray(cipherTextAt, end));
    return end;
  }

  /** Where the next record goes; undefined when this one does not open. */
  #decryptRecord(bytes: Uint8Array, cursor: RecordCursor, out: Uint8Array, at: number): number | undefined {
    if (!cursor.isEncrypted) {
      if (!cursor.isCommand) throw plainRecord(cursor.start);
      out.set(bytes.subarray(cursor.start, cursor.end), at);
      return at + cursor.end - cursor.start;
    }
    const contentAt = cursor.start + RECORD_PREFIX_BYTES;
    const { nonce: nonceBytes, tag } = CIPHER_BYTES[this.cipher];
    const cipherTextAt = contentAt + HEAD_BYTES + nonceBytes;
    const plainBytes = cursor.end - cipherTextAt - tag;
    const form = bytes[contentAt + ENCRYPTED_METER_BYTES] ?? 0;
    if (plainBytes < 0 || (form & ~FORM_HAS_HEADERS) !== FORMS[this.cipher]) throw corruptRecord(cursor.start);
    const nonce = bytes.subarray(contentAt + HEAD_BYTES, cipherTextAt);
    const associated = this.#associatedOf(bytes, contentAt);
    const encrypted = bytes.subarray(cipherTextAt, cursor.end);
    const plainAt = at + RECORD_PREFIX_BYTES;
    if (!this.#keyed.decrypt(nonce, associated, encrypted, out.subarray(plainAt, plainAt + plainBytes))) return undefined;
    writeU32(out, at, ((form & FORM_HAS_HEADERS) === 0 ? 0 : HAS_HEADERS) + plainBytes);
    out.set(bytes.subarray(contentAt - TIMESTAMP_BYTES, contentAt), plainAt - TIMESTAMP_BYTES);
    return plainAt + plainBytes;
  }

  #associatedOf(bytes: Uint8Array, contentAt: number): Uint8Array {
    for (let i = 0; i < HEAD_BYTES; i += 1) this.#associated[STREAM_ID_BYTES + i] = bytes[contentAt + i] ?? 0;
    return this.#associated;
  }
}

function plainRecord(at: number): StoreError {
  return refused('corrupt', `the record at byte ${at} of its frame is not encrypted, in a stream whose records are`);
}
