// The body of a request that is passed on: given to a peer piece by piece as it comes, and kept until the peer has answered, so that
// another peer can have it from the start.
//
// Only so much is kept, of one request and of all: beyond that a request has one try.

import type { Readable } from 'node:stream';
import type { PeerCall } from '../../ports/channel-peer.ts';
import { FramePassage } from '../../wire/frame-passage.ts';
import type { BodyBudget } from './body.ts';

/** A batch of an append, as JSON, fits in. */
const KEPT_BYTES_MAX = 2 * 1024 * 1024;

export class PassedBody {
  readonly #source: Readable | undefined;
  readonly #budget: BodyBudget;
  /** Undefined: it is not all there any more, or no longer needed. */
  #kept: Uint8Array[] | undefined = [];
  #keptBytes = 0;
  #call: PeerCall | undefined;
  #isWhole = false;
  #isStopped = false;
  #isHeld = false;
  /** What went by, of a session. */
  readonly frames = new FramePassage();
  readonly #isSession: boolean;
  readonly #onPiece = (piece: Uint8Array): void => this.#take(piece);
  readonly #onEnd = (): void => {
    this.#isWhole = true;
    this.#call?.end();
  };

  /** @param source whose pieces come, once there is a peer; or a body that is there. */
  constructor(source: Readable | Uint8Array | undefined, isSession: boolean, budget: BodyBudget) {
    this.#budget = budget;
    this.#isSession = isSession;
    if (source === undefined || source instanceof Uint8Array) {
      this.#source = undefined;
      if (source !== undefined && source.length > 0) this.#kept?.push(source);
      this.#isWhole = true;
      return;
    }
    this.#source = source;
    source.once('end', this.#onEnd);
  }

  /** Whether some of it was taken from its source. */
  get isBegun(): boolean {
    return this.#source !== undefined && (this.#call !== undefined || this.#keptBytes > 0 || this.#kept === undefined);
  }

  /** The call gets the body from its start on. False: its start is gone. */
  sendTo(call: PeerCall): boolean {
    if (this.#kept === undefined) return false;
    if (this.#call === undefined) this.#source?.on('data', this.#onPiece);
    this.#call = call;
    this.#isHeld = false;
    let blocked: Promise<void> | undefined;
    for (const piece of this.#kept) blocked = call.write(piece) ?? blocked;
    if (this.#isWhole) call.end();
    else if (blocked !== undefined) this.#pause(blocked);
    else this.#source?.resume();
    return true;
  }

  /** The peer refused it: nothing is read until another one takes it. */
  hold(): void {
    this.#isHeld = true;
    this.#source?.pause();
  }

  /** Nobody but the peer that has it needs it any more. */
  settle(): void {
    this.#kept = undefined;
    this.#budget.give(this.#keptBytes);
    this.#keptBytes = 0;
  }

  /** Nothing more of it is passed on. */
  stop(): void {
    this.settle();
    this.#isStopped = true;
    this.#source?.off('data', this.#onPiece);
    this.#source?.off('end', this.#onEnd);
  }

  #take(piece: Uint8Array): void {
    this.#keep(piece);
    if (this.#isSession) this.frames.pass(piece);
    const blocked = this.#call?.write(piece);
    if (blocked !== undefined) this.#pause(blocked);
  }

  #keep(piece: Uint8Array): void {
    if (this.#kept === undefined) return;
    if (this.#keptBytes + piece.length > KEPT_BYTES_MAX || !this.#budget.tryTake(piece.length)) {
      // One try must do.
      this.settle();
      return;
    }
    this.#keptBytes += piece.length;
    this.#kept.push(piece);
  }

  #pause(blocked: Promise<void>): void {
    this.#source?.pause();
    const call = this.#call;
    void blocked.then(() => {
      if (!this.#isStopped && !this.#isHeld && this.#call === call) this.#source?.resume();
    });
  }
}
