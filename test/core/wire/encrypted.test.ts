import { expect, test } from 'vitest';
import { loadNodeCiphers } from '#core/adapters/node/node-ciphers.ts';
import { systemRandom } from '#core/adapters/node/system-random.ts';
import { InvariantError } from '#core/base/invariant.ts';
import { RecordEncryption } from '#core/format/encrypted-record.ts';
import type { SeqNum, StreamId } from '#core/model/ids.ts';
import type { ReadBatch } from '#core/model/read.ts';
import { encodeReadJson } from '#core/wire/read-json.ts';
import { encodeReadBatch } from '#core/wire/read-proto.ts';
import { batchOf, runOf } from './records.ts';

const encryption = new RecordEncryption(await loadNodeCiphers(), 'aegis-256', new Uint8Array(32), '0'.repeat(32) as StreamId);

test.each<[string, (batch: ReadBatch) => unknown]>([
  ['JSON', (batch) => encodeReadJson(batch, 'raw')],
  ['JSON with base64', (batch) => encodeReadJson(batch, 'base64')],
  ['protobuf', encodeReadBatch],
])('E3: %s takes no batch with an encrypted record, wherever it stands', (_, encode) => {
  const encrypted = encryption.encrypt(batchOf([{ body: 'a' }, { headers: [['b', 'c']] }]), systemRandom);
  const run = { first: 1 as SeqNum, count: 2, bytes: encrypted.bytes };
  const batch = { runs: [runOf(0, [{ timestamp: 1n, body: 'plain' }]), run], count: 3, meteredBytes: 40 };
  expect(() => encode(batch)).toThrow(InvariantError);
  expect(() => encode({ ...batch, runs: batch.runs.slice(0, 1), count: 1 })).not.toThrow();
});
