import { fc, test as prop } from '@fast-check/vitest';
import { describe, expect, test } from 'vitest';
import { MemoryObjectStore } from '#core/adapters/memory/memory-object-store.ts';
import { zlibChecksum } from '#core/adapters/node/zlib-checksum.ts';
import { decodeIndex, type SegmentEntry } from '#core/format/segment.ts';
import type { SeqNum, StreamletNumber } from '#core/model/ids.ts';
import { buildObjects, Section } from '#core/segment/builder.ts';
import { byteOfSeqNum, byteOfTimestamp, rangesFrom } from '#core/segment/index.ts';
import { readFooter, readFrames, readIndex, readSection, type SectionPlace } from '#core/segment/reader.ts';
import { damage, damaged } from '../format/arbitraries.ts';
import { expectGolden } from '../format/golden.ts';
import { bodiesOf, type FrameSpec, frameOf, idOf, sealOf } from '../jobs/world.ts';

const KEY = 'segments/test';

function sectionOf(stream: number, specs: readonly Omit<FrameSpec, 'stream'>[]): Section {
  const section = new Section(idOf(stream), 0 as StreamletNumber, (specs[0]?.first ?? 0) as SeqNum);
  for (const spec of specs) section.add(frameOf({ ...spec, stream }));
  return section;
}

async function store(sections: readonly Section[]) {
  const objects = new MemoryObjectStore();
  const built = buildObjects(sections, Number.POSITIVE_INFINITY, zlibChecksum).at(-1);
  if (built === undefined) throw new Error('nothing was built');
  await objects.put(KEY, built.parts);
  const places = built.entries.map((entry) => ({ ...entry, object: KEY }));
  return { reads: { objects, checksum: zlibChecksum }, objects, built, places };
}

/** About `kib` KiB of frames of 16 KiB. */
function longSection(kib: number): Section {
  const count = Math.ceil(kib / 16);
  return sectionOf(
    1,
    Array.from({ length: count }, (_, i) => ({ first: i * 10, bodies: Array.from({ length: 10 }, () => 'x'.repeat(1_626)) })),
  );
}

describe('a segment object', () => {
  test('O2: holds the frames of each stream byte by byte, and lists them', async () => {
    const one = [
      frameOf({ stream: 1, first: 5, bodies: ['a', 'b'] }),
      frameOf({ stream: 1, first: 7, bodies: ['c'], token: 't', trimPoint: 6 }),
    ];
    const section = new Section(idOf(1), 0 as StreamletNumber, 5 as SeqNum);
    for (const frame of [...one, sealOf(1, 8)]) section.add(frame);
    const { reads, built, places } = await store([section, sectionOf(2, [{ first: 0, bodies: ['z'] }])]);
    const summary = await readFooter(reads, KEY);
    expect(summary).toEqual({ bytes: built.bytes, entries: built.entries });
    expect(built.entries[0]).toMatchObject({
      first: 5,
      end: 8,
      records: 3,
      firstTimestamp: 5n,
      lastTimestamp: 7n,
      token: 't',
      trimPoint: 6,
      isSealed: true,
      meteredBytes: one[0] === undefined ? 0 : one[0].meteredBytes + (one[1]?.meteredBytes ?? 0),
    });
    const frames = await readSection(reads, idOf(1), places[0] as SectionPlace);
    expect(frames).toHaveLength(2);
    if (frames !== 'absent')
      for (const [i, frame] of frames.entries()) expect(Buffer.compare(frame.bytes, one[i]?.bytes ?? Buffer.of())).toBe(0);
  });

  test('names a frame about every 64 KiB, and ranges start and end between frames', async () => {
    const { reads, places } = await store([longSection(1_000)]);
    const place = places[0] as SectionPlace;
    const index = await readIndex(reads, place);
    if (index === 'absent') throw new Error('absent');
    expect(index.entries.length).toBeGreaterThanOrEqual(12);
    expect(index.entries.length).toBeLessThanOrEqual(16);
    const ranges = [...rangesFrom(index, 0, 256 * 1024, 64 * 1024)];
    expect(ranges.length).toBeGreaterThanOrEqual(4);
    const given: number[] = [];
    for (const range of ranges) {
      const frames = await readFrames(reads, idOf(1), place, range);
      if (frames !== 'absent') given.push(...frames.map(({ first }) => first));
    }
    expect(given).toEqual(Array.from({ length: 63 }, (_, i) => i * 10));
  });

  test('an index finds a frame at or before a sequence number or a timestamp, never behind it', async () => {
    const { reads, places } = await store([longSection(600)]);
    const index = await readIndex(reads, places[0] as SectionPlace);
    if (index === 'absent') throw new Error('absent');
    for (let at = 0; at < 380; at += 7) {
      for (const offset of [byteOfSeqNum(index, at as SeqNum), byteOfTimestamp(index, BigInt(at))]) {
        const entry = index.entries.find((candidate) => candidate.offset === offset);
        expect(entry?.first).toBeLessThanOrEqual(at);
        expect(at - (entry?.first ?? 0)).toBeLessThanOrEqual(60);
      }
    }
  });

  test('large streams go to siblings, and the main object lists all', async () => {
    const [sibling, main] = buildObjects([longSection(100), sectionOf(2, [{ first: 0, bodies: ['z'] }])], 64 * 1024, zlibChecksum);
    expect(sibling).toMatchObject({ sibling: 1, entries: [{ streamId: idOf(1), sibling: 0 }] });
    expect(main?.entries.map(({ streamId, sibling: at }) => [streamId, at])).toEqual([
      [idOf(1), 1],
      [idOf(2), 0],
    ]);
    expect(main?.bytes).toBeLessThan(1_000);
  });

  test('a footer longer than the first read is read whole', async () => {
    const sections = Array.from({ length: 1_500 }, (_, i) => sectionOf(i, [{ first: 0, bodies: ['x'] }]));
    const { reads } = await store(sections);
    const summary = await readFooter(reads, KEY);
    expect(summary === 'absent' ? 0 : summary.entries.length).toBe(1_500);
  });

  test('is absent, not broken, once it is deleted', async () => {
    const { reads, places, objects } = await store([longSection(100)]);
    objects.objects.clear();
    const place = places[0] as SectionPlace;
    expect(await readFooter(reads, KEY)).toBe('absent');
    expect(await readIndex(reads, place)).toBe('absent');
    expect(await readSection(reads, idOf(1), place)).toBe('absent');
    expect(await readFrames(reads, idOf(1), place, { start: 0, end: 10 })).toBe('absent');
  });

  test('O3: the section of another stream is refused, by the name of its object', async () => {
    const { reads, places } = await store([sectionOf(1, [{ first: 0, bodies: ['a'] }])]);
    await expect(readSection(reads, idOf(2), places[0] as SectionPlace)).rejects.toThrow(KEY);
  });

  const sections = fc.array(
    fc.array(fc.array(fc.string({ maxLength: 20 }), { minLength: 1, maxLength: 3 }), { minLength: 1, maxLength: 4 }),
    {
      minLength: 1,
      maxLength: 3,
    },
  );

  prop.prop([sections, damage])('O3: flipped, cut or swapped bytes never come back as records', async (streams, how) => {
    const { reads, objects, places } = await store(
      streams.map((frames, stream) => {
        let first = 0;
        const specs = frames.map((bodies) => {
          first += bodies.length;
          return { first: first - bodies.length, bodies };
        });
        return sectionOf(stream, specs);
      }),
    );
    const broken = damaged(objects.objects.get(KEY) ?? Buffer.of(), how);
    if (broken === undefined) return;
    objects.objects.set(KEY, broken);
    let found = 0;
    const tryRead = async (read: () => Promise<unknown>): Promise<unknown> => {
      try {
        return await read();
      } catch (error) {
        expect(error).toMatchObject({ code: 'corrupt' });
        found += 1;
        return undefined;
      }
    };
    await tryRead(() => readFooter(reads, KEY));
    for (const [stream, place] of places.entries()) {
      const frames = await tryRead(() => readSection(reads, idOf(stream), place as SectionPlace));
      if (frames === undefined || frames === 'absent') continue;
      const given = (frames as ReturnType<typeof frameOf>[]).flatMap(({ body }) => bodiesOf(body));
      expect(given).toEqual(streams[stream]?.flat());
    }
    if (how.kind !== 'swap') expect(found).toBeGreaterThan(0);
  });

  prop.prop([fc.array(fc.integer({ min: 1, max: 3 }), { minLength: 2, maxLength: 6 }), fc.nat(), fc.nat()])(
    'O3: whole frames that changed places are noticed',
    async (counts, a, b) => {
      let first = 0;
      const specs = counts.map((count) => {
        first += count;
        return { first: first - count, bodies: Array.from({ length: count }, () => 'same') };
      });
      const { reads, objects, places } = await store([sectionOf(1, specs)]);
      const frames = specs.map((spec) => frameOf({ ...spec, stream: 1 }).bytes);
      const [i, j] = [a % frames.length, b % frames.length];
      if (i === j) return;
      [frames[i], frames[j]] = [frames[j] ?? Buffer.of(), frames[i] ?? Buffer.of()];
      objects.objects.get(KEY)?.set(Buffer.concat(frames), 8);
      await expect(readSection(reads, idOf(1), places[0] as SectionPlace)).rejects.toMatchObject({ code: 'corrupt' });
    },
  );

  test('O1: goes on behind a seal only as corruption', () => {
    const section = sectionOf(1, [{ first: 0, bodies: ['a'] }]);
    section.add(sealOf(1, 1));
    section.add(sealOf(1, 1));
    expect(() => section.add(frameOf({ stream: 1, first: 1, bodies: ['b'] }))).toThrow(expect.objectContaining({ code: 'corrupt' }));
  });

  test('version 1 bytes stay what they are', () => {
    const built = buildObjects([sectionOf(1, [{ first: 3, bodies: ['a', 'b'], token: 't' }])], 1e9, zlibChecksum)[0];
    const bytes = Buffer.concat(built?.parts ?? []);
    expectGolden('segment-v1', bytes);
    const entry = built?.entries[0] as SegmentEntry;
    const section = bytes.subarray(entry.byteStart, entry.byteEnd);
    expect(decodeIndex(section, section.length, zlibChecksum).entries[0]).toMatchObject({ first: 3, offset: 0 });
  });
});
