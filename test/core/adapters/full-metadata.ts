// Run by full-disk.test.ts on a small disk: fills it, and prints what the metadata file still took.

import { closeSync, openSync, rmSync, writeSync } from 'node:fs';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { type Outcome, SqliteItems } from '#core/adapters/node/sqlite-items.ts';
import type { Purpose, Write } from '#core/ports/metadata-store.ts';

const folder = process.argv[2] ?? '';
const file = path.join(folder, 'metadata.db');
const filler = path.join(folder, 'filler');
const UPDATES = 10_000;

/** Takes every byte that is free now. */
function fill(): void {
  const fd = openSync(filler, 'a');
  for (let bytes = 1024 * 1024; bytes >= 4_096; ) {
    try {
      if (writeSync(fd, Buffer.alloc(bytes)) < bytes) bytes /= 2;
    } catch {
      bytes /= 2;
    }
  }
  closeSync(fd);
}

function said(outcome: Outcome | undefined): string {
  if (outcome === undefined) return 'nothing';
  return 'failure' in outcome ? `${outcome.failure} ${outcome.effect}` : 'committed';
}

const items = new SqliteItems(file, 'write', { hasReserve: true });

function commit(write: Write, purpose: Purpose = 'upkeep'): string {
  return said(items.commitGroup([{ writes: [write], purpose }])[0]);
}

const key = (partition: string, number: number) => ({ partition, sort: String(number) });
/** Its size does not change: an item that grows may take a page of its own, and none may be free. */
const renewed = (i: number) => ({ leaseCounter: UPDATES + i });
const put = (partition: string, number: number): Write => ({
  kind: 'put',
  key: key(partition, number),
  fields: { filler: 'x'.repeat(300), ...renewed(0) },
});

for (let i = 0; i < 100; i += 1) commit(put('kept', i));
fill();
let growth = 'committed';
for (let i = 0; growth === 'committed'; i += 1) growth = commit(put('grown', i), 'growth');
fill();
let rowsAdded = 0;
let rowBeyond = 'committed';
while (rowBeyond === 'committed') {
  rowBeyond = commit(put('rows', rowsAdded));
  if (rowBeyond === 'committed') rowsAdded += 1;
  if (rowsAdded % 500 === 0) fill();
}
let updatesRefused = 0;
for (let i = 0; i < UPDATES; i += 1) {
  const update: Write = { kind: 'update', key: key('kept', i % 100), set: renewed(i) };
  if (commit(update) !== 'committed') updatesRefused += 1;
}
for (let i = 0; i < 1_000; i += 1) commit({ kind: 'delete', key: key('rows', i) });
const rowAfterDeletes = commit(put('rows', 0));
rmSync(filler);
let growthWithSpace = 'never';
for (const until = performance.now() + 5_000; growthWithSpace !== 'committed' && performance.now() < until; ) {
  growthWithSpace = commit(put('grown', -1), 'growth');
}
items.close();

const db = new DatabaseSync(file, { readOnly: true });
const integrity = db.prepare('PRAGMA integrity_check').get()?.['integrity_check'];
const count = (partition: string) => Number(db.prepare('SELECT count(*) AS n FROM items WHERE partition = ?').get(partition)?.['n']);
const missing = 100 - count('kept') + (rowsAdded - 999) - count('rows');
process.stdout.write(
  JSON.stringify({ growth, rowsAdded, rowBeyond, updatesRefused, rowAfterDeletes, growthWithSpace, integrity, missing }),
);
