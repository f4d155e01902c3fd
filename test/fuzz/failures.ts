// What every failure looks like, on every route and in every session.

import assert from 'node:assert/strict';
import { ANSWERS } from '#core/wire/error-answer.ts';

const STATUS_OF = new Map<string, number>(Object.values(ANSWERS).map(({ code, status }) => [code, status]));

/** What a failure is on every route: JSON, code and message, and the status that belongs to the code. */
export function checkFailure(status: number, type: string | undefined, method: string, body: Buffer): void {
  assert.equal(type, 'application/json');
  if (method === 'HEAD' || status === 412 || status === 416) return;
  const { code, message, ...others } = JSON.parse(body.toString()) as Record<string, unknown>;
  assert.deepEqual(others, {});
  assert(typeof message === 'string' && message !== '' && message.length < 2_000, `no message: ${body}`);
  assert(typeof code === 'string' && STATUS_OF.has(code), `an unknown code: ${body}`);
  assert.equal(status === 431 ? 400 : status, STATUS_OF.get(code), `${code} is not answered with ${status}`);
}
