// What a run says while it goes, and whether all of it held: one line for each step, figure and check.

export class Report {
  readonly #begun = performance.now();
  readonly #failures: string[] = [];

  get failures(): readonly string[] {
    return this.#failures;
  }

  get seconds(): number {
    return (performance.now() - this.#begun) / 1_000;
  }

  step(title: string): void {
    this.#line(title);
  }

  note(text: string): void {
    for (const line of text.split('\n')) this.#line(`    ${line}`);
  }

  /** @param detail what was found, told either way */
  check(claim: string, isGood: boolean, detail = ''): void {
    const what = `${claim}${detail === '' ? '' : `: ${detail}`}`;
    this.#line(`  ${isGood ? 'ok    ' : 'FAILED'}  ${what}`);
    if (!isGood) this.#failures.push(what);
  }

  #line(text: string): void {
    console.log(`${this.seconds.toFixed(1).padStart(7)} s  ${text}`);
  }
}

/** Waits until it is so. @throws Error that names what did not come in time */
export async function until(what: string, withinMs: number, isSo: () => Promise<boolean> | boolean, everyMs = 200): Promise<void> {
  const deadline = performance.now() + withinMs;
  while (!(await isSo())) {
    if (performance.now() > deadline) throw new Error(`not within ${withinMs / 1_000} s: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, everyMs));
  }
}
