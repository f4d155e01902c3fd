// Chunks of three zones, objects and metadata in memory, and an owner whose appends are laid into chunks by hand.

import { MemoryChunkStore } from '#core/adapters/memory/memory-chunk-store.ts';
import { MemoryMetadataStore } from '#core/adapters/memory/memory-metadata-store.ts';
import { MemoryObjectStore } from '#core/adapters/memory/memory-object-store.ts';
import { systemClock } from '#core/adapters/node/system-clock.ts';
import { systemRandom } from '#core/adapters/node/system-random.ts';
import { zlibChecksum } from '#core/adapters/node/zlib-checksum.ts';
import { createChunkLogs } from '#core/chunk/logs.ts';
import { decodeFrame, encodeFrameHeader, type Frame, type FrameHeader } from '#core/format/frame.ts';
import { RecordBatchBuilder, RecordCursor, stampRecords } from '#core/format/record.ts';
import type { JobPorts } from '#core/jobs/job-ports.ts';
import { Repository } from '#core/metadata/repository.ts';
import type { ChannelState, SegmentRow } from '#core/metadata/schema.ts';
import {
  type ChannelId,
  type OwnerNonce,
  type Position,
  type SeqNum,
  type StreamId,
  type StreamletNumber,
  zoneId,
} from '#core/model/ids.ts';
import type { ChunkWriter } from '#core/ports/chunk-log.ts';
import type { Clock, Timer } from '#core/ports/clock.ts';

export const CHANNEL = 'express-0' as ChannelId;

/** Time that only tests move; whoever sleeps moves it too. */
export class TestClock implements Clock {
  #ms = 1_700_000_000_000;
  #timers = new Set<{ at: number; callback: () => void }>();

  now(): number {
    return this.#ms;
  }

  monotonic(): number {
    return this.#ms;
  }

  async sleep(ms: number): Promise<void> {
    this.advance(ms);
  }

  after(ms: number, callback: () => void): Timer {
    const timer = { at: this.#ms + ms, callback };
    this.#timers.add(timer);
    return { cancel: () => void this.#timers.delete(timer) };
  }

  soon(callback: () => void): void {
    setImmediate(callback);
  }

  advance(ms: number): void {
    this.#ms += ms;
    for (const timer of [...this.#timers].sort((a, b) => a.at - b.at)) {
      if (timer.at > this.#ms || !this.#timers.delete(timer)) continue;
      timer.callback();
    }
  }
}

export function idOf(n: number): StreamId {
  return n.toString(16).padStart(32, '0') as StreamId;
}

export interface FrameSpec {
  readonly stream: number;
  readonly first: number;
  readonly bodies: readonly string[];
  /** Of every record; default: the sequence number of each. */
  readonly timestamp?: number;
  readonly arrival?: number;
  readonly token?: string;
  readonly trimPoint?: number;
}

export function frameOf(spec: FrameSpec): Frame {
  const builder = new RecordBatchBuilder();
  for (const [i, text] of spec.bodies.entries()) {
    const body = new TextEncoder().encode(text);
    builder.begin();
    builder.timestamp(0, spec.timestamp ?? spec.first + i);
    builder.body(body, 0, body.length);
    builder.end();
  }
  const batch = builder.finish();
  const stamped = stampRecords(batch.bytes, { mode: 'client-prefer', uncapped: true, now: 0n, floor: 0n });
  const header: FrameHeader = {
    kind: 'records',
    streamId: idOf(spec.stream),
    streamlet: 0 as StreamletNumber,
    first: spec.first as SeqNum,
    count: batch.count,
    firstTimestamp: stamped.first,
    lastTimestamp: stamped.last,
    arrival: spec.arrival ?? 1_700_000_000_000,
    meteredBytes: batch.meteredBytes,
    ...(spec.token === undefined ? {} : { token: spec.token }),
    ...(spec.trimPoint === undefined ? {} : { trimPoint: spec.trimPoint as SeqNum }),
  };
  return whole(header, batch.bytes);
}

export function sealOf(stream: number | StreamId, at: number): Frame {
  const header: FrameHeader = {
    kind: 'seal',
    streamId: typeof stream === 'number' ? idOf(stream) : stream,
    streamlet: 0 as StreamletNumber,
    first: at as SeqNum,
    count: 0,
    firstTimestamp: 0n,
    lastTimestamp: 0n,
    arrival: 0,
    meteredBytes: 0,
  };
  return whole(header, new Uint8Array(0));
}

function whole(header: FrameHeader, body: Uint8Array): Frame {
  return decodeFrame(new Uint8Array(Buffer.concat([encodeFrameHeader(header, body, zlibChecksum), body])), 0, zlibChecksum);
}

export function bodiesOf(bytes: Uint8Array): string[] {
  const cursor = new RecordCursor(bytes);
  const found: string[] = [];
  while (cursor.next()) found.push(new TextDecoder().decode(bytes.subarray(cursor.bodyStart, cursor.end)));
  return found;
}

export class JobWorld {
  readonly clock = new TestClock();
  readonly zones = ['a', 'b', 'c'].map((name) => new MemoryChunkStore({ zone: zoneId(`zone-${name}`), checksum: zlibChecksum }));
  readonly metadata = new MemoryMetadataStore();
  readonly objects = new MemoryObjectStore({ pageMax: 3 });
  readonly events: string[] = [];
  readonly repository = new Repository(this.metadata, this.clock, systemRandom);
  readonly trace = { event: (name: string) => void this.events.push(name) };
  readonly chunkLogs = createChunkLogs({
    stores: () => this.zones,
    currentZones: () => this.zones.map(({ zone }) => zone),
    writeQuorum: 2,
    windowMax: 4,
    clock: systemClock,
    checksum: zlibChecksum,
    trace: this.trace,
    retryDelayMs: { min: 1, max: 5 },
    answerTimeoutMs: 1_000,
  });
  readonly ports: JobPorts = {
    objects: this.objects,
    repository: this.repository,
    chunkLogs: this.chunkLogs,
    checksum: zlibChecksum,
    clock: this.clock,
    random: systemRandom,
    trace: this.trace,
  };
  readonly register = this.repository.channel(CHANNEL, 1_000);
  #writer: ChunkWriter | undefined;
  #owners = 0;

  /** Claims the channel, closes the log of the owner before, and opens the next. */
  async own(): Promise<ChannelState> {
    this.#owners += 1;
    const owner = this.#owners.toString(16).padStart(32, '0') as OwnerNonce;
    const claimed = await this.register.claim(await this.register.read(), owner);
    if (claimed === undefined) throw new Error('somebody else claimed');
    const open = claimed.logs.find(({ end }) => end === undefined);
    const floor = Math.max(open?.base ?? 0, claimed.pending?.epoch === open?.epoch ? (claimed.pending?.to ?? 0) : 0) as Position;
    const zones = this.chunkLogs.zones();
    const recovery =
      open === undefined
        ? undefined
        : await this.chunkLogs.recover({ log: { channel: CHANNEL, epoch: open.epoch }, base: open.base, zones: open.zones }, floor);
    const writer = this.chunkLogs.openWriter({ channel: CHANNEL, epoch: claimed.epoch }, owner, zones, {
      committed: () => undefined,
      deposed: () => undefined,
      stalled: () => undefined,
    });
    this.#writer = writer;
    for (const payload of recovery?.adopted ?? []) await this.write(payload);
    const closed =
      open === undefined || recovery === undefined ? {} : { closed: { epoch: open.epoch, end: recovery.end, sealedAt: recovery.sealedAt } };
    const published = await this.register.publish(claimed, { zones, ...closed });
    if (published === undefined) throw new Error('not published');
    return published;
  }

  /** One committed chunk, in every zone that takes it. */
  async write(...parts: readonly Uint8Array[]): Promise<void> {
    const writer = this.#writer;
    if (writer === undefined) throw new Error('nobody owns the channel');
    const { at } = writer.write(parts);
    while (writer.commitPoint <= at || writer.inFlightBytes > 0) await systemClock.sleep(0);
  }

  /** One committed chunk of frames. */
  async append(...frames: readonly Frame[]): Promise<void> {
    await this.write(...frames.map(({ bytes }) => bytes));
  }

  /** The owner's word of what is committed. */
  get hint(): { epoch: ChunkWriter['log']['epoch']; to: Position } {
    const writer = this.#writer;
    if (writer === undefined) throw new Error('nobody owns the channel');
    return { epoch: writer.log.epoch, to: writer.commitPoint };
  }

  async rows(stream: number): Promise<readonly SegmentRow[]> {
    return await this.repository.segments.rowsFrom(idOf(stream), 0 as SeqNum, 1_000);
  }

  async ranges(stream: number): Promise<string[]> {
    return (await this.rows(stream)).map(({ first, end }) => `${first}-${end}`);
  }

  /** Makes a named stream with a chosen id, as its creation would. */
  async name(stream: number, retention: { ageSecs: number } | 'infinite' = 'infinite', deleteOnEmptyMinAgeSecs = 0): Promise<void> {
    await this.repository.basins.ensure('test-basin', { createStreamOnAppend: false, createStreamOnRead: false });
    const config = {
      storageClass: 'express' as const,
      retention,
      timestamping: { mode: 'client-prefer' as const, uncapped: false },
      deleteOnEmptyMinAgeSecs,
    };
    const random = { bytes: () => new Uint8Array(Buffer.from(idOf(stream), 'hex')), unit: () => 0 };
    await new Repository(this.metadata, this.clock, random).streams.ensure('test-basin', `stream-${stream}`, () => ({
      config,
      channel: CHANNEL,
    }));
  }

  /** Chunks that zone a holds of an epoch, seals included. */
  stored(epoch = 1): number[] {
    return [...(this.zones[0]?.stored.get(`${CHANNEL}/${epoch}`)?.keys() ?? [])].sort((a, b) => a - b);
  }
}
