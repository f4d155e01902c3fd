// What a run says: for each section how many of its statements passed, failed, or were skipped; then every case that did not pass.
//
// A statement failed if one of its cases did. It is skipped if one of them was: part of it was not looked at.

import type { Outcome, Result } from './run.ts';
import { SECTIONS, STATEMENTS, type Statement } from './statements/all.ts';

export interface SectionReport {
  readonly section: string;
  readonly title: string;
  readonly statements: number;
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
  readonly pending: number;
  /** Shown by other tests: no client can bring it about. */
  readonly elsewhere: number;
  /** Of statements for which no case was run at all, as with --only. */
  readonly notRun: number;
}

const WORST_FIRST: readonly Outcome[] = ['failed', 'pending', 'skipped', 'passed'];

/** What became of each statement about the server; undefined: none of its cases was run. */
export function outcomesOf(results: readonly Result[]): Map<string, Outcome> {
  const outcomes = new Map<string, Outcome>();
  for (const { case: one, outcome } of results) {
    for (const id of one.shows) {
      const before = outcomes.get(id);
      if (before === undefined || WORST_FIRST.indexOf(outcome) < WORST_FIRST.indexOf(before)) outcomes.set(id, outcome);
    }
  }
  return outcomes;
}

export function sectionReports(results: readonly Result[]): SectionReport[] {
  const outcomes = outcomesOf(results);
  return Object.entries(SECTIONS).flatMap(([section, title]) => {
    const demands = STATEMENTS.filter((one) => one.section === section && one.about === 'server');
    if (demands.length === 0) return [];
    const count = (holds: (one: Statement) => boolean): number => demands.filter(holds).length;
    const of = (outcome: Outcome | undefined) => count((one) => one.elsewhere === undefined && outcomes.get(one.id) === outcome);
    return [
      {
        section,
        title,
        statements: demands.length,
        passed: of('passed'),
        failed: of('failed'),
        skipped: of('skipped'),
        pending: of('pending'),
        elsewhere: count((one) => one.elsewhere !== undefined),
        notRun: of(undefined),
      },
    ];
  });
}

const COLUMNS = ['statements', 'passed', 'failed', 'skipped', 'pending', 'elsewhere', 'notRun'] as const;

export function printSections(reports: readonly SectionReport[]): string {
  const columns = COLUMNS.filter((column) => column === 'statements' || column === 'passed' || reports.some((one) => one[column] > 0));
  const total = (column: (typeof COLUMNS)[number]) => reports.reduce((sum, one) => sum + one[column], 0);
  const titleWidth = Math.max(...reports.map((one) => one.title.length));
  const row = (section: string, title: string, cell: (column: (typeof COLUMNS)[number]) => string): string =>
    `${section.padEnd(5)}${title.padEnd(titleWidth)}${columns.map((column) => cell(column).padStart(Math.max(column.length, 6) + 2)).join('')}`;
  return [
    row('', 'section', (column) => (column === 'notRun' ? 'not run' : column)),
    ...reports.map((one) => row(one.section, one.title, (column) => (one[column] === 0 ? '·' : String(one[column])))),
    row('', 'all', (column) => String(total(column))),
  ].join('\n');
}

export function printCases(results: readonly Result[], outcome: Outcome): string {
  const found = results.filter((one) => one.outcome === outcome);
  return found
    .map((one) => `${outcome}: ${one.file}: ${one.case.name}\n  shows ${one.case.shows.join(', ')}\n  ${one.reason ?? ''}`)
    .join('\n\n');
}

/** Skipped cases by the reason that they share. */
export function printSkips(results: readonly Result[]): string {
  const byReason = Map.groupBy(
    results.filter((one) => one.outcome === 'skipped'),
    (one) => one.reason ?? '',
  );
  return [...byReason].map(([reason, skipped]) => `skipped: ${skipped.length} cases: ${reason}`).join('\n');
}
