import { describe, expect, test } from 'vitest';
import { runCompact } from '#core/jobs/compact.ts';
import { runTrim } from '#core/jobs/trim.ts';
import { StoreError } from '#core/model/errors.ts';
import { JobWorld } from './world.ts';

const BUDGET = 1_000;

/** Streams 1 to 4; what is asked of metadata about `victims` fails with `code`. */
async function fourStreams(code: StoreError['code'], ...victims: readonly number[]) {
  const world = new JobWorld();
  for (const stream of [1, 2, 3, 4]) await world.name(stream);
  const visited: number[] = [];
  const told: string[] = [];
  const { segments } = world.repository;
  const readState = segments.readState.bind(segments);
  segments.readState = async (streamId, consistency) => {
    const stream = Number.parseInt(streamId, 16);
    if (victims.includes(stream)) throw new StoreError(code, 'none', `stream ${stream} cannot be read`);
    visited.push(stream);
    return await readState(streamId, consistency);
  };
  const trace = { event: (name: string, fields?: { readonly stream?: unknown }) => void told.push(`${name} ${fields?.stream}`) };
  return { world, visited, told, ports: { ...world.ports, trace } };
}

describe.each([
  ['trim', runTrim],
  ['compact', runCompact],
] as const)('%s, where a stream cannot be read', (_, run) => {
  test('G13: tells of one that is damaged, and goes on with those behind it', async () => {
    const { ports, visited, told } = await fourStreams('corrupt', 2);
    expect(await run(ports, {}, BUDGET)).toMatchObject({ isDone: true });
    expect(visited).toEqual([1, 3, 4]);
    expect(told.filter((event) => event.startsWith('job.stream.failed'))).toEqual([`job.stream.failed ${'2'.padStart(32, '0')}`]);
  });

  test('ends with what ails the service: the next run begins at the same stream', async () => {
    const { ports, visited } = await fourStreams('unavailable', 3);
    await expect(run(ports, {}, BUDGET)).rejects.toMatchObject({ code: 'unavailable' });
    expect(visited).toEqual([1, 2]);
  });
});
