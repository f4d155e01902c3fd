// Who runs a job of functions, and where its next run goes on: one small item a job.
//
// The lease keeps two runs from doing the same work at once, which costs twice; what a job does is safe without it, as clocks are
// wrong and processes sleep. So it goes by wall clocks, and nobody renews it: it is as long as the run may last.
//
//   J1  A run that is not the last one that took its job moves neither lease nor cursor, however late it wakes up.

import type { Fields, Item, MetadataStore } from '../ports/metadata-store.ts';
import { replace } from './conditional.ts';
import { FieldReader, present } from './fields.ts';
import { type JobRun, jobRunKey } from './schema.ts';

/** A run that has its job. */
export type TakenRun = JobRun & { readonly holder: string };

export class JobRuns {
  readonly #store: MetadataStore;

  constructor(store: MetadataStore) {
    this.#store = store;
  }

  /** Undefined: nobody ever ran it. */
  async read(job: string): Promise<JobRun | undefined> {
    const item = await this.#store.get(jobRunKey(job), 'strong');
    return item === undefined ? undefined : decode(job, item);
  }

  /** Takes the job for `leaseMs`; undefined while another run has it. */
  async take(job: string, holder: string, now: number, leaseMs: number): Promise<TakenRun | undefined> {
    const key = jobRunKey(job);
    const item = await this.#store.get(key, 'strong');
    const found: JobRun = item === undefined ? { job, failures: 0 } : decode(job, item);
    if (found.holder !== undefined && (found.until ?? 0) > now) return undefined;
    const taken = { ...found, holder, until: Math.ceil(now + leaseMs) };
    const answer = await this.#store.commit([replace(key, item?.fields, encode(taken))]);
    // An answer that was lost on the way may have been this one's.
    const isOurs = answer.committed || answer.current[0]?.fields['holder'] === holder;
    return isOurs ? taken : undefined;
  }

  /** Moves the cursor; false: another run has the job. */
  async note(run: TakenRun, cursor: Fields | undefined): Promise<boolean> {
    return await this.#update(run, { cursor, failures: 0 });
  }

  /** Gives the job up: the next run goes on at `cursor`. False: another run has the job. */
  async end(run: TakenRun, cursor: Fields | undefined, failures = 0): Promise<boolean> {
    return await this.#update(run, { cursor, failures, holder: undefined, until: undefined });
  }

  async #update(run: TakenRun, set: Partial<Record<keyof JobRun, Fields | string | number | undefined>>): Promise<boolean> {
    const when = { equals: { holder: run.holder } };
    return (await this.#store.commit([{ kind: 'update', key: jobRunKey(run.job), set, when }])).committed;
  }
}

function encode({ holder, until, cursor, failures }: JobRun): Fields {
  return present({ holder, until, cursor, failures });
}

function decode(job: string, item: Item): JobRun {
  const fields = new FieldReader(item);
  const holder = fields.optionalText('holder');
  const until = fields.optionalCount('until');
  const cursor = item.fields['cursor'];
  return {
    job,
    failures: fields.optionalCount('failures') ?? 0,
    ...(holder === undefined ? {} : { holder }),
    ...(until === undefined ? {} : { until }),
    ...(typeof cursor === 'object' && cursor !== null && !Array.isArray(cursor) ? { cursor: cursor as Fields } : {}),
  };
}
