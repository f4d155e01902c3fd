// Where an object lies in a folder: keys as nested folders, so that a person finds things.
//
//   path := name* leaf; a segment of a key is one name, or several if it is long: all but the last of them end in '+'.
//   The leaf ends in '@', so that `a` and `a/b` do not meet. Neither mark may occur in a key.

import path from 'node:path';

/** File systems take 255 bytes a name. */
const NAME_CHARACTERS_MAX = 200;
const CONTINUES = '+';
const LEAF = '@';

/** Names of folders and file below the root for a valid key. */
function namesOf(key: string): string[] {
  const names: string[] = [];
  for (const segment of key.split('/')) {
    let rest = segment;
    while (rest.length > NAME_CHARACTERS_MAX) {
      names.push(rest.slice(0, NAME_CHARACTERS_MAX) + CONTINUES);
      rest = rest.slice(NAME_CHARACTERS_MAX);
    }
    names.push(rest);
  }
  return names;
}

export function objectPath(root: string, key: string): string {
  return path.join(root, ...namesOf(key)) + LEAF;
}

/** The folder that holds what has this prefix (empty, or whole segments with `/` behind each). */
export function prefixPath(root: string, prefix: string): string {
  return prefix === '' ? root : path.join(root, ...namesOf(prefix.slice(0, -1)));
}

/** The key of a file called `name` in a folder that stands for `prefix`; undefined when no object is kept under such a name. */
export function keyOfFile(prefix: string, name: string): string | undefined {
  return name.endsWith(LEAF) ? prefix + name.slice(0, -1) : undefined;
}

/** The prefix that a folder called `name` stands for. */
export function prefixOfFolder(prefix: string, name: string): string {
  return name.endsWith(CONTINUES) ? prefix + name.slice(0, -1) : `${prefix}${name}/`;
}
