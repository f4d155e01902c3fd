// Time. Nothing in the core reads it in another way, so that the simulator owns every second.

/** A timer that has not fired yet. */
export interface Timer {
  /** After this the callback never runs; harmless when it already ran. */
  cancel(): void;
}

export interface Clock {
  /** Wall clock, milliseconds since 1970. May jump either way: never used where safety depends on it. */
  now(): number;
  /** Milliseconds on a clock that never goes back, from an arbitrary start. Sub-millisecond precision. */
  monotonic(): number;
  /** Resolves after `ms`, or rejects with the signal's reason as soon as it aborts. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
  /** Calls `callback` once after `ms`. */
  after(ms: number, callback: () => void): Timer;
  /** Calls `callback` once the current event and the microtasks it queued are over: the end of one turn of input. */
  soon(callback: () => void): void;
}
