// Every route of the account, of basins and of streams, by requests that are good, nearly good, and not good at all.

import { describe, expect, test } from 'vitest';
import { expectCodes, expectReached, fuzzGroup, SEED } from './fuzz-group.ts';
import { GROUPS, RECORD_GROUPS } from './groups.ts';

/** For machines that have much else to do: it is seconds. */
const TIMEOUT_MS = 240_000;
const EVERYWHERE = ['400 bad_header', '401 authn', '403 permission_denied', '404 not_found', '405 method_not_allowed', 'left'];

/** The kinds of failure of each group, beyond those that are everywhere. A new group needs a line here. */
const CODES: Readonly<Record<string, readonly string[]>> = {
  basins: [
    '400 bad_path',
    '400 bad_query',
    '400 bad_json',
    '404 basin_not_found',
    '409 basin_deletion_pending',
    '409 resource_already_exists',
    '422 invalid',
    '413 too_large',
  ],
  streams: [
    '400 bad_path',
    '400 bad_query',
    '400 bad_json',
    '404 basin_not_found',
    '404 stream_not_found',
    '409 basin_deletion_pending',
    '409 stream_deletion_pending',
    '409 resource_already_exists',
    '422 invalid',
    '413 too_large',
  ],
  'access-tokens': [
    '400 bad_path',
    '400 bad_query',
    '400 bad_json',
    '404 access_token_not_found',
    '409 resource_already_exists',
    '422 invalid',
    '413 too_large',
  ],
  locations: ['400 bad_json', '422 invalid', '413 too_large'],
  metrics: ['400 bad_path', '400 bad_query', '422 invalid'],
};

const groups = GROUPS.filter(({ name }) => !RECORD_GROUPS.includes(name));

test('every group has its kinds of failure', () => {
  expect(groups.map(({ name }) => name).sort()).toEqual(Object.keys(CODES).sort());
});

describe(`10,000 requests (seed ${SEED}) are answered as described, and the server goes on:`, () => {
  test.each(groups)(
    '$name',
    async ({ name, routes }) => {
      const tally = await fuzzGroup(name, routes, ['unary']);
      for (const route of routes) expectReached(tally, route);
      expectCodes(tally, [...EVERYWHERE, ...(CODES[name] ?? [])]);
    },
    TIMEOUT_MS,
  );

  test(
    'what is no part of the API',
    async () => {
      const tally = await fuzzGroup('outside', [], ['unary']);
      expectCodes(tally, ['200', '204', '404 not_found', '405 method_not_allowed', '400 bad_header', '404', '405']);
    },
    TIMEOUT_MS,
  );
});
