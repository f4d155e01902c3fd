import { describe, expect, test } from 'vitest';
import { zlibChecksum } from '#core/adapters/node/zlib-checksum.ts';
import { createChunkLogs } from '#core/chunk/logs.ts';
import { decodeChunk } from '#core/format/chunk.ts';
import { logName, ownerNonce, position } from '#core/model/ids.ts';
import type { ChunkWriter } from '#core/ports/chunk-log.ts';
import { chunkAt, LOG, OWNER, P, payload, type Setup, setUp, TIMEOUT_MS, Told, text } from './support/setup.ts';
import { standing } from './support/zone.ts';

function open(setup: Setup, told: Told): ChunkWriter {
  return createChunkLogs(setup.options).openWriter(LOG, OWNER, setup.description.zones, told);
}

/** Writes `count` chunks, as room comes. */
async function write(setup: Setup, writer: ChunkWriter, count: number, bytes = 10): Promise<void> {
  for (let i = 0; i < count; i += 1) {
    await setup.world.run(() => writer.hasRoom);
    writer.write([new Uint8Array(bytes)]);
  }
}

describe('ChunkWriter.write', () => {
  test('puts a chunk with the commit point known by then into every zone, and keeps its own copy of the payload', async () => {
    const setup = setUp();
    const writer = open(setup, new Told());
    const part = payload('first');
    const written = writer.write([part, payload(' chunk')]);
    part.fill(0);
    expect([written.at, text(written.payload)]).toEqual([0, 'first chunk']);
    await setup.world.elapse(20);
    writer.write([]);
    await setup.world.elapse(20);
    for (const zone of setup.zones) {
      const [first, second] = [0, 1].map((at) => zone.disk.stored.get(logName(LOG))?.get(position(at)) ?? new Uint8Array());
      expect(decodeChunk(first ?? new Uint8Array(), zlibChecksum)).toMatchObject({ commitPoint: 0, owner: OWNER, kind: 'data' });
      expect(decodeChunk(second ?? new Uint8Array(), zlibChecksum)).toMatchObject({ commitPoint: 1, payloadBytes: 0 });
    }
    expect(writer.inFlightBytes).toBe(0);
  });

  test('C2: is refused when the window is full, and has room again once the commit point moved', async () => {
    const setup = setUp();
    const writer = open(setup, new Told());
    for (let i = 0; i < P; i += 1) writer.write([]);
    expect(writer.hasRoom).toBe(false);
    expect(() => writer.write([])).toThrow('C2');
    await setup.world.elapse(20);
    expect([writer.hasRoom, writer.commitPoint]).toEqual([true, P]);
  });

  test('commits with one zone where the log has one', async () => {
    const setup = setUp(1);
    const told = new Told();
    open(setup, told).write([]);
    await setup.world.elapse(20);
    expect(told.commits).toEqual([1]);
  });
});

describe('the commit point of a writer', () => {
  test('C5: is told once for all answers of a turn, in order, never twice the same', async () => {
    const setup = setUp();
    for (const zone of setup.zones) zone.faults = { ...zone.faults, latencyMax: 0 };
    const told = new Told();
    const writer = open(setup, told);
    for (let i = 0; i < P; i += 1) writer.write([]);
    await setup.world.elapse(1);
    writer.write([]);
    await setup.world.elapse(1);
    expect(told.commits.at(-1)).toBe(P + 1);
    expect(told.commits.length).toBeLessThanOrEqual(P);
    expect(told.commits).toEqual([...new Set(told.commits)].sort((a, b) => a - b));
  });

  test.each(['isHanging', 'isAway'] as const)('C6: does not wait for a zone that %s', async (fault) => {
    const setup = setUp();
    const [slow] = setup.zones;
    if (slow !== undefined) slow[fault] = true;
    const told = new Told();
    const writer = open(setup, told);
    await write(setup, writer, 100);
    await setup.world.elapse(20);
    expect(writer.commitPoint).toBe(100);
    expect(setup.world.now).toBeLessThan(700);
    expect(told.stalls).toEqual([]);
  });

  test('C1: waits for a second zone when two are away, tells that it stalls, and goes on when one is back', async () => {
    const setup = setUp();
    for (const zone of setup.zones.slice(1)) zone.isAway = true;
    const told = new Told();
    const writer = open(setup, told);
    writer.write([]);
    await setup.world.elapse(4 * TIMEOUT_MS);
    expect([writer.commitPoint, told.commits, told.stalls]).toEqual([0, [], ['unavailable']]);
    for (const zone of setup.zones) zone.isAway = false;
    await setup.world.elapse(5 * TIMEOUT_MS);
    expect([told.commits, told.stalls]).toEqual([[1], ['unavailable', undefined]]);
  });

  test('C17: a full disk in a seal quorum of zones is told at once and as such, and overcome when there is space', async () => {
    const setup = setUp();
    for (const zone of setup.zones.slice(1)) zone.isFull = true;
    const told = new Told();
    const writer = open(setup, told);
    writer.write([]);
    await setup.world.elapse(TIMEOUT_MS / 2);
    expect(told.stalls).toEqual(['disk_full']);
    for (const zone of setup.zones) zone.isFull = false;
    await setup.world.elapse(TIMEOUT_MS);
    expect([told.commits, told.stalls]).toEqual([[1], ['disk_full', undefined]]);
  });

  test('C7: does not count a zone that was wiped since the log was opened', async () => {
    const setup = setUp();
    const told = new Told();
    const writer = open(setup, told);
    setup.zones[0]?.wipe('zone-0-again');
    for (const zone of setup.zones.slice(2)) zone.isAway = true;
    writer.write([]);
    await setup.world.elapse(4 * TIMEOUT_MS);
    expect(told.commits).toEqual([]);
    expect(setup.zones[0]?.disk.stored.size).toBe(0);
  });

  test('C7: is not opened over fewer zones than the write quorum, or over one zone twice', () => {
    const { options } = setUp();
    const [zone] = options.currentZones();
    const zones = zone === undefined ? [] : [zone];
    expect(() => createChunkLogs(options).openWriter(LOG, OWNER, zones, new Told())).toThrow('C7');
    expect(() => createChunkLogs(options).openWriter(LOG, OWNER, [...zones, ...zones], new Told())).toThrow('C7');
  });
});

describe('a zone that lags', () => {
  test('C6: holds at most two windows of calls, and the writer a bounded number of bytes', async () => {
    const setup = setUp();
    const [slow] = setup.zones;
    if (slow !== undefined) slow.isHanging = true;
    const writer = open(setup, new Told());
    for (let i = 0; i < 8; i += 1) {
      await write(setup, writer, 10, 1_000);
      expect(writer.inFlightBytes).toBeLessThanOrEqual(6 * P * 1_200);
    }
    // Before any call is taken for lost.
    expect(setup.world.now).toBeLessThan(4 * TIMEOUT_MS);
    expect(slow?.putsUnderWayMax).toBe(2 * P);
  });

  test('C6: is used again when it is back, and what it skipped is not put there', async () => {
    const setup = setUp();
    const [slow, other] = setup.zones;
    if (slow === undefined || other === undefined) return;
    slow.isAway = true;
    const told = new Told();
    const writer = open(setup, told);
    await write(setup, writer, 60);
    slow.isAway = false;
    await setup.world.elapse(8 * TIMEOUT_MS);
    expect(standing(slow.disk, LOG, position(30))).toBe('absent');
    other.isAway = true;
    await write(setup, writer, 10);
    await setup.world.elapse(8 * TIMEOUT_MS);
    expect(writer.commitPoint).toBe(70);
    expect(standing(slow.disk, LOG, position(69))).toBe('data');
    expect(setup.traced.filter((name) => name === 'chunk.zone.lagging')).toHaveLength(2);
  });
});

describe('a put that is answered ambiguously', () => {
  test('C3: counts once a get gives back the same bytes', async () => {
    const setup = setUp(1);
    const [zone] = setup.zones;
    if (zone === undefined) return;
    zone.faults = { ...zone.faults, lostAnswer: 1 };
    const told = new Told();
    open(setup, told).write([payload('once')]);
    await setup.world.elapse(20);
    expect([told.commits, standing(zone.disk, LOG, position(0))]).toEqual([[], 'data']);
    zone.faults = { ...zone.faults, lostAnswer: 0 };
    await setup.world.elapse(40);
    expect([told.commits, told.reason]).toEqual([[1], undefined]);
  });

  test('C3: does not count while the position is torn, and another zone takes its place', async () => {
    const setup = setUp();
    const [torn, away] = setup.zones;
    if (torn === undefined || away === undefined) return;
    torn.faults = { ...torn.faults, torn: 1 };
    away.isAway = true;
    const told = new Told();
    open(setup, told).write([]);
    await setup.world.elapse(2 * TIMEOUT_MS);
    expect(told.commits).toEqual([]);
    away.isAway = false;
    await setup.world.elapse(5 * TIMEOUT_MS);
    expect([told.commits, standing(torn.disk, LOG, position(0))]).toEqual([[1], 'torn']);
  });

  test('C17: a position that stays torn in a seal quorum ends the writer, for only a takeover may write over it', async () => {
    const setup = setUp(1);
    const [zone] = setup.zones;
    if (zone === undefined) return;
    zone.faults = { ...zone.faults, torn: 1 };
    const told = new Told();
    open(setup, told).write([]);
    await setup.world.elapse(1);
    zone.faults = { ...zone.faults, torn: 0 };
    await setup.world.elapse(300);
    expect(told.reason).toMatchObject({ code: 'storage', effect: 'unknown' });
  });
});

describe('a writer that was replaced', () => {
  test('C4: stops for good at the first seal, with effect unknown, and sends nothing more', async () => {
    const setup = setUp();
    const told = new Told();
    const writer = open(setup, told);
    await setup.zones[2]?.disk.seal(LOG, position(1), 'absent');
    writer.write([]);
    writer.write([]);
    await setup.world.elapse(20);
    expect(told.reason).toMatchObject({ code: 'deposed', effect: 'unknown' });
    expect(writer.hasRoom).toBe(false);
    expect(() => writer.write([])).toThrow('C2');
    const puts = setup.zones.map((zone) => zone.calls.put);
    await setup.world.elapse(4 * TIMEOUT_MS);
    expect(setup.zones.map((zone) => zone.calls.put)).toEqual(puts);
    expect(writer.inFlightBytes).toBe(0);
  });

  test('C4: stops at a chunk that another owner put at its position', async () => {
    const setup = setUp();
    const told = new Told();
    const stranger = ownerNonce('ffffffffffffffffffffffffffffffff');
    await setup.zones[0]?.disk.put(LOG, position(0), chunkAt(0, 0, stranger));
    open(setup, told).write([]);
    await setup.world.elapse(20);
    expect(told.reason?.code).toBe('deposed');
  });

  test('C5: tells nothing more once it is stopped, and stop waits for what is under way', async () => {
    const setup = setUp();
    for (const zone of setup.zones) zone.isHanging = true;
    const told = new Told();
    const writer = open(setup, told);
    writer.write([]);
    await setup.world.elapse(1);
    let isStopped = false;
    const stopped = writer.stop().then(() => {
      isStopped = true;
    });
    await setup.world.elapse(20);
    expect([isStopped, writer.inFlightBytes > 0]).toEqual([false, true]);
    for (const zone of setup.zones) zone.isHanging = false;
    await setup.world.settle(stopped);
    await setup.world.elapse(4 * TIMEOUT_MS);
    expect([told.commits, told.stalls, told.reason, writer.inFlightBytes]).toEqual([[], [], undefined, 0]);
  });
});
