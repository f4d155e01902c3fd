// A repository over the store in memory, with a clock and randomness that repeat.

import { MemoryMetadataStore } from '#core/adapters/memory/memory-metadata-store.ts';
import { Repository } from '#core/metadata/repository.ts';
import type { SegmentRow } from '#core/metadata/schema.ts';
import type { OffloadedPiece } from '#core/metadata/segment-index.ts';
import { StoreError } from '#core/model/errors.ts';
import { channelId, ownerNonce, seqNum, streamId, streamletNumber } from '#core/model/ids.ts';
import { DEFAULT_STREAM_CONFIG, type StreamCipher, type StreamConfig } from '#core/model/stream-config.ts';
import type { Clock } from '#core/ports/clock.ts';
import type { Random } from '#core/ports/random.ts';

export const CHANNEL = channelId('express-0');
export const STREAM = streamId('5'.repeat(32));
export const CONFIG = DEFAULT_STREAM_CONFIG;
export const BASIN_CONFIG = { createStreamOnAppend: false, createStreamOnRead: false };

/** Streams of this configuration, whatever their basin says. */
export const planned = (config: StreamConfig, cipher?: StreamCipher) => () => ({ config, channel: CHANNEL, cipher });

export const nonce = (n: number) => ownerNonce(n.toString(16).padStart(32, '0'));

export interface World {
  readonly store: MemoryMetadataStore;
  readonly repository: Repository;
  /** Milliseconds since 1970; a test may move it. */
  time: number;
}

export function world(): World {
  const store = new MemoryMetadataStore();
  const clock: Clock = {
    now: () => made.time,
    monotonic: () => made.time,
    sleep: () => Promise.resolve(),
    after: () => ({ cancel() {} }),
    soon: (callback) => callback(),
  };
  let drawn = 0;
  const random: Random = {
    bytes: (count) => {
      drawn += 1;
      return new Uint8Array(count).fill(drawn);
    },
    unit: () => 0.5,
  };
  const made = { store, repository: new Repository(store, clock, random), time: 1_700_000_000_000 };
  return made;
}

/** Every answer of a commit gets lost after it was applied, `count` times. */
export function loseAnswers(store: MemoryMetadataStore, count: number): void {
  let left = count;
  store.faults = {
    after({ operation }) {
      if (operation !== 'commit' || left === 0) return;
      left -= 1;
      throw new StoreError('unavailable', 'unknown', 'the answer got lost');
    },
  };
}

/** Once, before the next commit, somebody else is faster. */
export function beforeNextCommit(store: MemoryMetadataStore, interfere: () => Promise<unknown>): void {
  store.faults = {
    async before({ operation }) {
      if (operation !== 'commit') return;
      store.faults = undefined;
      await interfere();
    },
  };
}

export function row(first: number, end: number, object: string): SegmentRow {
  return {
    first: seqNum(first),
    end: seqNum(end),
    object,
    byteStart: 0,
    byteEnd: 100,
    firstTimestamp: BigInt(first),
    lastTimestamp: BigInt(end - 1),
    arrivalMax: end,
    meteredBytes: 10,
    records: end - first,
  };
}

/** [first, end) of the stream in `object`, each record with its number as its timestamp. */
export function piece(first: number, end: number, object: string, changes: Partial<OffloadedPiece['after']> = {}): OffloadedPiece {
  return {
    streamId: STREAM,
    first: seqNum(first),
    end: seqNum(end),
    after: {
      streamlet: streamletNumber(0),
      lastTimestamp: BigInt(Math.max(0, end - 1)),
      token: '',
      trimPoint: seqNum(0),
      isSealed: false,
      ...changes,
    },
    ...(first < end ? { row: row(first, end, object) } : {}),
  };
}
