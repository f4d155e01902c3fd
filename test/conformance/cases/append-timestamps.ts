// Timestamps of records, by the mode of the stream. (Section 2.4.)

import { strict as assert } from 'node:assert';
import { append, type Case, checkTail, ok, read, refusal } from '../case.ts';
import type { CaseClient } from '../case-client.ts';
import { recordsIn, recordsOf, UNCAPPED } from '../helpers.ts';

const HOUR_MS = 3_600_000;
const mode = (name: string, uncapped = false) => ({ timestamping: { mode: name, uncapped } });
const timestampsOf = async (client: CaseClient, stream = 's') =>
  recordsIn(await client.call(read(stream, 'seq_num=0'))).map((record) => record.timestamp);

/** Clocks of client and server may differ by less than this. */
function assertIsNow(timestamp: number | bigint | undefined): void {
  assert.ok(Math.abs(Number(timestamp) - Date.now()) < HOUR_MS, `${timestamp} is not the time of arrival`);
}

export const APPEND_TIMESTAMPS: readonly Case[] = [
  {
    name: 'client-prefer takes the given timestamp, else the time of arrival',
    shows: ['2.4-client-prefer', '5.1-mode-default'],
    streams: { s: {} },
    run: async (client) => {
      await client.expect(append('s', [{ timestamp: 5 }, {}]), { status: 200 });
      const [given, arrived] = await timestampsOf(client);
      assert.equal(given, 5);
      assertIsNow(arrived);
    },
  },
  {
    name: 'client-require refuses a batch in which one record has no timestamp, whole',
    shows: ['2.4-client-require', '1.5-invalid-no-timestamp', '2.1-atomic'],
    streams: { s: mode('client-require') },
    steps: [
      [append('s', [{ timestamp: 5 }, {}, { timestamp: 6 }]), refusal(422, 'invalid')],
      [checkTail('s'), ok({ tail: { seq_num: 0, timestamp: 0 } })],
      [append('s', [{ timestamp: 5 }]), { status: 200 }],
      [checkTail('s'), ok({ tail: { seq_num: 1, timestamp: 5 } })],
    ],
  },
  {
    name: 'arrival takes the time of arrival, whatever is given',
    shows: ['2.4-arrival'],
    streams: { s: mode('arrival', true) },
    run: async (client) => {
      await client.expect(append('s', [{ timestamp: 5 }, { timestamp: Date.now() + 9 * HOUR_MS }, {}]), { status: 200 });
      for (const timestamp of await timestampsOf(client)) assertIsNow(timestamp);
    },
  },
  {
    name: 'a timestamp ahead of time becomes the time of arrival, unless it is uncapped',
    shows: ['2.4-capped', '2.4-uncapped', '5.1-uncapped-default'],
    streams: { s: {}, uncapped: UNCAPPED, required: mode('client-require'), 'required-uncapped': mode('client-require', true) },
    run: async (client) => {
      const timestamp = Date.now() + 24 * HOUR_MS;
      for (const stream of ['s', 'required']) {
        await client.expect(append(stream, [{ timestamp }]), { status: 200 });
        assertIsNow((await timestampsOf(client, stream))[0]);
      }
      for (const stream of ['uncapped', 'required-uncapped']) {
        await client.expect(append(stream, [{ timestamp }]), { status: 200 });
        assert.deepEqual(await timestampsOf(client, stream), [timestamp]);
      }
    },
  },
  {
    name: 'a timestamp below an earlier one becomes that one, in a batch and between batches',
    shows: ['2.4-monotone', '1.1-timestamps-never-fall'],
    streams: { s: UNCAPPED },
    run: async (client) => {
      await client.expect(append('s', [{ timestamp: 10 }, { timestamp: 7 }, { timestamp: 12 }, { timestamp: 11 }]), { status: 200 });
      await client.expect(append('s', [{ timestamp: 3 }, { timestamp: 13 }]), { status: 200 });
      assert.deepEqual(await timestampsOf(client), [10, 10, 12, 12, 12, 13]);
      const ahead = Date.now() + 24 * HOUR_MS;
      await client.expect(append('s', [{ timestamp: ahead }]), { status: 200 });
      await client.expect(append('s', [{}]), { status: 200 });
      assert.deepEqual((await timestampsOf(client)).slice(-2), [ahead, ahead]);
    },
  },
  {
    name: 'all records of a batch get one time of arrival',
    shows: ['2.4-one-now'],
    streams: { s: {} },
    run: async (client) => {
      await client.expect(append('s', recordsOf(1_000)), { status: 200 });
      assert.equal(new Set(await timestampsOf(client)).size, 1);
    },
  },
  {
    name: 'uncapped timestamps are any 64-bit numbers, and come back as they went, in JSON too',
    shows: ['2.4-opaque', '1.4-u64-parsed', '1.4-u64-printed', '3.1-timestamp'],
    streams: { s: UNCAPPED },
    steps: [
      [append('s', [{ timestamp: 0 }, { timestamp: 1_718_000_000_123_456_789n }]), { status: 200 }],
      [
        append('s', [{ timestamp: 18_446_744_073_709_551_615n }]),
        ok({
          start: { seq_num: 2, timestamp: 18_446_744_073_709_551_615n },
          end: { seq_num: 3, timestamp: 18_446_744_073_709_551_615n },
          tail: { seq_num: 3, timestamp: 18_446_744_073_709_551_615n },
        }),
      ],
      [
        read('s', 'timestamp=1718000000123456789'),
        ok({
          records: [
            { seq_num: 1, timestamp: 1_718_000_000_123_456_789n },
            { seq_num: 2, timestamp: 18_446_744_073_709_551_615n },
          ],
        }),
      ],
      [read('s', 'timestamp=1718000000123456790'), ok({ records: [{ seq_num: 2, timestamp: 18_446_744_073_709_551_615n }] })],
      [read('s', 'seq_num=0&until=1718000000123456789'), ok({ records: [{ seq_num: 0, timestamp: 0 }] })],
    ],
  },
  {
    name: 'a match_seq_num beyond 2^53 is compared exactly',
    shows: ['1.4-u64-parsed'],
    streams: { s: {} },
    steps: [
      [append('s', [{}], { with: { match_seq_num: 18_446_744_073_709_551_615n } }), { status: 412, json: { seq_num_mismatch: 0 } }],
      [append('s', [{}], { with: { match_seq_num: 18_446_744_073_709_551_616n } }), refusal(400, 'bad_json')],
      [read('s', 'seq_num=18446744073709551615'), { status: 416, json: { tail: { seq_num: 0, timestamp: 0 } } }],
    ],
  },
];
