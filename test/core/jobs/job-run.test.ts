import { describe, expect, test } from 'vitest';
import { runJob, type Slice } from '#core/jobs/job-run.ts';
import { JobRuns } from '#core/metadata/job-runs.ts';
import { StoreError } from '#core/model/errors.ts';
import type { Fields } from '#core/ports/metadata-store.ts';
import { JobWorld } from './world.ts';

const JOB = 'walk';
const SLICE_MS = 2_000;

/** A walk over `count` places; each takes a second of the world's clock. */
class Walk {
  readonly visited: number[] = [];
  readonly begun: number[] = [];
  readonly world: JobWorld;
  readonly count: number;
  /** Runs before each place is left. */
  atPlace: (place: number) => Promise<void> | void = () => undefined;

  constructor(world: JobWorld, count: number) {
    this.world = world;
    this.count = count;
  }

  async slice(cursor: Fields | undefined, budgetMs: number): Promise<Slice> {
    const end = this.world.clock.now() + budgetMs;
    let place = Number(cursor?.['place'] ?? 0);
    this.begun.push(place);
    for (; place < this.count; place += 1) {
      if (this.world.clock.now() >= end) return { isDone: false, cursor: { place } };
      await this.atPlace(place);
      this.visited.push(place);
      this.world.clock.advance(1_000);
    }
    return { isDone: true };
  }

  /** A run of `ms`, as an invocation of a function would be. */
  run(ms: number) {
    const end = this.world.clock.now() + ms;
    const remainingMs = () => end - this.world.clock.now();
    return runJob(this.world.ports, { job: JOB, remainingMs, sliceMsMax: SLICE_MS, slice: (cursor, budget) => this.slice(cursor, budget) });
  }
}

const upTo = (count: number): number[] => Array.from({ length: count }, (_, i) => i);

describe('a run of a job', () => {
  test('goes on where the last one ran out of time, and begins anew once all was seen', async () => {
    const world = new JobWorld();
    const walk = new Walk(world, 10);
    expect(await walk.run(5_000)).toBe('more');
    expect(walk.visited).toEqual(upTo(5));
    expect(await walk.run(60_000)).toBe('done');
    expect(walk.visited).toEqual(upTo(10));
    expect(await world.repository.jobRuns.read(JOB)).toEqual({ job: JOB, failures: 0 });
    expect(await walk.run(60_000)).toBe('done');
    expect(walk.visited).toHaveLength(20);
  });

  test('J2: one that is cut off loses at most a slice, and does not keep the next one from running for long', async () => {
    const world = new JobWorld();
    const walk = new Walk(world, 10);
    // The process ends here: nothing of it goes on.
    walk.atPlace = (place) => (place === 5 ? new Promise(() => undefined) : undefined);
    void walk.run(20_000);
    await expect.poll(() => walk.visited.length).toBe(5);
    expect(await new Walk(world, 10).run(1_000)).toBe('busy');
    world.clock.advance(20_000);
    const next = new Walk(world, 10);
    expect(await next.run(60_000)).toBe('done');
    expect(next.visited).toEqual(upTo(10).slice(4));
  });

  test('J1: one that slept longer than its lease moves no cursor when it wakes up', async () => {
    const world = new JobWorld();
    const sleeper = new Walk(world, 10);
    const woken = Promise.withResolvers<void>();
    sleeper.atPlace = (place) => (place === 3 ? woken.promise : undefined);
    const sleeping = sleeper.run(20_000);
    await expect.poll(() => sleeper.visited.length).toBe(3);
    world.clock.advance(60_000);
    const other = new Walk(world, 10);
    const far = Promise.withResolvers<void>();
    other.atPlace = (place) => (place === 8 ? far.promise : undefined);
    const running = other.run(60_000);
    await expect.poll(() => other.visited.length).toBe(6);
    woken.resolve();
    expect(await sleeping).toBe('overtaken');
    expect(world.events).toContain('job.overtaken');
    expect((await world.repository.jobRuns.read(JOB))?.cursor).toEqual({ place: 8 });
    far.resolve();
    expect(await running).toBe('done');
  });

  test('of two at once one has the job, whoever comes first', async () => {
    const world = new JobWorld();
    const walk = new Walk(world, 3);
    const outcomes = await Promise.all([walk.run(60_000), walk.run(60_000), walk.run(60_000)]);
    expect(outcomes.toSorted()).toEqual(['busy', 'busy', 'done']);
    expect(walk.visited).toEqual(upTo(3));
  });

  test('J2: where three runs failed in a row the walk begins anew; before, it is tried again from there', async () => {
    const world = new JobWorld();
    const walk = new Walk(world, 10);
    const places: number[] = [];
    walk.atPlace = (place) => {
      places.push(place);
      if (place === 5) throw new StoreError('storage', 'none', 'as the test wants it');
    };
    for (let run = 0; run < 4; run += 1) await expect(walk.run(60_000)).rejects.toThrow('as the test wants it');
    expect(places).toEqual([...upTo(6), 4, 5, 4, 5, ...upTo(6)]);
  });

  test('J2: a cursor that nobody can read begins anew', async () => {
    const world = new JobWorld();
    await world.metadata.commit([
      { kind: 'put', key: { partition: `job/${JOB}`, sort: 'run' }, fields: { failures: 0, cursor: 'of another version' } },
    ]);
    const walk = new Walk(world, 3);
    expect(await walk.run(60_000)).toBe('done');
    expect(walk.begun).toEqual([0, 2]);
  });

  test('takes the job although the answer that says so is lost, and gives it back', async () => {
    const world = new JobWorld();
    const runs = new JobRuns(world.metadata);
    const fields = { failures: 0, holder: 'me', until: 60_000 };
    await world.metadata.commit([{ kind: 'put', key: { partition: `job/${JOB}`, sort: 'run' }, fields }]);
    // What a retry of the store sees of its own first attempt.
    const retried = new JobRuns({
      get: async () => undefined,
      query: () => Promise.reject(new Error('unused')),
      commit: (writes) => world.metadata.commit(writes),
    });
    const taken = await retried.take(JOB, 'me', 0, 1_000);
    if (taken === undefined) throw new Error('not taken');
    expect(await runs.end(taken, { place: 1 })).toBe(true);
    expect(await runs.read(JOB)).toEqual({ job: JOB, failures: 0, cursor: { place: 1 } });
  });

  test('that has no time left takes nothing', async () => {
    const world = new JobWorld();
    expect(await new Walk(world, 3).run(0)).toBe('more');
    expect(await world.repository.jobRuns.read(JOB)).toBeUndefined();
  });

  test('a fault of ours is not taken for a failure of the job', async () => {
    const world = new JobWorld();
    const slice = async () => {
      throw new TypeError('ours');
    };
    await expect(runJob(world.ports, { job: JOB, remainingMs: () => 1_000, slice })).rejects.toThrow(TypeError);
  });
});
