import { fc, test as property } from '@fast-check/vitest';
import { describe, expect, test } from 'vitest';
import { compareBytes, prefixEnd, successor } from '#core/base/byte-order.ts';
import { openLink, streamRef } from '#core/metadata/schema.ts';
import type { OffloadedPiece } from '#core/metadata/segment-index.ts';
import { seqNum } from '#core/model/ids.ts';
import { type BasinConfig, resolveStreamConfig, type StreamConfig } from '#core/model/stream-config.ts';
import type { Write } from '#core/ports/metadata-store.ts';
import { BASIN_CONFIG, beforeNextCommit, CHANNEL, CONFIG, loseAnswers, piece, planned, type World, world } from './support.ts';

const B = 'basin-one';

async function withBasin(): Promise<World> {
  const made = world();
  await made.repository.basins.create(B, BASIN_CONFIG);
  return made;
}

describe('Basins', () => {
  test('a basin is created once; the same request key finds it again, any other is refused', async () => {
    const { basins } = world().repository;
    const first = await basins.create(B, BASIN_CONFIG, 'key');
    expect(first).toMatchObject({ outcome: 'created', basin: { name: B, createdAt: '2023-11-14T22:13:20.000Z' } });
    expect(await basins.create(B, BASIN_CONFIG, 'key')).toEqual({ outcome: 'noop', basin: first.basin });
    await expect(basins.create(B, BASIN_CONFIG, 'other')).rejects.toMatchObject({ code: 'resource_already_exists', effect: 'none' });
    await expect(basins.create(B, BASIN_CONFIG)).rejects.toMatchObject({ code: 'resource_already_exists' });
    expect(await basins.get(B)).toEqual(first.basin);
  });

  test('ensure creates, changes, or does nothing', async () => {
    const { basins } = world().repository;
    const config = { ...BASIN_CONFIG, defaultStreamConfig: { retention: { ageSecs: 60 }, timestamping: { uncapped: true } } };
    expect((await basins.ensure(B, BASIN_CONFIG)).outcome).toBe('created');
    expect((await basins.ensure(B, config)).outcome).toBe('updated');
    expect(await basins.ensure(B, config)).toMatchObject({ outcome: 'noop', basin: { config } });
    expect((await basins.get(B))?.config).toEqual(config);
  });

  test('changes that meet do not overwrite each other', async () => {
    const made = await withBasin();
    const { basins } = made.repository;
    beforeNextCommit(made.store, () => basins.configure(B, (config) => ({ ...config, createStreamOnRead: true })));
    await basins.configure(B, (config) => ({ ...config, createStreamOnAppend: true }));
    expect((await basins.get(B))?.config).toEqual({ createStreamOnAppend: true, createStreamOnRead: true });
  });

  test('M20: a change that meets a deletion does not withdraw it', async () => {
    const changes = [
      (made: World) => made.repository.basins.configure(B, (config) => ({ ...config, createStreamOnAppend: true })),
      (made: World) => made.repository.basins.ensure(B, { ...BASIN_CONFIG, createStreamOnAppend: true }),
    ];
    for (const change of changes) {
      const made = await withBasin();
      beforeNextCommit(made.store, () => made.repository.basins.markDeleted(B));
      await expect(change(made)).rejects.toMatchObject({ code: 'basin_deletion_pending' });
      expect((await made.repository.basins.get(B))?.deletedAt).toBeDefined();
    }
  });

  test('M12: a deleted basin stays deleted, is listed with its time, and refuses everything', async () => {
    const made = await withBasin();
    const { basins } = made.repository;
    const deleted = await basins.markDeleted(B);
    made.time += 5;
    expect(await basins.markDeleted(B)).toEqual(deleted);
    for (const refused of [
      basins.create(B, BASIN_CONFIG),
      basins.ensure(B, BASIN_CONFIG),
      basins.configure(B, (c) => c),
      basins.resolve(B),
    ]) {
      await expect(refused).rejects.toMatchObject({ code: 'basin_deletion_pending' });
    }
    expect((await basins.list({ limit: 10 })).basins).toEqual([deleted]);
    expect(deleted.deletedAt).toBe('2023-11-14T22:13:20.000Z');
    await expect(basins.markDeleted('no-such-basin')).rejects.toMatchObject({ code: 'basin_not_found' });
    await expect(basins.resolve('no-such-basin')).rejects.toMatchObject({ code: 'basin_not_found' });
  });

  test('a deleted basin is removed only once it is empty, with its guards, and its name is free', async () => {
    const made = await withBasin();
    const { basins, streams } = made.repository;
    const { stream } = await streams.create(B, 's', planned(CONFIG));
    expect(await basins.remove(B)).toBe('not_empty');
    await basins.markDeleted(B);
    expect(await basins.remove(B)).toBe('not_empty');
    await removeStream(made, 's', stream.streamId);
    expect(await basins.remove(B)).toBe('removed');
    expect(await basins.remove(B)).toBe('removed');
    expect(made.store.items().filter(({ partition }) => partition.includes('basin'))).toEqual([]);
    expect((await basins.create(B, BASIN_CONFIG)).outcome).toBe('created');
  });
});

async function removeStream(made: World, name: string, id: OffloadedPiece['streamId']): Promise<void> {
  await made.repository.streams.markDeleting(B, name, id);
  await made.repository.segments.applyOffload({ key: 'o', bytes: 1 }, [{ ...piece(0, 0, 'o', { isSealed: true }), streamId: id }]);
  expect(await made.repository.streams.remove({ basin: B, name, streamId: id })).toBe('removed');
}

describe('Streams', () => {
  test('a stream is created with an id of its own and found again', async () => {
    const { streams } = (await withBasin()).repository;
    const { outcome, stream } = await streams.create(B, 's', planned(CONFIG));
    expect(outcome).toBe('created');
    expect(stream).toMatchObject({ basin: B, name: 's', config: CONFIG, chain: [{ streamlet: 0, channel: CHANNEL, start: 0 }] });
    expect(await streams.resolve(B, 's')).toEqual(stream);
    expect(await streams.find(B, 's', 'stale')).toEqual(stream);
    const ref = { basin: B, name: 's', streamId: stream.streamId, channel: CHANNEL, streamlet: 0, config: CONFIG, configVersion: 0 };
    expect(streamRef(stream)).toEqual(ref);
    expect(openLink(stream)).toBe(stream.chain[0]);
    const other = await streams.create(B, 't', planned(CONFIG));
    expect(other.stream.streamId).not.toBe(stream.streamId);
  });

  test('the same request key finds the stream again, any other is refused', async () => {
    const { streams } = (await withBasin()).repository;
    const { stream } = await streams.create(B, 's', planned(CONFIG), 'key');
    expect(await streams.create(B, 's', planned(CONFIG), 'key')).toEqual({ outcome: 'noop', stream });
    await expect(streams.create(B, 's', planned(CONFIG), 'other')).rejects.toMatchObject({ code: 'resource_already_exists' });
    await expect(streams.create(B, 's', planned(CONFIG))).rejects.toMatchObject({ code: 'resource_already_exists' });
  });

  test('of ten that create the same name at once one wins, and ten that ensure it exists agree on the id', async () => {
    const { streams } = (await withBasin()).repository;
    const created = await Promise.allSettled(Array.from({ length: 10 }, () => streams.create(B, 's', planned(CONFIG))));
    expect(created.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    const ensured = await Promise.all(Array.from({ length: 10 }, () => streams.ensureExists(B, 't', planned(CONFIG))));
    expect(new Set(ensured.map(({ stream }) => stream.streamId)).size).toBe(1);
    expect(ensured.filter(({ outcome }) => outcome === 'created')).toHaveLength(1);
  });

  test('ensure creates, changes, or does nothing, and keeps the id', async () => {
    const { streams } = (await withBasin()).repository;
    const first = await streams.ensure(B, 's', planned(CONFIG));
    expect(first.outcome).toBe('created');
    expect((await streams.ensure(B, 's', planned({ ...CONFIG }))).outcome).toBe('noop');
    const changed = await streams.ensure(B, 's', planned({ ...CONFIG, retention: 'infinite' }));
    expect(changed).toMatchObject({ outcome: 'updated', stream: { streamId: first.stream.streamId, config: { retention: 'infinite' } } });
    const patched = await streams.configure(B, 's', (config) => ({ ...config, retention: { ageSecs: 5 } }));
    expect(await streams.resolve(B, 's')).toEqual(patched);
  });

  test('M7: each change of a configuration has a number, and stands in the state that owners read, whatever else that says', async () => {
    const { streams, segments } = (await withBasin()).repository;
    const { stream } = await streams.create(B, 's', planned(CONFIG));
    expect([stream.configVersion, await segments.readState(stream.streamId, 'strong')]).toEqual([0, undefined]);
    await streams.configure(B, 's', (config) => config);
    expect(await segments.readState(stream.streamId, 'strong')).toBeUndefined();
    const endless = { ...CONFIG, retention: 'infinite' as const };
    expect(await streams.configure(B, 's', () => endless)).toMatchObject({ configVersion: 1 });
    expect(await segments.readState(stream.streamId, 'strong')).toMatchObject({ tail: 0, configured: { version: 1, config: endless } });
    await segments.applyOffload({ key: 'a', bytes: 1 }, [{ ...piece(0, 5, 'a', { lastArrival: 9 }), streamId: stream.streamId }]);
    expect((await streams.ensure(B, 's', planned(CONFIG))).stream).toMatchObject({ configVersion: 2 });
    const state = await segments.readState(stream.streamId, 'strong');
    expect(state).toMatchObject({ tail: 5, lastArrival: 9, configured: { version: 2, config: CONFIG } });
  });

  test('of changes of a configuration and an offload that meet, all take effect', async () => {
    const made = await withBasin();
    const { streams, segments } = made.repository;
    const { stream } = await streams.create(B, 's', planned(CONFIG));
    beforeNextCommit(made.store, async () => {
      await segments.applyOffload({ key: 'a', bytes: 1 }, [{ ...piece(0, 5, 'a'), streamId: stream.streamId }]);
      await streams.configure(B, 's', (config) => ({ ...config, deleteOnEmptyMinAgeSecs: 7 }));
    });
    const changed = await streams.configure(B, 's', (config) => ({ ...config, storageClass: 'standard' }));
    expect(changed).toMatchObject({ configVersion: 2, config: { storageClass: 'standard', deleteOnEmptyMinAgeSecs: 7 } });
    expect(await segments.readState(stream.streamId, 'strong')).toMatchObject({
      tail: 5,
      configured: { version: 2, config: changed.config },
    });
  });

  test('a stream keeps the cipher that it was created with, whichever way, and none if it had none', async () => {
    const { streams } = (await withBasin()).repository;
    const made = [
      await streams.create(B, 'created', planned(CONFIG, 'aegis-256')),
      await streams.ensure(B, 'ensured', planned(CONFIG, 'aegis-256')),
      await streams.ensureExists(B, 'existing', planned(CONFIG, 'aegis-256')),
      await streams.create(B, 'plain', planned(CONFIG)),
    ];
    for (const { stream } of made) {
      const cipher = stream.name === 'plain' ? undefined : 'aegis-256';
      expect([stream.cipher, streamRef(stream).cipher]).toEqual([cipher, cipher]);
      await streams.ensure(B, stream.name, planned({ ...CONFIG, retention: 'infinite' }, 'aes-256-gcm'));
      await streams.ensureExists(B, stream.name, planned(CONFIG, 'aes-256-gcm'));
      await streams.configure(B, stream.name, (config) => ({ ...config, retention: { ageSecs: 5 } }));
      expect((await streams.resolve(B, stream.name)).cipher).toBe(cipher);
    }
  });

  test('M11: no stream is created without its basin, nor in one that is being deleted', async () => {
    const made = await withBasin();
    const { basins, streams } = made.repository;
    await expect(streams.create('no-such-basin', 's', planned(CONFIG))).rejects.toMatchObject({ code: 'basin_not_found' });
    await expect(streams.resolve('no-such-basin', 's')).rejects.toMatchObject({ code: 'basin_not_found' });
    await expect(streams.resolve(B, 's')).rejects.toMatchObject({ code: 'stream_not_found' });
    await basins.markDeleted(B);
    for (let i = 0; i < 40; i += 1) {
      await expect(streams.create(B, `s${i}`, planned(CONFIG))).rejects.toMatchObject({ code: 'basin_deletion_pending' });
    }
    await expect(streams.resolve(B, 's')).rejects.toMatchObject({ code: 'basin_deletion_pending' });
  });

  test('M11: what a stream gets of its basin is what the basin says when the stream is made or changed, not when that was planned', async () => {
    const changes: Record<string, (made: World) => Promise<StreamConfig>> = {
      create: async ({ repository }) => (await repository.streams.create(B, 'new', byBasin)).stream.config,
      'auto-create': async ({ repository }) => (await repository.streams.ensureExists(B, 'new', byBasin)).stream.config,
      ensure: async ({ repository }) => (await repository.streams.ensure(B, 's', byBasin)).stream.config,
      configure: async ({ repository }) => (await repository.streams.configure(B, 's', (_, its) => byBasin(its).config)).config,
    };
    const byBasin = ({ defaultStreamConfig }: BasinConfig) => planned(resolveStreamConfig({}, defaultStreamConfig))();
    const settings = { ...BASIN_CONFIG, defaultStreamConfig: { retention: { ageSecs: 7 } } };
    for (const change of Object.values(changes)) {
      // Changed meanwhile; or deleted, and made anew.
      const meanwhile = [
        ({ repository }: World) => repository.basins.ensure(B, settings),
        async ({ repository, store }: World) => {
          await store.commit(
            store
              .items()
              .filter(({ partition }) => partition.startsWith('basin'))
              .map((key) => ({ kind: 'delete', key })),
          );
          await repository.basins.create(B, settings);
        },
      ];
      for (const change2 of meanwhile) {
        const made = await withBasin();
        await made.repository.streams.create(B, 's', planned({ ...CONFIG, retention: 'infinite' }));
        beforeNextCommit(made.store, () => change2(made));
        expect((await change(made)).retention).toEqual({ ageSecs: 7 });
      }
    }
  });

  test('M11: a basin that is deleted between the check and the commit of a creation refuses it', async () => {
    const made = await withBasin();
    beforeNextCommit(made.store, () => made.repository.basins.markDeleted(B));
    await expect(made.repository.streams.create(B, 's', planned(CONFIG))).rejects.toMatchObject({ code: 'basin_deletion_pending' });
    expect((await made.repository.streams.list(B, { limit: 10 })).streams).toEqual([]);
  });

  test('a creation whose answer got lost is unknown; the retry with its request key finds the stream', async () => {
    const made = await withBasin();
    loseAnswers(made.store, 1);
    await expect(made.repository.streams.create(B, 's', planned(CONFIG), 'key')).rejects.toMatchObject({ effect: 'unknown' });
    expect((await made.repository.streams.create(B, 's', planned(CONFIG), 'key')).outcome).toBe('noop');
  });

  test('M12: a deleted stream is pending: listed, refused, and deleted again at no cost', async () => {
    const made = await withBasin();
    const { streams } = made.repository;
    const { stream } = await streams.create(B, 's', planned(CONFIG), 'key');
    const deleted = await streams.markDeleting(B, 's', stream.streamId);
    expect(await streams.markDeleting(B, 's', stream.streamId)).toEqual(deleted);
    for (const refused of [
      streams.resolve(B, 's'),
      streams.create(B, 's', planned(CONFIG), 'key'),
      streams.ensure(B, 's', planned(CONFIG)),
      streams.ensureExists(B, 's', planned(CONFIG)),
      streams.configure(B, 's', (config) => config),
    ]) {
      await expect(refused).rejects.toMatchObject({ code: 'stream_deletion_pending' });
    }
    expect((await streams.list(B, { limit: 10 })).streams).toEqual([deleted]);
    expect(await streams.deleting(10)).toEqual([{ basin: B, name: 's', streamId: stream.streamId }]);
    expect(await streams.deleting(10, stream.streamId)).toEqual([]);
  });

  test('M20: a change of a configuration that meets a deletion does not withdraw it', async () => {
    const endless = { ...CONFIG, retention: 'infinite' as const };
    const changes = [
      ({ repository }: World) => repository.streams.configure(B, 's', () => endless),
      ({ repository }: World) => repository.streams.ensure(B, 's', planned(endless)),
    ];
    for (const change of changes) {
      const made = await withBasin();
      const { stream } = await made.repository.streams.create(B, 's', planned(CONFIG));
      beforeNextCommit(made.store, () => made.repository.streams.markDeleting(B, 's', stream.streamId));
      await expect(change(made)).rejects.toMatchObject({ code: 'stream_deletion_pending' });
      expect((await made.repository.streams.find(B, 's'))?.deletedAt).toBeDefined();
    }
  });

  test('M13: a stream is removed only once its seal is offloaded and no row is left', async () => {
    const made = await withBasin();
    const { streams, segments } = made.repository;
    const { stream } = await streams.create(B, 's', planned(CONFIG));
    const deleting = { basin: B, name: 's', streamId: stream.streamId };
    await streams.markDeleting(B, 's', stream.streamId);
    expect(await streams.remove(deleting)).toBe('not_sealed');
    const records = { ...piece(0, 5, 'a'), streamId: stream.streamId };
    await segments.applyOffload({ key: 'a', bytes: 1 }, [records]);
    expect(await streams.remove(deleting)).toBe('not_sealed');
    await segments.applyOffload({ key: 'b', bytes: 1 }, [
      { ...piece(5, 5, 'b', { isSealed: true, lastTimestamp: 4n }), streamId: stream.streamId },
    ]);
    expect(await streams.remove(deleting)).toBe('busy');
    await segments.raiseTrimPoint(stream.streamId, seqNum(5));
    await segments.unlinkRows(stream.streamId, await segments.rowsFrom(stream.streamId, seqNum(0), 10));
    expect(await streams.remove(deleting)).toBe('removed');
    expect(await streams.remove(deleting)).toBe('removed');
    expect(await streams.find(B, 's')).toBeUndefined();
    expect(await streams.deleting(10)).toEqual([]);
    expect((await streams.create(B, 's', planned(CONFIG))).stream.streamId).not.toBe(stream.streamId);
  });

  test('M13: the request that made a stream, arriving once more after its removal, does not bring the name back', async () => {
    const made = await withBasin();
    const { streams, segments } = made.repository;
    let request: readonly Write[] = [];
    made.store.faults = {
      before: (call) => {
        if (call.operation === 'commit') request = call.writes;
      },
    };
    const { stream } = await streams.create(B, 's', planned(CONFIG));
    made.store.faults = undefined;
    await streams.markDeleting(B, 's', stream.streamId);
    const seal = { ...piece(0, 0, 'a', { isSealed: true, lastTimestamp: 0n }), streamId: stream.streamId };
    await segments.applyOffload({ key: 'a', bytes: 1 }, [seal]);
    expect(await streams.remove({ basin: B, name: 's', streamId: stream.streamId })).toBe('removed');
    expect(await made.store.commit(request)).toMatchObject({ committed: false });
    expect(await streams.find(B, 's')).toBeUndefined();
  });

  test('M7: of two removals at once both find the stream removed, and the name is free', async () => {
    const made = await withBasin();
    const { streams, segments } = made.repository;
    const { stream } = await streams.create(B, 's', planned(CONFIG));
    const deleting = { basin: B, name: 's', streamId: stream.streamId };
    await streams.markDeleting(B, 's', stream.streamId);
    await segments.applyOffload({ key: 'a', bytes: 1 }, [
      { ...piece(0, 0, 'a', { isSealed: true, lastTimestamp: 0n }), streamId: stream.streamId },
    ]);
    // The other one comes between the look at the name and the look at the state.
    made.store.faults = {
      async before(call) {
        if (call.operation !== 'get' || call.key.sort !== 'state') return;
        made.store.faults = undefined;
        expect(await streams.remove(deleting)).toBe('removed');
      },
    };
    expect(await streams.remove(deleting)).toBe('removed');
    expect(await streams.find(B, 's')).toBeUndefined();
  });

  test('M13: an offload that slept through the removal of its stream does not bring it back', async () => {
    const made = await withBasin();
    const { streams, segments } = made.repository;
    const { stream } = await streams.create(B, 's', planned(CONFIG));
    await removeStream(made, 's', stream.streamId);
    expect(await segments.applyOffload({ key: 'a', bytes: 1 }, [{ ...piece(0, 5, 'a'), streamId: stream.streamId }])).toBe(0);
    expect(await segments.rowsFrom(stream.streamId, seqNum(0), 10)).toEqual([]);
  });

  test('M13: the state of a removed stream is purged after the purge age, not before', async () => {
    const made = await withBasin();
    const { streams, segments } = made.repository;
    const { stream } = await streams.create(B, 's', planned(CONFIG));
    await removeStream(made, 's', stream.streamId);
    expect(await streams.purge(made.time, 10)).toBe(0);
    expect(await segments.readState(stream.streamId, 'strong')).toMatchObject({ removedAt: made.time });
    expect(await streams.purge(made.time + 1, 10)).toBe(1);
    expect(await segments.readState(stream.streamId, 'strong')).toBeUndefined();
    expect(await streams.purge(made.time + 1, 10)).toBe(0);
  });
});

describe('listing', () => {
  const name = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 6 }).filter((text) => text.isWellFormed() && !text.includes('\0'));
  const prefix = fc.oneof(
    fc.constant(''),
    fc.string({ unit: 'grapheme', maxLength: 2 }).filter((text) => text.isWellFormed()),
  );
  property.prop([fc.uniqueArray(name, { maxLength: 12 }), prefix, prefix, fc.integer({ min: 1, max: 5 })])(
    'pages hold every name with the prefix behind startAfter once, in the order of UTF-8 bytes',
    async (names, prefixOf, startAfter, limit) => {
      const { streams } = (await withBasin()).repository;
      for (const each of names) await streams.create(B, each, planned(CONFIG));
      const bytes = (text: string) => Buffer.from(text);
      const expected = names
        .filter((each) => bytes(each).subarray(0, bytes(prefixOf).length).equals(bytes(prefixOf)))
        .filter((each) => Buffer.compare(bytes(each), bytes(startAfter)) > 0)
        .sort((a, b) => Buffer.compare(bytes(a), bytes(b)));
      const found: string[] = [];
      let after = startAfter;
      for (let hasMore = true; hasMore; ) {
        const page = await streams.list(B, { prefix: prefixOf, startAfter: after, limit });
        expect(page.streams.length).toBeLessThanOrEqual(limit);
        found.push(...page.streams.map((stream) => stream.name));
        hasMore = page.hasMore;
        after = found.at(-1) ?? after;
        if (hasMore) expect(page.streams.length).toBe(limit);
      }
      expect(found).toEqual(expected);
    },
  );

  const text = fc.string({ unit: 'binary', maxLength: 5 }).filter((candidate) => candidate.isWellFormed());
  property.prop([text, text])('compareBytes orders as UTF-8 does', (a, b) => {
    expect(Math.sign(compareBytes(a, b))).toBe(Buffer.compare(Buffer.from(a), Buffer.from(b)));
    expect(compareBytes(a, successor(a))).toBeLessThan(0);
  });

  property.prop([text, text])('prefixEnd lies behind everything with the prefix, and before what comes behind it', (start, rest) => {
    const end = prefixEnd(start);
    if (end === undefined) expect([...start].every((point) => point === '\u{10ffff}')).toBe(true);
    else expect(compareBytes(start + rest, end)).toBeLessThan(0);
    if (end !== undefined && compareBytes(rest, start) > 0 && !rest.startsWith(start))
      expect(compareBytes(rest, end)).toBeGreaterThanOrEqual(0);
  });
});
