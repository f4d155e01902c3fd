// Whether a metadata file still says what was written to it.
//
//   crc := 2^32 + CRC-32 over '<partition>\n<sort>\n<fields>' in UTF-8, beside each item. SQLite keeps a number in as few bytes
//          as it takes; of these all take six. An item that grew by its checksum would need space that a full disk has not.
//
// SQLite has no checksums of its own: it serves a flipped bit as truth. A key that was flipped is found nowhere, which no
// read can tell from an item that never was; so all items are looked at when the file is opened.
//
//   M17  What an item's checksum does not cover is never served; the file is looked through whole before anything of it is.

import type { DatabaseSync } from 'node:sqlite';
import { crc32 } from 'node:zlib';
import { refused, type StoreError } from '../../model/errors.ts';

const CRC_BASE = 2 ** 32;
const SUMMED = `partition || char(10) || sort || char(10) || fields`;

export function itemCrc(partition: string, sort: string, fields: string): number {
  return crcOf(`${partition}\n${sort}\n${fields}`);
}

function crcOf(text: string): number {
  return CRC_BASE + crc32(text);
}

/** M17 for one item. `path` and what to do are named: a person has to act. */
export function damagedItem(path: string, partition: string, sort: string): StoreError {
  return damaged(path, `the checksum of its item "${partition}" "${sort}" does not match`);
}

/**
 * Looks at every page and every item: about 2 s for a million items. Reads only.
 *
 * @throws StoreError `corrupt`; or what SQLite throws.
 */
export function checkWhole(db: DatabaseSync, path: string): void {
  const found = db.prepare('PRAGMA quick_check(1)').get()?.['quick_check'];
  if (found !== 'ok') throw damaged(path, String(found));
  // One text a row: half the time of three columns.
  const all = db.prepare(`SELECT ${SUMMED}, crc FROM items`);
  all.setReturnArrays(true);
  for (const row of all.iterate()) {
    const [text, crc] = row as unknown as [string, unknown];
    if (typeof text === 'string' && crcOf(text) === crc) continue;
    const [partition = '', sort = ''] = String(text).split('\n', 2);
    throw damagedItem(path, partition, sort);
  }
}

function damaged(path: string, how: string): StoreError {
  return refused(
    'corrupt',
    `metadata file ${path} is damaged: ${how}. ` +
      'Put back a good copy of it, together with the -wal file of that copy, or without one if the copy has none',
  );
}
