// Decides one position of a log that is taken over: a chunk to adopt, or nothing, for ever.
//
// seal.ts asks for many positions at once. Every zone is asked to seal; what the zones hold then decides, and R of them must say so.
//
//   C9  A position is empty only when R zones hold the seal. A valid copy in any zone that answers in time is adopted.
//   C10 Torn is not absent. Torn bytes give way to a seal only after all N zones have answered and none of them holds a valid
//       copy; then the position is decided by what the zones hold.

import { invariant } from '../base/invariant.ts';
import type { Chunk } from '../format/chunk.ts';
import { StoreError } from '../model/errors.ts';
import type { LogId, Position, ZoneId } from '../model/ids.ts';
import type { Missing } from '../ports/chunk-store.ts';
import { tooFewAnswered } from './answers.ts';
import { ask, type ChunkLogOptions, retryDelay, storeOf } from './options.ts';
import { getChunk } from './stored-chunk.ts';

/** What one zone said last. `none`: it has no valid copy and takes no seal (it only gives back). `copy`: a data chunk, not read yet. */
type Answer = 'sealed' | 'torn' | 'none' | 'copy';

export class Decision {
  readonly result: Promise<Chunk | 'empty'>;
  readonly #options: ChunkLogOptions;
  readonly #log: LogId;
  readonly #at: Position;
  readonly #zones: readonly ZoneId[];
  readonly #sealQuorum: number;
  readonly #answers = new Map<ZoneId, Answer>();
  /** Zones that hold a copy; it is read from one after the other, as one suffices. */
  readonly #holders: ZoneId[] = [];
  #isReading = false;
  #isOver = false;
  #attempts = 0;
  #last: StoreError | undefined;
  #chunk: Chunk | undefined;
  #resolve!: (result: Chunk | 'empty') => void;
  #reject!: (error: unknown) => void;

  constructor(options: ChunkLogOptions, log: LogId, at: Position, zones: readonly ZoneId[], quorum: number) {
    this.#options = options;
    this.#log = log;
    this.#at = at;
    this.#zones = zones;
    this.#sealQuorum = quorum;
    this.result = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    // Whoever waits for an earlier position may never come to look at this one.
    this.result.catch(() => undefined);
    for (const zone of zones) this.#ask(zone, 'absent');
  }

  /** The chunk that stands here, as far as is known by now. */
  get chunk(): Chunk | undefined {
    return this.#chunk;
  }

  /** Ends what is undecided. */
  giveUp(): void {
    this.#end(() => this.#reject(tooFewAnswered(`what stands at position ${this.#at}`, this.#last)));
  }

  #end(act: () => void): void {
    if (this.#isOver) return;
    this.#isOver = true;
    act();
  }

  #ask(zone: ZoneId, over: Missing): void {
    if (this.#isOver) return;
    this.#sealIn(zone, over).then(
      (answer) => this.#take(zone, answer),
      (error: unknown) => this.#failed(zone, over, error),
    );
  }

  async #sealIn(zone: ZoneId, over: Missing): Promise<Answer> {
    if (storeOf(this.#options, zone)?.isWritable === false) {
      const found = await getChunk(this.#options, this.#log, zone, this.#at);
      if (typeof found === 'string') return 'none';
      return found.kind === 'seal' ? 'sealed' : 'copy';
    }
    const answer = await ask(this.#options, zone, (store) => store.seal(this.#log, this.#at, over));
    return answer === 'occupied' ? 'copy' : answer;
  }

  #take(zone: ZoneId, answer: Answer): void {
    if (this.#isOver) return;
    this.#answers.set(zone, answer);
    if (answer === 'copy') {
      this.#holders.push(zone);
      this.#readNext();
    } else this.#decide();
  }

  #failed(zone: ZoneId, over: Missing, error: unknown): void {
    if (this.#isOver) return;
    if (error instanceof StoreError && error.code !== 'corrupt') {
      this.#last = error;
      this.#later(() => this.#ask(zone, over));
    } else this.#end(() => this.#reject(error));
  }

  #later(act: () => void): void {
    const { clock, retryDelayMs } = this.#options;
    this.#attempts += 1;
    clock.after(retryDelay(retryDelayMs, this.#attempts, this.#at), act);
  }

  #readNext(): void {
    if (this.#isReading || this.#isOver) return;
    const zone = this.#holders.shift();
    if (zone === undefined) return;
    this.#isReading = true;
    getChunk(this.#options, this.#log, zone, this.#at)
      .then(
        (found) => this.#read(zone, found),
        (error: unknown) => {
          this.#answers.delete(zone);
          this.#failed(zone, 'absent', error);
        },
      )
      .finally(() => {
        this.#isReading = false;
        this.#readNext();
      });
  }

  /** What a zone gave that had said that it holds a copy. */
  #read(zone: ZoneId, found: Chunk | Missing): void {
    if (this.#isOver) return;
    if (typeof found !== 'string' && found.kind === 'data') {
      this.#chunk = found;
      this.#end(() => this.#resolve(found));
      return;
    }
    // It changed in between, or only its header is whole: not at once again, or a store that errs would be asked without a pause.
    this.#answers.delete(zone);
    this.#later(() => (found === 'torn' ? this.#take(zone, 'torn') : this.#ask(zone, 'absent')));
  }

  #decide(): void {
    const said = (answer: Answer): ZoneId[] => this.#zones.filter((zone) => this.#answers.get(zone) === answer);
    const seals = said('sealed').length;
    if (seals >= this.#sealQuorum) {
      invariant(seals <= this.#zones.length, 'C9: only zones of the log seal');
      this.#end(() => this.#resolve('empty'));
      return;
    }
    if (this.#answers.size < this.#zones.length || said('copy').length > 0) return;
    const torn = said('torn');
    if (torn.length === 0) {
      this.giveUp();
      return;
    }
    this.#options.trace.event('chunk.torn.sealed', { at: this.#at, zones: torn.length });
    for (const zone of torn) {
      this.#answers.delete(zone);
      this.#ask(zone, 'torn');
    }
  }
}
