// The object store behind the network.

import { MemoryObjectStore } from '#core/adapters/memory/memory-object-store.ts';
import type { ObjectStore } from '#core/ports/object-store.ts';
import type { Audit } from '../audit.ts';
import type { Gate } from '../machine.ts';
import type { Network, Remote } from '../network.ts';
import type { Dice } from '../random.ts';
import type { Situations } from '../situations.ts';

const PAGE_MAX = 7;

export class Objects implements Remote {
  readonly name = 'objects';
  readonly latencyMs = { min: 2, mean: 10 };
  readonly silentShare = 0;
  readonly timeoutMs = 500;
  isDark = false;
  slowness = 1;
  /** Reads of objects so far, whoever made them. */
  fetches = 0;
  /** Share of reads in whose answer a byte is another one: the object itself is whole. */
  flippedShare = 0;
  readonly store = new MemoryObjectStore({ pageMax: PAGE_MAX });
  readonly #dice: Dice;
  readonly #situations: Situations;
  readonly #flipped = new Set<string>();

  constructor(dice: Dice, situations: Situations) {
    this.#dice = dice;
    this.#situations = situations;
  }

  /** Whether a message says of an object that it is damaged, which was served with a flipped byte. */
  explains(message: string): boolean {
    return [...this.#flipped].some((key) => message.includes(key));
  }

  portFor(machine: string, gate: Gate, network: Network, audit: Audit): ObjectStore {
    const { store } = this;
    const call = <T>(isWrite: boolean, apply: () => Promise<T>): Promise<T> => network.call(machine, gate, this, { isWrite }, apply);
    return {
      put: (key, parts, options) => {
        // Once the caller was told anything it may use its memory again, and the request still be on its way.
        const sent = parts.map((part) => part.slice());
        audit.stored('the object store', sent);
        return call(true, () => store.put(key, sent, options));
      },
      get: (key, range) => {
        this.fetches += 1;
        return call(false, async () => this.#served(key, await store.get(key, range)));
      },
      head: (key) => call(false, () => store.head(key)),
      list: (prefix, cursor) => call(false, () => store.list(prefix, cursor)),
      delete: (keys) =>
        call(true, async () => {
          for (const key of keys) if (store.objects.has(key)) audit.objectDeleted(key);
          await store.delete(keys);
        }),
    };
  }

  #served(key: string, bytes: Uint8Array | 'absent'): Uint8Array | 'absent' {
    if (bytes === 'absent' || bytes.length === 0 || !this.#dice.chance(this.flippedShare)) return bytes;
    const at = this.#dice.between(0, bytes.length - 1);
    bytes[at] = (bytes[at] ?? 0) ^ (1 << this.#dice.between(0, 7));
    this.#flipped.add(key);
    this.#situations.count('segment read with a flipped byte');
    return bytes;
  }
}
