// Every code of ours as S2's code and status.

import { expect, test } from 'vitest';
import { type ErrorCode, refused, StoreError } from '#core/model/errors.ts';
import type { SeqNum } from '#core/model/ids.ts';
import { ANSWERS, errorAnswer } from '#core/wire/error-answer.ts';

/** S2 v1 API, section 1.5: the codes whose column N does not promise that nothing happened. */
const MAY_HAVE_HAPPENED = new Set(['client_hangup', 'other', 'request_timeout', 'storage', 'unavailable', 'upstream_timeout']);
const codes = Object.keys(ANSWERS) as ErrorCode[];
const said = (error: unknown): string => JSON.parse(errorAnswer(error).body).code;

test('A2: an error that may have had an effect is never answered with a code that promises none', () => {
  expect(codes.length).toBeGreaterThan(30);
  for (const code of codes) {
    const answered = said(new StoreError(code, 'unknown', 'x'));
    expect([code, answered, MAY_HAVE_HAPPENED.has(answered)]).toEqual([code, answered, true]);
  }
});

test('what the store means stands in the table as S2 says it', () => {
  const answer = (code: ErrorCode, effect: 'none' | 'unknown') => {
    const error = new StoreError(code, effect, 'x');
    return [errorAnswer(error).status, said(error)];
  };
  expect(answer('deposed', 'unknown')).toEqual([503, 'unavailable']);
  expect(answer('throttled', 'none')).toEqual([429, 'rate_limited']);
  expect(answer('disk_full', 'none')).toEqual([502, 'hot_server']);
  expect(answer('disk_full', 'unknown')).toEqual([500, 'storage']);
  expect(answer('draining', 'none')).toEqual([503, 'server_draining']);
  expect(answer('stream_deletion_pending', 'none')).toEqual([409, 'stream_deletion_pending']);
  expect(answer('transaction_conflict', 'none')).toEqual([409, 'transaction_conflict']);
});

test('what no client can bring about has the code and status that S2 gives it', () => {
  const answers = (code: ErrorCode) =>
    (['none', 'unknown'] as const).map((effect) => {
      const error = new StoreError(code, effect, 'x');
      return `${errorAnswer(error).status} ${said(error)}`;
    });
  expect(answers('client_hangup')).toEqual(['499 client_hangup', '499 client_hangup']);
  expect(answers('request_timeout')).toEqual(['408 request_timeout', '408 request_timeout']);
  expect(answers('other')).toEqual(['500 other', '500 other']);
  expect(answers('storage')).toEqual(['500 storage', '500 storage']);
  expect(answers('unavailable')).toEqual(['503 unavailable', '503 unavailable']);
  expect(answers('rate_limited')).toEqual(['429 rate_limited', '503 unavailable']);
});

test('conditions and positions have bodies of their own, exact to 64 bits', () => {
  const seqNum = 7 as SeqNum;
  const body = (error: StoreError) => errorAnswer(error).body;
  expect(body(refused('seq_num_mismatch', 'x', { kind: 'seq_num_mismatch', tail: seqNum }))).toBe('{"seq_num_mismatch":7}');
  expect(body(refused('fencing_token_mismatch', 'x', { kind: 'fencing_token_mismatch', token: '"' }))).toBe(
    '{"fencing_token_mismatch":"\\""}',
  );
  const tail = { seqNum, timestamp: 2n ** 64n - 1n };
  expect(body(refused('range_not_satisfiable', 'x', { kind: 'range_not_satisfiable', tail }))).toBe(
    '{"tail":{"seq_num":7,"timestamp":18446744073709551615}}',
  );
});

test('the words of a broken program stay inside', () => {
  const answer = errorAnswer(new TypeError('secret'));
  expect([answer.status, answer.body]).toEqual([500, '{"code":"other","message":"an unexpected failure"}']);
});
