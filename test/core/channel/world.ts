// A channel over three zones in memory, its metadata item in a variable, and everything a crash leaves behind.

import { MemoryChunkStore } from '#core/adapters/memory/memory-chunk-store.ts';
import { systemClock } from '#core/adapters/node/system-clock.ts';
import { systemRandom } from '#core/adapters/node/system-random.ts';
import { zlibChecksum } from '#core/adapters/node/zlib-checksum.ts';
import { Channel } from '#core/channel/channel.ts';
import type { ChannelConfig, ChannelMetadata } from '#core/channel/deps.ts';
import { createChunkLogs } from '#core/chunk/logs.ts';
import { type RecordBatch, RecordBatchBuilder, RecordCursor } from '#core/format/record.ts';
import type { ChannelState, StreamState } from '#core/metadata/schema.ts';
import type { StreamRef } from '#core/model/append.ts';
import { refused } from '#core/model/errors.ts';
import type { ChannelId, Epoch, OwnerNonce, SeqNum, StreamId, StreamletNumber, ZoneId } from '#core/model/ids.ts';
import { DEFAULT_STREAM_CONFIG } from '#core/model/stream-config.ts';

const KIB = 1024;

export const CONFIG: ChannelConfig = {
  batching: { chunkBytesTarget: KIB, chunkBytesMax: 4 * KIB, lingerMs: 1 },
  leaseMs: 400,
  tailMs: 50,
  tailBytesMax: 64 * KIB,
  backlogBytesMax: 1024 * KIB,
  inFlightBytesMax: 64 * KIB,
  waitingBytesMax: 256 * KIB,
  roomMsMax: 3_000,
  idleMs: 5,
  wallErrorMsMax: 1_000,
};

export class World {
  readonly zones = ['a', 'b', 'c'].map((name) => new MemoryChunkStore({ zone: `zone-${name}` as ZoneId, checksum: zlibChecksum }));
  readonly states = new Map<StreamId, StreamState>();
  readonly events: string[] = [];
  /** Streams whose names are free again, and whose states were purged. */
  readonly gone = new Set<StreamId>();
  item: ChannelState = {
    channel: 'test-0' as ChannelId,
    version: 0,
    epoch: 0 as Epoch,
    owner: '0'.repeat(32) as OwnerNonce,
    leaseCounter: 0,
    leaseMs: CONFIG.leaseMs,
    state: 'released',
    logs: [],
  };
  stateReads = 0;
  /** Where a test lets the read of a stream's state wait. */
  beforeStateRead: (() => Promise<void>) | undefined;
  metadata: ChannelMetadata = {
    read: async () => this.item,
    claim: async (seen, owner) =>
      this.change(this.sameClaim(seen), {
        epoch: (seen.epoch + 1) as Epoch,
        owner,
        state: 'recovering',
        leaseCounter: seen.leaseCounter + 1,
      }),
    renew: async (own) => {
      if (this.item.owner !== own.owner) return undefined;
      this.item = { ...this.item, leaseCounter: this.item.leaseCounter + 1 };
      return this.item;
    },
    publish: async (claimed, { zones, closed }) => {
      const logs = this.item.logs.map((log) =>
        log.epoch === closed?.epoch ? { ...log, end: closed.end, sealedAt: closed.sealedAt } : log,
      );
      const isMine = this.item.owner === claimed.owner && this.item.version === claimed.version;
      return this.change(isMine, { state: 'active', logs: [...logs, { epoch: claimed.epoch, base: 0 as never, zones }] });
    },
    release: async (own) => this.change(this.item.owner === own.owner, { state: 'released' }),
  };

  sameClaim(seen: ChannelState): boolean {
    return this.item.epoch === seen.epoch && this.item.version === seen.version && this.item.leaseCounter === seen.leaseCounter;
  }

  change(holds: boolean, set: Partial<ChannelState>): ChannelState | undefined {
    if (!holds) return undefined;
    this.item = { ...this.item, ...set, version: this.item.version + 1 };
    return this.item;
  }

  channel(config: Partial<ChannelConfig> = {}, metadata = this.metadata): Channel {
    const trace = { event: (name: string) => void this.events.push(name) };
    const logs = createChunkLogs({
      stores: () => this.zones,
      currentZones: () => this.zones.map(({ zone }) => zone),
      writeQuorum: 2,
      windowMax: 4,
      clock: systemClock,
      checksum: zlibChecksum,
      trace,
      retryDelayMs: { min: 1, max: 20 },
      answerTimeoutMs: 500,
    });
    const deps = {
      channel: this.item.channel,
      clock: systemClock,
      random: systemRandom,
      checksum: zlibChecksum,
      trace,
      logs,
      metadata,
      readState: async (streamId: StreamId) => {
        this.stateReads += 1;
        await this.beforeStateRead?.();
        return this.states.get(streamId);
      },
      isNamed: async ({ streamId }: StreamRef) => !this.gone.has(streamId),
    };
    return new Channel(deps, { ...CONFIG, ...config });
  }

  /** What offload would do: the stream's state moves to its tail, and base to `to`. */
  offloaded(streamId: StreamId, tail: number, to: number): void {
    const zero = { streamlet: 0 as StreamletNumber, lastTimestamp: 0n, token: '', trimPoint: 0 as SeqNum, isSealed: false };
    this.states.set(streamId, { ...zero, offloaded: tail as SeqNum, tail: tail as SeqNum });
    const logs = this.item.logs.map((log) => (log.end === undefined ? { ...log, base: to as never } : log));
    this.change(true, { logs });
  }
}

export function refOf(n: number): StreamRef {
  const streamId = n.toString(16).padStart(32, '0') as StreamId;
  const names = { basin: 'test-basin', name: `stream-${n}` };
  const channel = 'test-0' as ChannelId;
  return { ...names, streamId, channel, streamlet: 0 as StreamletNumber, config: DEFAULT_STREAM_CONFIG, configVersion: 0 };
}

export function batch(...bodies: readonly string[]): RecordBatch {
  const builder = new RecordBatchBuilder();
  for (const body of bodies) {
    const bytes = new TextEncoder().encode(body);
    builder.begin();
    builder.body(bytes, 0, bytes.length);
    builder.end();
  }
  return builder.finish();
}

/** Every body that memory holds of a stream, from its start. */
export async function bodies(channel: Channel, ref: StreamRef, from = 0): Promise<string[]> {
  const tail = await channel.tail(ref);
  const view = tail.read(from as SeqNum, Number.POSITIVE_INFINITY);
  tail.release();
  if (view === 'below') throw new Error('memory no longer holds the start');
  return view.frames.flatMap(({ body }) => {
    const cursor = new RecordCursor(body);
    const found: string[] = [];
    while (cursor.next()) found.push(new TextDecoder().decode(body.subarray(cursor.bodyStart, cursor.end)));
    return found;
  });
}

/** A call of a metadata store that does not answer. */
export async function metadataIsOut(): Promise<never> {
  throw refused('unavailable', 'the metadata store is out');
}
