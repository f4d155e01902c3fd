// A stream that deletes itself, and that nobody else deletes: never early, and never while something acknowledged is readable.
//
// Seen from outside, with the world's own clock: an append was acknowledged, and the name says that it is being deleted. Records go by
// retention alone, so what is not trimmed on record by then can still be read.

import { milliseconds, type StreamConfig } from '#core/model/stream-config.ts';
import type { Audit, Report } from '../audit.ts';
import type { Ledger } from '../ledger.ts';
import type { Situations } from '../situations.ts';

export const BRIEF = 'brief';
export const BRIEF_CONFIG: Pick<StreamConfig, 'retention' | 'deleteOnEmptyMinAgeSecs'> = {
  retention: { ageSecs: 1 },
  deleteOnEmptyMinAgeSecs: 2,
};

const MIN_AGE_MS = milliseconds(BRIEF_CONFIG.deleteOnEmptyMinAgeSecs);

interface Appended {
  readonly began: number;
  readonly ended: number;
  readonly end: number;
}

interface Life {
  readonly appends: Appended[];
  /** Set once the name says that the stream is being deleted. */
  marked?: { readonly at: number; readonly trimPoint: number };
}

export class Brief {
  readonly #audit: Audit;
  readonly #situations: Situations;
  readonly #now: () => number;
  readonly #report: Report;
  readonly #lives = new Map<string, Life>();
  /** Who bears the name, and since when. */
  #current: { readonly id: string; readonly since: number } | undefined;
  readonly #marks: number[] = [];
  /** Its seal is on the way. */
  onSealing: () => void = () => undefined;

  constructor(audit: Audit, ledger: Ledger, situations: Situations, now: () => number, report: Report) {
    this.#audit = audit;
    this.#situations = situations;
    this.#now = now;
    this.#report = report;
    ledger.onFrame.push(({ kind, streamId }) => {
      if (kind === 'seal' && streamId === this.#current?.id) this.onSealing();
    });
    audit.onName.push(({ name, id, isDeleting }) => {
      if (name === BRIEF) this.#named(id, isDeleting);
    });
  }

  /** A stream bears the name, or did and is not gone yet. */
  get isThere(): boolean {
    return this.#current !== undefined;
  }

  /** An append was acknowledged, up to `end`. One that may have been to the bearer of the name before says nothing. */
  acknowledged(began: number, end: number): void {
    const { id, since } = this.#current ?? { id: '', since: Number.POSITIVE_INFINITY };
    if (began <= since) return;
    const life = this.#life(id);
    const last = life.appends.at(-1);
    if (life.marked === undefined && last !== undefined && began - last.ended > MIN_AGE_MS) {
      this.#situations.count('stream written in time, before it deleted itself');
    }
    life.appends.push({ began, ended: this.#now(), end });
    if (life.marked !== undefined) this.#check(life, life.marked);
  }

  /** An append was refused as to a stream that is being deleted, or is not there. */
  refused(began: number): void {
    if (this.#marks.some((at) => at >= began)) this.#situations.count('append met a stream that deleted itself');
  }

  #named(id: string | undefined, isDeleting: boolean): void {
    if (id === undefined) {
      this.#current = undefined;
      return;
    }
    if (id !== this.#current?.id) this.#current = { id, since: this.#now() };
    const life = this.#life(id);
    if (!isDeleting || life.marked !== undefined) return;
    this.#marks.push(this.#now());
    life.marked = { at: this.#now(), trimPoint: this.#audit.trimPointOf(id) };
    this.#check(life, life.marked);
  }

  #life(id: string): Life {
    const life = this.#lives.get(id) ?? { appends: [] };
    this.#lives.set(id, life);
    return life;
  }

  #check({ appends }: Life, { at, trimPoint }: NonNullable<Life['marked']>): void {
    for (const { began, end } of appends) {
      if (end > trimPoint)
        this.#report('deleted-readable', `it deleted itself with its trim point at ${trimPoint}, and had acknowledged up to ${end}`);
      const ms = at - began;
      if (ms < MIN_AGE_MS) this.#report('deleted-early', `it deleted itself ${ms.toFixed(0)} ms after an append began`);
    }
  }
}
