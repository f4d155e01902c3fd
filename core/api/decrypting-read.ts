// A read of a stream with a cipher, as its reader sees it: between core/reader, which has no key, and the wire.
//
//   E7  Of a record that does not open, and of what lies behind it, nothing is given: a session gives everything before it and
//       then fails; a unary read, whose shorter answer would look like the end of the stream, fails as a whole. Either names it.

import type { DecryptedRun, RecordEncryption } from '../format/encrypted-record.ts';
import { refused, type StoreError } from '../model/errors.ts';
import type { SeqNum } from '../model/ids.ts';
import type { ReadBatch, RecordRun } from '../model/read.ts';
import type { ReadMode, ReadSession } from './deps.ts';

interface DecryptedBatch {
  readonly batch: ReadBatch;
  readonly failedAt: SeqNum | undefined;
}

export class DecryptingRead implements ReadSession {
  readonly #session: ReadSession;
  readonly #encryption: RecordEncryption;
  readonly #mode: ReadMode;
  /** Why nothing follows the batch that was given last. */
  #failed: StoreError | undefined;

  /** Owns `session`. */
  constructor(session: ReadSession, encryption: RecordEncryption, mode: ReadMode) {
    this.#session = session;
    this.#encryption = encryption;
    this.#mode = mode;
  }

  /** @throws StoreError `decryption_failed`, and what the read itself throws. */
  async next(signal?: AbortSignal): Promise<ReadBatch | 'end'> {
    if (this.#failed !== undefined) throw this.#failed;
    const given = await this.#session.next(signal);
    if (given === 'end' || given.count === 0) return given;
    const { batch, failedAt } = decryptBatch(given, this.#encryption);
    if (failedAt === undefined) return batch;
    this.#failed = refused('decryption_failed', `record ${failedAt} was not encrypted with this key, or is not what was written`);
    this.close();
    if (this.#mode === 'unary' || batch.count === 0) throw this.#failed;
    return batch;
  }

  close(): void {
    this.#session.close();
  }
}

function decryptBatch({ runs, tail }: ReadBatch, encryption: RecordEncryption): DecryptedBatch {
  const opened: RecordRun[] = [];
  let count = 0;
  let meteredBytes = 0;
  let failedAt: SeqNum | undefined;
  for (const run of runs) {
    const decrypted: DecryptedRun = encryption.decrypt(run);
    if (decrypted.run.count > 0) opened.push(decrypted.run);
    count += decrypted.run.count;
    meteredBytes += decrypted.meteredBytes;
    failedAt = decrypted.failedAt;
    if (failedAt !== undefined) break;
  }
  return { batch: { runs: opened, count, meteredBytes, isDecrypted: true, ...(tail === undefined ? {} : { tail }) }, failedAt };
}
