// THE authorisation table: what each route needs of an access token, and which names it asks about. (S2 v1 API, section 6.1.)
//
//   K4  No request reaches a use case before its row was checked; a route without a row does not compile.
//
// Rows that need names from the body check those in their handler, by the same operation.

import type { Operation } from '../model/operations.ts';

/** Where the names that must be covered come from; `body`: the handler checks them, once it has read them. */
type Named =
  | 'account'
  | 'basin in path'
  | 'basin in header'
  | 'stream in path'
  | 'basin and stream in path'
  | 'token in path'
  | 'basin in body'
  | 'stream in body'
  | 'token in body';

export interface AccessRule {
  readonly operation: Operation;
  readonly on: Named;
  /** What some requests need besides. */
  readonly sometimes?: readonly Operation[];
}

export const AUTHORIZATION = {
  'GET /v1/basins': { operation: 'list-basins', on: 'account' },
  'POST /v1/basins': { operation: 'create-basin', on: 'basin in body' },
  'GET /v1/basins/:basin': { operation: 'get-basin-config', on: 'basin in path' },
  'PUT /v1/basins/:basin': { operation: 'create-basin', on: 'basin in path', sometimes: ['reconfigure-basin'] },
  'PATCH /v1/basins/:basin': { operation: 'reconfigure-basin', on: 'basin in path' },
  'DELETE /v1/basins/:basin': { operation: 'delete-basin', on: 'basin in path' },
  'GET /v1/streams': { operation: 'list-streams', on: 'basin in header' },
  'POST /v1/streams': { operation: 'create-stream', on: 'stream in body' },
  'GET /v1/streams/:stream': { operation: 'get-stream-config', on: 'stream in path' },
  'GET /v1/streams/:stream/status': { operation: 'get-stream-config', on: 'stream in path' },
  'PUT /v1/streams/:stream': { operation: 'create-stream', on: 'stream in path', sometimes: ['reconfigure-stream'] },
  'PATCH /v1/streams/:stream': { operation: 'reconfigure-stream', on: 'stream in path' },
  'DELETE /v1/streams/:stream': { operation: 'delete-stream', on: 'stream in path' },
  'GET /v1/streams/:stream/records/tail': { operation: 'check-tail', on: 'stream in path' },
  'GET /v1/streams/:stream/records': { operation: 'read', on: 'stream in path' },
  'POST /v1/streams/:stream/records': { operation: 'append', on: 'stream in path', sometimes: ['fence', 'trim'] },
  'GET /v1/access-tokens': { operation: 'list-access-tokens', on: 'account' },
  'POST /v1/access-tokens': { operation: 'issue-access-token', on: 'token in body' },
  'DELETE /v1/access-tokens/:id': { operation: 'revoke-access-token', on: 'token in path' },
  'GET /v1/locations': { operation: 'list-locations', on: 'account' },
  'GET /v1/locations/default': { operation: 'get-default-location', on: 'account' },
  'PUT /v1/locations/default': { operation: 'set-default-location', on: 'account' },
  'GET /v1/metrics': { operation: 'account-metrics', on: 'account' },
  'GET /v1/metrics/:basin': { operation: 'basin-metrics', on: 'basin in path' },
  'GET /v1/metrics/:basin/:stream': { operation: 'stream-metrics', on: 'basin and stream in path' },
} as const satisfies Readonly<Record<string, AccessRule>>;

/** Method and path of a route, as the table names it. */
export type RouteName = keyof typeof AUTHORIZATION;
