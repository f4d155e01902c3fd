// Conditions of an append, and the order of checks. (Sections 1.5 and 2.3.)

import { strict as assert } from 'node:assert';
import { acked, append, bodies, type Case, checkTail, get, read, refusal, tailAt } from '../case.ts';
import { ON_DEMAND, UNCAPPED } from '../helpers.ts';

const S = { s: {} };
const fence = (token: string) => ({ headers: [['', 'fence']], body: token });
const seqNumMismatch = (next: number) => ({
  status: 412,
  json: { seq_num_mismatch: next },
  headers: { 'content-type': 'application/json' },
});
const tokenMismatch = (token: string) => ({ status: 412, json: { fencing_token_mismatch: token } });
const given = (conditions: { readonly [key: string]: number | string }) => ({ with: conditions });

export const APPEND_CONDITIONS: readonly Case[] = [
  {
    name: 'match_seq_num admits an append at the next sequence number only',
    shows: ['2.3-match', '1.5-seq-num-mismatch', '1.5-refused-means-nothing-happened'],
    streams: S,
    steps: [
      [append('s', [{ body: 'a' }], given({ match_seq_num: 1 })), seqNumMismatch(0)],
      [append('s', [{ body: 'a' }, { body: 'b' }], given({ match_seq_num: 0 })), acked(0, 2)],
      [append('s', [{ body: 'c' }], given({ match_seq_num: 0 })), seqNumMismatch(2)],
      [append('s', [{ body: 'c' }], given({ match_seq_num: 3 })), seqNumMismatch(2)],
      [append('s', [{ body: 'c' }], given({ match_seq_num: 2 })), acked(2, 3)],
      [read('s', 'seq_num=0'), bodies('a', 'b', 'c')],
    ],
  },
  {
    name: 'of appends at the same time under one match_seq_num exactly one is taken',
    shows: ['2.3-match', '2.3-match-counts-in-flight'],
    streams: S,
    run: async (client) => {
      for (let at = 0; at < 5; at += 1) {
        const answers = await Promise.all(
          Array.from({ length: 8 }, () => client.call(append('s', [{ body: 'x' }], given({ match_seq_num: at })))),
        );
        assert.deepEqual(answers.map(({ status }) => status).toSorted(), [200, ...Array.from({ length: 7 }, () => 412)]);
        for (const { status, json } of answers) if (status === 412) assert.deepEqual(json, { seq_num_mismatch: at + 1 });
      }
    },
  },
  {
    name: 'match_seq_num counts inputs of a session that are not acknowledged yet',
    shows: ['2.3-match-counts-in-flight', '4.4-pipelined'],
    streams: S,
    run: async (client) => {
      const session = await client.appendSession('s');
      for (let at = 0; at < 20; at += 1) session.append({ records: [{ body: String(at) }], matchSeqNum: at });
      for (let at = 0; at < 20; at += 1) assert.equal((await session.ack()).start.seqNum, BigInt(at));
    },
  },
  {
    name: 'a fencing token admits appends that carry it, or none',
    shows: ['2.3-fencing', '2.3-fencing-cooperative', '1.5-fencing-token-mismatch', '2.6-fence'],
    streams: S,
    steps: [
      [append('s', [fence('mine')]), acked(0, 1)],
      [append('s', [{ body: 'a' }], given({ fencing_token: 'yours' })), tokenMismatch('mine')],
      [append('s', [{ body: 'a' }], given({ fencing_token: 'mine' })), acked(1, 2)],
      [append('s', [{ body: 'b' }]), acked(2, 3)],
      [append('s', [fence('next')], given({ fencing_token: 'mine' })), acked(3, 4)],
      [append('s', [{ body: 'c' }], given({ fencing_token: 'mine' })), tokenMismatch('next')],
      [checkTail('s'), tailAt(4)],
    ],
  },
  {
    name: 'the token of a new stream is empty, and the empty one matches unfenced streams only',
    shows: ['2.3-unfenced-is-empty', '2.3-empty-token-unfenced', '2.6-fence-clear'],
    streams: S,
    steps: [
      [append('s', [{ body: 'a' }], given({ fencing_token: 'any' })), tokenMismatch('')],
      [append('s', [{ body: 'a' }], given({ fencing_token: '' })), acked(0, 1)],
      [append('s', [fence('mine')]), acked(1, 2)],
      [append('s', [{ body: 'b' }], given({ fencing_token: '' })), tokenMismatch('mine')],
      [append('s', [fence('')]), acked(2, 3)],
      [append('s', [{ body: 'b' }], given({ fencing_token: '' })), acked(3, 4)],
      [append('s', [{ body: 'b' }], given({ fencing_token: 'mine' })), tokenMismatch('')],
    ],
  },
  {
    name: 'if both conditions fail the token is told',
    shows: ['2.3-fencing-before-match'],
    streams: S,
    steps: [
      [append('s', [fence('mine')]), acked(0, 1)],
      [append('s', [{}], given({ fencing_token: 'yours', match_seq_num: 7 })), tokenMismatch('mine')],
      [append('s', [{}], given({ fencing_token: 'mine', match_seq_num: 7 })), seqNumMismatch(1)],
      [append('s', [{}], given({ fencing_token: 'mine', match_seq_num: 1 })), acked(1, 2)],
    ],
  },
  {
    name: 'conditions are checked before timestamps',
    shows: ['2.3-conditions-before-timestamps'],
    streams: { s: { timestamping: { mode: 'client-require' } } },
    steps: [
      [append('s', [{ body: 'no timestamp' }], given({ match_seq_num: 7 })), seqNumMismatch(0)],
      [append('s', [{ body: 'no timestamp' }], given({ fencing_token: 'any' })), tokenMismatch('')],
      [append('s', [{ body: 'no timestamp' }], given({ match_seq_num: 0 })), refusal(422, 'invalid')],
    ],
  },
  {
    name: 'the form of an append is checked before its stream is looked for, and creates nothing',
    shows: ['2.3-form-first', '1.5-form-before-existence', '1.5-form-before-creation'],
    basin: ON_DEMAND,
    steps: [
      [append('new', []), refusal(422, 'invalid')],
      [append('new', [{ headers: [['', 'jump']] }]), refusal(422, 'invalid')],
      [append('new', [{}], { headers: { 's2-format': 'hex' } }), refusal(400, 'bad_header')],
      [append('new', [{}], { basin: '{basin}-none', with: { match_seq_num: -1 } }), refusal(400, 'bad_json')],
      [get('/streams/new'), refusal(404, 'stream_not_found')],
    ],
  },
  {
    name: 'the encryption key is checked before conditions',
    shows: ['2.3-key-before-pending'],
    needs: ['encryption'],
    basin: { stream_cipher: 'aes-256-gcm' },
    streams: { s: UNCAPPED },
    steps: [
      [append('s', [{}], given({ match_seq_num: 7 })), refusal(400, 'bad_header')],
      [append('s', [{}], given({ fencing_token: 'any' })), refusal(400, 'bad_header')],
    ],
  },
];
