// One stream, number 1, whose records lie in memory, in chunks and in segments as a test puts them.

import { zlibChecksum } from '#core/adapters/node/zlib-checksum.ts';
import { runOffload } from '#core/jobs/offload.ts';
import type { StreamRef } from '#core/model/append.ts';
import type { SeqNum, StreamletNumber } from '#core/model/ids.ts';
import type { ReadBatch, ReadRequest, ReadStart } from '#core/model/read.ts';
import { DEFAULT_STREAM_CONFIG } from '#core/model/stream-config.ts';
import { ReadBudget } from '#core/reader/read-budget.ts';
import { openRead, type ReadSession } from '#core/reader/read-session.ts';
import { READER_LIMITS, type ReaderLimits } from '#core/reader/reader-limits.ts';
import { bodiesOf, CHANNEL, type FrameSpec, frameOf, idOf, JobWorld } from '../jobs/world.ts';
import { FakeTail } from './fake-tail.ts';

export const REF: StreamRef = {
  basin: 'test-basin',
  name: 'stream-1',
  streamId: idOf(1),
  channel: CHANNEL,
  streamlet: 0 as StreamletNumber,
  config: DEFAULT_STREAM_CONFIG,
  configVersion: 0,
};

export class ReaderWorld extends JobWorld {
  readonly tail = new FakeTail(this.clock);
  limits: ReaderLimits = READER_LIMITS;
  budget = new ReadBudget(this.clock, READER_LIMITS.allReadsBytesMax, 1_000);
  /** What Random.unit gives: where heartbeats lie between 5 and 15 s. */
  unit = 0;

  static async make(): Promise<ReaderWorld> {
    const world = new ReaderWorld();
    await world.own();
    return world;
  }

  /** One committed frame; each record's body is its sequence number, unless given, and its timestamp too. */
  async put(count: number, spec: Partial<FrameSpec> = {}): Promise<void> {
    const first = this.tail.tail.seqNum;
    const bodies = spec.bodies ?? Array.from({ length: count }, (_, i) => `${first + i}`);
    const frame = frameOf({ ...spec, stream: 1, first, bodies });
    await this.append(frame);
    this.tail.commit(frame);
  }

  async offload(): Promise<void> {
    const { isDone } = await runOffload(this.ports, { channel: CHANNEL, hint: this.hint }, 1_000);
    if (!isDone) throw new Error('not offloaded');
  }

  /** Everything so far lies in segments only. */
  async offloadAndForget(): Promise<void> {
    await this.offload();
    this.tail.evict();
  }

  open(request: Partial<ReadRequest> & { start?: ReadStart }, mode: 'unary' | 'session' = 'session'): Promise<ReadSession> {
    const deps = {
      objects: this.objects,
      repository: this.repository,
      tail: this.tail,
      clock: this.clock,
      checksum: zlibChecksum,
      random: { bytes: (count: number) => new Uint8Array(count), unit: () => this.unit },
      limits: this.limits,
      budget: this.budget,
    };
    return openRead(deps, REF, { start: { kind: 'seqNum', seqNum: 0 as SeqNum }, clamp: false, ...request }, mode);
  }

  async unary(request: Partial<ReadRequest>): Promise<string[]> {
    const session = await this.open(request, 'unary');
    const batch = await session.next();
    if (batch === 'end') throw new Error('a unary read gives one batch');
    if ((await session.next()) !== 'end') throw new Error('a unary read gives only one batch');
    return bodies(batch);
  }
}

export function bodies(batch: ReadBatch | 'end'): string[] {
  if (batch === 'end') return ['end'];
  const found = batch.runs.map(({ bytes, count }) => {
    const run = bodiesOf(bytes);
    if (run.length !== count) throw new Error('a run holds another number of records than it says');
    return run;
  });
  return found.flat();
}

export function numbers(first: number, end: number): string[] {
  return Array.from({ length: end - first }, (_, i) => `${first + i}`);
}

export function at(seqNum: number): ReadStart {
  return { kind: 'seqNum', seqNum: seqNum as SeqNum };
}
