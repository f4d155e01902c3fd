// Planted bugs of the chunk log: quorums, seals, torn and wiped zones, commit points.

import type { PlantedBug } from './planted-bug.ts';

export const CHUNK_BUGS: readonly PlantedBug[] = [
  {
    name: 'seal-quorum-of-one',
    part: 'chunk',
    rules: ['C7', 'C9'],
    why: 'R = 1: a takeover believes the one zone that lacks a committed chunk, closes the log before it, and its records are lost.',
    edits: [{ file: 'core/chunk/options.ts', find: 'return zoneCount - writeQuorum + 1;', replace: 'return 1;' }],
  },
  {
    name: 'write-quorum-of-one',
    part: 'chunk',
    rules: ['C1'],
    why: 'W = 1: a chunk that one zone holds is acknowledged; a takeover that hears the two others finds nothing there.',
    edits: [
      {
        file: 'core/chunk/commit-point.ts',
        find: 'countBits(this.#copies[0] ?? 0) >= this.#writeQuorum',
        replace: 'countBits(this.#copies[0] ?? 0) >= 1',
      },
    ],
  },
  {
    name: 'commit-out-of-order',
    part: 'chunk',
    rules: ['C1', 'L4'],
    why: 'Acknowledged out of order: a chunk with W copies takes those before it along, of which a takeover may find none.',
    edits: [
      {
        file: 'core/chunk/commit-point.ts',
        find: 'while (this.#copies.length > 0 && countBits(this.#copies[0] ?? 0) >= this.#writeQuorum) {',
        replace: 'while (this.#copies.some((mask) => countBits(mask) >= this.#writeQuorum)) {',
      },
    ],
  },
  {
    name: 'occupied-counts-as-stored',
    part: 'chunk',
    rules: ['C3', 'C4'],
    why: 'Whoever slept through a takeover meets the seals of its successor, takes them for its own chunk, and acknowledges.',
    edits: [
      {
        file: 'core/chunk/lane.ts',
        find: "return answer === 'stored' ? 'stored' : this.#lookUp(store, chunk);",
        replace: "return answer === 'stored' || store.isWritable ? 'stored' : this.#lookUp(store, chunk);",
      },
    ],
  },
  {
    name: 'torn-counts-as-stored',
    part: 'chunk',
    rules: ['C3'],
    why: 'What a write left torn is taken for its chunk: an acknowledgement rests on one copy fewer than the write quorum.',
    edits: [
      {
        file: 'core/chunk/lane.ts',
        find: "if (typeof found === 'string') return found;",
        replace: "if (typeof found === 'string') return found === 'torn' ? 'stored' : found;",
      },
    ],
  },
  {
    name: 'commit-point-too-high',
    part: 'chunk',
    rules: ['C2', 'C8'],
    why: 'A chunk says that all before it is committed when it is only sent: a takeover closes the log behind chunks that are nowhere.',
    edits: [
      {
        file: 'core/chunk/writer.ts',
        find: 'encodeChunk({ log: this.log, at, commitPoint, owner: this.#owner }',
        replace: 'encodeChunk({ log: this.log, at, commitPoint: at, owner: this.#owner }',
      },
    ],
  },
  {
    name: 'late-answer-moves-commit-point',
    part: 'chunk',
    rules: ['C8', 'C12'],
    why: 'A zone that answers after the commit point was frozen moves what is adopted, and not where the log is closed: chunks between the two are in neither log.',
    edits: [
      {
        file: 'core/chunk/find.ts',
        find: '    commitPointIn(options, log, zone, floor),\n  );',
        replace: `    commitPointIn(options, log, zone, floor).then((at) => {
      answered.set(description, greatest([answered.get(description) ?? floor, at]));
      return at;
    }),
  );`,
      },
      {
        file: 'core/chunk/find.ts',
        find: 'const HEADERS_AT_ONCE = 8;',
        replace: 'const HEADERS_AT_ONCE = 8;\nexport const answered = new WeakMap<LogDescription, Position>();',
      },
      {
        file: 'core/chunk/adopt.ts',
        find: "import { findCommitPoint, greatest } from './find.ts';",
        replace: "import { answered, findCommitPoint, greatest } from './find.ts';",
      },
      {
        file: 'core/chunk/adopt.ts',
        find: 'chunks = chunks.filter((chunk) => chunk.at >= end);',
        replace: 'chunks = chunks.filter((chunk) => chunk.at >= greatest([end, answered.get(description) ?? end]));',
      },
    ],
  },
  {
    name: 'commit-point-not-raised',
    part: 'chunk',
    rules: ['C11'],
    why: 'What adopted headers record is not believed: more than a window is adopted, the more with each takeover that fails.',
    edits: [{ file: 'core/chunk/adopt.ts', find: 'end = greatest([end, chunk.commitPoint]);', replace: 'void greatest;' }],
  },
  {
    name: 'raised-commit-point-not-published',
    part: 'chunk',
    rules: ['C11', 'C12'],
    why: 'Adopted headers raise where adoption starts, and not where the old log ends: what lies between is in neither log.',
    edits: [
      {
        file: 'core/chunk/adopt.ts',
        find: '{ start, end, sealedAt: next, chunks, known: window.known }',
        replace: '{ start, end: start, sealedAt: next, chunks, known: window.known }',
      },
    ],
  },
  {
    name: 'one-zone-decides-adoption',
    part: 'chunk',
    rules: ['C9'],
    why: 'The first seal makes a position empty although a zone that was asked answers with a copy.',
    edits: [{ file: 'core/chunk/decision.ts', find: 'if (seals >= this.#sealQuorum) {', replace: 'if (seals >= 1) {' }],
  },
  {
    name: 'torn-is-absent',
    part: 'chunk',
    rules: ['C10'],
    why: 'Torn bytes give way to a seal at once: two zones, one torn and one that was late, decide that a committed chunk never was.',
    edits: [
      {
        file: 'core/chunk/decision.ts',
        find: "for (const zone of zones) this.#ask(zone, 'absent');",
        replace: "for (const zone of zones) this.#ask(zone, 'torn');",
      },
    ],
  },
  {
    name: 'wiped-zone-counts',
    part: 'chunk',
    rules: ['C7'],
    why: 'The empty zone that took the place of a lost one is asked in its name: its seals, with those of a zone that was late, make committed chunks empty.',
    edits: [
      {
        file: 'core/chunk/options.ts',
        find: 'return options.stores().find((store) => store.zone === zone);',
        replace: `const place = zone.replace(/-[^-]*$/, '');
  return options.stores().find((store) => store.zone.replace(/-[^-]*$/, '') === place);`,
      },
    ],
  },
  {
    name: 'last-seal-noted-too-high',
    part: 'chunk',
    rules: ['C13', 'C9'],
    why: 'A log is noted as sealed one position too high: gc deletes the seal below, and an old owner that slept stores its chunk there.',
    edits: [{ file: 'core/chunk/adopt.ts', find: 'sealedAt: next, chunks', replace: 'sealedAt: (next + 1) as Position, chunks' }],
  },
  {
    name: 'last-seal-deleted',
    part: 'gc',
    rules: ['C13', 'G1'],
    why: 'Put-if-absent forgets the seal: an old owner that slept stores its chunk after all, and acknowledges it.',
    edits: [
      {
        file: 'core/chunk/remove.ts',
        find: '    sealedAt === undefined\n      ? [range]',
        replace: '    sealedAt === undefined || sealedAt >= 0\n      ? [range]',
      },
    ],
  },
];
