// The object store behind the network.

import { MemoryObjectStore } from '#core/adapters/memory/memory-object-store.ts';
import type { ObjectStore } from '#core/ports/object-store.ts';
import type { Audit } from '../audit.ts';
import type { Gate } from '../machine.ts';
import type { Network, Remote } from '../network.ts';

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
  readonly store = new MemoryObjectStore({ pageMax: PAGE_MAX });

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
        return call(false, () => store.get(key, range));
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
}
