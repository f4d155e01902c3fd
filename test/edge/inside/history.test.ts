import { describe, expect, test } from 'vitest';
import { BoundedMap } from '../../../edge/bounded-map.ts';
import { streamKeyOf } from '../../../edge/edge-call.ts';
import { History, parseImmutable } from '../../../edge/history.ts';
import { HistoryStore } from '../../../edge/history-store.ts';

const STREAM = streamKeyOf('basin-one', 'stream');
const ONE = 'a'.repeat(32);
const TWO = 'b'.repeat(32);
const THREE = 'c'.repeat(32);
const read = (start: number) => ({ streamKey: STREAM, start, bounds: `${start}/1///raw` });
const bytes = (text: string): ArrayBuffer => new TextEncoder().encode(text).slice().buffer as ArrayBuffer;
const answer = (text: string) => ({ contentType: 'application/json', body: bytes(text) });
const said = (streamId: string, trimPoint = 0) => ({ streamId, trimPoint, tokenMs: 'open' as const });

async function found(history: History, start: number, now: number): Promise<string | undefined> {
  const kept = await history.find(read(start), now);
  return kept === undefined ? undefined : new TextDecoder().decode(kept.body);
}

describe('X2: history', () => {
  test('is given until the word on it is as old as the bound', async () => {
    const history = new History(new HistoryStore(), 10_000);
    await history.keep(read(5), said(ONE), 1_000, answer('five'));
    expect([await found(history, 5, 1_000), await found(history, 5, 10_999), await found(history, 5, 11_000)]).toEqual([
      'five',
      'five',
      undefined,
    ]);
    // What is said of one read counts for all of its stream.
    await history.keep(read(6), said(ONE), 12_000, answer('six'));
    expect(await found(history, 5, 21_999)).toBe('five');
  });

  test('is not given from below the trim point, however the words on it arrive', async () => {
    const history = new History(new HistoryStore(), 10_000);
    await history.keep(read(5), said(ONE), 1_000, answer('five'));
    await history.keep(read(9), said(ONE, 6), 3_000, answer('nine'));
    expect([await found(history, 5, 3_001), await found(history, 9, 3_001)]).toEqual([undefined, 'nine']);
    // Sent before, answered later.
    await history.keep(read(7), said(ONE, 0), 2_000, answer('seven'));
    expect([await found(history, 5, 3_001), await found(history, 7, 3_001)]).toEqual([undefined, 'seven']);
    // At the same moment.
    await history.keep(read(7), said(ONE, 0), 3_000, answer('seven'));
    expect(await found(history, 5, 3_001)).toBeUndefined();
  });

  test('once trimmed stays so, whoever has not heard of it', async () => {
    const history = new History(new HistoryStore(), 10_000);
    await history.keep(read(5), said(ONE), 1_000, answer('five'));
    await history.keep(read(9), said(ONE, 6), 2_000, answer('nine'));
    await history.keep(read(9), said(ONE, 0), 3_000, answer('nine'));
    expect([await found(history, 5, 3_001), await found(history, 9, 3_001)]).toEqual([undefined, 'nine']);
    // Another stream of the name begins anew.
    await history.keep(read(5), said(THREE, 0), 4_000, answer('new'));
    expect(await found(history, 5, 4_001)).toBe('new');
  });

  test('of a stream whose name stands for another one is not given', async () => {
    const history = new History(new HistoryStore(), 10_000);
    await history.keep(read(5), said(ONE), 1_000, answer('old'));
    history.forget(STREAM, 2_000);
    expect(await found(history, 5, 2_001)).toBeUndefined();
    history.forget(STREAM, 2_000);
    history.forget(streamKeyOf('basin-one', 'never read'), 2_000);
    await history.keep(read(6), said(ONE), 1_500, answer('late'));
    expect(await found(history, 5, 2_001)).toBeUndefined();
    await history.keep(read(6), said(TWO), 3_000, answer('new'));
    expect([await found(history, 5, 3_001), await found(history, 6, 3_001)]).toEqual([undefined, 'new']);
  });

  test('of a basin goes with it, and of no other', async () => {
    const history = new History(new HistoryStore(), 10_000);
    await history.keep(read(5), said(ONE), 1_000, answer('five'));
    history.forgetBasin('basin-on', 2_000);
    expect(await found(history, 5, 2_001)).toBe('five');
    history.forgetBasin('basin-one', 2_000);
    expect(await found(history, 5, 2_001)).toBeUndefined();
  });
});

describe('the store', () => {
  test('finds in the cache of the data centre what another isolate kept', async () => {
    await new HistoryStore().put(`${TWO}/shared`, answer('shared'));
    const kept = await new HistoryStore().get(`${TWO}/shared`);
    expect([kept?.contentType, new TextDecoder().decode(kept?.body)]).toEqual(['application/json', 'shared']);
    // No URL of a zone leads there.
    expect(await caches.default.match(`https://history.invalid/${TWO}/shared`)).toBeUndefined();
  });

  test('holds a bounded number of bytes in memory, and drops what was not used for longest', async () => {
    const store = new HistoryStore();
    const body = new ArrayBuffer(4 * 1024 * 1024);
    for (let i = 0; i < 12; i += 1) await store.put(`${ONE}/${i}`, { contentType: '', body });
    expect(store.memoryBytes).toBe(32 * 1024 * 1024);
  });
});

test('a map that is bounded forgets the oldest', () => {
  const map = new BoundedMap<number>(3);
  for (const name of ['a', 'b', 'c']) map.set(name, 1);
  map.set('a', 2);
  map.set('d', 1);
  expect([map.size, map.get('a'), map.get('b'), map.get('c')]).toEqual([3, 2, undefined, 1]);
});

test('only the whole word of the origin is taken', () => {
  expect(parseImmutable(`${ONE}; trim=7; token-ms=900`)).toEqual({ streamId: ONE, trimPoint: 7, tokenMs: 900 });
  expect(parseImmutable(`${ONE}; trim=7; open`)).toEqual({ streamId: ONE, trimPoint: 7, tokenMs: 'open' });
  for (const bad of [
    null,
    '',
    ONE,
    `${ONE}; trim=7`,
    `${ONE}; trim=-1; open`,
    `${ONE}; trim=7; token-ms=x`,
    `x; trim=7; open`,
    `${ONE}; trim=7; open; more`,
  ]) {
    expect(parseImmutable(bad), `${bad}`).toBeUndefined();
  }
});
