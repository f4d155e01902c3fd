// The whole cell on real disks, small enough that a few seconds of load are many times what it may hold.

import { expect, test } from 'vitest';
import { lockFolder } from '#core/adapters/node/folder-lock.ts';
import { createProcessTrace } from '#core/adapters/node/process-trace.ts';
import { createCell } from '#core/cell/cell.ts';
import { type CellConfig, DEFAULT_CELL_CONFIG } from '#core/cell/config.ts';
import { type RecordBatch, RecordBatchBuilder, RecordCursor } from '#core/format/record.ts';
import type { SeqNum } from '#core/model/ids.ts';
import { openStorage } from '#functions/local/storage.ts';
import { folderOfTest } from '../adapters/support.ts';

const MIB = 1024 * 1024;
const RECORD_BYTES = 8 * 1024;
const BATCH_RECORDS = 32;
const STREAMS = ['one', 'two', 'three'];
const config: CellConfig = {
  ...DEFAULT_CELL_CONFIG,
  channel: { ...DEFAULT_CELL_CONFIG.channel, tailMs: 200, tailBytesMax: 4 * MIB, backlogBytesMax: 12 * MIB, inFlightBytesMax: 4 * MIB },
  offload: { backlogBytesMin: 2 * MIB, ageMsMin: 100, runBytesMax: 4 * MIB },
  everyMs: { ...DEFAULT_CELL_CONFIG.everyMs, offload: 10, gc: 20 },
  zoneBytesMax: 48 * MIB,
  slabBytes: 8 * MIB,
};

function batchFrom(counter: number): RecordBatch {
  const builder = new RecordBatchBuilder(BATCH_RECORDS * (RECORD_BYTES + 16));
  const body = new Uint8Array(RECORD_BYTES);
  for (let i = 0; i < BATCH_RECORDS; i += 1) {
    new DataView(body.buffer).setUint32(0, counter + i);
    builder.begin();
    builder.body(body, 0, body.length);
    builder.end();
  }
  return builder.finish();
}

test('under continuous load chunk stores and memory stay within their bounds, and every record is read back', {
  timeout: 120_000,
}, async () => {
  const trace = createProcessTrace();
  trace.log.level = 'silent';
  const dataDir = folderOfTest();
  const storage = await openStorage({ dataDir, config }, { lock: await lockFolder(dataDir) }, trace);
  const cell = createCell(storage.ports, config);
  await cell.open('lock');
  const express = cell.channels.find(({ storageClass }) => storageClass === 'express');
  await cell.service.basins.create('bounded-basin', { createStreamOnAppend: true, createStreamOnRead: false });
  const peaks = { held: 0, backlog: 0, zones: 0, residentMiB: 0 };
  const sampling = setInterval(async () => {
    const { heldBytes = 0, backlogBytes = 0 } = express?.channel.gauges ?? {};
    peaks.held = Math.max(peaks.held, heldBytes);
    peaks.backlog = Math.max(peaks.backlog, backlogBytes);
    peaks.residentMiB = Math.max(peaks.residentMiB, process.memoryUsage.rss() / MIB);
    const used = [...(await trace.metrics()).matchAll(/^millrace_zone_used_bytes\{.*\} (\d+)/gm)].map((match) => Number(match[1]));
    expect(used).toHaveLength(3);
    peaks.zones = Math.max(peaks.zones, ...used);
  }, 5);

  const capacity = config.zoneBytesMax + config.channel.tailBytesMax + config.channel.backlogBytesMax;
  const batches = Math.ceil((3 * capacity) / (STREAMS.length * BATCH_RECORDS * RECORD_BYTES));
  await Promise.all(
    STREAMS.map(async (stream) => {
      const session = await cell.service.openAppendSession({ basin: 'bounded-basin', stream, request: {} });
      const acks: Promise<unknown>[] = [];
      for (let i = 0; i < batches; i += 1) {
        await session.room();
        acks.push(session.submit(batchFrom(i * BATCH_RECORDS), {}));
        if (acks.length >= 8) await acks.shift();
      }
      await Promise.all(acks);
    }),
  );

  for (const stream of STREAMS) {
    const target = { basin: 'bounded-basin', stream, request: {} };
    const reading = await cell.service.openRead(
      target,
      { start: { kind: 'seqNum', seqNum: 0 as SeqNum }, clamp: false, waitSecs: 0 },
      'session',
    );
    let expected = 0;
    for (let read = await reading.next(); read !== 'end'; read = await reading.next()) {
      for (const { first, bytes } of read.runs) {
        expect(first).toBe(expected);
        const cursor = new RecordCursor(bytes);
        while (cursor.next()) {
          if (new DataView(bytes.buffer, bytes.byteOffset + cursor.bodyStart).getUint32(0) !== expected)
            expect.fail(`record ${expected} is another`);
          expected += 1;
        }
      }
    }
    reading.close();
    expect(expected).toBe(batches * BATCH_RECORDS);
  }
  clearInterval(sampling);
  await cell.close();
  await storage.close();
  const written = (batches * STREAMS.length * BATCH_RECORDS * RECORD_BYTES) / MIB;
  // A frame in flight may join after the bound was reached, and its object costs more than its bytes.
  const slack = config.channel.inFlightBytesMax + 2 * MIB;
  console.log(
    `written ${written.toFixed(0)} MiB; peaks against bounds, in MiB: zone ${(peaks.zones / MIB).toFixed(1)} of ${config.zoneBytesMax / MIB}, ` +
      `backlog ${(peaks.backlog / MIB).toFixed(1)} of ${config.channel.backlogBytesMax / MIB}, ` +
      `held ${(peaks.held / MIB).toFixed(1)} of ${(config.channel.backlogBytesMax + config.channel.tailBytesMax) / MIB}, ` +
      `resident ${peaks.residentMiB.toFixed(0)}`,
  );
  expect(peaks.zones).toBeGreaterThan(0);
  expect(peaks.zones).toBeLessThanOrEqual(config.zoneBytesMax);
  expect(peaks.backlog).toBeLessThanOrEqual(config.channel.backlogBytesMax + slack);
  expect(peaks.held).toBeLessThanOrEqual(config.channel.backlogBytesMax + config.channel.tailBytesMax + slack);
});
