// Whether something was found that metadata should know of and does not: then metadata is older than what it describes, or
// another's. What it does not name may then be named by the metadata that was lost, so no sweep deletes anything any more.
//
// The first doubt stays until a person has looked: by the time of the next look, numbers may have grown past what was found.

import type { MetadataStore } from '../ports/metadata-store.ts';
import { doubtKey } from './schema.ts';

export class Doubt {
  readonly #store: MetadataStore;

  constructor(store: MetadataStore) {
    this.#store = store;
  }

  /** What was found, in words. */
  async read(): Promise<string | undefined> {
    const item = await this.#store.get(doubtKey(), 'strong');
    return item === undefined ? undefined : String(item.fields['found']);
  }

  async note(found: string): Promise<void> {
    await this.#store.commit([{ kind: 'put', key: doubtKey(), fields: { found }, when: { absent: true } }]);
  }
}
