// What every MetadataStore promises, run against each adapter.

import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { METADATA_WRITES_MAX } from '#core/model/limits.ts';
import type { Fields, Key, MetadataStore, Write } from '#core/ports/metadata-store.ts';

export interface MetadataStoreSubject {
  readonly store: MetadataStore;
  /** The same items through a store opened anew; absent where nothing outlives the store. */
  reopen?(): Promise<MetadataStore>;
  close?(): Promise<void>;
}

const key = (sort: string, partition = 'p'): Key => ({ partition, sort });
const put = (sort: string, fields: Fields, when?: Write['when']): Write =>
  ({ kind: 'put', key: key(sort), fields, ...(when === undefined ? {} : { when }) }) as Write;

export function metadataStoreContract(name: string, open: () => Promise<MetadataStoreSubject>): void {
  describe(`${name} as a MetadataStore`, () => {
    let subject: MetadataStoreSubject;
    let store: MetadataStore;
    beforeEach(async () => {
      subject = await open();
      store = subject.store;
    });
    afterEach(() => subject.close?.());

    const fieldsOf = async (sort: string): Promise<Fields | undefined> => (await store.get(key(sort), 'strong'))?.fields;
    const sortsIn = async (range: { start: string; end?: string; reverse?: boolean }, limit = 1_000): Promise<string[]> =>
      (await store.query('p', range, limit, 'strong')).map(({ sort }) => sort);

    test('an item that was never put is undefined', async () => {
      expect(await store.get(key('a'), 'strong')).toBeUndefined();
      expect(await store.query('p', { start: '' }, 10, 'strong')).toEqual([]);
    });

    test('a put replaces the whole item, and its answer holds the item', async () => {
      const first = await store.commit([put('a', { x: 1, y: [true, null, { z: 'é' }] })]);
      expect(first).toEqual({ committed: true, items: [{ ...key('a'), fields: { x: 1, y: [true, null, { z: 'é' }] } }] });
      await store.commit([put('a', { w: Number.MAX_SAFE_INTEGER })]);
      expect(await fieldsOf('a')).toEqual({ w: Number.MAX_SAFE_INTEGER });
    });

    test('an update sets and removes the named fields, leaves the others, and answers with all of them', async () => {
      await store.commit([put('a', { x: 1, y: 2, z: 3 })]);
      const answer = await store.commit([{ kind: 'update', key: key('a'), set: { x: 9, y: undefined } }]);
      expect(answer).toEqual({ committed: true, items: [{ ...key('a'), fields: { x: 9, z: 3 } }] });
      expect(await fieldsOf('a')).toEqual({ x: 9, z: 3 });
    });

    test('an update of an item that is not there fails', async () => {
      const answer = await store.commit([{ kind: 'update', key: key('a'), set: { x: 1 } }]);
      expect(answer).toEqual({ committed: false, failed: [0], current: [undefined] });
      expect(await fieldsOf('a')).toBeUndefined();
    });

    test('a deleted item is gone; deleting it again is no error', async () => {
      await store.commit([put('a', { x: 1 })]);
      const removal: Write = { kind: 'delete', key: key('a') };
      expect(await store.commit([removal])).toEqual({ committed: true, items: [undefined] });
      expect(await store.commit([removal])).toEqual({ committed: true, items: [undefined] });
      expect(await fieldsOf('a')).toBeUndefined();
    });

    test('`absent` holds only without an item, and the answer says what is there instead', async () => {
      expect((await store.commit([put('a', { x: 1 }, { absent: true })])).committed).toBe(true);
      const answer = await store.commit([put('a', { x: 2 }, { absent: true })]);
      expect(answer).toEqual({ committed: false, failed: [0], current: [{ ...key('a'), fields: { x: 1 } }] });
      expect(await fieldsOf('a')).toEqual({ x: 1 });
    });

    const cases: readonly [title: string, equals: Record<string, Fields[string] | undefined>, holds: boolean][] = [
      ['a number', { n: 1 }, true],
      ['another number', { n: 2 }, false],
      ['a number as text', { n: '1' }, false],
      ['several fields', { n: 1, s: 'x' }, true],
      ['several fields, one of them another', { n: 1, s: 'y' }, false],
      ['null, which is a value', { nil: null }, true],
      ['a field that is not there', { other: undefined }, true],
      ['a field that is there, as if it were not', { n: undefined }, false],
      ['null in the place of no field', { other: null }, false],
      ['no field in the place of null', { nil: undefined }, false],
      ['a name that every object inherits', { constructor: undefined }, true],
      ['an object, whatever the order of its names', { o: { b: [1, 2], a: 1 } }, true],
      ['an object with a name less', { o: { a: 1 } }, false],
      ['an array in another order', { l: [2, 1] }, false],
      ['nothing at all: the item must be there', {}, true],
    ];
    test.each(cases)('`equals` compares %s', async (_title, equals, holds) => {
      await store.commit([put('a', { n: 1, s: 'x', nil: null, o: { a: 1, b: [1, 2] }, l: [1, 2] })]);
      const answer = await store.commit([put('b', {}), { kind: 'check', key: key('a'), when: { equals } }]);
      expect(answer.committed).toBe(holds);
    });

    test('`equals` never holds where nothing is', async () => {
      const answer = await store.commit([{ kind: 'check', key: key('a'), when: { equals: { x: undefined } } }]);
      expect(answer).toEqual({ committed: false, failed: [0], current: [undefined] });
    });

    test('all writes take effect or none, whichever condition fails', async () => {
      await store.commit([put('a', { x: 1 })]);
      const writes = [put('b', {}), put('a', { x: 2 }, { equals: { x: 7 } }), put('c', {}), put('d', {}, { equals: {} })];
      const answer = await store.commit(writes);
      expect(answer).toEqual({ committed: false, failed: [1, 3], current: [{ ...key('a'), fields: { x: 1 } }, undefined] });
      expect(await sortsIn({ start: '' })).toEqual(['a']);
    });

    test('conditions see what was there before the commit, not its own writes', async () => {
      const answer = await store.commit([put('a', { x: 1 }), { kind: 'check', key: key('b'), when: { absent: true } }]);
      expect(answer.committed).toBe(true);
      expect(answer.committed && answer.items[1]).toBeUndefined();
    });

    test('commits at the same time are each all or nothing: exactly one of ten wins a condition', async () => {
      await store.commit([put('a', { n: 0 })]);
      const racing = Array.from({ length: 10 }, (_, i) =>
        store.commit([put('a', { n: i + 1 }, { equals: { n: 0 } }), put(`winner-${i}`, {})]),
      );
      const won = (await Promise.all(racing)).flatMap((answer, i) => (answer.committed ? [i] : []));
      expect(won).toHaveLength(1);
      expect(await fieldsOf('a')).toEqual({ n: (won[0] ?? 0) + 1 });
      expect(await sortsIn({ start: 'winner-' })).toEqual([`winner-${won[0]}`]);
    });

    test('a counter that many raise by condition loses no step', async () => {
      await store.commit([put('a', { n: 0 })]);
      const raise = async (): Promise<void> => {
        for (;;) {
          const n = Number((await fieldsOf('a'))?.['n']);
          const set = { n: n + 1 };
          if ((await store.commit([{ kind: 'update', key: key('a'), set, when: { equals: { n } } }])).committed) return;
        }
      };
      await Promise.all(Array.from({ length: 20 }, raise));
      expect(await fieldsOf('a')).toEqual({ n: 20 });
    });

    test('a strong read sees every commit that was answered', async () => {
      for (let i = 0; i < 50; i += 1) {
        await store.commit([put('a', { i })]);
        expect(await fieldsOf('a')).toEqual({ i });
      }
    });

    test('a query gives [start, end) of one partition in the order of UTF-8 bytes', async () => {
      const names = ['a', 'a/', 'ab', 'b', 'ä', '\u{e000}', '\u{ffff}', '\u{10000}', '\u{1f600}', '\u{10ffff}'];
      await store.commit([...names].reverse().map((sort) => put(sort, { sort })));
      await store.commit([{ kind: 'put', key: key('a', 'q'), fields: {} }]);
      expect(await sortsIn({ start: '' })).toEqual(names);
      expect(await sortsIn({ start: 'a/', end: 'b' })).toEqual(['a/', 'ab']);
      expect(await sortsIn({ start: '\u{ffff}', end: '\u{1f600}' })).toEqual(['\u{ffff}', '\u{10000}']);
      expect(await sortsIn({ start: 'b', end: 'a' })).toEqual([]);
    });

    test('a query in reverse gives the last ones first, and the limit counts from there', async () => {
      await store.commit(['a', 'b', 'c', 'd'].map((sort) => put(sort, {})));
      expect(await sortsIn({ start: '' }, 2)).toEqual(['a', 'b']);
      expect(await sortsIn({ start: '', reverse: true }, 2)).toEqual(['d', 'c']);
      expect(await sortsIn({ start: 'b', end: 'd', reverse: true })).toEqual(['c', 'b']);
    });

    test('keys hold what UTF-8 can say, up to 1,024 bytes, and NUL orders before everything', async () => {
      const long = 'é'.repeat(512);
      await store.commit([put(long, { is: 'long' }), put('a', {}), put('a\0', { is: 'nul' }), put('a\0b', {}), put("'; --", {})]);
      expect(await fieldsOf(long)).toEqual({ is: 'long' });
      expect(await fieldsOf('a\0')).toEqual({ is: 'nul' });
      expect(await sortsIn({ start: 'a', end: 'b' })).toEqual(['a', 'a\0', 'a\0b']);
    });

    test('what a caller changes after the answer does not change the item', async () => {
      const fields = { list: [1] };
      await store.commit([put('a', fields)]);
      fields.list.push(3);
      expect(await fieldsOf('a')).toEqual({ list: [1] });
    });

    test('100 writes are one commit; none, 101, and a key named twice are refused', async () => {
      const many = Array.from({ length: METADATA_WRITES_MAX }, (_, i) => put(`k${i}`, { i }));
      expect((await store.commit(many)).committed).toBe(true);
      expect(await sortsIn({ start: '' })).toHaveLength(METADATA_WRITES_MAX);
      await expect(store.commit([])).rejects.toThrow('1 to 100');
      await expect(store.commit([...many, put('one more', {})])).rejects.toThrow('1 to 100');
      await expect(store.commit([put('a', {}), put('a', {})])).rejects.toThrow('same key');
    });

    test('what cannot be stored is refused before anything is', async () => {
      await expect(store.commit([put('', {})])).rejects.toThrow('key');
      await expect(store.commit([put('\ud800', {})])).rejects.toThrow('well-formed');
      await expect(store.commit([put('a'.repeat(1_025), {})])).rejects.toThrow('1,024');
      await expect(store.commit([put('a', { x: 0.5 })])).rejects.toThrow('safe integer');
      await expect(store.commit([put('a', { x: undefined as unknown as null })])).rejects.toThrow('undefined');
      await expect(store.commit([put('a', { x: 1n as unknown as null })])).rejects.toThrow('bigint');
      await expect(store.query('p', { start: '' }, 1_001, 'strong')).rejects.toThrow('1,000');
      expect(await sortsIn({ start: '' })).toEqual([]);
    });

    test('what was committed is there after the store was opened anew', async ({ skip }) => {
      if (subject.reopen === undefined) return skip();
      await store.commit([put('a', { x: 1 }), put('b', {})]);
      await store.commit([{ kind: 'delete', key: key('b') }]);
      const again = await subject.reopen();
      expect((await again.get(key('a'), 'strong'))?.fields).toEqual({ x: 1 });
      expect(await again.get(key('b'), 'strong')).toBeUndefined();
    });
  });
}
