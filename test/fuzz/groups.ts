// Which routes are fuzzed together: made of the route table, so that a new route is in a group, or makes one of its own.

import type { Route } from '#core/api/http/route.ts';
import { ROUTES } from '#core/api/http/routes.ts';

export interface Group {
  readonly name: string;
  readonly routes: readonly Route[];
}

const RECORDS = '/v1/streams/:stream/records';

function groupOf({ method, path }: Route): string {
  if (path === RECORDS) return method === 'POST' ? 'append' : 'read';
  if (path.startsWith(RECORDS)) return 'check-tail';
  return path.split('/')[2] ?? '';
}

export const GROUPS: readonly Group[] = [...Map.groupBy(ROUTES, groupOf)].map(([name, routes]) => ({ name, routes }));

/** Fuzzed in more than one form: alone, as sessions, as events. */
export const RECORD_GROUPS: readonly string[] = ['append', 'read', 'check-tail'];
