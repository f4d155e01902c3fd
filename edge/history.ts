// History that was read before, given again without a word to the origin.
//
//   X2  Only what the origin called immutable is kept, under its stream's id. It is given only while the origin's word on the name,
//       which stream it is and from where that can be read, is younger than the bound: what was trimmed, or whose name was deleted or
//       stands for another stream, is given for no longer than that.
//
// Who asks was checked before (X1). Words come in any order: the one whose request was sent last counts.

import { BoundedMap } from './bounded-map.ts';
import { streamKeyOf } from './edge-call.ts';
import type { HistoryRead } from './history-key.ts';
import type { HistoryStore, KeptAnswer } from './history-store.ts';

/** Streams of which the origin's word is remembered. */
const WORDS_MAX = 4_096;

interface Word {
  /** Undefined: nothing may be given until a later word. */
  readonly streamId: string | undefined;
  readonly trimPoint: number;
  readonly asOf: number;
}

/** What the header of an immutable answer says. */
export interface Immutable {
  readonly streamId: string;
  readonly trimPoint: number;
  /** How long its token may be believed; `open` where the origin checks none. */
  readonly tokenMs: number | 'open';
}

const IMMUTABLE = /^([0-9a-f]{32}); trim=(\d{1,16}); (?:token-ms=(\d{1,9})|(open))$/;

export function parseImmutable(header: string | null): Immutable | undefined {
  const [whole, streamId = '', trimPoint, tokenMs] = IMMUTABLE.exec(header ?? '') ?? [];
  if (whole === undefined) return undefined;
  return { streamId, trimPoint: Number(trimPoint), tokenMs: tokenMs === undefined ? 'open' : Number(tokenMs) };
}

export class History {
  readonly #store: HistoryStore;
  readonly #ageMsMax: number;
  readonly #words = new BoundedMap<Word>(WORDS_MAX);

  constructor(store: HistoryStore, ageMsMax: number) {
    this.#store = store;
    this.#ageMsMax = ageMsMax;
  }

  get isOff(): boolean {
    return this.#ageMsMax === 0;
  }

  /** Undefined: the origin is to be asked. */
  async find({ streamKey, start, bounds }: HistoryRead, now: number): Promise<KeptAnswer | undefined> {
    const word = this.#words.get(streamKey);
    if (word?.streamId === undefined || now - word.asOf >= this.#ageMsMax || start < word.trimPoint) return undefined;
    return await this.#store.get(`${word.streamId}/${bounds}`);
  }

  /** @param asOf when the request was sent that was answered so. @returns resolves once it is kept everywhere */
  keep({ streamKey, bounds }: HistoryRead, { streamId, trimPoint }: Immutable, asOf: number, answer: KeptAnswer): Promise<void> {
    this.#note(streamKey, { streamId, trimPoint, asOf });
    return this.#store.put(`${streamId}/${bounds}`, answer);
  }

  /** The stream is not what it was, as an answer says to a request that was sent, or came back, at `asOf`. */
  forget(streamKey: string, asOf: number): void {
    this.#note(streamKey, { streamId: undefined, trimPoint: 0, asOf });
  }

  forgetBasin(basin: string, asOf: number): void {
    for (const streamKey of [...this.#words.keys()]) if (streamKey.startsWith(streamKeyOf(basin, ''))) this.forget(streamKey, asOf);
  }

  #note(streamKey: string, word: Word): void {
    const known = this.#words.get(streamKey);
    // A trim point only grows: who tells a smaller one of the same stream has not heard of it yet.
    const isSame = known !== undefined && known.streamId === word.streamId;
    const trimPoint = isSame ? Math.max(known.trimPoint, word.trimPoint) : word.trimPoint;
    const isNewer = known === undefined || word.asOf >= known.asOf;
    if (isNewer) this.#words.set(streamKey, { ...word, trimPoint });
    else if (isSame) this.#words.set(streamKey, { ...known, trimPoint });
  }
}
