// Watches the frames of a session that passes through, without holding any: how many are whole, and whether one is under way.
// (wire/session-frame.ts has the grammar.)

import { FRAME_HEAD_BYTES, RECONNECT } from './session-frame.ts';

export class FramePassage {
  /** Frames that passed whole. */
  count = 0;
  /** Bytes of the length and flags that are seen of the frame under way. */
  #headBytes = 0;
  #length = 0;
  #payloadLeft = 0;

  get isWhole(): boolean {
    return this.#headBytes === 0;
  }

  /** @param advise frames that begin in this piece advise their reader to reconnect: their flags are changed in place. */
  pass(piece: Uint8Array, advise = false): void {
    for (let at = 0; at < piece.length; ) {
      if (this.#headBytes < FRAME_HEAD_BYTES) {
        this.#head(piece, at, advise);
        at += 1;
      } else {
        const taken = Math.min(this.#payloadLeft, piece.length - at);
        this.#payloadLeft -= taken;
        at += taken;
      }
      if (this.#headBytes === FRAME_HEAD_BYTES && this.#payloadLeft === 0) {
        this.#headBytes = 0;
        this.count += 1;
      }
    }
  }

  #head(piece: Uint8Array, at: number, advise: boolean): void {
    const byte = piece[at] ?? 0;
    this.#headBytes += 1;
    if (this.#headBytes < FRAME_HEAD_BYTES) {
      this.#length = (this.#length << 8) | byte;
      return;
    }
    if (advise) piece[at] = byte | RECONNECT;
    this.#payloadLeft = Math.max(0, this.#length - 1);
    this.#length = 0;
  }
}
