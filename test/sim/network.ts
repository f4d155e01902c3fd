// Calls between machines: requests and answers take their time, get lost, come twice, or come when nobody waits any more.
//
// A call is two messages. Whatever the caller saw, its request may have been applied, or be applied yet: that is what an error
// with effect `unknown` says. A caller that was killed or frozen after it sent changes nothing of that.

import { StoreError } from '#core/model/errors.ts';
import type { EventLoop } from './event-loop.ts';
import type { Gate } from './machine.ts';
import type { Dice } from './random.ts';
import type { Situations } from './situations.ts';

/** How bad messages fare now; 0 everywhere is a perfect network. Probabilities are for each message. */
export interface Weather {
  requestLost: number;
  answerLost: number;
  /** Applied a second time, up to `duplicateMsMax` later. */
  duplicated: number;
  duplicateMsMax: number;
  /** Takes up to `lateMsMax` longer. */
  late: number;
  lateMsMax: number;
  throttled: number;
  /** Share of lost requests that are applied all the same, up to `ghostMsMax` later. */
  ghosts: number;
  ghostMsMax: number;
}

export function fairWeather(): Weather {
  return { requestLost: 0, answerLost: 0, duplicated: 0, duplicateMsMax: 0, late: 0, lateMsMax: 0, throttled: 0, ghosts: 0, ghostMsMax: 0 };
}

/** A service that is called over the network. */
export interface Remote {
  readonly name: string;
  readonly latencyMs: { readonly min: number; readonly mean: number };
  /** Nothing reaches it, and nothing that it says arrives. */
  isDark: boolean;
  /** Times its latency. */
  slowness: number;
  /** Whether a caller may be left without any answer; otherwise it is told of a failure after this long, at most. */
  readonly silentShare: number;
  readonly timeoutMs: number;
}

export interface Sent {
  /** Changes something: a failure leaves open whether it did. */
  readonly isWrite: boolean;
  /** So much longer under way than others. */
  readonly lateMs?: number;
}

export class Network {
  readonly weather = fairWeather();
  /** `<machine> <remote>`: pairs between which nothing passes. */
  readonly cuts = new Set<string>();
  readonly #loop: EventLoop;
  readonly #dice: Dice;
  readonly #situations: Situations;

  constructor(loop: EventLoop, dice: Dice, situations: Situations) {
    this.#loop = loop;
    this.#dice = dice;
    this.#situations = situations;
  }

  /** Calls `apply` at the remote, perhaps twice, perhaps never. A failure that `apply` throws is an answer like any other. */
  call<T>(machine: string, gate: Gate, remote: Remote, sent: Sent, apply: () => Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      if (gate.isShut) return;
      const dice = this.#dice;
      const { weather } = this;
      if (dice.chance(weather.throttled)) {
        if (!sent.isWrite) this.#situations.count('read throttled');
        this.#tell(gate, this.#latency(remote), () => reject(new StoreError('throttled', 'none', `${remote.name} is busy`)));
        return;
      }
      const isCut = (): boolean => remote.isDark || this.cuts.has(`${machine} ${remote.name}`);
      const lose = (): void => this.#lose(gate, remote, sent, reject);
      if (dice.chance(weather.duplicated)) {
        this.#situations.count('request duplicated');
        this.#loop.after(this.#latency(remote) + dice.range(0, weather.duplicateMsMax), () => void apply().catch(ignoreStoreError));
      }
      if (isCut() || dice.chance(weather.requestLost)) {
        if (dice.chance(weather.ghosts)) {
          this.#situations.count('lost request applied late');
          this.#loop.after(this.#latency(remote) + dice.range(0, weather.ghostMsMax), () => void apply().catch(ignoreStoreError));
        }
        return lose();
      }
      this.#loop.after(this.#latency(remote) + (sent.lateMs ?? 0), () => {
        if (isCut()) return lose();
        const isAnswerLost = dice.chance(weather.answerLost);
        const answered = (act: () => void): void => {
          if (isAnswerLost || isCut()) {
            if (sent.isWrite) this.#situations.count('applied, but the caller saw an error');
            lose();
          } else this.#tell(gate, this.#latency(remote), act);
        };
        apply().then(
          (answer) => answered(() => resolve(answer)),
          (error: unknown) => answered(() => reject(error)),
        );
      });
    });
  }

  /** A request that was sent arrives once more. */
  again(remote: Remote, ms: number, apply: () => Promise<unknown>): void {
    this.#situations.count('request duplicated');
    this.#loop.after(this.#latency(remote) + ms, () => void apply().catch(ignoreStoreError));
  }

  /** A lost message is told after a while, or never. */
  #lose(gate: Gate, remote: Remote, sent: Sent, reject: (error: StoreError) => void): void {
    const dice = this.#dice;
    if (dice.chance(remote.silentShare)) return;
    this.#tell(gate, dice.range(1, remote.timeoutMs), () => {
      reject(new StoreError('unavailable', sent.isWrite ? 'unknown' : 'none', `${remote.name} does not answer`));
    });
  }

  #tell(gate: Gate, ms: number, act: () => void): void {
    this.#loop.after(ms, () => gate.deliver(act));
  }

  #latency(remote: Remote): number {
    const { min, mean } = remote.latencyMs;
    let ms = (min + this.#dice.gap(mean - min)) * remote.slowness;
    if (this.#dice.chance(this.weather.late)) {
      ms += this.#dice.range(0, this.weather.lateMsMax);
    }
    return ms;
  }
}

function ignoreStoreError(error: unknown): void {
  if (!(error instanceof StoreError)) throw error;
}
