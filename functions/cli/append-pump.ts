// Puts records into batches and through one append session: in order, in bounded memory, fast where many come, at once where few do.
//
// With little in flight a batch leaves as soon as there is a record; under load batches fill up while earlier ones are on their
// way. So no timer is needed, and a slow producer's line is not held back.

import {
  AppendInput,
  type AppendRecord,
  type AppendSession,
  type BatchSubmitTicket,
  MAX_APPEND_BYTES,
  MAX_APPEND_RECORDS,
} from '@s2-dev/streamstore';

/** Up to here, a batch leaves although it is not full. */
const LIGHT_BATCHES_MAX = 2;
/** Records that wait beside what is in flight. */
const PENDING_RECORDS_MAX = 2 * MAX_APPEND_RECORDS;
const PENDING_BYTES_MAX = 2 * MAX_APPEND_BYTES;

export interface PumpOptions {
  /** Of the first record; the later ones follow. */
  readonly matchSeqNum?: number | undefined;
  readonly fencingToken?: string | undefined;
}

export interface Acknowledged {
  readonly records: number;
  readonly bytes: number;
  /** Of the first and one past the last record; undefined before the first answer. */
  readonly start: number | undefined;
  readonly end: number | undefined;
  readonly tail: number | undefined;
}

const NOTHING: Acknowledged = { records: 0, bytes: 0, start: undefined, end: undefined, tail: undefined };

export class AppendPump {
  readonly #session: AppendSession;
  readonly #options: PumpOptions;
  readonly #done: Promise<void>;
  readonly #waiting = new Set<() => void>();
  #pending: AppendRecord[] = [];
  #pendingBytes = 0;
  #sentRecords = 0;
  #batchesInFlight = 0;
  #acknowledged = NOTHING;
  #isClosed = false;
  #failure: { readonly error: unknown } | undefined;
  readonly #failed = new AbortController();

  constructor(session: AppendSession, options: PumpOptions) {
    this.#session = session;
    this.#options = options;
    this.#done = this.#run();
  }

  get acknowledged(): Acknowledged {
    return this.#acknowledged;
  }

  /** Records that were sent, and of which no answer came. */
  get unanswered(): number {
    return this.#sentRecords - this.#acknowledged.records;
  }

  /** What the session ended with, before all was acknowledged. */
  get failure(): { readonly error: unknown } | undefined {
    return this.#failure;
  }

  /** Aborted as soon as there is a failure, so that nobody waits for more input. */
  get failed(): AbortSignal {
    return this.#failed.signal;
  }

  get isFull(): boolean {
    return this.#pending.length >= PENDING_RECORDS_MAX || this.#pendingBytes >= PENDING_BYTES_MAX;
  }

  /** Waits until there is room, or until the session has failed. */
  async room(): Promise<void> {
    while (this.isFull && this.#failure === undefined) await this.#change();
  }

  add(record: AppendRecord): void {
    this.#pending.push(record);
    this.#pendingBytes += record.meteredBytes;
    if (this.#pending.length === 1 || this.#isBatchFull) this.#changed();
  }

  /** Sends what waits, or drops it, and waits for every answer. */
  async close(pending: 'send' | 'drop'): Promise<void> {
    if (pending === 'drop') {
      this.#pending = [];
      this.#pendingBytes = 0;
    }
    this.#isClosed = true;
    this.#changed();
    await this.#done;
  }

  async #run(): Promise<void> {
    while (this.#failure === undefined && !(this.#isClosed && this.#pending.length === 0)) {
      if (this.#mayGo) await this.#send();
      else await this.#change();
    }
    while (this.#batchesInFlight > 0) await this.#change();
  }

  /** One batch at most waits for room in the session, so the order is that of the records. */
  async #send(): Promise<void> {
    const records = this.#take();
    const { matchSeqNum, fencingToken } = this.#options;
    try {
      const input = AppendInput.create(records, {
        ...(matchSeqNum === undefined ? {} : { matchSeqNum: matchSeqNum + this.#sentRecords }),
        ...(fencingToken === undefined ? {} : { fencingToken }),
      });
      const ticket = await this.#session.submit(input);
      this.#sentRecords += records.length;
      this.#batchesInFlight += 1;
      void this.#answer(ticket);
    } catch (error) {
      this.#fail(error);
    }
    this.#changed();
  }

  /** Answers come in the order of the batches. */
  async #answer(ticket: BatchSubmitTicket): Promise<void> {
    try {
      const { start, end, tail } = await ticket.ack();
      const before = this.#acknowledged;
      this.#acknowledged = {
        records: before.records + ticket.numRecords,
        bytes: before.bytes + ticket.bytes,
        start: before.start ?? start.seqNum,
        end: end.seqNum,
        tail: tail.seqNum,
      };
    } catch (error) {
      this.#fail(error);
    }
    this.#batchesInFlight -= 1;
    this.#changed();
  }

  #fail(error: unknown): void {
    this.#failure ??= { error };
    this.#failed.abort();
  }

  get #isBatchFull(): boolean {
    return this.#pending.length >= MAX_APPEND_RECORDS || this.#pendingBytes >= MAX_APPEND_BYTES;
  }

  get #mayGo(): boolean {
    return this.#pending.length > 0 && (this.#isBatchFull || this.#isClosed || this.#batchesInFlight < LIGHT_BATCHES_MAX);
  }

  #take(): AppendRecord[] {
    let bytes = 0;
    let count = 0;
    for (const { meteredBytes } of this.#pending) {
      if (count === MAX_APPEND_RECORDS || (count > 0 && bytes + meteredBytes > MAX_APPEND_BYTES)) break;
      bytes += meteredBytes;
      count += 1;
    }
    this.#pendingBytes -= bytes;
    return this.#pending.splice(0, count);
  }

  async #change(): Promise<void> {
    await new Promise<void>((resolve) => this.#waiting.add(resolve));
  }

  #changed(): void {
    for (const resolve of this.#waiting) resolve();
    this.#waiting.clear();
  }
}
