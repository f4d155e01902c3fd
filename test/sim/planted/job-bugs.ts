// Planted bugs of background jobs: offload, trim, compaction, gc and sweep.

import type { PlantedBug } from './planted-bug.ts';

export const JOB_BUGS: readonly PlantedBug[] = [
  {
    name: 'offload-not-from-base',
    part: 'offload',
    rules: ['O4', 'M6'],
    why: 'What was read ahead is stored wherever base stands by now: base jumps over chunks that nobody offloaded, and gc deletes them.',
    edits: [
      {
        file: 'core/jobs/offload.ts',
        find: 'ahead.epoch === log.epoch && ahead.from === log.base && ahead.limit <= limit;',
        replace: 'ahead.epoch === log.epoch && ahead.limit <= limit;',
      },
    ],
  },
  {
    name: 'offload-beyond-commit-point',
    part: 'offload',
    rules: ['O4'],
    why: 'Offload takes chunks that are only sent: segments show records that a takeover then decides never were.',
    edits: [
      {
        file: 'core/channel/gauges.ts',
        find: 'to: tenure.commitPoint,',
        replace: 'to: tenure.writtenEnd,',
      },
      {
        file: 'core/channel/tenure.ts',
        find: '  attach(writer: ChunkWriter): void {',
        replace: `  get writtenEnd(): Position {
    return this.#writer?.end ?? (0 as Position);
  }

  attach(writer: ChunkWriter): void {`,
      },
    ],
  },
  {
    name: 'rows-before-the-offload-is-named',
    part: 'offload',
    rules: ['O5'],
    why: 'Rows name an object that M does not: sweep takes it for an orphan while they are written.',
    edits: [
      {
        file: 'core/jobs/offload.ts',
        find: '  const named = await register.nameOffload(',
        replace: `  const unnamed = { finishOffload: async () => undefined } as unknown as ChannelRegister;
  await applyPending(ports, unnamed, { ...state, pending: { object: key, epoch: log.epoch, from, to } }, () => false);
  const named = await register.nameOffload(`,
      },
    ],
  },
  {
    name: 'base-moves-when-time-is-over',
    part: 'offload',
    rules: ['O5', 'O6'],
    why: 'A run that is out of time finishes the offload without its last rows: base moves over records that no segment names.',
    edits: [{ file: 'core/jobs/apply-offload.ts', find: "if (isOver()) return 'out_of_time';", replace: 'if (isOver()) break;' }],
  },
  {
    name: 'token-forgotten-by-offload',
    part: 'offload',
    rules: ['O7'],
    why: 'An offload without a fence clears the token on record: the next owner takes appends that the fence forbids.',
    edits: [{ file: 'core/jobs/apply-offload.ts', find: 'token: entry.token ?? state.token,', replace: "token: entry.token ?? ''," }],
  },
  {
    name: 'compaction-not-named-first',
    part: 'offload',
    rules: ['O8', 'G8'],
    why: 'The output of a compaction lies there before anything names it: sweep deletes it, and then a row points to it.',
    edits: [
      {
        file: 'core/jobs/compact.ts',
        find: `  const isNamed = await segments.startCompaction(streamId, { object, first: first.first, end: last.end });
  if (!isNamed) return 0;
`,
        replace: '',
      },
      {
        file: 'core/jobs/compact.ts',
        find: '  await ports.objects.put(object, built.parts);\n',
        replace: `  await ports.objects.put(object, built.parts);
  const range = { first: entry.first, end: entry.end };
  if (!(await ports.repository.segments.startCompaction(streamId, { object, ...range }))) return false;
`,
      },
    ],
  },
  {
    name: 'trim-takes-the-row-it-falls-into',
    part: 'gc',
    rules: ['M10', 'G5'],
    why: 'A row goes of which only the front was trimmed, and the records behind with it.',
    edits: [
      {
        file: 'core/jobs/trim.ts',
        find: 'const below = rows.filter(({ end }) => end <= state.trimPoint);',
        replace: 'const below = rows.filter(({ first }) => first < state.trimPoint);',
      },
    ],
  },
  {
    name: 'gc-before-base-moved',
    part: 'gc',
    rules: ['G1', 'C14'],
    why: 'Chunks of an offload that is named and not finished are deleted: a takeover has nothing to replay.',
    edits: [
      {
        file: 'core/jobs/gc.ts',
        find: 'const end = isOffloaded ? POSITIONS_END : log.base;',
        replace: 'const end = isOffloaded ? POSITIONS_END : state.pending?.epoch === epoch ? state.pending.to : log.base;',
      },
      { file: 'core/jobs/gc.ts', find: 'request.deleted?.get(epoch) !== log.base', replace: 'request.deleted?.get(epoch) !== end' },
    ],
  },
  {
    name: 'gc-with-an-older-m',
    part: 'gc',
    rules: ['G1', 'G2'],
    why: 'A log that is closed and was offloaded but for what is pending is taken for done: its chunks go before their rows are there.',
    edits: [
      {
        file: 'core/jobs/gc.ts',
        find: 'return log.end !== undefined && log.base >= log.end;',
        replace: 'return log.end !== undefined;',
      },
    ],
  },
  {
    name: 'sweep-with-an-older-m',
    part: 'gc',
    rules: ['G7'],
    why: 'An object counts as an orphan although M still has the version in its key: it is deleted, and named afterwards.',
    edits: [
      {
        file: 'core/jobs/orphans.ts',
        find: 'return state.version > version ? state : await register.bump(state);',
        replace: 'return state.version >= version ? state : await register.bump(state);',
      },
    ],
  },
  {
    name: 'sweep-of-a-log-to-be-published',
    part: 'gc',
    rules: ['G9'],
    why: 'The log of an epoch that was claimed and not yet published is taken for an orphan: the window in it, written again, is deleted.',
    edits: [{ file: 'core/jobs/sweep.ts', find: 'if (epoch >= state.epoch ||', replace: 'if (epoch > state.epoch ||' }],
  },
  {
    name: 'seals-swept',
    part: 'gc',
    rules: ['G9', 'C13'],
    why: 'With a log that M has long forgotten its seals go too: an old owner stores its chunk after all.',
    edits: [
      {
        file: 'core/jobs/sweep.ts',
        find: 'const ranges = around(spared, storedEnd);',
        replace: 'const ranges = around([], storedEnd);',
      },
    ],
  },
  {
    name: 'purged-too-early',
    part: 'gc',
    rules: ['M13'],
    why: 'The mark of a removed stream is forgotten while an offload or a cached name still leads to it: both take it for a new stream.',
    edits: [
      {
        file: 'core/jobs/gc.ts',
        find: 'purged = await ports.repository.streams.purge(olderThan, PURGE_PAGE);',
        replace: 'purged = await ports.repository.streams.purge(ports.clock.now(), PURGE_PAGE);',
      },
    ],
  },
];
