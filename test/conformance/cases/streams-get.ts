// GET /streams/{stream}. (Sections 1.6 and 1.7.)

import { type Case, get, ok, refusal } from '../case.ts';
import { boolean, matching, oneOf, u64 } from '../expect.ts';
import { deletedStream, expectFailure, whilePending } from '../helpers.ts';

export const STREAMS_GET: readonly Case[] = [
  {
    name: 'the config of a stream is whole, whatever was said of it',
    shows: ['1.6-get-stream', '1.7-stream-config-complete', '1.1-stream-config-resolved'],
    streams: { s: { timestamping: { uncapped: true } }, t: {} },
    steps: ['s', 't'].map(
      (stream) =>
        [
          get(`/streams/${stream}`),
          ok({
            storage_class: matching(/^(standard|express)$/),
            retention_policy: oneOf({ age: u64 }, { infinite: {} }),
            timestamping: { mode: matching(/^(client-prefer|client-require|arrival)$/), uncapped: boolean },
            delete_on_empty: { min_age_secs: u64 },
          }),
        ] as const,
    ),
  },
  {
    name: 'an unknown stream is not found',
    shows: ['1.6-get-stream-missing', '1.5-code-stream-not-found'],
    steps: [
      [get('/streams/none'), refusal(404, 'stream_not_found')],
      [get('/streams/none', { basin: '{basin}-none' }), refusal(404, 'basin_not_found')],
    ],
  },
  {
    name: 'a stream that is being deleted tells no config',
    shows: ['1.6-get-stream-deleting', '5.6-pending-refused'],
    run: async (client) => {
      const answer = await whilePending(
        client,
        (name) => deletedStream(client, name),
        (name) => get(`/streams/${name}`),
        ({ status }) => status === 404,
      );
      expectFailure(answer, 409, 'stream_deletion_pending');
    },
  },
];
