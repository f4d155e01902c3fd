// Planted bugs of reads.

import type { PlantedBug } from './planted-bug.ts';

export const READER_BUGS: readonly PlantedBug[] = [
  {
    name: 'segment-checksums-not-looked-at',
    part: 'reader',
    rules: ['O3'],
    why: 'What an object store gives back is believed: a byte that is another one by now is served as what was appended.',
    edits: [
      {
        file: 'core/segment/reader.ts',
        find: 'const frame = decodeFrame(bytes, at, checksum);',
        replace: 'const frame = decodeFrame(bytes, at, undefined as typeof checksum | undefined);',
      },
    ],
  },
  {
    name: 'one-record-more-than-asked-for',
    part: 'reader',
    rules: ['T7'],
    why: 'A read goes one record beyond its bound: whoever asked for so many, and has room for no more, is given another one.',
    edits: [
      {
        file: 'core/reader/batch-filler.ts',
        find: 'request.count ?? Number.POSITIVE_INFINITY',
        replace: '(request.count ?? Number.POSITIVE_INFINITY) + 1',
      },
    ],
  },
  {
    name: 'gap-between-segments-and-memory',
    part: 'reader',
    rules: ['T6'],
    why: 'A read that starts below what memory holds is given what memory holds: what lies between is left out.',
    edits: [
      {
        file: 'core/channel/channel-tail.ts',
        find: "    if (from < this.#stream.memoryStart) return 'below';\n",
        replace: "    if (from < this.#stream.memoryStart && this.#stream.memoryStart === this.#stream.tail.seqNum) return 'below';\n",
      },
    ],
  },
  {
    name: 'absent-object-is-the-end',
    part: 'reader',
    rules: ['T6', 'T8'],
    why: 'An object that compaction or trim took away meanwhile is read as the end of the stream.',
    edits: [
      {
        file: 'core/reader/plan.ts',
        find: "if (scanned === 'absent') await this.#inVain();",
        replace: "if (scanned === 'absent') return { from: this.#next, end: this.#next, frames: [], isFromMemory: true };",
      },
    ],
  },
  {
    name: 'end-of-a-read-without-lease',
    part: 'reader',
    rules: ['T8', 'T9'],
    why: 'A read starts from the tail as it is in memory: whoever was replaced tells the end of a stream that has moved on.',
    edits: [
      {
        file: 'core/reader/read-session.ts',
        find: 'const tail = await deps.tail.position();\n    const from',
        replace: 'const tail = (deps.tail as unknown as { inMemory: StreamPosition }).inMemory;\n    const from',
      },
      {
        file: 'core/channel/channel-tail.ts',
        find: '  async position(): Promise<StreamPosition> {',
        replace: `  get inMemory(): StreamPosition {
    return this.#stream.tail;
  }

  async position(): Promise<StreamPosition> {`,
      },
    ],
  },
  {
    name: 'live-tail-without-lease',
    part: 'reader',
    rules: ['T9'],
    why: 'Records that wake a follower bring a tail with them: whoever was replaced, and learns only now that they were committed, tells one that has moved on.',
    edits: [
      {
        file: 'core/channel/channel-tail.ts',
        find: 'return this.#tenure.vouches && this.#sealed() === undefined ? this.#stream.tail : undefined;',
        replace: 'return this.#sealed() === undefined ? this.#stream.tail : undefined;',
      },
    ],
  },
  {
    name: 'live-tail-with-another-timestamp',
    part: 'reader',
    rules: ['S2', 'T9'],
    why: 'The tail beside live records has a timestamp that no record has: who goes on from there by time reads all again.',
    edits: [
      {
        file: 'core/channel/channel-tail.ts',
        find: 'this.#sealed() === undefined ? this.#stream.tail : undefined;',
        replace: 'this.#sealed() === undefined ? { ...this.#stream.tail, timestamp: 0n } : undefined;',
      },
    ],
  },
  {
    name: 'heartbeat-without-lease',
    part: 'reader',
    rules: ['T9'],
    why: 'A follower is told by a heartbeat that nothing is new, by somebody who was replaced.',
    edits: [
      {
        file: 'core/reader/read-session.ts',
        find: 'const tail = await this.deps.tail.position();\n    return tail.seqNum',
        replace: 'const tail = (this.deps.tail as unknown as { inMemory: StreamPosition }).inMemory;\n    return tail.seqNum',
      },
      {
        file: 'core/channel/channel-tail.ts',
        find: '  async position(): Promise<StreamPosition> {',
        replace: `  get inMemory(): StreamPosition {
    return this.#stream.tail;
  }

  async position(): Promise<StreamPosition> {`,
      },
    ],
  },
];
