// Appends of one stream that cannot go on at once wait in their order: for its state, for room, for the next owner.

import { refused, StoreError } from '../model/errors.ts';
import type { StreamId } from '../model/ids.ts';

/** What a session shares among its appends: after one was refused, none behind it takes effect. */
export interface AppendSession {
  /** Set as soon as one is refused, and resolves to what it is told: the others, who are told the same, wait for it (L5). */
  failed?: Promise<StoreError>;
}

export class Turns {
  /** Per stream, the last one that waits. */
  readonly #last = new Map<StreamId, Promise<void>>();

  /** Whether anything waits for the stream. */
  has(streamId: StreamId): boolean {
    return this.#last.has(streamId);
  }

  /** Runs `act` once all that came before for the stream had their turn. Its failure is the session's before the next turn. */
  run<T>(streamId: StreamId, session: AppendSession | undefined, act: () => Promise<T>): Promise<T> {
    const before = this.#last.get(streamId) ?? Promise.resolve();
    const turn = before.then(act).catch((error: unknown): never => {
      if (session !== undefined && error instanceof StoreError) session.failed ??= Promise.resolve(error);
      throw error;
    });
    const settled = turn.then(
      () => undefined,
      () => undefined,
    );
    this.#last.set(streamId, settled);
    void settled.then(() => {
      if (this.#last.get(streamId) === settled) this.#last.delete(streamId);
    });
    return turn;
  }

  /** Refuses an append for want of waiting room; in its turn, as those of its session that wait before it may take effect yet. */
  async throttle(streamId: StreamId, session: AppendSession | undefined): Promise<never> {
    const error = refused('throttled', 'too many bytes wait to be appended; try again later');
    if (session === undefined) throw error;
    return await this.run<never>(streamId, session, () => Promise.reject(error));
  }
}
