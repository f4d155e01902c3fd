// A map that holds so many entries, and forgets the one that was put first when another comes.

export class BoundedMap<Value> {
  readonly #entries = new Map<string, Value>();
  readonly #sizeMax: number;

  constructor(sizeMax: number) {
    this.#sizeMax = sizeMax;
  }

  get size(): number {
    return this.#entries.size;
  }

  get(key: string): Value | undefined {
    return this.#entries.get(key);
  }

  /** The newest from now on. */
  set(key: string, value: Value): void {
    this.#entries.delete(key);
    const oldest = this.#entries.size >= this.#sizeMax ? this.#entries.keys().next().value : undefined;
    if (oldest !== undefined) this.#entries.delete(oldest);
    this.#entries.set(key, value);
  }

  delete(key: string): void {
    this.#entries.delete(key);
  }

  keys(): MapIterator<string> {
    return this.#entries.keys();
  }
}
