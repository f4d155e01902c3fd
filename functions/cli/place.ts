// `basin` or `basin/stream` as one argument. A stream's name may hold slashes, so the first one divides.

import { usageError } from './exit-code.ts';

const BASIN = /^[a-z0-9]([a-z0-9-]*[a-z0-9])?$/;
const BASIN_CHARS_MIN = 8;
const BASIN_CHARS_MAX = 48;
const STREAM_BYTES_MAX = 512;

export interface StreamPlace {
  readonly basin: string;
  readonly stream: string;
}

export interface Place {
  readonly basin: string;
  /** Undefined where the basin itself is meant. */
  readonly stream: string | undefined;
}

export function parsePlace(text: string): Place {
  const slash = text.indexOf('/');
  const basin = checkedBasin(slash < 0 ? text : text.slice(0, slash));
  return { basin, stream: slash < 0 ? undefined : checkedStream(text.slice(slash + 1), text) };
}

export function parseStreamPlace(text: string): StreamPlace {
  const { basin, stream } = parsePlace(text);
  if (stream === undefined) throw usageError(`"${text}" names a basin; a stream is basin/stream`);
  return { basin, stream };
}

/** `basin` or `basin/prefix`, where the prefix may be empty. */
export function parseListing(text: string): { readonly basin: string; readonly prefix: string } {
  const slash = text.indexOf('/');
  return slash < 0
    ? { basin: checkedBasin(text), prefix: '' }
    : { basin: checkedBasin(text.slice(0, slash)), prefix: text.slice(slash + 1) };
}

export function nameOf({ basin, stream }: Place): string {
  return stream === undefined ? basin : `${basin}/${stream}`;
}

function checkedBasin(name: string): string {
  if (name.length < BASIN_CHARS_MIN || name.length > BASIN_CHARS_MAX || !BASIN.test(name)) {
    throw usageError(`"${name}" cannot be a basin: ${BASIN_CHARS_MIN} to ${BASIN_CHARS_MAX} of a-z, 0-9 and -, and neither end a hyphen`);
  }
  return name;
}

function checkedStream(name: string, whole: string): string {
  const bytes = Buffer.byteLength(name);
  if (bytes === 0) throw usageError(`"${whole}" has no stream after the slash`);
  if (bytes > STREAM_BYTES_MAX) throw usageError(`the stream's name has ${bytes} bytes; it may have ${STREAM_BYTES_MAX}`);
  if (name === '.' || name === '..' || name.includes('\0')) throw usageError(`"${name}" cannot be a stream`);
  return name;
}
