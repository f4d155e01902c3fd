// Which tasks are there: an item each, with a counter that its task moves as long as it lives. Others watch the counter, as they watch
// leases: no clock is compared. Nothing is safe by it; it only says among how many the channels are shared.

import type { Item, MetadataStore } from '../ports/metadata-store.ts';
import { FieldReader } from './fields.ts';
import { TASKS, taskKey } from './schema.ts';

/** More than these are not looked at. */
export const TASKS_MAX = 256;

export interface TaskState {
  readonly task: string;
  readonly counter: number;
  /** Where it is reached: metadata of the channels that it has names it so. */
  readonly peer: string;
}

export class Tasks {
  readonly #store: MetadataStore;

  constructor(store: MetadataStore) {
    this.#store = store;
  }

  async beat({ task, counter, peer }: TaskState): Promise<void> {
    await this.#store.commit([{ kind: 'put', key: taskKey(task), fields: { counter, peer } }]);
  }

  /** As they were lately, perhaps. */
  async list(): Promise<readonly TaskState[]> {
    return (await this.#store.query(TASKS, { start: '' }, TASKS_MAX, 'stale')).map(decode);
  }

  /** It goes; of another task only if it has not moved since. */
  async remove({ task, counter }: Pick<TaskState, 'task' | 'counter'>): Promise<void> {
    await this.#store.commit([{ kind: 'delete', key: taskKey(task), when: { equals: { counter } } }]);
  }
}

function decode(item: Item): TaskState {
  const fields = new FieldReader(item);
  return { task: item.sort, counter: fields.count('counter'), peer: fields.text('peer') };
}
