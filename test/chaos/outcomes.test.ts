import { FencingTokenMismatchError, RangeNotSatisfiableError, S2Error, SeqNumMismatchError } from '@s2-dev/streamstore';
import { describe, expect, test } from 'vitest';
import type { Operation } from '#test/sim/history.ts';
import { nonsenseOf, outcomeOf } from './outcomes.ts';

const APPEND: Operation = { kind: 'append', stream: 's', records: [] };
const CREATE: Operation = { kind: 'create', stream: 's' };
const READ: Operation = { kind: 'read', stream: 's', from: 0 };

function answer(status: number, code: string): S2Error {
  return new S2Error({ message: code, code, status, origin: 'server' });
}

describe('the outcome of a call that failed', () => {
  test.each([
    [502, 'hot_server'],
    [429, 'rate_limited'],
    [503, 'server_draining'],
    [409, 'transaction_conflict'],
  ])('%d %s had no effect', (status, code) => {
    expect(outcomeOf(answer(status, code), APPEND)).toEqual({ kind: 'failed', code });
  });

  test.each([
    [500, 'storage'],
    [500, 'other'],
    [503, 'unavailable'],
    [408, 'request_timeout'],
    [504, 'upstream_timeout'],
    [499, 'client_hangup'],
    [500, 'something new'],
  ])('%d %s may have had its effect', (status, code) => {
    expect(outcomeOf(answer(status, code), APPEND)).toEqual({ kind: 'unknown', code });
    expect(outcomeOf(answer(status, code), CREATE)).toEqual({ kind: 'unknown', code });
    expect(outcomeOf(answer(status, code), READ)).toEqual({ kind: 'failed', code });
  });

  test('only a connection that was never there means that nothing was sent', () => {
    const lost = (code: string) => new S2Error({ message: code, code, status: 502, origin: 'sdk' });
    expect(outcomeOf(lost('ECONNREFUSED'), APPEND).kind).toBe('failed');
    for (const code of ['ECONNRESET', 'UND_ERR_SOCKET', 'ETIMEDOUT', 'hot_server'])
      expect(outcomeOf(lost(code), APPEND).kind).toBe('unknown');
    expect(outcomeOf(new DOMException('', 'TimeoutError'), APPEND)).toEqual({ kind: 'unknown', code: 'TimeoutError' });
  });

  test('what an answer states about the stream is kept', () => {
    const tail = { seqNum: 7, timestamp: new Date(0) };
    expect(outcomeOf(new SeqNumMismatchError({ message: '', expectedSeqNum: 7 }), APPEND)).toEqual({ kind: 'seq_num_mismatch', tail: 7 });
    expect(outcomeOf(new FencingTokenMismatchError({ message: '', expectedFencingToken: 't' }), APPEND)).toEqual({
      kind: 'fencing_token_mismatch',
      token: 't',
    });
    expect(outcomeOf(new RangeNotSatisfiableError({ tail }), READ)).toEqual({ kind: 'range_not_satisfiable', tail: 7 });
    expect(outcomeOf(answer(404, 'stream_not_found'), APPEND)).toEqual({ kind: 'stream_not_found' });
  });

  test('an answer that no fault can bring about is told apart', () => {
    expect(nonsenseOf(answer(500, 'other'))).toContain('other');
    expect(nonsenseOf(answer(422, 'invalid'))).toContain('invalid');
    expect(nonsenseOf(answer(503, 'unavailable'))).toBeUndefined();
    expect(nonsenseOf(new Error('x'))).toBeUndefined();
  });
});
