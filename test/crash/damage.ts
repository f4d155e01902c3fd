// What may happen to the folder of one zone while the process is down.

import { open, readdir, rm, stat, truncate } from 'node:fs/promises';
import path from 'node:path';
import type { Prng } from './prng.ts';

export type Zone = 'a' | 'b' | 'c';
export const ZONES: readonly Zone[] = ['a', 'b', 'c'];

const KINDS = ['delete the folder', 'flip bytes', 'cut a file', 'delete a file'] as const;

/** Damages the folder of `zone`. @returns what was done, in words; undefined when there was nothing to damage */
export async function damageZone(dataDir: string, zone: Zone, prng: Prng): Promise<string | undefined> {
  const folder = path.join(dataDir, 'zones', zone);
  const files = await filesOf(folder);
  if (files.length === 0) return undefined;
  const kind = prng.pick(KINDS);
  const file = prng.pick(files);
  switch (kind) {
    case 'delete the folder':
      await rm(folder, { recursive: true });
      return `zone ${zone}: deleted`;
    case 'flip bytes':
      for (const each of files) await flipBytes(each, prng);
      return `zone ${zone}: bytes flipped in ${files.length} files`;
    case 'cut a file': {
      const { size } = await stat(file);
      const kept = prng.between(0, Math.max(0, Math.min(size, 64 * 1_024) - 1));
      await truncate(file, kept);
      return `zone ${zone}: ${path.basename(file)} cut to ${kept} bytes`;
    }
    case 'delete a file':
      await rm(file);
      return `zone ${zone}: ${path.basename(file)} deleted`;
  }
}

async function filesOf(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => []);
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => path.join(entry.parentPath, entry.name))
    .sort();
}

/** Flips a byte in every 4 KiB or so of the first MiB, where chunks begin, and in a few places behind it. */
async function flipBytes(file: string, prng: Prng): Promise<void> {
  const handle = await open(file, 'r+');
  try {
    const { size } = await handle.stat();
    const dense = Math.min(size, 1024 * 1024);
    const places: number[] = [];
    for (let at = prng.between(0, 4_095); at < dense; at += prng.between(1, 8_192)) places.push(at);
    for (let more = 0; more < 16 && size > 0; more++) places.push(prng.between(0, size - 1));
    const byte = Buffer.alloc(1);
    for (const place of places) {
      const { bytesRead } = await handle.read(byte, 0, 1, place);
      if (bytesRead === 0) continue;
      byte[0] = (byte[0] ?? 0) ^ (1 << prng.between(0, 7));
      await handle.write(byte, 0, 1, place);
    }
  } finally {
    await handle.close();
  }
}
