// Seals a run of positions of a log that is taken over, in every zone at once.

import { invariant } from '../base/invariant.ts';
import type { Chunk } from '../format/chunk.ts';
import type { Position } from '../model/ids.ts';
import type { LogDescription } from '../ports/chunk-log.ts';
import { PATIENCE_TIMEOUTS } from './answers.ts';
import { Decision } from './decision.ts';
import { greatest } from './find.ts';
import { type ChunkLogOptions, sealQuorum } from './options.ts';

export interface SealedWindow {
  /** The chunks from the start of the window to the first empty position. */
  readonly chunks: readonly Chunk[];
  /** The first empty position; absent when a chunk stands at every one. */
  readonly sealedAt?: Position;
  /** The greatest commit point in any chunk that was met, beyond the first empty position too; at least the start. */
  readonly known: Position;
}

/**
 * Decides the positions from `start` on, up to the first empty one and at most 2P of them.
 *
 * One position at a time could chase for ever an owner that lost the metadata store but still reaches the zones; as it has at
 * most P in flight beyond what it committed, it runs into one of 2P seals.
 *
 * @throws StoreError `unavailable` when too few zones answer.
 */
export async function sealWindow(options: ChunkLogOptions, description: LogDescription, start: Position): Promise<SealedWindow> {
  const { log, zones } = description;
  const quorum = sealQuorum(zones.length, options.writeQuorum);
  const decisions = Array.from(
    { length: 2 * options.windowMax },
    (_, i) => new Decision(options, log, (start + i) as Position, zones, quorum),
  );
  const giveUp = (): void => {
    for (const decision of decisions) decision.giveUp();
  };
  const patience = options.clock.after(PATIENCE_TIMEOUTS * options.answerTimeoutMs, giveUp);
  try {
    const chunks: Chunk[] = [];
    for (const decision of decisions) {
      const result = await decision.result;
      const at = (start + chunks.length) as Position;
      if (result === 'empty') return { chunks, sealedAt: at, known: greatest(decisions.map(({ chunk }) => chunk?.commitPoint ?? start)) };
      invariant(result.at === at && result.kind === 'data', 'C15: what is adopted stands where it was found');
      chunks.push(result);
    }
    return { chunks, known: start };
  } finally {
    patience.cancel();
    giveUp();
  }
}
