// One client: it calls the server through the official SDK, one attempt a call, and records what it was told.

import { setTimeout as sleep } from 'node:timers/promises';
import {
  AppendInput,
  type AppendSession,
  meteredBytes,
  type ReadRecord,
  type ReadSession,
  type S2,
  type S2Basin,
  type S2Stream,
} from '@s2-dev/streamstore';
import type { Prng } from '#test/crash/prng.ts';
import type { Operation, Outcome, ReadRecord as SeenRecord } from '#test/sim/history.ts';
import type { LiveStream } from './live-stream.ts';
import { codeOf, nonsenseOf, outcomeOf } from './outcomes.ts';
import { type MadeRecord, RECORD_BYTES_MAX, readRecord } from './records.ts';
import type { OpenCall } from './stream-history.ts';

export const BASIN = 'chaos-basin';

/** Of a unary read. */
const READ_BYTES_MAX = 1024 * 1024;

/** Records of a tailing read that make one call of the history, at most, and how long they are gathered. */
const GROUP_RECORDS_MAX = 64;
const GROUP_MS = 5;

export interface Conditions {
  readonly matchSeqNum?: number;
  readonly fencingToken?: string;
}

export interface ClientWorld {
  /** New for each incarnation of the server's address; none of them retries. */
  readonly s2: S2;
  /** What lies between passes on no HTTP/2: sessions use none. */
  readonly isWithoutHttp2?: boolean;
  /** Numbers of clients: a tailing read takes one of its own, and so does an append session, for its batches. */
  newClient(): number;
  /** Told of an answer that cannot be right. */
  readonly onNonsense: (message: string) => void;
}

export class Client {
  readonly #world: ClientWorld;
  readonly #prng: Prng;
  readonly #id: number;
  readonly #basin: S2Basin;

  constructor(world: ClientWorld, prng: Prng) {
    this.#world = world;
    this.#prng = prng;
    this.#id = world.newClient();
    this.#basin = world.s2.basin(BASIN);
  }

  async append(stream: LiveStream, records: readonly MadeRecord[], conditions: Conditions = {}): Promise<Outcome> {
    const operation: Operation = { kind: 'append', stream: stream.name, records: records.map(({ appended }) => appended), ...conditions };
    const input = AppendInput.create(
      records.map(({ record }) => record),
      conditions,
    );
    return await this.#call(stream, operation, async (signal) => {
      const ack = await this.#handle(stream).append(input, { signal });
      return { kind: 'appended', start: ack.start.seqNum, end: ack.end.seqNum, tail: ack.tail.seqNum };
    });
  }

  async checkTail(stream: LiveStream): Promise<Outcome> {
    return await this.#call(stream, { kind: 'check-tail', stream: stream.name }, async (signal) => {
      const { tail } = await this.#handle(stream).checkTail({ signal });
      return { kind: 'tail', tail: tail.seqNum, timestamp: tail.timestamp.getTime() };
    });
  }

  async read(
    stream: LiveStream,
    from: number,
    options: { readonly clamp?: boolean; readonly count?: number; readonly waitSecs?: number } = {},
  ): Promise<Outcome> {
    const { clamp, count, waitSecs } = options;
    const operation: Operation = {
      kind: 'read',
      stream: stream.name,
      from,
      ...(clamp === undefined ? {} : { clamp }),
      ...(count === undefined ? {} : { count }),
    };
    return await this.#call(stream, operation, async (signal, call) => {
      const batch = await this.#handle(stream).read(
        {
          start: { from: { seqNum: from }, ...(clamp === undefined ? {} : { clamp }) },
          stop: { ...(count === undefined ? {} : { limits: { count } }), ...(waitSecs === undefined ? {} : { waitSecs }) },
        },
        { as: 'bytes', signal },
      );
      // It may have ended at the bound of bytes, and not at the tail: then it is as if no more records had been asked for.
      const bytes = batch.records.reduce((sum, record) => sum + meteredBytes(record), 0);
      if (bytes + RECORD_BYTES_MAX > READ_BYTES_MAX) call.operation = { ...operation, count: batch.records.length };
      const tail = batch.tail === undefined ? {} : { tail: batch.tail.seqNum };
      return { kind: 'read', records: batch.records.map(readRecord), ...tail };
    });
  }

  async create(stream: LiveStream): Promise<Outcome> {
    return await this.#call(stream, { kind: 'create', stream: stream.name }, async (signal) => {
      await this.#basin.streams.create({ stream: stream.name, config: { storageClass: stream.storageClass } }, { signal });
      return { kind: 'created' };
    });
  }

  async delete(stream: LiveStream): Promise<Outcome> {
    return await this.#call(stream, { kind: 'delete', stream: stream.name }, async (signal) => {
      await this.#basin.streams.delete({ stream: stream.name }, { signal });
      return { kind: 'deleted' };
    });
  }

  /**
   * Appends batches through one session, all in flight at once. `conditions` go with each batch, as it comes in its turn.
   *
   * After the first failure nothing that follows in the session takes effect: a refused condition names the batch that failed, so
   * those behind it did certainly nothing.
   */
  async appendSession(
    stream: LiveStream,
    batches: readonly { readonly records: readonly MadeRecord[]; readonly conditions: Conditions }[],
    pauseMsMax: number,
  ): Promise<void> {
    const number = this.#world.newClient();
    const open = batches.map(({ records, conditions }) => {
      const sent = records.map(({ appended }) => appended);
      const operation: Operation = { kind: 'append', stream: stream.name, records: sent, ...conditions, session: number };
      return {
        operation,
        input: AppendInput.create(
          records.map(({ record }) => record),
          conditions,
        ),
      };
    });
    let session: AppendSession;
    try {
      session = await this.#handle(stream, this.#transport(0.7)).appendSession();
    } catch {
      return; // Nothing was submitted.
    }
    const refused: { readonly call: OpenCall; readonly error: unknown }[] = [];
    const settled: Promise<void>[] = [];
    for (const { operation, input } of open) {
      if (refused.length > 0) break;
      const call = stream.history.begin(this.#id, operation);
      const acked = session.submit(input).then((ticket) => ticket.ack());
      const settle = acked.then(
        (ack) => {
          const outcome: Outcome = { kind: 'appended', start: ack.start.seqNum, end: ack.end.seqNum, tail: ack.tail.seqNum };
          stream.history.end(call, outcome);
          stream.learn(operation, outcome);
        },
        (error: unknown) => void refused.push({ call, error }),
      );
      settled.push(settle);
      await sleep(this.#prng.between(0, pauseMsMax));
    }
    await Promise.all(settled);
    refused.sort((a, b) => a.call.began - b.call.began);
    for (const [i, { call, error }] of refused.entries()) this.#endRefused(stream, call, error, i > 0);
    await Promise.race([session.close().catch(() => undefined), sleep(1_000)]);
  }

  #endRefused(stream: LiveStream, call: OpenCall, error: unknown, isBehind: boolean): void {
    const outcome = outcomeOf(error, call.operation);
    const isCondition = outcome.kind === 'seq_num_mismatch' || outcome.kind === 'fencing_token_mismatch';
    stream.history.end(call, isBehind && isCondition ? { kind: 'failed', code: 'behind a refused one' } : outcome);
    stream.learn(call.operation, outcome);
    this.#report(error, call.operation);
  }

  /** Follows the stream from `from` on, for about as long as it is told. @returns where it came */
  async follow(stream: LiveStream, from: number, forMs: number): Promise<number> {
    const abort = new AbortController();
    const timer = setTimeout(() => abort.abort(), forMs);
    const follower = new Follower(stream, this.#world.newClient(), from, this.#world);
    try {
      const handle = this.#handle(stream, this.#transport(0.6));
      return await follower.run(
        (signal) => handle.readSession({ start: { from: { seqNum: from } }, stop: { waitSecs: 30 } }, { as: 'bytes', signal }),
        abort.signal,
      );
    } finally {
      clearTimeout(timer);
      abort.abort();
    }
  }

  #transport(sessionShare: number): 's2s' | 'fetch' {
    const isSession = this.#prng.chance(sessionShare);
    return isSession && this.#world.isWithoutHttp2 !== true ? 's2s' : 'fetch';
  }

  #handle(stream: LiveStream, forceTransport?: 's2s' | 'fetch'): S2Stream {
    return this.#basin.stream(stream.name, forceTransport === undefined ? undefined : { forceTransport });
  }

  async #call(stream: LiveStream, operation: Operation, send: (signal: AbortSignal, call: OpenCall) => Promise<Outcome>): Promise<Outcome> {
    // Now and then a client hangs up at once.
    const patienceMs = this.#prng.chance(0.1) ? this.#prng.between(0, 12) : this.#prng.between(1_500, 5_000);
    const signal = AbortSignal.timeout(patienceMs);
    const call = stream.history.begin(this.#id, operation);
    let outcome: Outcome;
    try {
      outcome = await send(signal, call);
    } catch (error) {
      outcome = outcomeOf(error, operation);
      this.#report(error, operation);
    }
    stream.history.end(call, outcome);
    stream.learn(operation, outcome);
    return outcome;
  }

  #report(error: unknown, operation: Operation): void {
    const nonsense = nonsenseOf(error);
    if (nonsense !== undefined) this.#world.onNonsense(`${operation.kind} of ${operation.stream}: ${nonsense}`);
  }
}

type OpenSession = (signal: AbortSignal) => Promise<ReadSession<'bytes'>>;

/** One tailing read: what it delivers is recorded in groups, as calls that follow each other. Its number is that of its client, which makes no other call. */
class Follower {
  readonly #stream: LiveStream;
  readonly #id: number;
  readonly #world: ClientWorld;
  #next: number;
  /** Of a session that was told something: a later error may be older than the call that meets it, so that it states nothing. */
  #hasBegun = false;

  constructor(stream: LiveStream, id: number, from: number, world: ClientWorld) {
    this.#stream = stream;
    this.#id = id;
    this.#next = from;
    this.#world = world;
  }

  async run(open: OpenSession, signal: AbortSignal): Promise<number> {
    let call = this.#begin();
    const opened = this.#watchTail(() => aborted(open(signal), signal), signal);
    let session: ReadSession<'bytes'> | undefined;
    try {
      session = await opened;
      const reader = session.getReader();
      let pending: PendingRead = reader.read();
      for (;;) {
        const { done, value } = await aborted(pending, signal);
        if (done || value === undefined) {
          this.#stream.history.end(call, { kind: 'read', records: [] });
          return this.#next;
        }
        const records = [readRecord(value)];
        pending = reader.read();
        ({ pending } = await this.#gather(records, pending, () => reader.read()));
        this.#hasBegun = true;
        this.#next = (records.at(-1)?.seqNum ?? 0) + 1;
        this.#stream.history.end(call, { kind: 'read', records });
        call = this.#begin();
      }
    } catch (error) {
      const outcome = outcomeOf(error, call.operation);
      this.#stream.history.end(call, this.#hasBegun ? { kind: 'failed', code: codeOf(error) } : outcome);
      const nonsense = nonsenseOf(error);
      if (nonsense !== undefined) this.#world.onNonsense(`tailing read of ${this.#stream.name}: ${nonsense}`);
      return this.#next;
    } finally {
      void session?.cancel().catch(() => undefined);
    }
  }

  #begin() {
    return this.#stream.history.begin(this.#id, { kind: 'read', stream: this.#stream.name, from: this.#next, follows: this.#id });
  }

  /** Adds what comes at once. @returns the read that is under way */
  async #gather(records: SeenRecord[], first: PendingRead, read: () => PendingRead): Promise<{ readonly pending: PendingRead }> {
    let pending = first;
    // Its error is met by whoever awaits it next.
    pending.catch(() => undefined);
    const end = sleep(GROUP_MS).then(() => 'later' as const);
    while (records.length < GROUP_RECORDS_MAX) {
      const met = await Promise.race([pending, end]).catch(() => 'later' as const);
      if (met === 'later' || met.done || met.value === undefined) break;
      records.push(readRecord(met.value));
      pending = read();
      pending.catch(() => undefined);
    }
    return { pending };
  }

  /** That it is caught up says where the tail was, at some moment since the session was asked for: recorded like a check of the tail. */
  #watchTail(open: () => Promise<ReadSession<'bytes'>>, signal: AbortSignal): Promise<ReadSession<'bytes'>> {
    const { history, name } = this.#stream;
    const call = history.begin(this.#world.newClient(), { kind: 'check-tail', stream: name });
    const opened = open();
    const caughtUp = opened.then((session) => aborted(session.caughtUp(), signal));
    void caughtUp.then(
      ({ seqNum, timestamp }) => history.end(call, { kind: 'tail', tail: seqNum, timestamp: timestamp.getTime() }),
      (error: unknown) => history.end(call, { kind: 'failed', code: codeOf(error) }),
    );
    return opened;
  }
}

type PendingRead = Promise<{ readonly done: boolean; readonly value?: ReadRecord<'bytes'> | undefined }>;

/** Rejects when the signal is given, whatever the SDK does then. */
async function aborted<Value>(promise: Promise<Value>, signal: AbortSignal): Promise<Value> {
  promise.catch(() => undefined);
  signal.throwIfAborted();
  let onAbort: () => void = () => undefined;
  const abort = new Promise<never>((_, reject) => {
    onAbort = () => reject(signal.reason);
    signal.addEventListener('abort', onAbort, { once: true });
  });
  try {
    return await Promise.race([promise, abort]);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}
