// Counts what answers a fuzz has met: a fuzz that only ever meets the first check shows nothing.

export class Tally {
  readonly #counts = new Map<string, Map<string, number>>();
  cases = 0;

  add(route: string, label: string): void {
    this.cases += 1;
    const counts = this.#counts.get(route) ?? new Map<string, number>();
    this.#counts.set(route, counts.set(label, (counts.get(label) ?? 0) + 1));
  }

  /** Answers to this route whose label begins so: a status, or a status and a code. */
  count(route: string, label: string): number {
    let sum = 0;
    for (const [found, count] of this.#counts.get(route) ?? []) if (found === label || found.startsWith(`${label} `)) sum += count;
    return sum;
  }

  /** Over all routes. */
  total(label: string): number {
    return [...this.#counts.keys()].reduce((sum, route) => sum + this.count(route, label), 0);
  }

  get text(): string {
    return [...this.#counts]
      .map(
        ([route, counts]) =>
          `${route}: ${[...counts]
            .sort(([, a], [, b]) => b - a)
            .map(([label, count]) => `${label} × ${count}`)
            .join(', ')}`,
      )
      .join('\n');
  }
}
