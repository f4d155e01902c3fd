// Checks what a request says against a schema: the first thing that is wrong becomes the answer.

import { z } from 'zod';
import { type ErrorCode, refused, StoreError } from '../../../model/errors.ts';

/** What is said of the JSON form of a number that a double cannot hold. */
export const U64_JSON = { type: 'integer', format: 'uint64', minimum: 0 } as const;

/** A whole number in JSON that was read without going through a double: a bigint. */
export const u64In = z
  .bigint({ error: 'expected a whole number of at most 64 bits' })
  .min(0n)
  .max(0xffff_ffff_ffff_ffffn, 'expected a whole number of at most 64 bits')
  .meta(U64_JSON);

/** @param what the part of the request, as it is told. @throws StoreError `code` */
export function parseWith<T extends z.ZodType>(schema: T, value: unknown, code: ErrorCode, what: string): z.output<T> {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  const where = issue?.path.join('.') || 'the whole';
  throw refused(code, `${what} is not as expected: ${where}: ${issue?.message ?? 'invalid'}`);
}

/** Text that `check` takes; what it throws is what is wrong. Rules of names stand once, in names.ts. */
export function textBy(check: (text: string, code: ErrorCode) => string): z.ZodString {
  return z.string().superRefine((text, context) => {
    try {
      check(text, 'invalid');
    } catch (error) {
      if (!(error instanceof StoreError)) throw error;
      context.addIssue({ code: 'custom', message: error.message });
    }
  });
}
