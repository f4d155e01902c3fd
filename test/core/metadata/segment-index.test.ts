import { fc, test as property } from '@fast-check/vitest';
import { describe, expect, test } from 'vitest';
import { decodeObject, decodeRow, decodeState } from '#core/metadata/codec.ts';
import { ROW_PREFIX, type SegmentRow, stateKey, streamPartition } from '#core/metadata/schema.ts';
import { OFFLOAD_PIECES_MAX, type OffloadedPiece, UNLINK_ROWS_MAX } from '#core/metadata/segment-index.ts';
import { type SeqNum, seqNum, streamId } from '#core/model/ids.ts';
import { beforeNextCommit, loseAnswers, piece, row, STREAM, type World, world } from './support.ts';

function rowsOf({ store }: World): SegmentRow[] {
  return store
    .items()
    .filter(({ partition, sort }) => partition === streamPartition(STREAM) && sort.startsWith(ROW_PREFIX))
    .map(decodeRow)
    .sort((a, b) => a.first - b.first);
}

/** M9, counted from nothing: each object's count is the number of rows that name it. U2: so is the state's sum of their bytes. */
function expectCounts(made: World): void {
  const state = made.store.items().find(({ partition, sort }) => partition === streamPartition(STREAM) && sort === 'state');
  const storedBytes = rowsOf(made).reduce((sum, { meteredBytes }) => sum + meteredBytes, 0);
  if (state !== undefined) expect(decodeState(state).storedBytes).toBe(storedBytes);
  const counts = new Map<string, number>();
  for (const { object } of rowsOf(made)) counts.set(object, (counts.get(object) ?? 0) + 1);
  const dead = new Set(made.store.items().flatMap(({ partition, sort }) => (partition === 'dead-objects' ? [sort.slice(17)] : [])));
  for (const item of made.store.items().filter(({ partition }) => partition.startsWith('object/'))) {
    const object = decodeObject(item.partition.slice('object/'.length), item);
    expect(object.rows).toBe(counts.get(object.key) ?? 0);
    expect(dead.has(object.key)).toBe(object.isComplete && object.rows === 0);
    counts.delete(object.key);
  }
  expect([...counts.keys()]).toEqual([]);
}

const apply = (made: World, ...pieces: OffloadedPiece[]) =>
  made.repository.segments.applyOffload({ key: pieces[0]?.row?.object ?? 'none', bytes: 1_000 }, pieces);

describe('SegmentIndex', () => {
  test('a stream of which nothing was offloaded has no state, no rows, and nothing to trim', async () => {
    const { segments } = world().repository;
    expect(await segments.readState(STREAM, 'strong')).toBeUndefined();
    expect(await segments.rowAt(STREAM, seqNum(0))).toBeUndefined();
    expect(await segments.rowsFrom(STREAM, seqNum(0), 10)).toEqual([]);
    expect(await segments.rowByTimestamp(STREAM, 0n)).toBeUndefined();
    expect(await segments.raiseTrimPoint(STREAM, seqNum(5))).toBeUndefined();
  });

  test('M8: an offload advances the state and adds its row, and again it does nothing', async () => {
    const made = world();
    const first = piece(0, 10, 'a', { token: 'writer', trimPoint: seqNum(3) });
    expect(await apply(made, first)).toBe(1);
    const state = await made.repository.segments.readState(STREAM, 'strong');
    expect(state).toMatchObject({ offloaded: 10, tail: 10, lastTimestamp: 9n, token: 'writer', trimPoint: 3, isSealed: false });
    expect(await apply(made, first)).toBe(0);
    expect(await apply(made, piece(10, 12, 'b'))).toBe(1);
    expect(await apply(made, first)).toBe(0);
    expect(rowsOf(made)).toEqual([row(0, 10, 'a'), row(10, 12, 'b')]);
    expectCounts(made);
  });

  test('M8: a piece that was applied in part is clipped to what is new', async () => {
    const made = world();
    await apply(made, piece(0, 4, 'a'));
    expect(await apply(made, piece(0, 10, 'b'))).toBe(1);
    expect(rowsOf(made)).toEqual([row(0, 4, 'a'), { ...row(0, 10, 'b'), first: 4, records: 6 }]);
    expectCounts(made);
  });

  test('M8: a piece behind a gap is corruption, and takes nothing of its group along', async () => {
    const made = world();
    await apply(made, piece(0, 4, 'a'));
    const other = { ...piece(0, 1, 'b'), streamId: streamId('7'.repeat(32)) };
    await expect(apply(made, other, piece(5, 6, 'b'))).rejects.toMatchObject({ code: 'corrupt', effect: 'none' });
    expect(await made.repository.segments.readState(other.streamId, 'strong')).toBeUndefined();
  });

  test('M7: the trim point of an offload does not lower one that was raised meanwhile', async () => {
    const made = world();
    await apply(made, piece(0, 10, 'a'));
    expect((await made.repository.segments.raiseTrimPoint(STREAM, seqNum(8)))?.trimPoint).toBe(8);
    await apply(made, piece(10, 20, 'b', { trimPoint: seqNum(5) }));
    expect((await made.repository.segments.readState(STREAM, 'strong'))?.trimPoint).toBe(8);
    expect((await made.repository.segments.raiseTrimPoint(STREAM, seqNum(7)))?.trimPoint).toBe(8);
    expect((await made.repository.segments.raiseTrimPoint(STREAM, seqNum(99)))?.trimPoint).toBe(20);
  });

  test('M7: the last arrival of what is offloaded stays on record, and never goes back, whatever becomes of the rows', async () => {
    const made = world();
    const { segments } = made.repository;
    const lastArrival = async () => (await segments.readState(STREAM, 'strong'))?.lastArrival;
    await apply(made, piece(0, 4, 'a', { lastArrival: 500 }));
    await segments.raiseTrimPoint(STREAM, seqNum(4));
    await segments.unlinkRows(STREAM, rowsOf(made));
    expect([rowsOf(made), await lastArrival()]).toEqual([[], 500]);
    // An owner whose wall clock is behind.
    await apply(made, piece(4, 6, 'b', { lastArrival: 400 }));
    expect(await lastArrival()).toBe(500);
    await apply(made, piece(6, 6, 'c', { isSealed: true, lastTimestamp: 5n }));
    expect(await lastArrival()).toBe(500);
  });

  test('M20: of changes of a state that meet none is lost, whichever field each adds', async () => {
    const compaction = { object: 'c', first: seqNum(0), end: seqNum(4) };
    type Change = (segments: World['repository']['segments']) => Promise<unknown>;
    const changes: Record<string, Change> = {
      'trim point': (segments) => segments.raiseTrimPoint(STREAM, seqNum(2)),
      compaction: (segments) => segments.startCompaction(STREAM, compaction),
      arrival: (segments) => segments.noteArrival(STREAM, 700),
      offload: (segments) => segments.applyOffload({ key: 'b', bytes: 1 }, [piece(4, 6, 'b')]),
    };
    for (const first of Object.values(changes)) {
      for (const second of Object.values(changes)) {
        if (first === second) continue;
        const made = world();
        await apply(made, piece(0, 4, 'a'));
        const { segments } = made.repository;
        beforeNextCommit(made.store, () => second(segments));
        await first(segments);
        const all = Object.values(changes).filter((change) => change === first || change === second);
        const alone = world();
        await apply(alone, piece(0, 4, 'a'));
        for (const change of all) await change(alone.repository.segments);
        expect(await segments.readState(STREAM, 'strong')).toEqual(await alone.repository.segments.readState(STREAM, 'strong'));
      }
    }
  });

  test('a last arrival that is not on record is noted once, and only where there is a state', async () => {
    const made = world();
    const { segments } = made.repository;
    await segments.noteArrival(STREAM, 700);
    expect(await segments.readState(STREAM, 'strong')).toBeUndefined();
    await apply(made, piece(0, 4, 'a'));
    await segments.noteArrival(STREAM, 700);
    await segments.noteArrival(STREAM, 900);
    expect(await segments.readState(STREAM, 'strong')).toMatchObject({ lastArrival: 700 });
  });

  test('a seal without records marks the state and adds no row, once', async () => {
    const made = world();
    await apply(made, piece(0, 10, 'a'));
    const seal = piece(10, 10, 'b', { isSealed: true, lastTimestamp: 9n });
    expect(await apply(made, seal)).toBe(1);
    expect(await apply(made, seal)).toBe(0);
    expect(await made.repository.segments.readState(STREAM, 'strong')).toMatchObject({ isSealed: true, offloaded: 10 });
    const sealOfNew = { ...piece(0, 0, 'b', { isSealed: true }), streamId: streamId('7'.repeat(32)) };
    expect(await apply(made, sealOfNew)).toBe(1);
    expect(rowsOf(made)).toHaveLength(1);
  });

  test('the most streams that one call takes fit into one transaction', async () => {
    const made = world();
    const pieces = Array.from({ length: OFFLOAD_PIECES_MAX }, (_, i) => ({
      ...piece(0, 5, 'a'),
      streamId: streamId(i.toString(16).padStart(32, '0')),
    }));
    let commits = 0;
    made.store.faults = {
      before({ operation }) {
        if (operation === 'commit') commits += 1;
      },
    };
    expect(await apply(made, ...pieces)).toBe(OFFLOAD_PIECES_MAX);
    expect(commits).toBe(1);
    expect((await made.repository.segments.objects.get('a'))?.rows).toBe(OFFLOAD_PIECES_MAX);
    await expect(async () => apply(made, ...pieces, piece(0, 5, 'a'))).rejects.toThrow('40');
  });

  test('M8: two that apply the same at the same time add each row once', async () => {
    const made = world();
    beforeNextCommit(made.store, () => apply(made, piece(0, 10, 'a')));
    expect(await apply(made, piece(0, 10, 'a'))).toBe(0);
    expect(rowsOf(made)).toEqual([row(0, 10, 'a')]);
    expectCounts(made);
  });

  test('rows are found by number and by timestamp, and read on from there', async () => {
    const made = world();
    const { segments } = made.repository;
    const bounds = [0, 10, 11, 30, 31, 100];
    for (let i = 1; i < bounds.length; i += 1) await apply(made, piece(bounds[i - 1] ?? 0, bounds[i] ?? 0, `o${i}`));
    for (let n = 0; n < 105; n += 1) {
      const expected = rowsOf(made).find(({ first, end }) => first <= n && n < end);
      expect(await segments.rowAt(STREAM, seqNum(n))).toEqual(expected);
      expect(await segments.rowByTimestamp(STREAM, BigInt(n))).toEqual(expected);
      expect((await segments.rowsFrom(STREAM, seqNum(n), 2)).map(({ first }) => first)).toEqual(
        bounds
          .slice(0, -1)
          .filter((first) => first >= (expected?.first ?? 1_000))
          .slice(0, 2),
      );
    }
    await segments.raiseTrimPoint(STREAM, seqNum(11));
    await segments.unlinkRows(STREAM, rowsOf(made).slice(0, 2));
    expect(await segments.rowAt(STREAM, seqNum(3))).toBeUndefined();
    expect((await segments.rowsFrom(STREAM, seqNum(3), 1))[0]?.first).toBe(11);
    expect((await segments.rowByTimestamp(STREAM, 0n))?.first).toBe(11);
  });

  test('M9: an object whose last row goes while its offload still runs is dead only once the offload completes it', async () => {
    const made = world();
    const { segments } = made.repository;
    await apply(made, piece(0, 10, 'a'));
    await segments.raiseTrimPoint(STREAM, seqNum(10));
    expect(await segments.unlinkRows(STREAM, rowsOf(made))).toBe(1);
    expect(await segments.objects.dead(made.time + 1, 10)).toEqual([]);
    await segments.objects.complete('a', 1_000);
    await segments.objects.complete('a', 1_000);
    expect(await segments.objects.dead(made.time + 1, 10)).toEqual([{ key: 'a', deadSince: made.time }]);
    expectCounts(made);
  });

  test('M9: a dead object is listed once it is old enough, and forgotten with its count', async () => {
    const made = world();
    const { segments } = made.repository;
    await apply(made, piece(0, 10, 'a'));
    await segments.objects.complete('a', 1_000);
    await segments.raiseTrimPoint(STREAM, seqNum(10));
    await segments.unlinkRows(STREAM, [row(0, 10, 'a')]);
    expect(await segments.objects.dead(made.time, 10)).toEqual([]);
    const [dead] = await segments.objects.dead(made.time + 1, 10);
    if (dead === undefined) throw new Error('no dead object');
    await segments.objects.forget(dead);
    await segments.objects.forget(dead);
    expect(await segments.objects.dead(made.time + 1, 10)).toEqual([]);
    expect(await segments.objects.get('a')).toBeUndefined();
  });

  test('an offload of which nothing was kept leaves its object dead', async () => {
    const made = world();
    await made.repository.segments.objects.complete('empty', 500);
    expect(await made.repository.segments.objects.dead(made.time + 1, 10)).toEqual([{ key: 'empty', deadSince: made.time }]);
  });

  test('M10: rows above the trim point are not unlinked, and rows that are gone do not count twice', async () => {
    const made = world();
    const { segments } = made.repository;
    await apply(made, piece(0, 10, 'a'), { ...piece(0, 3, 'a'), streamId: streamId('7'.repeat(32)) });
    await expect(segments.unlinkRows(STREAM, [row(0, 10, 'a')])).rejects.toThrow('M10');
    await segments.raiseTrimPoint(STREAM, seqNum(10));
    loseAnswers(made.store, 1);
    await expect(segments.unlinkRows(STREAM, [row(0, 10, 'a')])).rejects.toMatchObject({ effect: 'unknown' });
    expect(await segments.unlinkRows(STREAM, [row(0, 10, 'a')])).toBe(0);
    expect((await segments.objects.get('a'))?.rows).toBe(1);
  });

  const joined = { object: 'joined', first: seqNum(0), end: seqNum(20) };
  test('U2: the state knows what its rows hold through offload, trim and compaction, also one that never summed them', async () => {
    const made = world();
    const { segments } = made.repository;
    const sum = async () => (await segments.readState(STREAM, 'strong'))?.storedBytes;
    await apply(made, piece(0, 5, 'a'));
    await apply(made, piece(5, 9, 'b'));
    expect(await sum()).toBe(20);
    await made.store.commit([{ kind: 'update', key: stateKey(STREAM), set: { storedBytes: undefined } }]);
    expect(await sum()).toBeUndefined();
    await apply(made, piece(9, 12, 'c'));
    expect(await sum()).toBe(30);
    await segments.raiseTrimPoint(STREAM, seqNum(5));
    await made.store.commit([{ kind: 'update', key: stateKey(STREAM), set: { storedBytes: undefined } }]);
    expect(await segments.unlinkRows(STREAM, rowsOf(made).slice(0, 1))).toBe(1);
    expect(await sum()).toBe(20);
    await segments.startCompaction(STREAM, { object: 'joined', first: seqNum(5), end: seqNum(12) });
    expect(await segments.finishCompaction(STREAM, rowsOf(made), { ...row(5, 12, 'joined'), meteredBytes: 19 }, 100)).toBe(true);
    expect(await sum()).toBe(19);
    expectCounts(made);
  });

  test('M10: a compaction puts one row in the place of several, and their objects die', async () => {
    const made = world();
    const { segments } = made.repository;
    await apply(made, piece(0, 10, 'a'));
    await apply(made, piece(10, 20, 'b'));
    await segments.objects.complete('a', 1);
    const rows = rowsOf(made);
    expect(await segments.finishCompaction(STREAM, rows, row(0, 20, 'joined'), 9)).toBe(false);
    expect(await segments.startCompaction(STREAM, joined)).toBe(true);
    expect(await segments.startCompaction(STREAM, { ...joined, object: 'other' })).toBe(false);
    expect(await segments.finishCompaction(STREAM, rows, row(0, 20, 'joined'), 9)).toBe(true);
    expect(await segments.finishCompaction(STREAM, rows, row(0, 20, 'joined'), 9)).toBe(false);
    expect(rowsOf(made)).toEqual([row(0, 20, 'joined')]);
    expect((await segments.objects.dead(made.time + 1, 10)).map(({ key }) => key)).toEqual(['a']);
    expect(await segments.readState(STREAM, 'strong')).not.toHaveProperty('compacting');
    expectCounts(made);
  });

  test('a compaction that trim overtook does not bring rows back, and what it wrote is dead once given up', async () => {
    const made = world();
    const { segments } = made.repository;
    await apply(made, piece(0, 10, 'a'));
    await apply(made, piece(10, 20, 'b'));
    const rows = rowsOf(made);
    await segments.startCompaction(STREAM, joined);
    await segments.raiseTrimPoint(STREAM, seqNum(10));
    await segments.unlinkRows(STREAM, rows.slice(0, 1));
    expect(await segments.finishCompaction(STREAM, rows, row(0, 20, 'joined'), 9)).toBe(false);
    await segments.abandonCompaction(STREAM, 'joined');
    await segments.abandonCompaction(STREAM, 'joined');
    expect(rowsOf(made)).toEqual([row(10, 20, 'b')]);
    expect((await segments.objects.dead(made.time + 1, 10)).map(({ key }) => key)).toEqual(['joined']);
    expectCounts(made);
  });

  test('the most rows that one compaction joins, each of another object, fit into one transaction', async () => {
    const made = world();
    const { segments } = made.repository;
    for (let i = 0; i < UNLINK_ROWS_MAX; i += 1) {
      await apply(made, piece(i, i + 1, `o${i}`));
      await segments.objects.complete(`o${i}`, 1);
    }
    const end = seqNum(UNLINK_ROWS_MAX);
    await segments.startCompaction(STREAM, { ...joined, end });
    expect(await segments.finishCompaction(STREAM, rowsOf(made), row(0, UNLINK_ROWS_MAX, 'joined'), 9)).toBe(true);
    expect(await segments.objects.dead(made.time + 1, 100)).toHaveLength(UNLINK_ROWS_MAX);
    expectCounts(made);
  });

  const cuts = fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 1, maxLength: 12 });
  const schedule = fc.array(fc.record({ which: fc.nat(40), isLost: fc.boolean(), trimTo: fc.option(fc.nat(60), { nil: undefined }) }), {
    maxLength: 40,
  });
  property.prop([cuts, cuts, schedule])(
    'M7 to M9: two offloads cut differently, applied in part, again, out of turn and with lost answers, tile the stream exactly',
    async (one, two, steps) => {
      const made = world();
      const plans = [...pieces(one, 'x'), ...pieces(two, 'y')];
      for (const { which, isLost, trimTo } of steps) {
        const chosen = plans[which % plans.length];
        if (chosen === undefined) continue;
        if (isLost) loseAnswers(made.store, 1);
        await apply(made, chosen).catch(() => 0);
        made.store.faults = undefined;
        if (trimTo !== undefined) await trim(made, seqNum(trimTo));
        await expectTiled(made);
      }
    },
  );
});

function pieces(lengths: readonly number[], name: string): OffloadedPiece[] {
  let first = 0;
  return lengths.map((length, i) => {
    const made = piece(first, first + length, `${name}${i}`);
    first += length;
    return made;
  });
}

async function trim(made: World, to: SeqNum): Promise<void> {
  const state = await made.repository.segments.raiseTrimPoint(STREAM, to);
  const below = rowsOf(made).filter(({ end }) => end <= (state?.trimPoint ?? 0));
  await made.repository.segments.unlinkRows(STREAM, below);
}

async function expectTiled(made: World): Promise<void> {
  const state = await made.repository.segments.readState(STREAM, 'strong');
  const rows = rowsOf(made);
  rows.forEach((current, i) => {
    expect(current.end).toBe(rows[i + 1]?.first ?? state?.offloaded);
  });
  if (rows.length > 0) expect(rows[0]?.first).toBeLessThanOrEqual(state?.trimPoint ?? 0);
  else expect(state?.trimPoint ?? 0).toBe(state?.offloaded ?? 0);
  expectCounts(made);
}
