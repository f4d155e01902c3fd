// What metadata says of a stream's trim point, for its owner to take in.

import type { ChannelDeps } from './deps.ts';
import type { ResidentStream } from './resident-stream.ts';

/** Retention trims what is offloaded without a word to the owner, who reads it here where a reader keeps the stream in memory. */
export async function takeInTrimmed({ readState }: Pick<ChannelDeps, 'readState'>, stream: ResidentStream): Promise<void> {
  if (stream.assigned.trimPoint === stream.assigned.tail) return;
  const state = await readState(stream.streamId);
  if (state !== undefined) stream.trimmed(state.trimPoint);
}
