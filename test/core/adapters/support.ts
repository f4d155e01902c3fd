// Folders that live as long as one test, and randomness that repeats.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { onTestFinished } from 'vitest';
import type { LogId, Position } from '#core/model/ids.ts';
import type { ObjectStore } from '#core/ports/object-store.ts';
import { keysOf } from '../../contract/object-store.ts';

/** A new folder on a real disk, removed by the returned function. */
export function temporaryFolder(): { dir: string; remove: () => void } {
  const dir = mkdtempSync(path.join(tmpdir(), 'millrace-test-'));
  return { dir, remove: () => rmSync(dir, { recursive: true, force: true }) };
}

/** The same, removed when the running test ends. */
export function folderOfTest(): string {
  const { dir, remove } = temporaryFolder();
  onTestFinished(remove);
  return dir;
}

/** Breaks the object of a chunk in its last byte. */
export async function tear(objects: ObjectStore, log: LogId, at: Position): Promise<void> {
  const wanted = `/${String(log.epoch).padStart(16, '0')}/${String(at).padStart(16, '0')}`;
  const key = (await keysOf(objects, '')).find((each) => each.endsWith(wanted)) ?? '';
  const bytes = await objects.get(key);
  if (bytes === 'absent') throw new Error(`nothing to tear at ${key}`);
  bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) ^ 1;
  await objects.put(key, [bytes]);
}
