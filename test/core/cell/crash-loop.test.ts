// A cell that is started again and again, each time for a short while only.

import { expect, onTestFinished, test } from 'vitest';
import { MemoryChunkStore } from '#core/adapters/memory/memory-chunk-store.ts';
import { MemoryMetadataStore } from '#core/adapters/memory/memory-metadata-store.ts';
import { MemoryObjectStore } from '#core/adapters/memory/memory-object-store.ts';
import { loadNodeCiphers } from '#core/adapters/node/node-ciphers.ts';
import { systemClock } from '#core/adapters/node/system-clock.ts';
import { systemRandom } from '#core/adapters/node/system-random.ts';
import { zlibChecksum } from '#core/adapters/node/zlib-checksum.ts';
import { type Cell, createCell } from '#core/cell/cell.ts';
import { type CellConfig, CHUNK_STORE_KINDS, DEFAULT_CELL_CONFIG } from '#core/cell/config.ts';
import { RecordBatchBuilder } from '#core/format/record.ts';
import { channelId, epoch, position, type ZoneId } from '#core/model/ids.ts';
import { noTokens } from '#test/support/no-tokens.ts';

const cipher = await loadNodeCiphers();

const config: CellConfig = {
  ...DEFAULT_CELL_CONFIG,
  offload: { ...DEFAULT_CELL_CONFIG.offload, ageMsMin: 50 },
  everyMs: { ...DEFAULT_CELL_CONFIG.everyMs, offload: 10, gc: 20 },
};
const FIRST_LOG = { channel: channelId('express-0'), epoch: epoch(1) };

function batch() {
  const builder = new RecordBatchBuilder();
  builder.begin();
  builder.body(new Uint8Array(10), 0, 10);
  builder.end();
  return builder.finish();
}

test('chunks that a crash brings back, of a log that is dropped, are deleted soon after a start, and not with the next sweep', async () => {
  const stores = ['a', 'b', 'c'].map((name) => new MemoryChunkStore({ zone: `zone-${name}` as ZoneId, checksum: zlibChecksum }));
  const metadata = new MemoryMetadataStore();
  const objects = new MemoryObjectStore({});
  const events: string[] = [];
  async function started(): Promise<Cell> {
    const zones = {
      storageClass: 'express',
      kind: CHUNK_STORE_KINDS.direct,
      stores: () => stores,
      currentZones: () => stores.map((store) => store.zone),
    } as const;
    const trace = { event: (name: string) => void events.push(name) };
    const cell = createCell(
      {
        clock: systemClock,
        random: systemRandom,
        checksum: zlibChecksum,
        cipher,
        trace,
        metadata,
        authority: noTokens,
        objects,
        zones: [zones],
      },
      config,
    );
    await cell.open('lock');
    onTestFinished(() => cell.close());
    return cell;
  }

  const first = await started();
  await first.service.basins.create('crash-loop', { createStreamOnAppend: true, createStreamOnRead: false });
  await first.service.append({ basin: 'crash-loop', stream: 'one', request: {} }, batch(), {});
  const chunk = await stores[0]?.get(FIRST_LOG, position(0));
  if (chunk === undefined || typeof chunk === 'string') throw new Error('the first append is not in the first chunk');
  await first.close();
  const second = await started();
  await expect.poll(() => events.includes('gc.log.dropped'), { timeout: 5_000 }).toBe(true);
  await second.close();

  for (const store of stores) expect(await store.put(FIRST_LOG, position(0), chunk)).toBe('stored');
  await started();
  const left = () => Promise.all(stores.map((store) => store.get(FIRST_LOG, position(0))));
  await expect.poll(left, { timeout: 5_000 }).toEqual(['absent', 'absent', 'absent']);
}, 30_000);
