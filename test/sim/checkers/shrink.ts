// The part of a bad history that shows what is wrong, for people to look at.
//
// Only what keeps a good history good is taken away, so that what is left is bad in itself: whole streams; everything from some
// moment on (calls that were under way then have no answer); calls that changed nothing; appends at the top of a stream that was never
// deleted, above all that the rest names, unless they hold commands.

import type { Call, History } from '../history.ts';
import type { Verdict } from './index.ts';
import { byStream, isUnknown } from './stream-calls.ts';
import type { Violation } from './violation.ts';

export interface Shrunk {
  readonly history: History;
  /** Of the shrunk history. */
  readonly violation: Violation;
  /** How often the checker was asked. */
  readonly checks: number;
}

/** Undefined for a history that is good. `checksMax`: the shrunk history is the best that was found by then. */
export function shrink(history: History, checker: (history: History) => Verdict, checksMax = 2_000): Shrunk | undefined {
  const [violation] = checker(history).violations;
  if (violation === undefined) return undefined;
  const shrinking = new Shrinking(history, violation, checker, checksMax);
  shrinking.run();
  return shrinking;
}

class Shrinking implements Shrunk {
  history: History;
  violation: Violation;
  checks = 1;
  readonly #checker: (history: History) => Verdict;
  readonly #checksMax: number;

  constructor(history: History, violation: Violation, checker: (history: History) => Verdict, checksMax: number) {
    this.history = history;
    this.violation = violation;
    this.#checker = checker;
    this.#checksMax = checksMax;
  }

  run(): void {
    this.#try(this.history.filter(({ operation }) => operation.stream === this.violation.stream));
    for (let before = Number.POSITIVE_INFINITY; this.history.length < before && this.checks < this.#checksMax; ) {
      before = this.history.length;
      this.#cutEnd();
      this.#dropIdle();
      this.#dropTop();
    }
  }

  /** Keeps the candidate if it is bad in the same way. */
  #try(candidate: History): boolean {
    if (this.checks >= this.#checksMax) return false;
    this.checks += 1;
    const { check, stream } = this.violation;
    const same = this.#checker(candidate).violations.find((found) => found.check === check && found.stream === stream);
    if (same === undefined) return false;
    this.history = candidate;
    this.violation = same;
    return true;
  }

  /** Halves the range of moments at which the history may end: what is bad stays so as it goes on. */
  #cutEnd(): void {
    const moments = [...new Set(this.history.flatMap(({ began, ended }) => (ended === undefined ? [began] : [began, ended])))];
    moments.sort((a, b) => a - b);
    let low = 0;
    let high = moments.length - 1;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#try(until(this.history, moments[middle] ?? 0))) high = middle;
      else low = middle + 1;
    }
  }

  /** Drops calls that changed nothing: many at once, then fewer. */
  #dropIdle(): void {
    for (let size = this.history.length; size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
      const idle = this.history.filter(changesNothing);
      for (let from = 0; from < idle.length; from += size) {
        const chunk = new Set(idle.slice(from, from + size));
        const sessions = new Set([...chunk].flatMap(sessionOf));
        this.#try(this.history.filter((call) => !chunk.has(call) && !sessionOf(call).some((session) => sessions.has(session))));
      }
    }
  }

  #dropTop(): void {
    for (let top = topAppend(this.history); top !== undefined; top = topAppend(this.history)) {
      const dropped = top;
      if (!this.#try(this.history.filter((call) => call !== dropped))) return;
    }
  }
}

/** A tailing read is dropped as a whole: without its first batch the others would seem to have been asked for later. */
function sessionOf({ operation }: Call): number[] {
  return operation.kind === 'read' && operation.follows !== undefined ? [operation.follows] : [];
}

/** What clients knew at that moment. */
function until(history: History, moment: number): History {
  return history
    .filter(({ began }) => began <= moment)
    .map((call): Call => {
      if (call.ended === undefined || call.ended <= moment) return call;
      const { client, operation, began } = call;
      return { client, operation, began };
    });
}

function changesNothing(call: Call): boolean {
  const { kind } = call.operation;
  if (kind === 'read' || kind === 'check-tail') return true;
  return !isUnknown(call) && call.outcome?.kind !== 'appended' && call.outcome?.kind !== 'created' && call.outcome?.kind !== 'deleted';
}

/** The acknowledged append that nothing else comes after, or that is named by nothing else. */
function topAppend(history: History): Call | undefined {
  const [stream, ...others] = byStream(history);
  if (stream === undefined || others.length > 0 || !stream.isOneStream) return undefined;
  const placed = stream.appends.filter(({ start }) => start !== undefined).sort((a, b) => (b.start ?? 0) - (a.start ?? 0));
  const [top] = placed;
  const isPlain = top?.records.every(({ fence, trim }) => fence === undefined && trim === undefined);
  if (top?.start === undefined || !isPlain) return undefined;
  const { start, call } = top;
  const isNamed = stream.calls.some((other) => other !== call && highestNamed(other) > start);
  return isNamed ? undefined : call;
}

function highestNamed({ operation, outcome }: Call): number {
  const stated = outcome !== undefined && 'tail' in outcome ? (outcome.tail ?? 0) : 0;
  const asked = operation.kind === 'append' ? (operation.matchSeqNum ?? 0) : operation.kind === 'read' ? operation.from : 0;
  const last = outcome?.kind === 'read' ? (outcome.records.at(-1)?.seqNum ?? -1) + 1 : 0;
  return Math.max(stated, asked, last);
}
