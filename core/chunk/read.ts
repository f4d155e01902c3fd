// Reads committed chunks in order, from one zone as long as it has them, and from the others where it has not.
//
//   C12 What is committed is never skipped: a position of which all zones answered and none holds a valid copy is corruption.

import { invariant } from '../base/invariant.ts';
import type { Range } from '../base/range.ts';
import type { Chunk } from '../format/chunk.ts';
import { StoreError } from '../model/errors.ts';
import type { Position, ZoneId } from '../model/ids.ts';
import type { LogDescription, WrittenChunk } from '../ports/chunk-log.ts';
import { PATIENCE_TIMEOUTS, tooFewAnswered } from './answers.ts';
import { type ChunkLogOptions, retryDelay } from './options.ts';
import { corrupt, getChunk } from './stored-chunk.ts';

const READ_AHEAD_CHUNKS = 4;

/**
 * The chunks of [start, end). A description that is older than the last offload may start where chunks are deleted already: a
 * caller that is told `corrupt` while others offload looks at M again before it believes so.
 *
 * @param firstZone which of the log's zones is asked first, so that readers spread over them.
 */
export async function* readChunks(
  options: ChunkLogOptions,
  description: LogDescription,
  range: Range<Position>,
  firstZone: number,
): AsyncGenerator<WrittenChunk, void> {
  const { base, end } = description;
  invariant(range.start >= base, 'C12: what lies below base may be deleted');
  invariant(end === undefined || range.end <= end, 'C12: what lies beyond the end of a closed log does not count');
  const source = new Source(options, description, firstZone);
  const ahead: Promise<WrittenChunk>[] = [];
  let next = range.start as number;
  for (let at = next; at < range.end; at += 1) {
    for (; next < range.end && ahead.length < READ_AHEAD_CHUNKS; next += 1) {
      const chunk = source.chunk(next as Position);
      // A reader that leaves early never looks at what was read ahead.
      chunk.catch(() => undefined);
      ahead.push(chunk);
    }
    const chunk = await ahead.shift();
    invariant(chunk?.at === at, 'C12: chunks are read in order, without a gap');
    yield chunk;
  }
}

class Source {
  readonly #options: ChunkLogOptions;
  readonly #description: LogDescription;
  /** The zone that served last comes first. */
  #zones: readonly ZoneId[];

  constructor(options: ChunkLogOptions, description: LogDescription, firstZone: number) {
    this.#options = options;
    this.#description = description;
    const { zones } = description;
    this.#zones = [...zones.slice(firstZone % zones.length), ...zones.slice(0, firstZone % zones.length)];
  }

  async chunk(at: Position): Promise<WrittenChunk> {
    const { answerTimeoutMs, clock, retryDelayMs } = this.#options;
    const deadline = clock.monotonic() + PATIENCE_TIMEOUTS * answerTimeoutMs;
    for (let attempt = 1; ; attempt += 1) {
      const found = await this.#lookEverywhere(at);
      if (!(found instanceof StoreError)) return { at, payload: found.payload };
      if (clock.monotonic() >= deadline) throw tooFewAnswered(`what was committed at position ${at}`, found);
      await clock.sleep(retryDelay(retryDelayMs, attempt, at));
    }
  }

  /** The chunk, or the failure of a zone that may hold it. */
  async #lookEverywhere(at: Position): Promise<Chunk | StoreError> {
    const { log } = this.#description;
    let failure: StoreError | undefined;
    for (const zone of this.#zones) {
      const found = await getChunk(this.#options, log, zone, at).catch((error: unknown) => {
        if (error instanceof StoreError && error.code !== 'corrupt') return error;
        throw error;
      });
      if (found instanceof StoreError) failure = found;
      else if (typeof found !== 'string' && found.kind === 'data') {
        this.#prefer(zone);
        return found;
      }
      this.#options.trace.event('chunk.read.elsewhere', { zone, at });
    }
    if (failure !== undefined) return failure;
    throw corrupt(log, `position ${at} is committed, and no zone holds a valid copy`);
  }

  #prefer(zone: ZoneId): void {
    if (this.#zones[0] !== zone) this.#zones = [zone, ...this.#zones.filter((other) => other !== zone)];
  }
}
