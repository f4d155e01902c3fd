// The whole cell over zones in memory, one of which is replaced while it serves: its own jobs offload, its owner repairs.

import { expect, onTestFinished, test } from 'vitest';
import { MemoryChunkStore } from '#core/adapters/memory/memory-chunk-store.ts';
import { MemoryMetadataStore } from '#core/adapters/memory/memory-metadata-store.ts';
import { MemoryObjectStore } from '#core/adapters/memory/memory-object-store.ts';
import { loadNodeCiphers } from '#core/adapters/node/node-ciphers.ts';
import { systemClock } from '#core/adapters/node/system-clock.ts';
import { systemRandom } from '#core/adapters/node/system-random.ts';
import { zlibChecksum } from '#core/adapters/node/zlib-checksum.ts';
import { createCell } from '#core/cell/cell.ts';
import { type CellConfig, CHUNK_STORE_KINDS, DEFAULT_CELL_CONFIG } from '#core/cell/config.ts';
import { RecordBatchBuilder } from '#core/format/record.ts';
import type { SeqNum, ZoneId } from '#core/model/ids.ts';
import { noTokens } from '#test/support/no-tokens.ts';

const cipher = await loadNodeCiphers();

const config: CellConfig = {
  ...DEFAULT_CELL_CONFIG,
  channel: { ...DEFAULT_CELL_CONFIG.channel, leaseMs: 400, tailMs: 50 },
  offload: { ...DEFAULT_CELL_CONFIG.offload, ageMsMin: 50 },
  everyMs: { ...DEFAULT_CELL_CONFIG.everyMs, offload: 10, gc: 20 },
};

function zone(name: string): MemoryChunkStore {
  return new MemoryChunkStore({ zone: `zone-${name}` as ZoneId, checksum: zlibChecksum });
}

function batch(text: string) {
  const builder = new RecordBatchBuilder();
  const body = new TextEncoder().encode(text);
  builder.begin();
  builder.body(body, 0, body.length);
  builder.end();
  return builder.finish();
}

test('L13: zones that are replaced one after the other, under load, cost no append and no record', async () => {
  const stores = ['a', 'b', 'c'].map(zone);
  const events: string[] = [];
  const cell = createCell(
    {
      clock: systemClock,
      random: systemRandom,
      checksum: zlibChecksum,
      cipher,
      trace: { event: (name) => void events.push(name) },
      metadata: new MemoryMetadataStore(),
      authority: noTokens,
      objects: new MemoryObjectStore({}),
      zones: [
        {
          storageClass: 'express',
          kind: CHUNK_STORE_KINDS.direct,
          stores: () => stores,
          currentZones: () => stores.map((store) => store.zone),
        },
      ],
    },
    config,
  );
  await cell.open('lock');
  onTestFinished(() => cell.close());
  await cell.service.basins.create('repair-basin', { createStreamOnAppend: true, createStreamOnRead: false });
  const target = { basin: 'repair-basin', stream: 'one', request: {} };
  const session = await cell.service.openAppendSession(target);
  const acks: Promise<unknown>[] = [];
  const more = setInterval(() => acks.push(session.submit(batch(`${acks.length}`), {})), 2);
  onTestFinished(() => clearInterval(more));
  const count = (event: string) => events.filter((name) => name === event).length;
  for (const [index, name] of ['x', 'y', 'z'].entries()) {
    stores.splice(index, 1, zone(name));
    await expect.poll(() => count('takeover.published'), { timeout: 10_000 }).toBe(index + 2);
    // Until the old log is offloaded whole, another loss may be one too many.
    await expect.poll(() => count('gc.log.dropped'), { timeout: 10_000 }).toBe(index + 1);
  }
  clearInterval(more);
  await Promise.all(acks);

  const request = { start: { kind: 'seqNum', seqNum: 0 as SeqNum }, clamp: false, waitSecs: 0 } as const;
  const reading = await cell.service.openRead(target, request, 'session');
  let given = 0;
  for (let read = await reading.next(); read !== 'end'; read = await reading.next()) given += read.count;
  expect(given).toBe(acks.length);
}, 60_000);
