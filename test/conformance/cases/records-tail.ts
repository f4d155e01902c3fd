// GET /streams/{stream}/records/tail. (Sections 1.1, 1.6 and 3.8.)

import { strict as assert } from 'node:assert';
import { append, type Case, checkTail, ok, read, refusal } from '../case.ts';
import { ackIn, recordsIn, UNCAPPED } from '../helpers.ts';

export const RECORDS_TAIL: readonly Case[] = [
  {
    name: 'the tail is the next sequence number and the last timestamp, and (0, 0) before the first record',
    shows: ['1.6-tail', '1.1-tail', '1.1-tail-unwritten', '1.7-tail-response', '1.7-stream-position'],
    streams: { s: UNCAPPED },
    steps: [
      [checkTail('s'), ok({ tail: { seq_num: 0, timestamp: 0 } })],
      [append('s', [{ timestamp: 3 }, { timestamp: 9 }]), { status: 200 }],
      [checkTail('s'), ok({ tail: { seq_num: 2, timestamp: 9 } })],
    ],
  },
  {
    name: 'of an unknown stream there is none',
    shows: ['1.6-tail-missing'],
    steps: [
      [checkTail('none'), refusal(404, 'stream_not_found')],
      [checkTail('none', { basin: '{basin}-none' }), refusal(404, 'basin_not_found')],
    ],
  },
  {
    name: 'a tail and a read that start behind an acknowledgement see what it acknowledged',
    shows: ['3.8-tail-after-ack', '3.8-read-after-ack'],
    streams: { s: {} },
    run: async (client) => {
      let acknowledged = 0;
      let isOver = false;
      const writers = Array.from({ length: 4 }, async () => {
        for (let at = 0; at < 30; at += 1) {
          const { end } = ackIn(await client.call(append('s', [{ body: 'x' }, { body: 'y' }])));
          acknowledged = Math.max(acknowledged, end.seq_num);
        }
      });
      const checkers = Array.from({ length: 3 }, async () => {
        for (let before = acknowledged; !isOver; before = acknowledged) {
          assert.ok((await client.tail('s')) >= before, 'the tail lies below what was acknowledged');
          if (before === 0) continue;
          const [last] = recordsIn(await client.call(read('s', `seq_num=${before - 1}&count=1`)));
          assert.equal(last?.seq_num, before - 1);
        }
      });
      await Promise.all(writers);
      isOver = true;
      await Promise.all(checkers);
      assert.equal(await client.tail('s'), 240);
    },
  },
];
