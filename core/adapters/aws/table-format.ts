// Whether a table is one that this version can use: an item says which format its items have.
//
//   format := partition `table`, sort `format`: {version}
//
//   M22 Nothing is read from or written to a table whose format is newer than this version knows.

import { StoreError } from '../../model/errors.ts';
import type { Key, MetadataStore } from '../../ports/metadata-store.ts';

const VERSION = 1;
const KEY: Key = { partition: 'table', sort: 'format' };

/** Marks a new table; @throws StoreError `corrupt` for one of a newer version, or of something else */
export async function checkTableFormat(store: MetadataStore, table: string): Promise<void> {
  const found = await store.get(KEY, 'strong');
  const item = found ?? (await mark(store));
  const version = item?.fields['version'];
  if (version === VERSION) return;
  const why =
    typeof version === 'number'
      ? `has format ${version}, and this version knows none beyond ${VERSION}; install the version that wrote it, or a later one`
      : 'is not a table of Millrace';
  throw new StoreError('corrupt', 'none', `table ${table} ${why}`);
}

async function mark(store: MetadataStore) {
  const made = await store.commit([{ kind: 'put', key: KEY, fields: { version: VERSION }, when: { absent: true } }]);
  return made.committed ? made.items[0] : made.current[0];
}
