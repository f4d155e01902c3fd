// Planted bugs that let a queue grow beyond its bound, or never give back what was taken of one.

import type { PlantedBug } from './planted-bug.ts';

export const BOUND_BUGS: readonly PlantedBug[] = [
  {
    name: 'lagging-zone-without-bound',
    part: 'chunk',
    rules: ['C6'],
    why: 'A zone that is gone is owed every chunk since: the memory of its owner fills up.',
    edits: [{ file: 'core/chunk/lane.ts', find: '      if (this.#copies.size <= this.#copiesMax) break;\n', replace: '      break;\n' }],
  },
  {
    name: 'calls-to-a-zone-without-bound',
    part: 'chunk',
    rules: ['C6'],
    why: 'A zone that is slow is called again for every chunk at once: it has ever more to do.',
    edits: [
      {
        file: 'core/chunk/lane.ts',
        find: 'while (this.#calls < this.#copiesMax && this.#ready.length > 0) {',
        replace: 'while (this.#ready.length > 0) {',
      },
      { file: 'core/chunk/lane.ts', find: ' && copy.calls < CALLS_A_COPY_MAX', replace: '' },
    ],
  },
  {
    name: 'waiting-without-bound',
    part: 'channel',
    rules: ['L13'],
    why: 'Appends that cannot go on at once wait, however many bytes wait already.',
    edits: [
      {
        file: 'core/channel/channel.ts',
        find: '    if (this.#waitingBytes + bytes > this.#config.waitingBytesMax) return this.#turns.throttle(ref.streamId, session);\n',
        replace: '    if (bytes < 0) return this.#turns.throttle(ref.streamId, session);\n',
      },
    ],
  },
  {
    name: 'in-flight-without-bound',
    part: 'channel',
    rules: ['T4'],
    why: 'Appends are sequenced however much is in flight: what a slow quorum has not stored fills up memory.',
    edits: [
      {
        file: 'core/channel/tenure.ts',
        find: 'return this.#inFlightBytes < this.#config.inFlightBytesMax && !this.isBacklogFull;',
        replace: 'return !this.isBacklogFull;',
      },
    ],
  },
  {
    name: 'backlog-without-bound',
    part: 'channel',
    rules: ['T4'],
    why: 'Appends are taken however much waits for offload: a takeover would have to replay more than it can hold.',
    edits: [
      {
        file: 'core/channel/tenure.ts',
        find: 'return this.backlog.backlogBytes >= this.#config.backlogBytesMax;',
        replace: 'return false;',
      },
    ],
  },
  {
    name: 'read-budget-without-bound',
    part: 'reader',
    rules: ['T11'],
    why: 'Every reader is served at once, however much memory all of them hold.',
    edits: [
      {
        file: 'core/reader/read-budget.ts',
        find: '    if (this.#taken > 0 && this.#taken + bytes > this.#bytesMax) return false;\n',
        replace: '',
      },
    ],
  },
  {
    name: 'read-budget-leaks',
    part: 'reader',
    rules: ['T11'],
    why: 'What was read ahead for a reader that ends is never given back: in the end no read of older records finds room.',
    edits: [
      {
        file: 'core/reader/segment-scan.ts',
        find: 'for (const { bytes } of this.#ahead.splice(0)) this.#release(bytes);',
        replace: 'this.#ahead.splice(0);',
      },
    ],
  },
  {
    name: 'usage-without-bound',
    part: 'api',
    rules: ['U3'],
    why: 'Minutes are counted in memory however many are held: while metadata cannot be written they fill it up.',
    edits: [
      {
        file: 'core/api/usage/meter.ts',
        find: '    if (this.#minutesCount >= this.#bounds.minutesMax) {\n      this.tidy',
        replace: '    if (this.#minutesCount < 0) {\n      this.tidy',
      },
    ],
  },
];
