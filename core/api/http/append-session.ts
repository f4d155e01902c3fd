// An S2S append session: frames of AppendInput in, frames of AppendAck out, both for as long as the client likes. (S2 v1 API, section 4.4.)
//
//   A11  One acknowledgement per input, in input order; after the first failure one terminal frame, and nothing after it.
//   A12  A session holds a bounded number of bytes and inputs: at the bound it stops reading, and the client's window fills.
//   A18  A frame that is begun and not finished in time ends the session; what is there of it counts against the budget of bodies.
//
// Acknowledgements that become due in one turn leave in one write. Inputs are decoded and sequenced as they are read.

import type { AppendAck } from '../../model/append.ts';
import { refused, StoreError } from '../../model/errors.ts';
import type { Codec } from '../../ports/codec.ts';
import { decodeAppendInput, encodeAppendAck } from '../../wire/append-proto.ts';
import { errorAnswer } from '../../wire/error-answer.ts';
import { encodeTerminalFrame, FRAME_HEAD_BYTES, SessionFrameParser, sealFrame } from '../../wire/session-frame.ts';
import type { AppendSession } from '../service.ts';
import type { BodyBudget } from './body.ts';
import { type Draining, serverDraining } from './draining.ts';
import type { Exchange } from './exchange.ts';
import type { HttpPatience } from './patience.ts';

/** Inputs of one session that wait for their acknowledgement; what a client has in flight is far less. */
const PENDING_INPUTS_MAX = 4_096;
const PENDING_BYTES_MAX = 32 * 1024 * 1024;

/** A frame is looked at this often in the time that it has. */
const LOOKS = 3;

export interface AppendSessionDeps {
  readonly codec: Codec;
  readonly draining: Draining;
  readonly budget: BodyBudget;
  readonly patience: HttpPatience;
  /** A failure as it is told. */
  known(error: unknown): unknown;
}

/** What became of an input; undefined while nobody knows. */
interface Pending {
  readonly bytes: number;
  outcome: AppendAck | { readonly error: unknown } | undefined;
}

/** Serves the session to its end. The head is sent; whoever called has nothing more to do. */
export function serveAppendSession(exchange: Exchange, session: AppendSession, deps: AppendSessionDeps): Promise<void> {
  return new Promise((resolve) => new AppendSessionServer(exchange, session, deps, resolve).start());
}

class AppendSessionServer {
  readonly #exchange: Exchange;
  readonly #session: AppendSession;
  readonly #draining: Draining;
  readonly #budget: BodyBudget;
  readonly #looking: NodeJS.Timeout;
  readonly #parser: SessionFrameParser;
  readonly #known: AppendSessionDeps['known'];
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
  /** Bytes of an unfinished frame that the budget knows of. */
  #heldBytes = 0;
  /** Looks at the same unfinished frame. */
  #looks = 0;
  #framesSeen = 0;
  #framesAtLook = -1;
  readonly #onDrained = (): void => this.#fail(serverDraining());

  constructor(
    exchange: Exchange,
    session: AppendSession,
    { codec, draining, budget, patience, known }: AppendSessionDeps,
    done: () => void,
  ) {
    this.#exchange = exchange;
    this.#session = session;
    this.#parser = new SessionFrameParser(codec);
    this.#draining = draining;
    this.#budget = budget;
    this.#looking = setInterval(() => this.#look(), patience.frameMs / LOOKS);
    this.#looking.unref();
    this.#known = known;
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
        if (payload === undefined) {
          this.#hold(this.#parser.heldBytes);
          return;
        }
        this.#framesSeen += 1;
        this.#submit(payload);
      }
    } catch (error) {
      this.#fail(inputError(error));
    }
  }

  /** Takes from the budget what an unfinished frame holds now. @throws StoreError `throttled` */
  #hold(bytes: number): void {
    if (bytes > this.#heldBytes) this.#budget.take(bytes - this.#heldBytes);
    else this.#budget.give(this.#heldBytes - bytes);
    this.#heldBytes = bytes;
  }

  /** A18: of a quiet session nothing is kept; one that does not finish its frame is ended. */
  #look(): void {
    const isSame = this.#parser.heldBytes > 0 && this.#framesSeen === this.#framesAtLook && !this.#isPaused;
    this.#framesAtLook = this.#framesSeen;
    this.#looks = isSame ? this.#looks + 1 : 0;
    if (this.#parser.heldBytes === 0) this.#parser.release();
    if (this.#looks >= LOOKS) this.#fail(refused('request_timeout', 'a frame was begun and not finished in time'));
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
    return this.#session.room(this.#exchange.gone);
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
        frames.push(encodeTerminalFrame(errorAnswer(this.#known(failure.error))));
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
    clearInterval(this.#looking);
    this.#budget.give(this.#heldBytes);
    this.#heldBytes = 0;
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
