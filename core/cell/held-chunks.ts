// The chunk log as its owner's own offload reads it: from memory what the owner holds, everything else from the zones.
//
//   O9  A chunk is taken from memory only if the owner knows it to be committed: the bytes are those that it stored to quorum,
//       or that a takeover read, checked.

import { invariant } from '../base/invariant.ts';
import type { Range } from '../base/range.ts';
import type { Epoch, Position } from '../model/ids.ts';
import type { ChunkLogs, LogDescription, WrittenChunk } from '../ports/chunk-log.ts';

/** The payload at a position, where memory has it. */
export type HeldChunk = (epoch: Epoch, at: Position) => Uint8Array | undefined;

/** `logs`, but for reads of what `held` knows. */
export function readingHeld(logs: ChunkLogs, held: HeldChunk): ChunkLogs {
  return { ...logs, read: (description, range) => readHeld(logs, held, description, range) };
}

async function* readHeld(
  logs: ChunkLogs,
  held: HeldChunk,
  description: LogDescription,
  { start, end }: Range<Position>,
): AsyncGenerator<WrittenChunk, void> {
  const { epoch } = description.log;
  for (let at = start; at < end; ) {
    const payload = held(epoch, at);
    if (payload !== undefined) {
      yield { at, payload };
      at = next(at);
      continue;
    }
    let missing = next(at);
    while (missing < end && held(epoch, missing) === undefined) missing = next(missing);
    for await (const chunk of logs.read(description, { start: at, end: missing })) {
      invariant(chunk.at === at, 'O9: chunks are read in order, wherever they come from');
      yield chunk;
      at = next(at);
    }
    invariant(at === missing, 'O9: what is not held is read whole');
  }
}

function next(at: Position): Position {
  return (at + 1) as Position;
}
