// A machine with clocks of its own, and what stands between a process on it and the world: a gate that can be frozen or shut.
//
// Everything that reaches a process (answers, timers, requests) goes through its gate. Frozen, it waits there, and is delivered
// late; shut, it is dropped: the process was killed. What a process sent before takes effect all the same.

import type { Clock, Timer } from '#core/ports/clock.ts';
import type { EventLoop } from './event-loop.ts';
import type { Dice } from './random.ts';

/** When every run starts, by the world's own wall clock. */
export const START_MS = 1_800_000_000_000;
/** Of a clock's rate error, what its wall clock keeps: somebody sets it right now and then. */
const WALL_SHARE = 0.4;

export interface ClockFaults {
  /** Clock rates lie within this share of the true one: what leases allow for. */
  readonly rateError: number;
  /** Wall clocks lie within this of the true one. */
  readonly wallErrorMs: number;
}

/** Outlives the processes on it. */
export class Machine {
  readonly name: string;
  readonly #loop: EventLoop;
  readonly #rate: number;
  readonly #monotonicStart: number;
  #wallOffsetMs: number;
  /** Time that the monotonic clock did not see: the machine was suspended. */
  #suspendedMs = 0;
  #suspendedSince: number | undefined;

  /** @param lean the way in which its clock is wrong when it is as wrong as may be: −1, too slow; 1, too fast. */
  constructor(name: string, loop: EventLoop, dice: Dice, faults: ClockFaults, lean: -1 | 1) {
    this.name = name;
    this.#loop = loop;
    // Often as wrong as may be: two machines are rarely far apart by chance.
    const isExtreme = dice.chance(0.7);
    const error = dice.range(-faults.rateError, faults.rateError);
    this.#rate = 1 + (isExtreme ? lean * faults.rateError : error);
    this.#wallOffsetMs = dice.range(-faults.wallErrorMs, faults.wallErrorMs);
    this.#monotonicStart = dice.range(0, 1e6);
  }

  get rate(): number {
    return this.#rate;
  }

  wall(): number {
    return Math.floor(START_MS + this.#wallOffsetMs + this.#loop.now * (1 + WALL_SHARE * (this.#rate - 1)));
  }

  monotonic(): number {
    const until = this.#suspendedSince ?? this.#loop.now;
    return this.#monotonicStart + (until - this.#suspendedMs) * this.#rate;
  }

  /** The wall clock is set. */
  setWallOffset(ms: number): void {
    this.#wallOffsetMs = ms;
  }

  /** The monotonic clock stands still until `resume`. */
  suspend(): void {
    this.#suspendedSince ??= this.#loop.now;
  }

  resume(): void {
    if (this.#suspendedSince === undefined) return;
    this.#suspendedMs += this.#loop.now - this.#suspendedSince;
    this.#suspendedSince = undefined;
  }
}

export class Gate {
  #state: 'open' | 'frozen' | 'shut' = 'open';
  #held: (() => void)[] = [];
  /** When it was thawed last, virtual time: what came before then was not acted on before. */
  thawedAt = 0;
  /** Until when one of its calls is kept under way on purpose, far longer than any time-out would let it. */
  keptWaitingUntil = 0;
  #onShut: (() => void)[] = [];

  get isShut(): boolean {
    return this.#state === 'shut';
  }

  get isFrozen(): boolean {
    return this.#state === 'frozen';
  }

  /** Nothing is expected of it before, virtual time. */
  get excusedUntil(): number {
    return Math.max(this.thawedAt, this.keptWaitingUntil);
  }

  /** Runs `act` in the process: now, once it is thawed, or never. */
  deliver(act: () => void): void {
    if (this.#state === 'open') act();
    else if (this.#state === 'frozen') this.#held.push(act);
  }

  freeze(): void {
    if (this.#state === 'open') this.#state = 'frozen';
  }

  /** What came meanwhile is delivered: about in its order, one after the other. */
  thaw(loop: EventLoop, dice: Dice): void {
    if (this.#state !== 'frozen') return;
    this.#state = 'open';
    this.thawedAt = loop.now;
    const held = this.#held.splice(0);
    const disorder = dice.chance(0.5) ? 3 : 0;
    held.forEach((act, i) => {
      loop.after(0.001 * (i + dice.unit() * disorder), () => this.deliver(act));
    });
  }

  shut(): void {
    this.#state = 'shut';
    this.#held = [];
    for (const act of this.#onShut.splice(0)) act();
  }

  /** Calls `act` when the process is killed, unless `cancel` is called before. */
  onShut(act: () => void): () => void {
    this.#onShut.push(act);
    return () => {
      const at = this.#onShut.indexOf(act);
      if (at >= 0) this.#onShut.splice(at, 1);
    };
  }
}

/** The Clock port of a process. */
export function clockOf(loop: EventLoop, machine: Machine, gate: Gate): Clock {
  /** Timers run on the monotonic clock: what a suspension held up is not due yet. */
  const after = (ms: number, run: () => void): Timer => {
    const due = machine.monotonic() + Math.max(0, ms);
    let isCancelled = false;
    let timer: Timer | undefined;
    const fire = (): void => {
      if (isCancelled) return;
      const left = due - machine.monotonic();
      if (left > 1e-3) timer = loop.after(left / machine.rate, () => gate.deliver(fire));
      else run();
    };
    timer = loop.after((due - machine.monotonic()) / machine.rate, () => gate.deliver(fire));
    return {
      cancel: () => {
        isCancelled = true;
        timer?.cancel();
      },
    };
  };
  return {
    now: () => machine.wall(),
    monotonic: () => machine.monotonic(),
    sleep: (ms, signal) =>
      new Promise((resolve, reject) => {
        if (signal?.aborted) return reject(signal.reason);
        const onAbort = (): void => {
          timer.cancel();
          reject(signal?.reason);
        };
        const timer = after(ms, () => {
          signal?.removeEventListener('abort', onAbort);
          resolve();
        });
        signal?.addEventListener('abort', onAbort, { once: true });
      }),
    after,
    soon: (run) => void loop.after(0, () => gate.deliver(run)),
  };
}
