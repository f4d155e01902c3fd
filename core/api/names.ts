// Which names are names. (S2 v1 API, section 1.7.) Lengths count UTF-8 bytes.

import { type ErrorCode, refused } from '../model/errors.ts';
import { BASIN_NAME_BYTES_MAX, BASIN_NAME_BYTES_MIN, STREAM_NAME_BYTES_MAX } from '../model/limits.ts';

const BASIN = /^[a-z0-9]([a-z0-9-]*[a-z0-9])?$/;
const BASIN_PREFIX = /^([a-z0-9][a-z0-9-]*)?$/;
const ENCODER = new TextEncoder();

/** @throws StoreError `code` */
export function basinName(name: string, code: ErrorCode): string {
  if (name.length < BASIN_NAME_BYTES_MIN || name.length > BASIN_NAME_BYTES_MAX || !BASIN.test(name)) {
    throw refused(
      code,
      `a basin name is ${BASIN_NAME_BYTES_MIN} to ${BASIN_NAME_BYTES_MAX} characters of a-z, 0-9 and "-", with no "-" at either end`,
    );
  }
  return name;
}

export function basinNamePart(text: string, code: ErrorCode): string {
  if (text.length > BASIN_NAME_BYTES_MAX || !BASIN_PREFIX.test(text)) {
    throw refused(code, `the beginning of a basin name is at most ${BASIN_NAME_BYTES_MAX} characters of a-z, 0-9 and "-"`);
  }
  return text;
}

export function streamName(name: string, code: ErrorCode): string {
  if (name === '' || name === '.' || name === '..') throw refused(code, 'a stream name is not empty, "." or ".."');
  return streamNamePart(name, code);
}

export function streamNamePart(text: string, code: ErrorCode): string {
  if (text.length > STREAM_NAME_BYTES_MAX || ENCODER.encode(text).length > STREAM_NAME_BYTES_MAX) {
    throw refused(code, `a stream name is at most ${STREAM_NAME_BYTES_MAX} bytes`);
  }
  if (text.includes('\0') || !text.isWellFormed()) throw refused(code, 'a stream name is UTF-8 text without NUL');
  return text;
}
