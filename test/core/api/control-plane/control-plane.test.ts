// The control plane is linearizable: some order of all calls, each at points of its time, explains every answer.
//
// What it found, and what it finds when it is put back: docs/verification.md.

import { describe, expect, test } from 'vitest';
import type { BasinSettings, Call, Operation, Outcome } from './history.ts';
import { checkLinearizable } from './linearizable.ts';
import { play } from './play.ts';

const GROUPS = 8;
const INTERLEAVINGS_EACH = 100;

describe('basins and streams by name, and what is appended to them', () => {
  const seen = new Map<string, number>();

  test.each(Array.from({ length: GROUPS }, (_, group) => group))(
    'are linearizable, group %i of interleavings',
    { timeout: 60_000 },
    async (group) => {
      for (let i = 0; i < INTERLEAVINGS_EACH; i += 1) {
        const seed = `interleaving ${group}.${i}`;
        const { calls } = await play(seed);
        const verdict = checkLinearizable(calls, {});
        if (!verdict.ok) expect.fail(`${seed}: ${verdict.message}`);
        for (const situation of situationsOf(calls)) seen.set(situation, (seen.get(situation) ?? 0) + 1);
      }
    },
  );

  test('come through everything that the interleavings are for', () => {
    expect(SITUATIONS.filter((situation) => (seen.get(situation) ?? 0) < 10)).toEqual([]);
  });
});

const SITUATIONS = [
  'overlapping calls',
  'a stream made again',
  'a stream made by an append',
  'a basin made again',
  'an append refused by its configuration',
  'a stream changed under appends',
  'basin_deletion_pending',
  'basin_not_found',
  'resource_already_exists',
  'stream_deletion_pending',
  'stream_not_found',
  'noop',
  'updated',
];

function situationsOf(calls: readonly Call[]): ReadonlySet<string> {
  const found = new Set<string>();
  const times = (kind: Operation['kind'], outcome: Outcome['kind']) =>
    calls.filter((call) => call.operation.kind === kind && call.outcome.kind === outcome);
  for (const { outcome, began, ended } of calls) {
    if (outcome.kind === 'refused') found.add(outcome.code === 'invalid' ? 'an append refused by its configuration' : outcome.code);
    else found.add(outcome.kind);
    if (ended > began + 1) found.add('overlapping calls');
  }
  const byName = Map.groupBy([...times('create', 'created'), ...times('ensure', 'created')], ({ operation }) =>
    JSON.stringify(operation, ['basin', 'stream']),
  );
  if ([...byName.values()].some((made) => made.length > 1)) found.add('a stream made again');
  if (
    new Set(times('create basin', 'created').map(({ operation }) => 'basin' in operation && operation.basin)).size <
    times('create basin', 'created').length
  )
    found.add('a basin made again');
  if (times('append', 'appended').length > 0 && byName.size === 0) found.add('a stream made by an append');
  if (times('change', 'stream').length > 0 && times('append', 'appended').length > 0) found.add('a stream changed under appends');
  return found;
}

describe('the checker', () => {
  const at = { basin: 'b', stream: 's' };
  const settings: BasinSettings = { onAppend: false, onRead: false, strict: undefined };
  const basin: Operation = { kind: 'create basin', basin: 'b', settings, token: undefined };
  const create: Operation = { kind: 'create', ...at, strict: undefined, token: undefined };
  const append = (body: string): Operation => ({ kind: 'append', ...at, body, inSession: false });
  const deleteBasin: Operation = { kind: 'delete basin', basin: 'b', byOwner: true };
  const made: Outcome = { kind: 'created' };
  const refused = (code: string): Outcome => ({ kind: 'refused', code });
  const names = (...all: string[]): Outcome => ({ kind: 'names', names: all });

  /** One call after the other, but for those that say how long they last. */
  function history(...calls: readonly [Operation, Outcome, lasts?: number][]): Call[] {
    return calls.map(([operation, outcome, lasts = 1], i) => ({
      client: i,
      operation,
      outcome,
      began: 10 * i,
      ended: 10 * (i + lasts) - 1,
    }));
  }

  const before: [Operation, Outcome][] = [
    [basin, made],
    [create, made],
  ];
  const bad: readonly [title: string, bad: Call[], good: Call[]][] = [
    [
      'a listing without a stream whose creation was answered',
      history(...before, [{ kind: 'list', basin: 'b' }, names()]),
      history(before[0] as never, [create, made, 2], [{ kind: 'list', basin: 'b' }, names()]),
    ],
    [
      'an append behind an answered deletion',
      history(...before, [{ kind: 'delete', ...at }, { kind: 'done' }], [append('x'), { kind: 'appended', at: 0 }]),
      history(...before, [{ kind: 'delete', ...at }, { kind: 'done' }, 2], [append('x'), { kind: 'appended', at: 0 }]),
    ],
    [
      'a name that is made again and still refuses',
      history(...before, [{ kind: 'delete', ...at }, { kind: 'done' }], [create, made], [append('x'), refused('stream_deletion_pending')]),
      history(...before, [{ kind: 'delete', ...at }, { kind: 'done' }], [append('x'), refused('stream_deletion_pending')], [create, made]),
    ],
    [
      'a stream that is made in a basin that is being deleted',
      history([basin, made], [deleteBasin, { kind: 'done' }], [create, made]),
      history([basin, made], [deleteBasin, { kind: 'done' }, 2], [create, made]),
    ],
    [
      'an append behind an answered deletion of its basin',
      history(...before, [deleteBasin, { kind: 'done' }], [append('x'), { kind: 'appended', at: 0 }]),
      history(...before, [{ ...deleteBasin, byOwner: false }, { kind: 'done' }], [append('x'), { kind: 'appended', at: 0 }]),
    ],
    [
      'a configuration that is told behind an answered deletion of its basin',
      history(
        ...before,
        [{ ...deleteBasin, byOwner: false }, { kind: 'done' }],
        [
          { kind: 'get', ...at },
          { kind: 'stream', strict: false },
        ],
      ),
      history(
        ...before,
        [{ ...deleteBasin, byOwner: false }, { kind: 'done' }, 2],
        [
          { kind: 'get', ...at },
          { kind: 'stream', strict: false },
        ],
      ),
    ],
    [
      'a deletion that is withdrawn',
      history([basin, made], [deleteBasin, { kind: 'done' }], [{ kind: 'list basins' }, names('b')]),
      history([basin, made], [deleteBasin, { kind: 'done' }], [{ kind: 'list basins' }, names('(b)')]),
    ],
    [
      'an append that does not go by a configuration that was answered',
      history(
        ...before,
        [
          { kind: 'change', ...at, strict: true },
          { kind: 'stream', strict: true },
        ],
        [append('x'), { kind: 'appended', at: 0 }],
      ),
      history(
        ...before,
        [{ kind: 'change', ...at, strict: true }, { kind: 'stream', strict: true }, 2],
        [append('x'), { kind: 'appended', at: 0 }],
      ),
    ],
    [
      'an append that is refused by a configuration that nobody asked for',
      history(...before, [append('x'), refused('invalid')]),
      history(...before, [{ kind: 'ensure', ...at, strict: true }, { kind: 'updated' }], [append('x'), refused('invalid')]),
    ],
    [
      'a stream with the default that its basin had before',
      history(
        [basin, made],
        [{ kind: 'change basin', basin: 'b', settings: { strict: true } }, { kind: 'done' }],
        [create, made],
        [
          { kind: 'get', ...at },
          { kind: 'stream', strict: false },
        ],
      ),
      history(
        [basin, made],
        [{ kind: 'change basin', basin: 'b', settings: { strict: true } }, { kind: 'done' }, 2],
        [create, made],
        [
          { kind: 'get', ...at },
          { kind: 'stream', strict: false },
        ],
      ),
    ],
    [
      'records of the stream that the name was before',
      history(
        ...before,
        [append('x'), { kind: 'appended', at: 0 }],
        [{ kind: 'delete', ...at }, { kind: 'done' }],
        [create, made],
        [
          { kind: 'read', ...at },
          { kind: 'bodies', bodies: ['x'] },
        ],
      ),
      history(
        ...before,
        [append('x'), { kind: 'appended', at: 0 }],
        [{ kind: 'delete', ...at }, { kind: 'done' }],
        [create, made],
        [
          { kind: 'read', ...at },
          { kind: 'bodies', bodies: [] },
        ],
      ),
    ],
    [
      'a second creation by another token',
      history([basin, made], [{ ...create, token: 'one' }, made], [{ ...create, token: 'two' }, { kind: 'noop' }]),
      history([basin, made], [{ ...create, token: 'one' }, made], [{ ...create, token: 'one' }, { kind: 'noop' }]),
    ],
  ];

  test.each(bad)('refuses %s, and takes its twin', (_title, wrong, right) => {
    expect(checkLinearizable(wrong, {})).toMatchObject({ ok: false });
    expect(checkLinearizable(right, {})).toMatchObject({ ok: true });
  });
});
