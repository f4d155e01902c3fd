// Configurations that were changed here lately, for append sessions that were opened before: a session holds what it found
// then, and the channel asks for it again whenever the stream was out of its memory.

import type { StreamRef } from '../model/append.ts';
import type { StreamId } from '../model/ids.ts';
import type { StreamConfig } from '../model/stream-config.ts';

/** Streams that are remembered; the one that was changed longest ago goes first. */
const CHANGED_MAX = 4_096;

export class ChangedConfigs {
  readonly #changed = new Map<StreamId, StreamConfig>();

  note(streamId: StreamId, config: StreamConfig): void {
    this.#changed.delete(streamId);
    this.#changed.set(streamId, config);
    if (this.#changed.size <= CHANGED_MAX) return;
    const oldest = this.#changed.keys().next().value;
    if (oldest !== undefined) this.#changed.delete(oldest);
  }

  /** The stream with its configuration of now. */
  refresh(ref: StreamRef): StreamRef {
    const config = this.#changed.get(ref.streamId);
    return config === undefined ? ref : { ...ref, config };
  }
}
