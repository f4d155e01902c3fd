// Which keys an object store takes. Every adapter asks here, so that a key fits all of them or none.

import { refused } from '../model/errors.ts';

export const OBJECT_KEY_CHARACTERS_MAX = 512;
/** Objects on one page of a listing, and keys of one delete (S3's own limits). */
export const OBJECT_PAGE_MAX = 1_000;

const SEGMENT = /^[A-Za-z0-9._=-]+$/;

/** @throws StoreError `invalid` for a key that the port does not allow. */
export function checkObjectKey(key: string): void {
  const isShort = key.length >= 1 && key.length <= OBJECT_KEY_CHARACTERS_MAX;
  if (!isShort || !key.split('/').every(isSegment)) throw refused('invalid', `not a key of an object: "${key}"`);
}

/** @throws StoreError `invalid` for a prefix that is neither empty nor whole segments with a `/` behind each. */
export function checkObjectPrefix(prefix: string): void {
  if (prefix === '') return;
  if (!prefix.endsWith('/')) throw refused('invalid', `a prefix of objects ends in "/": "${prefix}"`);
  checkObjectKey(prefix.slice(0, -1));
}

/** @throws StoreError `invalid` for more keys than one delete takes, or a bad one. */
export function checkObjectKeys(keys: readonly string[]): void {
  if (keys.length > OBJECT_PAGE_MAX) throw refused('invalid', `${keys.length} keys in one delete`);
  for (const key of keys) checkObjectKey(key);
}

function isSegment(segment: string): boolean {
  return SEGMENT.test(segment) && segment !== '.' && segment !== '..';
}
