// Lets a few at a time through, in the order in which they came.

export class Gate {
  readonly #insideMax: number;
  readonly #waiting: (() => void)[] = [];
  #inside = 0;

  constructor(insideMax: number) {
    this.#insideMax = insideMax;
  }

  async pass<T>(work: () => Promise<T>): Promise<T> {
    if (this.#inside < this.#insideMax) this.#inside += 1;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    try {
      return await work();
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#inside -= 1;
      else next();
    }
  }
}
