// Which names are names. (S2 v1 API, section 1.7.) Lengths count UTF-8 bytes.

import { type ErrorCode, refused } from '../model/errors.ts';
import {
  ACCESS_TOKEN_ID_BYTES_MAX,
  BASIN_NAME_BYTES_MAX,
  BASIN_NAME_BYTES_MIN,
  LOCATION_NAME_BYTES_MAX,
  STREAM_NAME_BYTES_MAX,
} from '../model/limits.ts';

const BASIN = /^[a-z0-9]([a-z0-9-]*[a-z0-9])?$/;
const BASIN_PREFIX = /^([a-z0-9][a-z0-9-]*)?$/;
const LOCATION = /^[A-Za-z0-9:.-]+$/;
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
  return utf8(text, STREAM_NAME_BYTES_MAX, 'a stream name', code);
}

export function accessTokenId(id: string, code: ErrorCode): string {
  if (id === '' || id === '.' || id === '..') throw refused(code, 'the id of an access token is not empty, "." or ".."');
  return accessTokenIdPart(id, code);
}

export function accessTokenIdPart(text: string, code: ErrorCode): string {
  return utf8(text, ACCESS_TOKEN_ID_BYTES_MAX, 'the id of an access token', code);
}

export function locationName(name: string, code: ErrorCode): string {
  if (name.length > LOCATION_NAME_BYTES_MAX || !LOCATION.test(name)) {
    throw refused(code, `the name of a location is 1 to ${LOCATION_NAME_BYTES_MAX} characters of A-Z, a-z, 0-9, ":", "." and "-"`);
  }
  return name;
}

function utf8(text: string, bytesMax: number, what: string, code: ErrorCode): string {
  if (text.length > bytesMax || ENCODER.encode(text).length > bytesMax) throw refused(code, `${what} is at most ${bytesMax} bytes`);
  if (text.includes('\0') || !text.isWellFormed()) throw refused(code, `${what} is UTF-8 text without NUL`);
  return text;
}
