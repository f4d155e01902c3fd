// One seed, a tree of generators: each part of a run draws from its own branch, so that one more draw in one part does not
// shift the draws of the others.
//
// The root knows every branch, so that two runs can be compared by where all of their generators stand (`digest`), not only by what
// was drawn: a draw whose number changed nothing yet is seen, too.

import type { Random } from '#core/ports/random.ts';
import { Fingerprint } from './fingerprint.ts';

/** sfc32 (Doty-Humphrey), seeded by a path of names. */
export class Dice {
  readonly #path: string;
  /** Every generator of the tree, in the order in which they were made; shared by all of them. */
  readonly #tree: Dice[];
  #a: number;
  #b: number;
  #c: number;
  #counter = 1;

  constructor(path: string, tree: Dice[] = []) {
    this.#path = path;
    this.#tree = tree;
    tree.push(this);
    this.#a = hash32(path, 0x811c9dc5);
    this.#b = hash32(path, 0x9e3779b9);
    this.#c = hash32(path, 0x85ebca6b);
    for (let i = 0; i < 12; i += 1) this.next32();
  }

  /** The branch of that name: always the same one, however much was drawn here. */
  fork(name: string): Dice {
    return new Dice(`${this.#path}/${name}`, this.#tree);
  }

  get path(): string {
    return this.#path;
  }

  /** This one, and every other generator of its tree. */
  get tree(): readonly Dice[] {
    return this.#tree;
  }

  /** Of the states of all generators of the tree: equal only if each of them would draw the same number next. */
  get digest(): string {
    const all = new Fingerprint();
    for (const branch of this.#tree) {
      all.text(branch.#path);
      for (const word of [branch.#a, branch.#b, branch.#c, branch.#counter]) all.number(word);
    }
    return all.value;
  }

  next32(): number {
    const t = (this.#a + this.#b + this.#counter) | 0;
    this.#counter = (this.#counter + 1) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = ((this.#c << 21) | (this.#c >>> 11)) + t;
    this.#c |= 0;
    return t >>> 0;
  }

  /** 0 ≤ x < 1. */
  unit(): number {
    return this.next32() / 2 ** 32;
  }

  /** A whole number, min ≤ x ≤ max. */
  between(min: number, max: number): number {
    return min + Math.floor(this.unit() * (max - min + 1));
  }

  /** A number, min ≤ x < max. */
  range(min: number, max: number): number {
    return min + this.unit() * (max - min);
  }

  chance(probability: number): boolean {
    return this.unit() < probability;
  }

  /** Exponentially distributed: the gap between events that come `mean` apart on average. */
  gap(mean: number): number {
    return -Math.log(1 - this.unit()) * mean;
  }

  pick<T>(items: readonly T[]): T {
    const item = items[this.between(0, items.length - 1)];
    if (item === undefined) throw new Error('nothing to pick from');
    return item;
  }

  /** The Random port over this branch. */
  port(): Random {
    return {
      unit: () => this.unit(),
      bytes: (count) => {
        const bytes = new Uint8Array(count);
        for (let i = 0; i < count; i += 1) bytes[i] = this.next32() & 0xff;
        return bytes;
      },
    };
  }
}

function hash32(text: string, basis: number): number {
  let hash = basis;
  for (let i = 0; i < text.length; i += 1) {
    hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
    hash ^= hash >>> 15;
  }
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  return hash ^ (hash >>> 13);
}
