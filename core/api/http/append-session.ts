// An S2S append session: frames of AppendInput in, frames of AppendAck out, both for as long as the client likes. (S2 v1 API, section 4.4.)
//
//   A11  One acknowledgement per input, in input order; after the first failure one terminal frame, and nothing after it.
//   A12  A session holds a bounded number of bytes and inputs: at the bound it stops reading, and the client's window fills.
//
// Acknowledgements that become due in one turn leave in one write. Inputs are decoded and sequenced as they are read.

import type { AppendAck } from '../../model/append.ts';
import { refused, StoreError } from '../../model/errors.ts';
import type { Codec } from '../../ports/codec.ts';
import { decodeAppendInput, encodeAppendAck } from '../../wire/append-proto.ts';
import { errorAnswer } from '../../wire/error-answer.ts';
import { encodeTerminalFrame, FRAME_HEAD_BYTES, SessionFrameParser, sealFrame } from '../../wire/session-frame.ts';
import type { AppendSession } from '../service.ts';
import { type Draining, serverDraining } from './draining.ts';
import type { Exchange } from './exchange.ts';

/** Inputs of one session that wait for their acknowledgement; what a client has in flight is far less. */
const PENDING_INPUTS_MAX = 4_096;
const PENDING_BYTES_MAX = 32 * 1024 * 1024;

/** What became of an input; undefined while nobody knows. */
interface Pending {
  readonly bytes: number;
  outcome: AppendAck | { readonly error: unknown } | undefined;
}

/** Serves the session to its end. The head is sent; whoever called has nothing more to do. */
export function serveAppendSession(exchange: Exchange, session: AppendSession, codec: Codec, draining: Draining): Promise<void> {
  return new Promise((resolve) => new AppendSessionServer(exchange, session, codec, draining, resolve).start());
}

class AppendSessionServer {
  readonly #exchange: Exchange;
  readonly #session: AppendSession;
  readonly #draining: Draining;
  readonly #parser: SessionFrameParser;
  readonly #done: () => void;
  readonly #pending: Pending[] = [];
  #head = 0;
  #pendingBytes = 0;
  #isInputOver = false;
  #isOver = false;
  #isFlushDue = false;
  #isPaused = false;
  /** The client has sent everything; some of it may not be read yet. */
  #hasEnded = false;
  readonly #onDrained = (): void => this.#fail(serverDraining());

  constructor(exchange: Exchange, session: AppendSession, codec: Codec, draining: Draining, done: () => void) {
    this.#exchange = exchange;
    this.#session = session;
    this.#parser = new SessionFrameParser(codec);
    this.#draining = draining;
    this.#done = done;
  }

  start(): void {
    const { body, gone } = this.#exchange;
    gone.addEventListener('abort', () => this.#finish(), { once: true });
    this.#draining.over.addEventListener('abort', this.#onDrained, { once: true });
    body.once('error', () => this.#finish());
    body.once('end', () => this.#endInput());
    body.on('data', (piece: Uint8Array) => {
      this.#parser.push(piece);
      this.#read();
    });
    if (gone.aborted) this.#finish();
    else if (this.#draining.over.aborted) this.#onDrained();
  }

  /** Takes the frames out of what came last; stops early when there is no room, and goes on once there is. */
  #read(): void {
    try {
      while (!this.#isInputOver && !this.#isOver) {
        const blocked = this.#blocked();
        if (blocked !== undefined) {
          this.#pause(blocked);
          return;
        }
        const payload = this.#parser.next();
        if (payload === undefined) return;
        this.#submit(payload);
      }
    } catch (error) {
      this.#fail(inputError(error));
    }
  }

  #submit(payload: Uint8Array): void {
    const { batch, conditions } = decodeAppendInput(payload);
    const entry: Pending = { bytes: batch.bytes.length, outcome: undefined };
    this.#pending.push(entry);
    this.#pendingBytes += entry.bytes;
    this.#session.submit(batch, conditions).then(
      (ack) => this.#settle(entry, ack),
      (error: unknown) => this.#settle(entry, { error }),
    );
  }

  #blocked(): Promise<void> | undefined {
    if (this.#pending.length - this.#head >= PENDING_INPUTS_MAX || this.#pendingBytes >= PENDING_BYTES_MAX) return WAIT_FOR_ACKS;
    return this.#session.room();
  }

  #pause(blocked: Promise<void>): void {
    this.#isPaused = true;
    this.#exchange.body.pause();
    if (blocked !== WAIT_FOR_ACKS)
      blocked.then(
        () => this.#resume(),
        () => this.#resume(),
      );
  }

  #resume(): void {
    if (!this.#isPaused || this.#isOver) return;
    this.#isPaused = false;
    this.#read();
    if (this.#isPaused || this.#isOver) return;
    if (this.#hasEnded) this.#endInput();
    else this.#exchange.body.resume();
  }

  #endInput(): void {
    this.#hasEnded = true;
    if (this.#isInputOver || this.#isOver || this.#isPaused) return;
    try {
      this.#parser.finish();
      this.#isInputOver = true;
      this.#scheduleFlush();
    } catch (error) {
      this.#fail(error);
    }
  }

  /** What cannot be taken ends the input; it is told once everything before it is settled. */
  #fail(error: unknown): void {
    if (this.#isInputOver || this.#isOver) return;
    this.#isInputOver = true;
    this.#pending.push({ bytes: 0, outcome: { error } });
    this.#scheduleFlush();
  }

  #settle(entry: Pending, outcome: NonNullable<Pending['outcome']>): void {
    entry.outcome = outcome;
    if (entry === this.#pending[this.#head]) this.#scheduleFlush();
  }

  /** Behind all promises that the same event settles: one commit, one write. */
  #scheduleFlush(): void {
    if (this.#isFlushDue || this.#isOver) return;
    this.#isFlushDue = true;
    process.nextTick(() => {
      this.#isFlushDue = false;
      this.#flush();
    });
  }

  #flush(): void {
    if (this.#isOver) return;
    const frames: Uint8Array[] = [];
    const advise = this.#draining.advised.aborted;
    let failure: { readonly error: unknown } | undefined;
    for (let entry = this.#pending[this.#head]; entry?.outcome !== undefined; entry = this.#pending[this.#head]) {
      this.#head += 1;
      this.#pendingBytes -= entry.bytes;
      if ('error' in entry.outcome) {
        failure = entry.outcome;
        frames.push(encodeTerminalFrame(errorAnswer(failure.error)));
        break;
      }
      frames.push(sealFrame(encodeAppendAck(entry.outcome, FRAME_HEAD_BYTES), advise));
    }
    this.#forgetSettled();
    const blocked =
      frames.length === 0 ? undefined : this.#exchange.write(frames.length === 1 ? (frames[0] as Uint8Array) : Buffer.concat(frames));
    if (failure !== undefined || (this.#isInputOver && this.#pending.length === this.#head)) {
      this.#exchange.end();
      this.#finish();
    } else if (blocked !== undefined) {
      // A client that does not read its acknowledgements is not read either.
      this.#pause(blocked);
    } else if (this.#isPaused && this.#blocked() === undefined) {
      this.#resume();
    }
  }

  #forgetSettled(): void {
    if (this.#head < 64 || this.#head * 2 < this.#pending.length) return;
    this.#pending.splice(0, this.#head);
    this.#head = 0;
  }

  /** The answer is over, or nobody is there to hear it; what was submitted goes on by itself. */
  #finish(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#draining.over.removeEventListener('abort', this.#onDrained);
    this.#pending.length = 0;
    this.#done();
  }
}

const WAIT_FOR_ACKS: Promise<void> = new Promise(() => undefined);

/** Inside a frame, an undecodable message is a bad frame. */
function inputError(error: unknown): unknown {
  return error instanceof StoreError && error.code === 'bad_proto' ? refused('bad_frame', error.message) : error;
}
