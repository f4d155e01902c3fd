// Pages of a listing in an order that nobody can rely on: another one for each listing, the same for all pages of one.
//
// What is there during the whole listing is named exactly once, also when other keys come and go between pages.

export interface ShuffledPage {
  readonly keys: readonly string[];
  readonly cursor?: string;
}

/** `salt` starts a listing; a cursor goes on with the salt that it was given. */
export function shuffledPage(keys: Iterable<string>, limit: number, salt: number, cursor?: string): ShuffledPage {
  const split = cursor?.indexOf(':') ?? -1;
  const seed = cursor === undefined ? salt : Number(cursor.slice(0, split));
  const after = cursor?.slice(split + 1);
  const ranked: string[] = [];
  for (const key of keys) {
    const rank = `${scramble(key, seed)}:${key}`;
    if (after === undefined || rank > after) ranked.push(rank);
  }
  ranked.sort();
  const page = ranked.slice(0, limit);
  const last = page.at(-1);
  const named = page.map((rank) => rank.slice(9));
  return ranked.length > limit && last !== undefined ? { keys: named, cursor: `${seed}:${last}` } : { keys: named };
}

/** Eight hexadecimal digits of FNV-1a over salt and key, stirred once more so that neighbours part. */
function scramble(key: string, salt: number): string {
  let hash = (0x811c9dc5 ^ salt) >>> 0;
  for (let i = 0; i < key.length; i += 1) hash = Math.imul(hash ^ key.charCodeAt(i), 0x01000193) >>> 0;
  hash = Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d) >>> 0;
  return ((hash ^ (hash >>> 13)) >>> 0).toString(16).padStart(8, '0');
}
