// Planted bugs of metadata and names.

import type { PlantedBug } from './planted-bug.ts';

export const METADATA_BUGS: readonly PlantedBug[] = [
  {
    name: 'state-moves-backwards',
    part: 'metadata',
    rules: ['M7'],
    why: 'A compaction writes the state that it read without asking whether it still stands there: an offload that came between is undone, and its rows are in the way.',
    edits: [
      {
        file: 'core/metadata/segment-index.ts',
        find: 'return { writes: [replace(stateKey(streamId), item.fields, encodeState(candidate))], result: true };',
        replace: "return { writes: [{ kind: 'put', key: stateKey(streamId), fields: encodeState(candidate) }], result: true };",
      },
    ],
  },
  {
    name: 'row-overwritten-by-a-shorter-one',
    part: 'metadata',
    rules: ['M8', 'O7'],
    why: 'A run that applies an offload again puts its row where compaction has put a longer one: what the longer one held is lost.',
    edits: [
      {
        file: 'core/metadata/segment-index.ts',
        find: '    if (state.removedAt !== undefined || state.offloaded > piece.end) return nothing;\n',
        replace: `    if (state.removedAt === undefined && piece.row !== undefined && state.offloaded >= piece.end) {
      const key = rowKey(piece.streamId, piece.first);
      return { writes: [{ kind: 'put', key, fields: encodeRow(piece.row) }], isRowAdded: false };
    }
    if (state.removedAt !== undefined || state.offloaded > piece.end) return nothing;
`,
      },
    ],
  },
  {
    name: 'object-dead-with-its-first-row',
    part: 'metadata',
    rules: ['M9', 'G3'],
    why: 'The first row that is unlinked makes an object dead that rows of other streams still name: gc deletes it.',
    edits: [
      {
        file: 'core/metadata/object-counts.ts',
        find: '{ ...current, rows: current.rows - count })',
        replace: '{ ...current, rows: 0 })',
      },
    ],
  },
  {
    name: 'stream-id-from-its-name',
    part: 'metadata',
    rules: ['M12', 'M13'],
    why: 'A name that is made again is the stream that was deleted: it shows old sequence numbers and old records.',
    edits: [
      {
        file: 'core/metadata/streams.ts',
        find: '      streamId: id,\n      config,\n      configVersion',
        replace: `      streamId: streamId([...name].map((letter) => letter.charCodeAt(0).toString(16)).join('').padEnd(32, '0')),
      config,
      configVersion`,
      },
      {
        file: 'core/channel/stream-table.ts',
        find: 'isSealed: state.isSealed,',
        replace: 'isSealed: state.isSealed && state.removedAt === undefined,',
      },
    ],
  },
  {
    name: 'deleted-before-sealed',
    part: 'api',
    rules: ['A6'],
    why: 'A deletion is answered while its seal is on the way: appends come behind it, and are acknowledged.',
    edits: [
      {
        file: 'core/api/streams.ts',
        find: 'await channels.deleteStream(streamRef(found));',
        replace: 'void channels.deleteStream(streamRef(found)).catch(() => undefined);',
      },
    ],
  },
  {
    name: 'unknown-append-sent-again',
    part: 'api',
    rules: ['L6'],
    why: "An append whose effect is unknown is retried out of its client's sight: its records are there twice.",
    edits: [
      {
        file: 'core/api/service.ts',
        find: "return this.streams.withStream(target, 'append', (info) => this.#appendTo(info, target, batch, conditions));",
        replace: `const copy = (): RecordBatch => ({ ...batch, bytes: batch.bytes.slice() });
    const send = (): Promise<AppendAck> =>
      this.streams.withStream(target, 'append', (info) => this.#appendTo(info, target, copy(), conditions));
    return send().catch((error: { effect?: string }) => (error.effect === 'unknown' ? send() : Promise.reject(error)));`,
      },
    ],
  },
  {
    name: 'session-goes-on-behind-a-failure',
    part: 'api',
    rules: ['A7'],
    why: 'What a session submitted behind a batch that failed takes effect: its order is broken.',
    edits: [
      {
        file: 'core/channel/tenure.ts',
        find: 'if (session !== undefined) session.failed ??= Promise.resolve(error);\n    return error;',
        replace: 'void session;\n    return error;',
      },
      { file: 'core/channel/tenure.ts', find: '      if (session !== undefined) session.failed = told;\n', replace: '' },
      {
        file: 'core/channel/turns.ts',
        find: 'if (session !== undefined && error instanceof StoreError) session.failed ??= Promise.resolve(error);\n',
        replace: '',
      },
    ],
  },
  {
    name: 'empty-stream-not-asked-of-its-owner',
    part: 'gc',
    rules: ['D2'],
    why: 'The job goes by what metadata says, and has the stream sealed: what its owner has acknowledged and not offloaded yet is deleted.',
    edits: [
      {
        file: 'core/cell/jobs.ts',
        find: 'return channel?.isReady === true && (await channel.sealIfEmpty(ref, createdAt));',
        replace: `void createdAt;
      if (channel?.isReady !== true) return false;
      await channel.deleteStream(ref);
      return true;`,
      },
    ],
  },
  {
    name: 'deletes-itself-with-records',
    part: 'gc',
    rules: ['D2'],
    why: 'A stream that holds records, and was not written for its minimum age, deletes itself with all of them.',
    edits: [{ file: 'core/model/delete-on-empty.ts', find: ' || facts.trimPoint < facts.tail', replace: '' }],
  },
  {
    name: 'last-arrival-forgotten-with-its-rows',
    part: 'offload',
    rules: ['D3'],
    why: 'A stream of which retention has taken all rows counts from its creation: it deletes itself right behind its last write.',
    edits: [
      {
        file: 'core/jobs/apply-offload.ts',
        find: '...(records > 0 ? { lastArrival: arrivalMax } : {}),',
        replace: '...(records > 0 ? { lastArrival: 1 } : {}),',
      },
    ],
  },
  {
    name: 'retention-takes-one-row-more',
    part: 'gc',
    rules: ['G6'],
    why: 'Behind the rows that are old enough the next one goes as well: records are gone before their time.',
    edits: [
      {
        file: 'core/jobs/trim.ts',
        find: 'if (row.arrivalMax >= before) return end;',
        replace: 'if (row.arrivalMax >= before) return end === undefined ? end : row.end;',
      },
    ],
  },
  {
    name: 'owner-not-told-of-a-configuration',
    part: 'api',
    rules: ['A5', 'S5'],
    why: 'A change is answered while the owner still goes by what it met before: appends that come later are taken by the old configuration.',
    edits: [
      {
        file: 'core/api/streams.ts',
        find: 'await this.#deps.channels.updateConfig(streamRef(stream));',
        replace: 'void stream;',
      },
    ],
  },
  {
    name: 'configuration-not-read-with-the-state',
    part: 'channel',
    rules: ['S5'],
    why: 'A stream that comes into memory goes by what the append carries, and a session carries what it found when it was opened.',
    edits: [{ file: 'core/channel/stream-table.ts', find: 'facts, state?.configured)', replace: 'facts)' }],
  },
  {
    name: 'secrets-sent-plain',
    part: 'api',
    rules: ['E2'],
    why: 'Records of a stream with a cipher are said to be encrypted, and are not: what only a key should open stands in every zone.',
    edits: [
      {
        file: 'core/format/encrypted-record.ts',
        find: 'this.#keyed.encrypt(',
        replace: '((_n: Uint8Array, _a: Uint8Array, plain: Uint8Array, out: Uint8Array) => out.set(plain))(',
      },
    ],
  },
  {
    name: 'another-stream-marked',
    part: 'metadata',
    rules: ['M12', 'G12'],
    why: 'Whoever sealed a stream marks whatever stream has its name by then: one that was made since is being deleted, and takes appends.',
    edits: [
      {
        file: 'core/metadata/streams.ts',
        find: 'if (stream === undefined || stream.streamId !== id) throw streamNotFound(basin, name);\n      if (stream.deletedAt !== undefined) return { result: stream };',
        replace:
          'if (stream === undefined) throw streamNotFound(basin, name);\n      if (stream.deletedAt !== undefined) return { result: stream };',
      },
    ],
  },
  {
    name: 'creation-delivered-twice',
    part: 'metadata',
    rules: ['M13'],
    why: 'The request that made a stream arrives once more when the stream has been removed: the name stands for it again.',
    edits: [
      {
        file: 'core/metadata/streams.ts',
        find: "      { kind: 'check', key: stateKey(id), when: { absent: true } },\n",
        replace: '',
      },
    ],
  },
];
