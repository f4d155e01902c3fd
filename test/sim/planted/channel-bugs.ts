// Planted bugs of an owner at work: sequencing, acknowledging, stating, and its tails.

import type { PlantedBug } from './planted-bug.ts';

export const CHANNEL_BUGS: readonly PlantedBug[] = [
  {
    name: 'acknowledged-one-chunk-early',
    part: 'channel',
    rules: ['L4'],
    why: 'The chunk at the commit point is acknowledged with those below it: a takeover may find it nowhere.',
    edits: [{ file: 'core/channel/tenure.ts', find: 'if (chunk.at >= commitPoint) break;', replace: 'if (chunk.at > commitPoint) break;' }],
  },
  {
    name: 'conditions-on-what-is-committed',
    part: 'channel',
    rules: ['S1'],
    why: 'Two appends that expect the same tail are both taken while neither is committed.',
    edits: [
      {
        file: 'core/channel/sequencer.ts',
        find: '  const facts = stream.assigned;\n  if (facts.isSealed)',
        replace: '  const facts = stream.committed;\n  if (facts.isSealed)',
      },
    ],
  },
  {
    name: 'refusal-before-its-cause-is-committed',
    part: 'channel',
    rules: ['L5'],
    why: 'A fence refuses others before its batch is committed: they are told of a token that a takeover then drops.',
    edits: [
      {
        file: 'core/channel/tenure.ts',
        find: 'if (stream.pendingCount > 0) await this.#afterPending();\n    await this.mayState();',
        replace: 'void stream;\n    await this.mayState();',
      },
    ],
  },
  {
    name: 'refusal-without-lease',
    part: 'channel',
    rules: ['L5'],
    why: 'A 412 without a lease or a barrier: whoever was replaced refuses an append by a tail that has long moved on.',
    edits: [
      {
        file: 'core/channel/tenure.ts',
        find: 'if (stream.pendingCount > 0) await this.#afterPending();\n    await this.mayState();',
        replace: 'if (stream.pendingCount > 0) await this.#afterPending();',
      },
    ],
  },
  {
    name: 'tail-without-lease',
    part: 'channel',
    rules: ['L5', 'T9'],
    why: 'Whoever was replaced and does not know it yet tells a tail that has long moved on.',
    edits: [{ file: 'core/channel/channel-tail.ts', find: '    await this.#tenure.mayState();\n', replace: '' }],
  },
  {
    name: 'barrier-of-another-request',
    part: 'channel',
    rules: ['L5'],
    why: 'Without a lease a statement waits for what is in flight, and with nothing in flight for nothing: that commits no chunk after the request came.',
    edits: [
      {
        file: 'core/channel/tenure.ts',
        find: 'if (!this.vouches) await this.#barrier();',
        replace: 'if (!this.vouches) await this.#afterPending();',
      },
    ],
  },
  {
    name: 'acknowledged-tail-not-committed',
    part: 'channel',
    rules: ['L4', 'L5'],
    why: 'An acknowledgement tells a tail that counts records which are only assigned: it goes back when a takeover drops them.',
    edits: [
      {
        file: 'core/channel/tenure.ts',
        find: '      tail: stream.tail,\n',
        replace: '      tail: { seqNum: stream.assigned.tail, timestamp: stream.assigned.lastTimestamp },\n',
      },
    ],
  },
  {
    name: 'stall-drops-open-entries',
    part: 'channel',
    rules: ['L10', 'T1'],
    why: 'What is sequenced and waits when a quorum is lost leaves the line: the sequence has a hole, and later records are read at the wrong numbers.',
    edits: [
      {
        file: 'core/channel/tenure.ts',
        find: '    for (const entry of this.#open.waiting()) entry.settle(told);\n',
        replace: '    for (const entry of this.#open.take(Number.POSITIVE_INFINITY, 0)) entry.settle(told);\n',
      },
    ],
  },
  {
    name: 'batch-of-a-session-overtaken',
    part: 'channel',
    rules: ['A7'],
    why: 'Some batches of a session wait for a turn, and those that were submitted behind them go first: its order is broken.',
    edits: [
      {
        file: 'core/channel/channel.ts',
        find: '      return tenure.append(stream, stream.configFor(ref), batch, conditions, session);\n    }\n    return this.#appendLater',
        replace: `      const append = (): Promise<AppendAck> => tenure.append(stream, stream.configFor(ref), batch, conditions, session);
      return session !== undefined && batch.bytes.length % 2 === 1 ? Promise.resolve().then(append) : append();
    }
    return this.#appendLater`,
      },
    ],
  },
  {
    name: 'trim-beyond-own-record',
    part: 'channel',
    rules: ['S3'],
    why: 'A trim command reaches beyond its own record: records that come after it are gone as soon as they are acknowledged.',
    edits: [
      {
        file: 'core/channel/sequencer.ts',
        find: '(first + command.index) as SeqNum',
        replace: 'Number.MAX_SAFE_INTEGER as SeqNum',
      },
    ],
  },
  {
    name: 'timestamps-from-the-clock-alone',
    part: 'channel',
    rules: ['S2'],
    why: 'The last timestamp is no floor: they go back whenever a clock does.',
    edits: [{ file: 'core/channel/sequencer.ts', find: 'floor: facts.lastTimestamp }', replace: 'floor: 0n }' }],
  },
  {
    name: 'last-timestamp-forgotten',
    part: 'channel',
    rules: ['S2', 'S4'],
    why: 'A new owner whose clock is behind starts from its own time: timestamps go back along the sequence numbers.',
    edits: [{ file: 'core/channel/stream-table.ts', find: 'lastTimestamp: state.lastTimestamp,', replace: 'lastTimestamp: 0n,' }],
  },
  {
    name: 'stale-stream-state',
    part: 'channel',
    rules: ['S4'],
    why: 'A stream comes into memory by a stale read of its state: sequence numbers are given away twice.',
    edits: [
      {
        file: 'core/cell/cell.ts',
        find: "readState: (streamId: StreamId) => repository.segments.readState(streamId, 'strong'),",
        replace: "readState: (streamId: StreamId) => repository.segments.readState(streamId, 'stale'),",
      },
    ],
  },
  {
    name: 'sequence-number-before-token',
    part: 'channel',
    rules: ['S1'],
    why: 'An append with both conditions, and the token of somebody else, is told the tail: it tries again with that, as if it were still the leader.',
    edits: [
      {
        file: 'core/channel/sequencer.ts',
        find: 'if (conditions.fencingToken !== undefined && conditions.fencingToken !== facts.token) {',
        replace: `const isNext = conditions.matchSeqNum === undefined || conditions.matchSeqNum === facts.tail;
  if (isNext && conditions.fencingToken !== undefined && conditions.fencingToken !== facts.token) {`,
      },
    ],
  },
  {
    name: 'follower-not-woken',
    part: 'tail',
    rules: ['T1'],
    why: 'A commit wakes nobody: a follower sits at the tail until its heartbeat is due.',
    onlyStalls: true,
    edits: [{ file: 'core/channel/tenure.ts', find: 'for (const stream of woken) stream.wake();', replace: 'void woken;' }],
  },
  {
    name: 'evicted-before-offloaded',
    part: 'tail',
    rules: ['T3'],
    why: 'The chunk at base leaves memory before segments hold it: what lies there can be read nowhere.',
    edits: [
      {
        file: 'core/channel/backlog.ts',
        find: 'if (base !== undefined && chunk.at >= base) break;',
        replace: 'if (base !== undefined && chunk.at > base + 1) break;',
      },
    ],
  },
];
