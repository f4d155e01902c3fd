// The streams that are in the owner's memory, and how one comes in: by a strong read, once in an epoch's use of it.
//
//   S4  A stream's state is read strongly on its first use in an epoch: a stale one would give sequence numbers away twice.
//   S6  No state means a new stream only while its name stands for it: a state that was purged would begin again at 0.

import type { StreamRef } from '../model/append.ts';
import { refused, type StoreError } from '../model/errors.ts';
import type { StreamId, StreamletNumber } from '../model/ids.ts';
import type { ChannelDeps } from './deps.ts';
import { NEW_STREAM, ResidentStream } from './resident-stream.ts';

export class StreamTable {
  readonly #deps: ChannelDeps;
  readonly #resident = new Map<StreamId, ResidentStream>();
  readonly #loading = new Map<StreamId, Promise<ResidentStream>>();

  constructor(deps: ChannelDeps) {
    this.#deps = deps;
  }

  get count(): number {
    return this.#resident.size;
  }

  get(streamId: StreamId): ResidentStream | undefined {
    return this.#resident.get(streamId);
  }

  /**
   * The stream, from memory or from its state item. Callers that came first go on first.
   *
   * @param named who asks for it by its name. Without it, a frame that is not offloaded says that it is there.
   * @throws StoreError `stream_not_found` when it is gone.
   */
  load(streamId: StreamId, streamlet: StreamletNumber, named?: StreamRef): Promise<ResidentStream> {
    const resident = this.#resident.get(streamId);
    if (resident !== undefined) return Promise.resolve(resident);
    const started = this.#loading.get(streamId);
    if (started !== undefined) return started;
    const loading = this.#read(streamId, streamlet, named).finally(() => this.#loading.delete(streamId));
    this.#loading.set(streamId, loading);
    return loading;
  }

  /** Drops a stream of which memory holds nothing that anyone needs. */
  dropIfIdle(stream: ResidentStream): void {
    if (stream.isDroppable && this.#resident.get(stream.streamId) === stream) this.#resident.delete(stream.streamId);
  }

  dropAllIdle(): void {
    for (const stream of this.#resident.values()) this.dropIfIdle(stream);
  }

  failAll(error: StoreError): void {
    for (const stream of this.#resident.values()) stream.wake(error);
  }

  async #read(streamId: StreamId, streamlet: StreamletNumber, named: StreamRef | undefined): Promise<ResidentStream> {
    const state = await this.#deps.readState(streamId);
    if (state === undefined && named !== undefined && !(await this.#deps.isNamed(named))) {
      throw refused('stream_not_found', `stream "${named.name}" in basin "${named.basin}" not found`);
    }
    const facts =
      state === undefined
        ? NEW_STREAM
        : {
            tail: state.tail,
            lastTimestamp: state.lastTimestamp,
            token: state.token,
            trimPoint: state.trimPoint,
            isSealed: state.isSealed,
            lastArrival: state.lastArrival,
          };
    const stream = new ResidentStream(streamId, streamlet, facts, state?.configured);
    this.#resident.set(streamId, stream);
    return stream;
  }
}
