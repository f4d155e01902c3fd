// Bytes of every format version as they were first written, kept for ever: a decoder must read them, an encoder still write them.
//
// A file is hexadecimal, 32 bytes a line. A golden file is never changed; a new version gets a new file.

import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { expect } from 'vitest';

function path(name: string): URL {
  return new URL(`golden/${name}.hex`, import.meta.url);
}

export function golden(name: string): Uint8Array {
  return new Uint8Array(Buffer.from(readFileSync(path(name), 'utf8').replaceAll(/\s/g, ''), 'hex'));
}

/** Compares with the golden bytes; where there are none yet, `MILLRACE_GOLDEN=write` makes them. */
export function expectGolden(name: string, bytes: Uint8Array): void {
  if (!existsSync(path(name)) && process.env['MILLRACE_GOLDEN'] === 'write') {
    writeFileSync(
      path(name),
      `${
        Buffer.from(bytes)
          .toString('hex')
          .match(/.{1,64}/g)
          ?.join('\n') ?? ''
      }\n`,
    );
  }
  expect(Buffer.from(bytes).toString('hex')).toBe(Buffer.from(golden(name)).toString('hex'));
}
