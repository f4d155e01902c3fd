// What every ObjectStore promises, run against each adapter.

import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { ObjectStore } from '#core/ports/object-store.ts';

export interface ObjectStoreSubject {
  readonly store: ObjectStore;
  /** The same objects through a store opened anew; absent where nothing outlives the store. */
  reopen?(): Promise<ObjectStore>;
  close?(): Promise<void>;
}

export function text(value: string): Uint8Array {
  return new TextEncoder().encode(value);
}

/** All keys below a prefix, page by page; fails when one is named twice. */
export async function keysOf(store: ObjectStore, prefix: string): Promise<string[]> {
  const keys: string[] = [];
  let cursor: string | undefined;
  do {
    const page = await store.list(prefix, cursor);
    expect(page.objects.length).toBeLessThanOrEqual(1_000);
    keys.push(...page.objects.map((object) => object.key));
    cursor = page.cursor;
  } while (cursor !== undefined);
  expect(new Set(keys).size).toBe(keys.length);
  return keys.sort();
}

export function objectStoreContract(name: string, open: () => Promise<ObjectStoreSubject>): void {
  describe(`${name} as an ObjectStore`, () => {
    let subject: ObjectStoreSubject;
    let store: ObjectStore;
    beforeEach(async () => {
      subject = await open();
      store = subject.store;
    });
    afterEach(() => subject.close?.());

    describe('put', () => {
      test('stores the parts one behind the other', async () => {
        expect(await store.put('a/b', [text('one '), new Uint8Array(0), text('two')])).toBe('stored');
        expect(await store.get('a/b')).toEqual(text('one two'));
      });

      test('stores an empty object', async () => {
        await store.put('empty', []);
        expect(await store.get('empty')).toEqual(new Uint8Array(0));
        expect(await store.head('empty')).toEqual({ key: 'empty', bytes: 0 });
      });

      test.each([1024 * 1024 - 1, 1024 * 1024, 5 * 1024 * 1024 + 4_097])(
        'Z5: stores an object of %i bytes as its parts are',
        async (size) => {
          const whole = Buffer.alloc(size);
          for (let at = 0; at + 4 <= size; at += 4) whole.writeUInt32LE((at * 2_654_435_761) >>> 0, at);
          const cuts = [0, 1, 4_097, 1_000_000, 1_048_575, size];
          const parts = cuts.slice(1).map((end, i) => whole.subarray(cuts[i], end));
          expect(await store.put('large/object', parts)).toBe('stored');
          expect(await store.head('large/object')).toEqual({ key: 'large/object', bytes: size });
          const found = await (await (subject.reopen?.() ?? store)).get('large/object');
          expect(found !== 'absent' && whole.equals(found)).toBe(true);
        },
      );

      test('replaces what is there unless told otherwise', async () => {
        await store.put('k', [text('old and long')]);
        expect(await store.put('k', [text('new')])).toBe('stored');
        expect(await store.get('k')).toEqual(text('new'));
      });

      test('if absent leaves what is there, and says occupied', async () => {
        await store.put('k', [text('old')]);
        expect(await store.put('k', [text('new')], { ifAbsent: true })).toBe('occupied');
        expect(await store.get('k')).toEqual(text('old'));
      });

      test('Z6: if absent has exactly one winner of many, and its bytes stay', async () => {
        const results = await Promise.all(
          Array.from({ length: 20 }, (_, i) => store.put('race/k', [text(`writer ${i}`)], { ifAbsent: true })),
        );
        expect(results.filter((result) => result === 'stored')).toHaveLength(1);
        expect(await store.get('race/k')).toEqual(text(`writer ${results.indexOf('stored')}`));
      });

      test('if absent takes a key whose object was deleted', async () => {
        await store.put('x/y/z', [text('old')], { ifAbsent: true });
        await store.delete(['x/y/z']);
        expect(await store.put('x/y/z', [text('new')], { ifAbsent: true })).toBe('stored');
        expect(await store.get('x/y/z')).toEqual(text('new'));
      });

      test('does not hand out the bytes that the caller goes on using', async () => {
        const bytes = text('mine');
        await store.put('k', [bytes]);
        bytes.fill(0);
        expect(await store.get('k')).toEqual(text('mine'));
      });

      test('keeps an object and objects below its key apart', async () => {
        await store.put('a', [text('1')]);
        await store.put('a/b', [text('2')]);
        await store.put('a/b/c', [text('3')]);
        expect(await keysOf(store, '')).toEqual(['a', 'a/b', 'a/b/c']);
        await store.delete(['a/b']);
        expect(await keysOf(store, '')).toEqual(['a', 'a/b/c']);
        expect(await store.get('a')).toEqual(text('1'));
      });

      test('takes every key that the port allows, up to 512 characters', async () => {
        const keys = ['x'.repeat(512), `${'y'.repeat(300)}/${'z'.repeat(211)}`, '-._=/A.o/...', '~'.replace('~', '0')];
        for (const key of keys) await store.put(key, [text(key)]);
        for (const key of keys) expect(await store.get(key)).toEqual(text(key));
        expect(await keysOf(store, '')).toEqual([...keys].sort());
        expect(await keysOf(store, `${'y'.repeat(300)}/`)).toEqual([keys[1]]);
      });
    });

    test('refuses keys that the port does not allow, everywhere', async () => {
      for (const key of ['', '/', 'a//b', '/a', 'a/', '.', '..', 'a/../b', 'a b', 'a@', 'ä', 'a\0b', 'x'.repeat(513)]) {
        await expect(store.put(key, [text('x')])).rejects.toMatchObject({ code: 'invalid', effect: 'none' });
        await expect(store.get(key)).rejects.toMatchObject({ code: 'invalid' });
        await expect(store.head(key)).rejects.toMatchObject({ code: 'invalid' });
        await expect(store.delete([key])).rejects.toMatchObject({ code: 'invalid' });
      }
      for (const prefix of ['a', '/', '../', 'a//']) {
        await expect(store.list(prefix)).rejects.toMatchObject({ code: 'invalid' });
      }
    });

    describe('get', () => {
      test('says absent of what is not there, and of a folder', async () => {
        await store.put('a/b', [text('x')]);
        expect(await store.get('nothing')).toBe('absent');
        expect(await store.get('a')).toBe('absent');
        expect(await store.get('a/b/c')).toBe('absent');
        expect(await store.head('a')).toBe('absent');
      });

      test('cuts a range to the size of the object', async () => {
        await store.put('k', [text('0123456789')]);
        expect(await store.get('k', { start: 2, end: 5 })).toEqual(text('234'));
        expect(await store.get('k', { start: 8, end: 99 })).toEqual(text('89'));
        expect(await store.get('k', { start: 10, end: 12 })).toEqual(new Uint8Array(0));
        expect(await store.get('k', { start: 0, end: 0 })).toEqual(new Uint8Array(0));
      });

      test('gives bytes that the caller owns', async () => {
        await store.put('k', [text('safe')]);
        const bytes = await store.get('k');
        if (bytes !== 'absent') bytes.fill(0);
        expect(await store.get('k')).toEqual(text('safe'));
      });
    });

    describe('list', () => {
      test('names what lies below a prefix, and nothing beside it', async () => {
        for (const key of ['a/1', 'a/b/2', 'ab/3', 'c']) await store.put(key, [text(key)]);
        expect(await keysOf(store, 'a/')).toEqual(['a/1', 'a/b/2']);
        expect(await keysOf(store, '')).toEqual(['a/1', 'a/b/2', 'ab/3', 'c']);
        expect(await keysOf(store, 'none/')).toEqual([]);
        expect((await store.list('a/b/')).objects).toEqual([{ key: 'a/b/2', bytes: 5 }]);
      });

      test('names everything exactly once over many pages, also while others come and go', async () => {
        const keys = Array.from({ length: 2_300 }, (_, i) => `p/${i % 7}/${i % 3}/${i}`);
        await inTens(keys, (key) => store.put(key, [text('x')]));
        expect(await keysOf(store, 'p/')).toEqual([...keys].sort());
        const first = await store.list('p/');
        await store.put('p/0/another', [text('x')]);
        await store.delete(first.objects.slice(0, 5).map((object) => object.key));
        const rest: string[] = [];
        for (let cursor = first.cursor; cursor !== undefined; ) {
          const page = await store.list('p/', cursor);
          rest.push(...page.objects.map((object) => object.key));
          cursor = page.cursor;
        }
        const named = [...first.objects.map((object) => object.key), ...rest].filter((key) => key !== 'p/0/another');
        expect(named.sort()).toEqual([...keys].sort());
      });
    });

    test('delete removes what is there of its keys, and is safe to repeat', async () => {
      for (const key of ['d/1', 'd/2', 'd/e/3']) await store.put(key, [text('x')]);
      await store.delete(['d/1', 'd/none', 'd/e/3']);
      await store.delete(['d/1', 'd/none', 'd/e/3']);
      expect(await keysOf(store, '')).toEqual(['d/2']);
      await store.put('d/e/4', [text('y')]);
      expect(await store.get('d/e/4')).toEqual(text('y'));
    });

    test('Z7: puts and deletes beside each other leave exactly what was put last', async () => {
      await Promise.all(
        Array.from({ length: 40 }, async (_, i) => {
          const key = `churn/${i % 4}/${i}`;
          for (let round = 0; round < 5; round += 1) {
            expect(await store.put(key, [text(`${round}`)], { ifAbsent: true })).toBe('stored');
            if (round < 4 || i % 2 === 0) await store.delete([key]);
          }
        }),
      );
      expect(await keysOf(store, 'churn/')).toHaveLength(20);
    });

    test('what was stored is there after opening it again', async (context) => {
      if (subject.reopen === undefined) context.skip();
      else {
        await store.put('kept/a', [text('1')], { ifAbsent: true });
        await store.put('kept/b', [text('2')]);
        const again = await subject.reopen();
        expect(await keysOf(again, '')).toEqual(['kept/a', 'kept/b']);
        expect(await again.put('kept/a', [text('3')], { ifAbsent: true })).toBe('occupied');
      }
    });
  });
}

async function inTens<T>(items: readonly T[], work: (item: T) => Promise<unknown>): Promise<void> {
  for (let i = 0; i < items.length; i += 10) await Promise.all(items.slice(i, i + 10).map(work));
}
