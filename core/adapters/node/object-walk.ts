// Lists objects below a folder in one fixed order, so that the last key of a page says where the next one goes on.
//
// The order is that of folder names, level by level, and not the order of keys. What comes or goes while a listing runs may
// be named or not; everything else is named exactly once.

import path from 'node:path';
import { errorCode, type Files, type FolderEntry } from './files.ts';
import { keyOfFile, objectPath, prefixOfFolder, prefixPath } from './object-path.ts';

/** Adds to `keys` those below `prefix` and behind `after`, until there are `limit`. */
export async function walkObjects(
  files: Files,
  root: string,
  prefix: string,
  after: string | undefined,
  limit: number,
  keys: string[],
): Promise<void> {
  const top = prefixPath(root, prefix);
  const names = after === undefined ? [] : path.relative(top, objectPath(root, after)).split(path.sep);
  await walk(files, top, prefix, names, limit, keys);
}

/** `after` holds the names on the way to the last key of the page before; those at this level are its first. */
async function walk(files: Files, folder: string, prefix: string, after: readonly string[], limit: number, keys: string[]): Promise<void> {
  const [mark, ...deeper] = after;
  for (const entry of await sortedEntries(files, folder)) {
    if (keys.length >= limit) return;
    if (mark !== undefined && entry.name < mark) continue;
    if (entry.isFolder) {
      const below = entry.name === mark ? deeper : [];
      await walk(files, path.join(folder, entry.name), prefixOfFolder(prefix, entry.name), below, limit, keys);
    } else if (entry.name !== mark) {
      const key = keyOfFile(prefix, entry.name);
      if (key !== undefined) keys.push(key);
    }
  }
}

async function sortedEntries(files: Files, folder: string): Promise<readonly FolderEntry[]> {
  try {
    const entries = await files.entries(folder);
    return [...entries].sort((a, b) => (a.name < b.name ? -1 : 1));
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return [];
    throw error;
  }
}
