// Which statements no case shows, and what is wrong with the lists themselves.

import type { CaseFile } from './case.ts';
import { SECTIONS, STATEMENTS, type Statement } from './statements/all.ts';

export interface Coverage {
  /** Demands on the server that no case names. */
  readonly uncovered: readonly Statement[];
  /** What is wrong: ids that stand twice or nowhere, cases without ids, names that stand twice. */
  readonly faults: readonly string[];
}

export function coverageOf(files: readonly CaseFile[], list: readonly Statement[] = STATEMENTS): Coverage {
  const byId = new Map(list.map((one) => [one.id, one]));
  const cases = files.flatMap(({ file, cases: found }) => found.map((one) => ({ file, one })));
  const shown = new Set<string>(cases.flatMap(({ one }) => one.shows));
  const faults = [
    ...twice(list.map((one) => one.id)).map((id) => `statement ${id} stands twice`),
    ...list.filter((one) => SECTIONS[one.section] === undefined).map((one) => `statement ${one.id} is of no section`),
    ...twice(cases.map(({ file, one }) => `${file}: ${one.name}`)).map((name) => `case ${name} stands twice`),
    ...cases.filter(({ one }) => one.shows.length === 0).map(({ file, one }) => `case ${file}: ${one.name} shows nothing`),
    ...cases
      .filter(({ one }) => one.run === undefined && (one.steps ?? []).length === 0)
      .map(({ file, one }) => `case ${file}: ${one.name} does nothing`),
    ...cases.flatMap(({ file, one }) =>
      one.shows
        .filter((id) => byId.get(id)?.about !== 'server' || byId.get(id)?.elsewhere !== undefined)
        .map((id) => `case ${file}: ${one.name} shows ${id}, which is no demand on the server`),
    ),
  ];
  return { uncovered: list.filter((one) => one.about === 'server' && one.elsewhere === undefined && !shown.has(one.id)), faults };
}

function twice(names: readonly string[]): string[] {
  return [...Map.groupBy(names, (name) => name)].flatMap(([name, found]) => (found.length > 1 ? [name] : []));
}
