// What may be trimmed, and nothing else: below a trim command that was stored, or what is older than the stream's retention allows.
//
// Records are known by the frames that zones were told to keep, and ages by the arrival that stands in them, beside the world's own
// clock: jobs go by wall clocks that differ from it by a bounded error.

import type { StreamState } from '#core/metadata/schema.ts';
import { milliseconds } from '#core/model/stream-config.ts';
import type { Audit, Report } from './audit.ts';
import type { Ledger } from './ledger.ts';
import type { Situations } from './situations.ts';

export interface WorldClock {
  /** Milliseconds since 1970. */
  readonly wall: () => number;
  /** By which any machine's clock may differ from it now. */
  readonly errorMs: () => number;
}

interface Known {
  /** When each record arrived: of several frames that were stored for a place, the earliest. */
  readonly arrivals: number[];
  /** Where the trim commands that were stored lead to, at most. */
  asked: number;
  /** The shortest that the stream was ever configured to keep records; undefined: for ever. */
  ageMs: number | undefined;
}

export class RetentionWatch {
  readonly #clock: WorldClock;
  readonly #situations: Situations;
  readonly #report: Report;
  readonly #streams = new Map<string, Known>();

  constructor(audit: Audit, ledger: Ledger, clock: WorldClock, situations: Situations, report: Report) {
    this.#clock = clock;
    this.#situations = situations;
    this.#report = report;
    ledger.onFrame.push(({ streamId, first, count, arrival, trimPoint = 0 }) => {
      const known = this.#known(streamId);
      known.asked = Math.max(known.asked, trimPoint);
      for (let at: number = first; at < first + count; at += 1) known.arrivals[at] = Math.min(known.arrivals[at] ?? arrival, arrival);
    });
    audit.onName.push(({ id, retention }) => {
      if (id === undefined || retention === undefined || retention === 'infinite') return;
      const known = this.#known(id);
      known.ageMs = Math.min(known.ageMs ?? Number.POSITIVE_INFINITY, milliseconds(retention.ageSecs));
    });
    audit.onState.push((id, before, now) => this.#changed(id, before, now));
  }

  #known(id: string): Known {
    const known = this.#streams.get(id) ?? { arrivals: [], asked: 0, ageMs: undefined };
    this.#streams.set(id, known);
    return known;
  }

  #changed(id: string, before: StreamState | undefined, { trimPoint, isSealed }: StreamState): void {
    const { arrivals, asked, ageMs } = this.#known(id);
    const from = Math.max(asked, before?.trimPoint ?? 0);
    // All of a stream that is being deleted is trimmed.
    if (isSealed || trimPoint <= from) return;
    if (ageMs === undefined) {
      this.#report('retention', `stream ${id} keeps its records, nobody asked to trim [${from}, ${trimPoint}), and it is trimmed`);
      return;
    }
    this.#situations.count('trimmed by retention');
    const newest = this.#clock.wall() + this.#clock.errorMs() - ageMs;
    for (let at = from; at < trimPoint; at += 1) {
      const arrival = arrivals[at];
      if (arrival !== undefined && arrival < newest) continue;
      const early = arrival === undefined ? 'was never stored' : `is ${(arrival - newest).toFixed(0)} ms too young`;
      this.#report('retention', `stream ${id} is trimmed below ${trimPoint} by its age, and ${at} ${early}`);
      return;
    }
  }
}
