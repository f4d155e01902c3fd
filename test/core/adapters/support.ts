// Folders that live as long as one test, and randomness that repeats.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { onTestFinished } from 'vitest';

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
