// PATCH /streams/{stream}. (Sections 1.6 and 5.3.)

import { strict as assert } from 'node:assert';
import { append, type Case, get, ok, patch, read, refusal } from '../case.ts';
import { including } from '../expect.ts';
import {
  deletedStream,
  expectFailure,
  expectTerminal,
  OTHER_CONFIG,
  recordsIn,
  SYSTEM_CONFIG,
  UNCAPPED,
  whilePending,
} from '../helpers.ts';

export const STREAMS_RECONFIGURE: readonly Case[] = [
  {
    name: 'a value is set, what is absent stays, and the answer is the resolved config',
    shows: ['1.6-reconfigure-stream', '5.3-absent', '5.3-value', '5.3-response', '1.7-stream-reconfiguration'],
    streams: { s: OTHER_CONFIG },
    steps: [
      [patch('/streams/s', { retention_policy: { infinite: {} } }), ok({ ...OTHER_CONFIG, retention_policy: { infinite: {} } })],
      [
        patch('/streams/s', { storage_class: 'express' }),
        ok({ ...OTHER_CONFIG, storage_class: 'express', retention_policy: { infinite: {} } }),
      ],
      [get('/streams/s'), ok({ ...OTHER_CONFIG, storage_class: 'express', retention_policy: { infinite: {} } })],
    ],
  },
  {
    name: 'inner objects are merged',
    shows: ['5.3-stream-nested'],
    streams: { s: { timestamping: { mode: 'arrival' } } },
    steps: [
      [
        patch('/streams/s', { timestamping: { uncapped: true } }),
        ok({ ...SYSTEM_CONFIG, timestamping: { mode: 'arrival', uncapped: true } }),
      ],
      [
        patch('/streams/s', { timestamping: { mode: 'client-require' }, delete_on_empty: {} }),
        ok({ ...SYSTEM_CONFIG, timestamping: { mode: 'client-require', uncapped: true } }),
      ],
    ],
  },
  {
    name: 'null resolves a field anew: from the basin as it is now, else from the system',
    shows: ['5.3-stream-null', '1.7-stream-reconfiguration'],
    streams: { s: OTHER_CONFIG },
    steps: [
      [patch('/basins/{basin}', { default_stream_config: { retention_policy: { age: 7 } } }), { status: 200 }],
      [
        patch('/streams/s', { retention_policy: null, storage_class: null }),
        ok({ ...OTHER_CONFIG, retention_policy: { age: 7 }, storage_class: 'express' }),
      ],
    ],
  },
  {
    name: 'null clears inner fields, one by one or all of them',
    shows: ['5.3-stream-nested-null', '5.3-stream-null'],
    basin: { default_stream_config: { timestamping: { mode: 'arrival' } } },
    streams: { s: OTHER_CONFIG, t: OTHER_CONFIG },
    steps: [
      [
        patch('/streams/s', { timestamping: null, delete_on_empty: null }),
        ok({ ...OTHER_CONFIG, timestamping: { mode: 'arrival', uncapped: false }, delete_on_empty: { min_age_secs: 0 } }),
      ],
      [
        patch('/streams/t', { timestamping: { uncapped: null }, delete_on_empty: { min_age_secs: null } }),
        ok({ ...OTHER_CONFIG, timestamping: { mode: 'client-require', uncapped: false }, delete_on_empty: { min_age_secs: 0 } }),
      ],
    ],
  },
  {
    name: 'nothing changes nothing, and unknown fields do not matter',
    shows: ['5.3-empty', '1.4-unknown-fields'],
    streams: { s: OTHER_CONFIG },
    steps: [
      [patch('/streams/s', {}), ok(OTHER_CONFIG)],
      [patch('/streams/s', { colour: 'red' }), ok(OTHER_CONFIG)],
    ],
  },
  {
    name: 'the next append goes by the new config',
    shows: ['5.3-next-append'],
    streams: { s: UNCAPPED },
    run: async (client) => {
      const session = await client.appendSession('s');
      session.append({ records: [{ timestamp: 1, body: 'before' }] });
      assert.equal((await session.ack()).end.timestamp, 1n);
      await client.expect(patch('/streams/s', { timestamping: { mode: 'arrival' } }), { status: 200 });
      session.append({ records: [{ timestamp: 2, body: 'in a session that was open' }] });
      assert.ok((await session.ack()).end.timestamp > 1_000_000n, 'the session goes on under the old mode');
      await client.expect(patch('/streams/s', { timestamping: { mode: 'client-require' } }), { status: 200 });
      await client.expect(append('s', [{ body: 'no timestamp' }]), refusal(422, 'invalid'));
      session.append({ records: [{ body: 'no timestamp' }] });
      await expectTerminal(session, 422, 'invalid');
      assert.equal(recordsIn(await client.call(read('s', 'seq_num=0'))).length, 2);
    },
  },
  {
    name: 'a retention age of 0 is not valid, and changes nothing',
    shows: ['5.3-age-zero', '1.6-reconfigure-stream-invalid', '1.5-invalid-age'],
    streams: { s: {} },
    steps: [
      [patch('/streams/s', { retention_policy: { age: 0 }, storage_class: 'standard' }), refusal(422, 'invalid')],
      [get('/streams/s'), ok(SYSTEM_CONFIG)],
    ],
  },
  {
    name: 'a bad body is refused before the stream is looked for',
    shows: ['5.3-body-before-existence', '1.5-form-before-existence', '1.7-config-fields-checked'],
    steps: [
      [patch('/streams/none', { storage_class: 'cold' }), refusal(400, 'bad_json')],
      [patch('/streams/none', { retention_policy: { age: 0 } }), refusal(422, 'invalid')],
      [patch('/streams/none', { timestamping: { uncapped: 'yes' } }), refusal(400, 'bad_json')],
    ],
  },
  {
    name: 'an unknown stream is not found',
    shows: ['1.6-reconfigure-stream-missing', '5.3-missing', '1.5-code-stream-not-found'],
    steps: [[patch('/streams/none', {}), refusal(404, 'stream_not_found')]],
  },
  {
    name: 'a stream that is being deleted takes no change',
    shows: ['1.6-reconfigure-stream-deleting', '5.3-deleting', '5.6-pending-refused'],
    run: async (client) => {
      const answer = await whilePending(
        client,
        (name) => deletedStream(client, name),
        (name) => patch(`/streams/${name}`, {}),
        ({ status }) => status === 404,
      );
      expectFailure(answer, 409, 'stream_deletion_pending');
      const invalid = await whilePending(
        client,
        (name) => deletedStream(client, `i-${name}`),
        (name) => patch(`/streams/i-${name}`, { storage_class: 7 }),
        ({ status }) => status === 404,
      );
      expectFailure(invalid, 400, 'bad_json');
    },
  },
  {
    name: 'retention is written as it was set',
    shows: ['5.1-retention-shapes'],
    streams: { s: {} },
    steps: [
      [patch('/streams/s', { retention_policy: { infinite: {} } }), ok(including({ retention_policy: { infinite: {} } }))],
      [patch('/streams/s', { retention_policy: { age: 1 } }), ok(including({ retention_policy: { age: 1 } }))],
    ],
  },
];
