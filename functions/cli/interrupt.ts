// What Ctrl-C and SIGTERM do to a command: one that holds something ends it well first; any other ends at once.

import { EXIT_CODES } from './exit-code.ts';

/** npx passes on what the terminal sends to both: one Ctrl-C is two signals. */
const SAME_SIGNAL_MS = 500;

export class Interrupt {
  readonly #controller = new AbortController();
  #holds = 0;
  #exitCode: number | undefined;
  #askedAt = 0;

  /** Aborted by the first signal. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** What the process ends with, if it was interrupted. */
  get exitCode(): number | undefined {
    return this.#exitCode;
  }

  watch(): void {
    process.on('SIGINT', () => this.#onSignal(EXIT_CODES.interrupted));
    process.on('SIGTERM', () => this.#onSignal(EXIT_CODES.terminated));
  }

  /** While `work` runs, a first signal only aborts `signal`, and `work` is to end by itself; a second one ends the process. */
  async hold<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    this.#holds += 1;
    try {
      return await work(this.signal);
    } finally {
      this.#holds -= 1;
    }
  }

  #onSignal(exitCode: number): void {
    if (this.#holds === 0) process.exit(exitCode);
    if (this.#exitCode === undefined) {
      this.#exitCode = exitCode;
      this.#askedAt = performance.now();
      this.#controller.abort();
    } else if (performance.now() - this.#askedAt > SAME_SIGNAL_MS) process.exit(exitCode);
  }
}
