// Cursors of walks as metadata keeps them between runs, and back. What cannot be read begins anew (J2).

import type { Epoch, Position } from '../model/ids.ts';
import type { Fields } from '../ports/metadata-store.ts';
import type { ObjectCursor } from './sweep.ts';
import type { StreamCursor } from './walk-streams.ts';

export function encodeStreamCursor(cursor: StreamCursor | undefined): Fields | undefined {
  return cursor && { basin: cursor.basin, name: cursor.name };
}

export function decodeStreamCursor(fields: Fields | undefined): StreamCursor | undefined {
  const { basin, name } = fields ?? {};
  return typeof basin === 'string' && typeof name === 'string' ? { basin, name } : undefined;
}

export function encodeObjectCursor(cursor: ObjectCursor | undefined): Fields | undefined {
  return cursor && { prefix: cursor.prefix, ...(cursor.page === undefined ? {} : { page: cursor.page }) };
}

export function decodeObjectCursor(fields: Fields | undefined): ObjectCursor | undefined {
  const { prefix, page } = fields ?? {};
  if (typeof prefix !== 'string') return undefined;
  return typeof page === 'string' ? { prefix, page } : { prefix };
}

/** How far gc has deleted the log of each epoch. */
export function encodeDeleted(deleted: ReadonlyMap<Epoch, Position>): Fields {
  return Object.fromEntries([...deleted].map(([epoch, position]) => [String(epoch), position]));
}

export function decodeDeleted(fields: Fields | undefined): ReadonlyMap<Epoch, Position> {
  const entries = Object.entries(fields ?? {}).flatMap(([epoch, position]): (readonly [Epoch, Position])[] =>
    /^\d{1,15}$/.test(epoch) && typeof position === 'number' ? [[Number(epoch) as Epoch, position as Position]] : [],
  );
  return new Map(entries);
}
