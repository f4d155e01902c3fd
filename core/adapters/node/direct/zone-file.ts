// The file `zone` of a direct zone: who it is, and what must be there. Written whole, under another name, then renamed.
//
//   zone := text 'millrace-direct-zone 1 <identity> <slab bytes> <slab files> <crc, 8 hex digits>\n', crc as in zone-identity.ts

import path from 'node:path';
import { type ZoneId, zoneId } from '../../../model/ids.ts';
import type { Checksum } from '../../../ports/checksum.ts';
import { errorCode, type Files } from '../files.ts';

export interface ZoneFile {
  readonly zone: ZoneId;
  readonly slabBytes: number;
  /** Slab files that exist at least, numbered from 0. */
  readonly slabs: number;
}

const NAME = 'zone';
const BYTES_MAX = 256;
const LINE = /^(millrace-direct-zone 1 ([a-z0-9-]{1,64}) (\d{1,12}) (\d{1,9})) ([0-9a-f]{8})\n$/;

/** What the file says; `absent` when there is none, `damaged` when it cannot be trusted. */
export async function readZoneFile(files: Files, dir: string, checksum: Checksum): Promise<ZoneFile | 'absent' | 'damaged'> {
  const bytes = new Uint8Array(BYTES_MAX);
  let text: string;
  try {
    const file = await files.open(path.join(dir, NAME), { write: false });
    try {
      text = new TextDecoder().decode(bytes.subarray(0, await file.read(bytes, 0)));
    } finally {
      await file.close();
    }
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return 'absent';
    if (errorCode(error) === 'EIO') return 'damaged';
    throw error;
  }
  const [, signed, zone, slabBytes, slabs, crc] = LINE.exec(text) ?? [];
  if (signed === undefined || zone === undefined || crcOf(signed, checksum) !== crc) return 'damaged';
  return { zone: zoneId(zone), slabBytes: Number(slabBytes), slabs: Number(slabs) };
}

/** Durable once this resolves. */
export async function writeZoneFile(files: Files, dir: string, content: ZoneFile, checksum: Checksum): Promise<void> {
  const signed = `millrace-direct-zone 1 ${content.zone} ${content.slabBytes} ${content.slabs}`;
  const temporary = path.join(dir, `${NAME}.new`);
  await files.removeTree(temporary);
  const file = await files.open(temporary, { write: true, create: 'new' });
  try {
    await file.write([new TextEncoder().encode(`${signed} ${crcOf(signed, checksum)}\n`)], 0);
    await file.sync();
  } finally {
    await file.close();
  }
  await files.rename(temporary, path.join(dir, NAME));
  await files.syncFolder(dir);
}

function crcOf(text: string, checksum: Checksum): string {
  return checksum.crc32(new TextEncoder().encode(text)).toString(16).padStart(8, '0');
}
