// A configuration that changes under those who go by it: whatever was answered counts for everything that begins later.
//
// Calls are known by when they began and ended. A change whose answer is unknown may take effect at any time from its beginning on.
// What is seen (an append that is refused, a timestamp that is kept, a configuration that is read) must fit a value that was possible
// at some moment of the call.

import type { TimestampingMode } from '#core/model/stream-config.ts';
import type { Report } from '../audit.ts';

export interface Stamping {
  readonly mode: TimestampingMode;
  readonly uncapped: boolean;
}

export interface Timed {
  readonly began: number;
  readonly ended: number;
}

interface Change extends Timed {
  readonly to: Stamping;
  readonly isKnown: boolean;
}

interface Sight extends Timed {
  readonly what: string;
  readonly fits: (stamping: Stamping) => boolean;
}

export class Settings {
  readonly #name: string;
  readonly #initial: Stamping;
  readonly #changes: Change[] = [];
  readonly #sights: Sight[] = [];

  constructor(name: string, initial: Stamping) {
    this.#name = name;
    this.#initial = initial;
  }

  changed(change: Change): void {
    this.#changes.push(change);
  }

  saw(sight: Sight): void {
    this.#sights.push(sight);
  }

  check(report: Report): void {
    for (const sight of this.#sights) {
      const possible = this.#during(sight);
      if (possible.some(sight.fits)) continue;
      const values = possible.map(({ mode, uncapped }) => `${mode}${uncapped ? ' uncapped' : ''}`).join(' or ');
      const when = `from ${sight.began.toFixed(3)} to ${sight.ended.toFixed(3)}`;
      report('configuration', `${this.#name} was ${values}, and ${when} ${sight.what}`);
    }
  }

  /** What the configuration may have been at some moment of the call. */
  #during({ began, ended }: Timed): Stamping[] {
    const answered = this.#changes.filter((change) => change.isKnown && change.ended < began);
    const possible = answered.length === 0 ? [this.#initial] : [];
    for (const change of this.#changes) {
      if (change.began > ended) continue;
      const isSuperseded = change.isKnown && answered.some((later) => later.began > change.ended);
      if (!isSuperseded) possible.push(change.to);
    }
    return possible;
  }
}
