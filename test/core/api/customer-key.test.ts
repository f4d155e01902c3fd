import { inspect } from 'node:util';
import { describe, expect, test } from 'vitest';
import { CustomerKey, requireKey } from '#core/api/customer-key.ts';
import { refused } from '#core/model/errors.ts';

const BYTES = Buffer.from('an encryption key of 32 bytes!!!');
const TEXT = BYTES.toString('base64');

describe('a key of a customer', () => {
  test('is 32 bytes in base64', () => {
    expect(Buffer.from(requireKey('aegis-256', new CustomerKey(TEXT)))).toEqual(BYTES);
  });

  test.each([
    ['base64 without its padding', TEXT.slice(0, 43)],
    ['base64 of URLs', Buffer.alloc(32, 0xff).toString('base64url').concat('=')],
    ['text that is not ASCII', 'é'.repeat(40)],
    ['31 bytes', Buffer.alloc(31).toString('base64')],
    ['33 bytes', Buffer.alloc(33).toString('base64')],
    ['a hexadecimal key cut to what fits', Buffer.alloc(22).toString('hex')],
  ])('E5: %s is refused by a message that names the cipher and repeats nothing', (_, text) => {
    let error: unknown;
    try {
      new CustomerKey(text).bytesFor('aes-256-gcm');
    } catch (caught) {
      error = caught;
    }
    expect(error).toMatchObject({ ...refused('bad_header', ''), message: expect.stringContaining("'aes-256-gcm'") });
    expect(inspect(error, { depth: 9, showHidden: true })).not.toContain(text);
  });

  test('E5: shows nothing of itself, however it is printed', () => {
    const key = new CustomerKey(TEXT);
    for (const text of [
      inspect(key, { depth: 9, showHidden: true }),
      JSON.stringify({ key }),
      String(key),
      JSON.stringify(Object.entries(key)),
    ]) {
      expect(text).not.toContain(TEXT.slice(0, 8));
    }
  });
});
