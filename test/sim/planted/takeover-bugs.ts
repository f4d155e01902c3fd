// Planted bugs of takeovers and leases.

import type { PlantedBug } from './planted-bug.ts';

export const TAKEOVER_BUGS: readonly PlantedBug[] = [
  {
    name: 'publish-without-version',
    part: 'takeover',
    rules: ['M1', 'M3'],
    why: 'A publish that arrives twice takes effect twice: base and the pending offload are as they were, and chunks that are gone are named again.',
    edits: [
      {
        file: 'core/metadata/channel-register.ts',
        find: 'const when = { equals: { version: seen.version, ...watched } };',
        replace: `const condition: Record<string, FieldValue> =
      move === 'publish' ? { epoch: seen.epoch, owner: seen.owner } : { version: seen.version, ...watched };
    const when = { equals: condition };`,
      },
    ],
  },
  {
    name: 'claim-without-lease-counter',
    part: 'takeover',
    rules: ['L7'],
    why: 'A renewal that comes between the last look and the claim is not noticed: the old owner states what its lease entitles it to, while the new one appends.',
    edits: [
      {
        file: 'core/metadata/channel-register.ts',
        find: 'const watched = { epoch: seen.epoch, leaseCounter: seen.leaseCounter };',
        replace: 'const watched = { epoch: seen.epoch };',
      },
    ],
  },
  {
    name: 'resumed-epoch',
    part: 'takeover',
    rules: ['L7', 'M2'],
    why: 'An epoch that another claimed and did not publish is gone on with: two write one log under one nonce, and both take it for theirs.',
    edits: [
      {
        file: 'core/channel/takeover.ts',
        find: 'const claimed = await deps.metadata.claim(seen, owner);',
        replace: "const claimed = seen.state === 'recovering' ? seen : await deps.metadata.claim(seen, owner);",
      },
    ],
  },
  {
    name: 'publish-not-known',
    part: 'takeover',
    rules: ['L9'],
    why: 'A publish without an answer is taken for done: what is acknowledged in a log that was never published is lost with the next takeover.',
    edits: [
      {
        file: 'core/channel/takeover.ts',
        find: "deps.trace.event('takeover.publish.ambiguous', { channel: deps.channel, code: error.code });",
        replace: `deps.trace.event('takeover.publish.ambiguous', { channel: deps.channel, code: error.code });
    const opened = { epoch: claimed.epoch, base: 0 as Position, zones: publication.zones };
    return { ...claimed, version: claimed.version + 1, state: 'active', logs: [...claimed.logs, opened] };`,
      },
    ],
  },
  {
    name: 'window-not-adopted',
    part: 'takeover',
    rules: ['L9', 'C12'],
    why: 'The old log ends at the commit point that was found, and what was adopted behind it is written nowhere again: much of it was acknowledged.',
    edits: [{ file: 'core/channel/takeover.ts', find: 'recovery?.adopted ?? []', replace: '[]' }],
  },
  {
    name: 'floor-without-pending',
    part: 'takeover',
    rules: ['M4', 'C8'],
    why: 'A takeover closes the log below what a pending offload has named: what it adopts is in segments already, and offload goes on beyond the end.',
    edits: [
      {
        file: 'core/channel/takeover.ts',
        find: 'const pending = item.pending?.epoch === open.epoch ? item.pending.to : 0;',
        replace: 'const pending = 0;',
      },
    ],
  },
  {
    name: 'replay-after-publish',
    part: 'takeover',
    rules: ['L8'],
    why: 'Offload and gc go on while the new owner replays: it takes in states and chunks of different times.',
    edits: [
      {
        file: 'core/channel/takeover.ts',
        find: '  await replayLogs(deps, tenure, claimed, recovery);\n  const zones',
        replace: '  const zones',
      },
      {
        file: 'core/channel/takeover.ts',
        find: '    await replayChunk(deps, tenure, claimed.epoch, { at: i as Position, payload });\n    writer.write',
        replace: '    writer.write',
      },
      {
        file: 'core/channel/takeover.ts',
        find: '  tenure.advance(basesOf(item));\n  tenure.activate();',
        replace: `  await replayLogs(deps, tenure, claimed, recovery);
  for (const [i, payload] of (recovery?.adopted ?? []).entries()) {
    await replayChunk(deps, tenure, claimed.epoch, { at: i as Position, payload });
  }
  tenure.advance(basesOf(item));
  tenure.activate();`,
      },
    ],
  },
  {
    name: 'seal-not-replayed',
    part: 'takeover',
    rules: ['L8', 'A6'],
    why: 'A takeover passes over the seal of a stream that is being deleted: its new owner takes appends again, which go with the stream.',
    edits: [
      {
        file: 'core/channel/takeover.ts',
        find: "return frame.kind === 'seal' ? isSealed || frame.first < tail :",
        replace: "return frame.kind === 'seal' || isSealed ? true :",
      },
    ],
  },
  {
    name: 'lease-counts-from-answer',
    part: 'lease',
    rules: ['L1'],
    why: 'An owner whose renewal was answered late, or that slept before the answer, holds a lease that its successor has waited out.',
    edits: [
      {
        file: 'core/channel/channel.ts',
        find: '    tenure.lease.renewed(sentAt);\n',
        replace: '    void sentAt;\n    tenure.lease.renewed(tenure.lease.now());\n',
      },
    ],
  },
  {
    name: 'lease-not-watched-whole',
    part: 'lease',
    rules: ['L2'],
    why: 'A successor waits for half a lease: the owner that it replaces still vouches for a tail that moves elsewhere.',
    edits: [
      { file: 'core/channel/lease.ts', find: 'return leaseMs * (1 + RATE_ERROR);', replace: 'return (leaseMs * (1 + RATE_ERROR)) / 2;' },
    ],
  },
  {
    name: 'lease-without-rate-error',
    part: 'lease',
    rules: ['L1', 'L2'],
    why: 'A slow clock of the owner and a fast one of its successor: the lease is over for the one while the other still vouches by it.',
    edits: [{ file: 'core/channel/lease.ts', find: 'const RATE_ERROR = 0.01;', replace: 'const RATE_ERROR = 0;' }],
  },
  {
    name: 'suspension-not-noticed',
    part: 'lease',
    rules: ['L3'],
    why: 'The monotonic clock stood still while the machine was suspended: the lease looks valid long after another owner appends.',
    edits: [
      {
        file: 'core/channel/lease.ts',
        find: 'if (Math.abs(wall - monotonic - this.#skew) > this.lengthMs * OVERLOOKED) return false;',
        replace: 'void wall;',
      },
    ],
  },
  {
    name: 'renewal-of-another',
    part: 'lease',
    rules: ['M1', 'L6'],
    why: 'Whoever was replaced renews the lease of its successor: it never learns of it, and goes on to vouch for an old tail.',
    edits: [
      {
        file: 'core/metadata/channel-register.ts',
        find: 'const equals = { epoch: own.epoch, owner: own.owner, leaseCounter: seen.leaseCounter };',
        replace: 'const equals = { leaseCounter: seen.leaseCounter };',
      },
      {
        file: 'core/metadata/channel-register.ts',
        find: '      if (!isOwnedAs(seen, own)) return undefined;\n    }\n    return undefined;\n  }\n\n  /** Closes the open log',
        replace: '    }\n    return undefined;\n  }\n\n  /** Closes the open log',
      },
    ],
  },
];
