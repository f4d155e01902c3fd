// Carries deletions through: of basins to their streams, of streams to their seals, their records, and their names.
//
// A deletion is asked for once; from there on it goes on here, whatever crashes. The channel that owns a stream seals it.
//
//   G10 A basin goes only once no stream of it is left; a stream's name only once it is sealed, and no row of it is left.
//   G12 A name says that its stream is being deleted only once the stream is sealed: nothing is acknowledged behind that.

import { invariant } from '../base/invariant.ts';
import { type DeletingStream, type StreamInfo, type StreamState, streamRef } from '../metadata/schema.ts';
import type { StreamRef } from '../model/append.ts';
import type { StreamId } from '../model/ids.ts';
import { deadlineOf, type JobPorts, type Report, type UpkeepPlace } from './job-ports.ts';
import { type UnlinkedPort, unlinkBelowTrimPoint } from './trim.ts';

export interface DeleteReport extends Report {
  readonly streamsMarked: number;
  readonly streamsSealed: number;
  readonly streamsRemoved: number;
  readonly basinsRemoved: number;
}

export interface DeleteRequest {
  /** Only seals and marks: a function removes what is sealed. */
  readonly upkeep?: UpkeepPlace;
}

type Ports = Pick<JobPorts, 'repository' | 'clock' | 'trace'> &
  UnlinkedPort & {
    /** Asks the stream's channel to seal it; resolves once that is committed. Absent: someone else does. */
    readonly seal?: (ref: StreamRef) => Promise<void>;
    /** Whether it is for this process to ask; absent: it always is. */
    readonly isOurs?: (ref: StreamRef) => boolean;
  };

const PAGE = 100;
/** Streams that are marked, sealed or removed at a time: each is a commit, and commits of one moment share a write. */
const AT_ONCE = 16;

/** Goes through everything that is being deleted, as far as the budget reaches. What fails is tried again by the next run. */
export async function runDelete(ports: Ports, request: DeleteRequest, budgetMs: number): Promise<DeleteReport> {
  const run = new Run(ports, request.upkeep !== 'elsewhere', budgetMs);
  await run.basins();
  await run.streams();
  return run.report();
}

class Run {
  readonly #ports: Ports;
  readonly #removes: boolean;
  readonly #isOver: () => boolean;
  #isDone = true;
  #streamsMarked = 0;
  #streamsSealed = 0;
  #streamsRemoved = 0;
  #basinsRemoved = 0;
  #failure: unknown;

  constructor(ports: Ports, removes: boolean, budgetMs: number) {
    this.#ports = ports;
    this.#removes = removes;
    this.#isOver = deadlineOf(ports, budgetMs);
  }

  /** @throws what kept a stream from being sealed or removed, after all others had their turn. */
  report(): DeleteReport {
    if (this.#failure !== undefined) throw this.#failure;
    return {
      isDone: this.#isDone,
      streamsMarked: this.#streamsMarked,
      streamsSealed: this.#streamsSealed,
      streamsRemoved: this.#streamsRemoved,
      basinsRemoved: this.#basinsRemoved,
    };
  }

  async basins(): Promise<void> {
    const { basins } = this.#ports.repository;
    let after: string | undefined;
    for (;;) {
      const page = await basins.deleting(PAGE, after);
      for (const name of page) {
        if (this.#stops()) return;
        await this.#markStreams(name);
        if (this.#removes && (await basins.remove(name)) === 'removed') this.#basinsRemoved += 1;
      }
      after = page.at(-1);
      if (page.length < PAGE || after === undefined) return;
    }
  }

  async streams(): Promise<void> {
    const { streams } = this.#ports.repository;
    let after: StreamId | undefined;
    for (;;) {
      if (this.#stops()) return;
      const page = await streams.deleting(PAGE, after);
      await this.#each(page, (deleting) => this.#finish(deleting));
      after = page.at(-1)?.streamId;
      if (page.length < PAGE || after === undefined) return;
    }
  }

  /** Seals the streams of a deleted basin, and marks their names. Without somebody to ask for seals that is left to others. */
  async #markStreams(basin: string): Promise<void> {
    const { repository, seal } = this.#ports;
    const { streams } = repository;
    if (seal === undefined) return;
    let startAfter: string | undefined;
    for (let hasMore = true; hasMore && !this.#stops(); ) {
      const page = await streams.list(basin, { limit: PAGE, ...(startAfter === undefined ? {} : { startAfter }) });
      const unmarked = page.streams.filter((stream) => stream.deletedAt === undefined && this.#isOurs(stream));
      await this.#each(unmarked, async (stream: StreamInfo) => {
        await seal(streamRef(stream));
        await streams.markDeleting(basin, stream.name, stream.streamId);
        this.#streamsMarked += 1;
      });
      startAfter = page.streams.at(-1)?.name;
      hasMore = page.hasMore;
    }
  }

  /** Seals the stream if it is not; removes it if its seal is offloaded. */
  async #finish(deleting: DeletingStream): Promise<void> {
    const { repository, seal } = this.#ports;
    const { basin, name, streamId } = deleting;
    const state = await repository.segments.readState(streamId, 'strong');
    if (!state?.isSealed) {
      const stream = await repository.streams.find(basin, name, 'strong');
      if (stream?.streamId !== streamId) {
        if (this.#removes) await this.#remove(deleting);
      } else if (seal !== undefined && this.#isOurs(stream)) {
        await seal(streamRef(stream));
        this.#streamsSealed += 1;
      }
      return;
    }
    if (!this.#removes) return;
    await this.#empty(streamId, state);
    await this.#remove(deleting);
  }

  #isOurs(stream: StreamInfo): boolean {
    return this.#ports.isOurs?.(streamRef(stream)) ?? true;
  }

  async #remove(deleting: DeletingStream): Promise<void> {
    if ((await this.#ports.repository.streams.remove(deleting)) !== 'removed') return;
    this.#ports.trace.event('trim.stream.removed', { stream: deleting.streamId });
    this.#streamsRemoved += 1;
  }

  /** Trims all of a sealed stream. */
  async #empty(streamId: StreamId, state: StreamState): Promise<void> {
    const { segments } = this.#ports.repository;
    invariant(state.isSealed, 'G10: only a sealed stream is emptied');
    if (state.compacting !== undefined) await segments.abandonCompaction(streamId, state.compacting.object);
    await segments.raiseTrimPoint(streamId, state.tail);
    await unlinkBelowTrimPoint(this.#ports, streamId, this.#isOver);
  }

  /** Some at a time; a failure does not keep the others from their turn. */
  async #each<T>(all: readonly T[], act: (one: T) => Promise<void>): Promise<void> {
    for (let i = 0; i < all.length && !this.#stops(); i += AT_ONCE) {
      const outcomes = await Promise.allSettled(all.slice(i, i + AT_ONCE).map(act));
      for (const outcome of outcomes) if (outcome.status === 'rejected') this.#failure ??= outcome.reason;
    }
  }

  #stops(): boolean {
    if (this.#isOver()) this.#isDone = false;
    return !this.#isDone;
  }
}
