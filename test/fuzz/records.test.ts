// Appends, reads and check-tail: alone, as sessions of frames and as events, by requests that are good, nearly good, and not good at all.

import { describe, expect, test } from 'vitest';
import { expectCodes, expectReached, fuzzGroup, SEED } from './fuzz-group.ts';
import { GROUPS, RECORD_GROUPS } from './groups.ts';
import type { Kind } from './requests.ts';

/** For machines that have much else to do: it is seconds. */
const TIMEOUT_MS = 240_000;
const EVERYWHERE = [
  '400 bad_header',
  '400 bad_path',
  '401 authn',
  '403 permission_denied',
  '404 not_found',
  '404 basin_not_found',
  '404 stream_not_found',
  '405 method_not_allowed',
  '409 basin_deletion_pending',
  '409 stream_deletion_pending',
];
const READS = ['400 bad_query', '416 tail', '422 invalid', 'left'];

const RUNS: readonly (readonly [title: string, group: string, kinds: readonly Kind[], codes: readonly string[]])[] = [
  ['check-tail', 'check-tail', ['unary'], ['left']],
  ['read', 'read', ['unary'], [...READS, '400 decryption_failed']],
  ['read sessions and events', 'read', ['session', 'events'], [...READS, '200 frames 200', '200 frames 400', '200 events']],
  [
    'append',
    'append',
    ['unary'],
    ['400 bad_json', '400 bad_proto', '412 seq_num_mismatch', '412 fencing_token_mismatch', '413 too_large', '422 invalid'],
  ],
  ['append sessions', 'append', ['session'], ['200 frames 400', '200 frames 412', '200 frames 422', '200 frames 200']],
];

test('every group of routes for records is fuzzed', () => {
  expect(new Set(RUNS.map(([, group]) => group))).toEqual(new Set(RECORD_GROUPS));
});

describe(`10,000 requests (seed ${SEED}) are answered as described, and the server goes on:`, () => {
  test.each(RUNS)(
    '%s',
    async (title, name, kinds, codes) => {
      const routes = GROUPS.find((group) => group.name === name)?.routes ?? [];
      const tally = await fuzzGroup(title, routes, kinds);
      if (kinds.includes('unary')) for (const route of routes) expectReached(tally, route);
      else expectCodes(tally, ['200']);
      expectCodes(tally, [...EVERYWHERE, ...codes]);
    },
    TIMEOUT_MS,
  );
});
