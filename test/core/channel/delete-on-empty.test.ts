import { fc, test as property } from '@fast-check/vitest';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { Channel } from '#core/channel/channel.ts';
import { RecordBatchBuilder } from '#core/format/record.ts';
import type { StreamState } from '#core/metadata/schema.ts';
import { NEW_STREAM_STATE } from '#core/metadata/segment-index.ts';
import type { StreamRef } from '#core/model/append.ts';
import { isDueToDeleteItself } from '#core/model/delete-on-empty.ts';
import type { SeqNum, StreamId } from '#core/model/ids.ts';
import { DEFAULT_STREAM_CONFIG, type StreamConfig } from '#core/model/stream-config.ts';
import { batch, refOf, World } from './world.ts';

const MIN_AGE_SECS = 5;
const CONFIG: StreamConfig = { ...DEFAULT_STREAM_CONFIG, deleteOnEmptyMinAgeSecs: MIN_AGE_SECS };
const ref: StreamRef = { ...refOf(1), config: CONFIG };
const LONG_AGO = 1_000_000_000_000;

async function opened(world: World, ...options: Parameters<World['channel']>): Promise<Channel> {
  const channel = world.channel(...options);
  await channel.open('lock');
  onTestFinished(() => channel.close());
  return channel;
}

function trimTo(seqNum: number) {
  const builder = new RecordBatchBuilder();
  const value = new TextEncoder().encode('trim');
  const body = new Uint8Array(8);
  new DataView(body.buffer).setBigUint64(0, BigInt(seqNum));
  builder.begin();
  builder.header(new Uint8Array(), 0, 0, value, 0, value.length);
  builder.body(body, 0, body.length);
  builder.end();
  return builder.finish();
}

/** A stream of ten records that are all trimmed, and arrived long ago. */
function emptied(changes: Partial<StreamState> = {}): StreamState {
  const ten = 10 as SeqNum;
  return { ...NEW_STREAM_STATE, offloaded: ten, tail: ten, trimPoint: ten, lastArrival: LONG_AGO, ...changes };
}

const PENDING = { code: 'stream_deletion_pending', effect: 'none' };

describe('sealIfEmpty', () => {
  test('seals a stream that was never written, once its creation is long enough ago, and nothing is appended behind that', async () => {
    const channel = await opened(new World());
    expect(await channel.sealIfEmpty(ref, Date.now() - 1_000 * MIN_AGE_SECS)).toBe(false);
    expect(await channel.sealIfEmpty(ref, LONG_AGO)).toBe(true);
    await expect(channel.append(ref, batch('late'), {})).rejects.toMatchObject(PENDING);
    expect(await channel.sealIfEmpty(ref, LONG_AGO)).toBe(true);
  });

  test('D2: never one that holds a record, offloaded or not, committed or not, or that somebody waits to write to', async () => {
    const world = new World();
    const channel = await opened(world, { inFlightBytesMax: 1 });
    world.states.set(refOf(2).streamId, emptied({ trimPoint: 9 as SeqNum }));
    expect(await channel.sealIfEmpty({ ...ref, streamId: refOf(2).streamId }, LONG_AGO)).toBe(false);
    const first = channel.append(ref, batch('a'), {});
    expect(await channel.sealIfEmpty(ref, LONG_AGO)).toBe(false);
    const waiting = channel.append({ ...ref, streamId: refOf(3).streamId }, batch('b'), {});
    expect(await channel.sealIfEmpty({ ...ref, streamId: refOf(3).streamId }, LONG_AGO)).toBe(false);
    await Promise.all([first, waiting]);
    expect(await channel.sealIfEmpty(ref, LONG_AGO)).toBe(false);
  });

  test('D3: counts from the last record, trimmed or not, over a change of owners', async () => {
    const world = new World();
    const channel = await opened(world);
    await channel.append(ref, batch('a'), {});
    await channel.append(ref, trimTo(2), {});
    expect(await channel.sealIfEmpty(ref, LONG_AGO)).toBe(false);
    const heir = await opened(world);
    expect(await heir.sealIfEmpty(ref, LONG_AGO)).toBe(false);
    world.states.set(refOf(2).streamId, emptied({ lastArrival: Date.now() - 1_000 * MIN_AGE_SECS }));
    expect(await heir.sealIfEmpty({ ...ref, streamId: refOf(2).streamId }, LONG_AGO)).toBe(false);
    world.states.set(refOf(3).streamId, emptied());
    expect(await heir.sealIfEmpty({ ...ref, streamId: refOf(3).streamId }, LONG_AGO)).toBe(true);
  });

  test('D2: sees what retention trimmed while a reader kept the stream in memory, and ends that reader', async () => {
    const world = new World();
    world.states.set(ref.streamId, emptied({ trimPoint: 3 as SeqNum }));
    const channel = await opened(world);
    const tail = await channel.tail(ref);
    const following = tail.waitBeyond(10 as SeqNum, 60_000);
    following.catch(() => undefined);
    expect(await channel.sealIfEmpty(ref, LONG_AGO)).toBe(false);
    world.states.set(ref.streamId, emptied());
    expect(await channel.sealIfEmpty(ref, LONG_AGO)).toBe(true);
    expect(tail.trimPoint).toBe(10);
    await expect(following).rejects.toMatchObject({ code: 'stream_deletion_pending' });
    tail.release();
  });

  test('D1: goes by the newest configuration that the owner knows, whatever the one who asks believes', async () => {
    const world = new World();
    const channel = await opened(world);
    for (const [i, config] of [
      { ...CONFIG, retention: 'infinite' as const },
      { ...CONFIG, deleteOnEmptyMinAgeSecs: 0 },
    ].entries()) {
      const asked = { ...ref, streamId: refOf(10 + i).streamId };
      world.states.set(asked.streamId, { ...emptied(), configured: { version: 1, config } });
      expect(await channel.sealIfEmpty(asked, LONG_AGO)).toBe(false);
    }
    await channel.append(ref, trimTo(1), {});
    await channel.updateConfig({ ...ref, configVersion: 1, config: { ...CONFIG, deleteOnEmptyMinAgeSecs: 0 } });
    expect(await channel.sealIfEmpty(ref, LONG_AGO)).toBe(false);
  });

  property.prop([fc.array(fc.nat(4), { minLength: 2, maxLength: 8 }), fc.nat(8), fc.nat(6), fc.boolean()], { numRuns: 60 })(
    'D2: of appends and a seal that meet, whatever was acknowledged comes before no seal',
    async (delays, sealDelay, readDelay, isResident) => {
      const world = new World();
      const own: StreamId = ref.streamId;
      world.states.set(own, emptied(isResident ? { trimPoint: 3 as SeqNum } : {}));
      const channel = world.channel();
      await channel.open('lock');
      const tail = isResident ? await channel.tail(ref) : undefined;
      world.states.set(own, emptied());
      world.beforeStateRead = () => turns(readDelay);
      const appends = delays.map(async (delay, i) => {
        await turns(delay);
        return await channel.append(ref, batch(`r${i}`), {}).then(
          () => 'acknowledged',
          ({ code }) => code as string,
        );
      });
      const seal = turns(sealDelay).then(() => channel.sealIfEmpty(ref, LONG_AGO));
      const outcomes = await Promise.all(appends);
      const isSealed = await seal;
      tail?.release();
      await channel.close();
      expect(outcomes).toEqual(outcomes.map(() => (isSealed ? 'stream_deletion_pending' : 'acknowledged')));
    },
  );
});

async function turns(count: number): Promise<void> {
  for (let i = 0; i < count; i += 1) await new Promise((resolve) => setImmediate(resolve));
}

describe('isDueToDeleteItself', () => {
  const facts = { tail: 0 as SeqNum, trimPoint: 0 as SeqNum };
  const seq = fc.nat(20) as fc.Arbitrary<SeqNum>;

  property.prop([seq, seq, fc.option(fc.nat(100_000), { nil: undefined }), fc.nat(100_000), fc.nat(200_000), fc.nat(100), fc.nat(30_000)])(
    'D1, D2, D3: is true only for a stream of which nothing is readable, the minimum age after its last record and its creation',
    (tail, trimPoint, lastArrival, createdAt, now, minAgeSecs, clockErrorMs) => {
      const config = { ...CONFIG, deleteOnEmptyMinAgeSecs: minAgeSecs };
      const isDue = isDueToDeleteItself({ tail, trimPoint, lastArrival }, config, createdAt, now, clockErrorMs);
      if (!isDue) return;
      expect(minAgeSecs).toBeGreaterThan(0);
      expect(trimPoint).toBeGreaterThanOrEqual(tail);
      // The record was stamped by a clock that may have been behind, and now is by one that may be ahead.
      const latest = Math.max(createdAt, lastArrival ?? createdAt) + clockErrorMs;
      expect(now - latest).toBeGreaterThanOrEqual(1_000 * minAgeSecs);
    },
  );

  test('D3: not a moment before, then at once', () => {
    expect(isDueToDeleteItself(facts, CONFIG, 1_000, 5_999, 0)).toBe(false);
    expect(isDueToDeleteItself(facts, CONFIG, 1_000, 6_000, 0)).toBe(true);
    expect(isDueToDeleteItself(facts, CONFIG, 1_000, 6_099, 100)).toBe(false);
    expect(isDueToDeleteItself(facts, CONFIG, 1_000, 6_100, 100)).toBe(true);
    expect(isDueToDeleteItself({ ...facts, lastArrival: 2_000 }, CONFIG, 1_000, 6_999, 0)).toBe(false);
  });

  test('D1: never with infinite retention, or without a minimum age', () => {
    expect(isDueToDeleteItself(facts, { ...CONFIG, retention: 'infinite' }, 0, LONG_AGO, 0)).toBe(false);
    expect(isDueToDeleteItself(facts, { ...CONFIG, deleteOnEmptyMinAgeSecs: 0 }, 0, LONG_AGO, 0)).toBe(false);
  });

  test('D3: never while it is not on record when the last record arrived', () => {
    const ten = 10 as SeqNum;
    expect(isDueToDeleteItself({ tail: ten, trimPoint: ten }, CONFIG, 0, LONG_AGO, 0)).toBe(false);
  });
});
