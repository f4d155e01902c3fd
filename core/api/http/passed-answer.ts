// Gives a client the answer of the peer that its request was passed on to, as it comes.
//
//   P4  An answer that breaks off is never taken for whole: a session ends with an error of effect unknown between its frames or
//       events, what is short is answered with that error, and anything else is cut.
//
// A session through a server that drains is advised like one of its own, and at the end told that the server goes once everything that
// its client sent is acknowledged.

import { StoreError } from '../../model/errors.ts';
import type { PeerAnswer } from '../../ports/channel-peer.ts';
import { errorAnswer } from '../../wire/error-answer.ts';
import { FramePassage } from '../../wire/frame-passage.ts';
import { mediaType } from '../../wire/media-type.ts';
import { encodeTerminalFrame } from '../../wire/session-frame.ts';
import { errorEvent } from '../../wire/sse.ts';
import { type Draining, serverDraining } from './draining.ts';
import type { Exchange } from './exchange.ts';
import { answerHeaders } from './follow.ts';
import type { PassedBody } from './passed-body.ts';

/** An answer up to this size leaves in one write, head and body. */
const WHOLE_BYTES_MAX = 64 * 1024;
const NOTHING = new Uint8Array(0);
const NEWLINE = 0x0a;

export interface Passing {
  readonly draining: Draining;
  /** The request's body, which may still be coming. */
  readonly input: PassedBody;
  /** Ends the exchange with the peer. */
  close(): void;
}

/** Resolves once the client has the answer, or is gone. @throws StoreError (effect unknown) while it has nothing of it */
export async function givePassed(exchange: Exchange, answer: PeerAnswer, passing: Passing): Promise<void> {
  const headers = answerHeaders(answer.headers);
  const length = answer.headers['content-length'];
  if (exchange.method === 'HEAD' || answer.status === 204) {
    exchange.head(answer.status, headers);
    exchange.end();
  } else if (length !== undefined && Number(length) <= WHOLE_BYTES_MAX) {
    exchange.answer(answer.status, headers, await whole(answer));
  } else {
    exchange.head(answer.status, headers);
    await new PassedSession(exchange, answer, passing, markerOf(headers['content-type'])).run();
  }
}

async function whole(answer: PeerAnswer): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  for (let piece = await answer.next(); piece !== 'end'; piece = await answer.next()) pieces.push(piece);
  return pieces.length === 1 ? (pieces[0] ?? NOTHING) : Buffer.concat(pieces);
}

/** Knows where a kind of session may end, and how it is told why. */
interface Marker {
  readonly isWhole: boolean;
  /** Messages that the client has. */
  readonly count: number;
  pass(piece: Uint8Array, advise: boolean): void;
  last(error: unknown): Uint8Array;
}

function markerOf(contentType: unknown): Marker | undefined {
  const kind = typeof contentType === 'string' ? mediaType(contentType) : undefined;
  if (kind === 'session') return new Frames();
  return kind === 'event-stream' ? new Events() : undefined;
}

class Frames extends FramePassage implements Marker {
  last(error: unknown): Uint8Array {
    return encodeTerminalFrame(errorAnswer(error));
  }
}

class Events implements Marker {
  readonly count = 0;
  /** How many of the last bytes are newlines, up to two: an event ends with an empty line. */
  #newlines = 2;

  get isWhole(): boolean {
    return this.#newlines === 2;
  }

  pass(piece: Uint8Array): void {
    for (const byte of piece.subarray(-2)) this.#newlines = byte === NEWLINE ? Math.min(2, this.#newlines + 1) : 0;
  }

  last(error: unknown): Uint8Array {
    return Buffer.from(errorEvent(errorAnswer(error).body));
  }
}

/** An answer that goes on for long. Its head is sent. */
class PassedSession {
  readonly #exchange: Exchange;
  readonly #answer: PeerAnswer;
  readonly #passing: Passing;
  readonly #marker: Marker | undefined;
  #isEnding = false;

  constructor(exchange: Exchange, answer: PeerAnswer, passing: Passing, marker: Marker | undefined) {
    this.#exchange = exchange;
    this.#answer = answer;
    this.#passing = passing;
    this.#marker = marker;
  }

  async run(): Promise<void> {
    const { over } = this.#passing.draining;
    const onOver = (): void => this.#beginToEnd();
    over.addEventListener('abort', onOver, { once: true });
    if (over.aborted) onOver();
    try {
      await this.#pump();
    } catch (error) {
      if (!(error instanceof StoreError)) throw error;
      if (!this.#exchange.gone.aborted) this.#breakOff(error);
    } finally {
      over.removeEventListener('abort', onOver);
    }
  }

  async #pump(): Promise<void> {
    const { advised } = this.#passing.draining;
    for (;;) {
      const piece = await this.#answer.next();
      if (piece === 'end') return this.#exchange.end();
      this.#marker?.pass(piece, advised.aborted);
      const blocked = this.#exchange.write(piece);
      if (blocked !== undefined) await blocked;
      if (this.#exchange.gone.aborted) return;
      if (this.#mayEnd) return this.#exchange.end(this.#marker?.last(serverDraining()));
    }
  }

  /** Between two messages, with everything acknowledged that the client sent whole: nothing of it is in doubt. */
  get #mayEnd(): boolean {
    const { input } = this.#passing;
    return this.#isEnding && this.#marker?.isWhole === true && this.#marker.count >= input.frames.count;
  }

  #beginToEnd(): void {
    if (this.#marker === undefined) return;
    this.#isEnding = true;
    this.#passing.input.stop();
    // Ends the wait for more.
    if (this.#mayEnd) this.#passing.close();
  }

  #breakOff(error: StoreError): void {
    if (this.#marker?.isWhole !== true) this.#exchange.destroy();
    else this.#exchange.end(this.#marker.last(this.#mayEnd ? serverDraining() : error));
  }
}
