// PATCH /basins/{basin}. (Sections 1.6 and 5.3.)

import { type Case, get, ok, patch, post, refusal } from '../case.ts';
import { including, oneOf } from '../expect.ts';
import { deletedBasin, expectFailure, OTHER_CONFIG, whilePending } from '../helpers.ts';

const PATH = '/basins/{basin}';
const defaults = (config: { readonly [key: string]: never }) => ok(including({ default_stream_config: including(config) }));
const as = (value: unknown) => value as never;
const NOTHING_SET = oneOf(null, { storage_class: 'express', retention_policy: null, timestamping: null, delete_on_empty: null });

export const BASINS_RECONFIGURE: readonly Case[] = [
  {
    name: 'a value is set, what is absent stays, and the answer is the whole config',
    shows: ['1.6-reconfigure-basin', '5.3-absent', '5.3-value', '5.3-response', '1.7-basin-reconfiguration'],
    basin: { create_stream_on_append: true },
    steps: [
      [
        patch(PATH, { create_stream_on_read: true }),
        ok({ default_stream_config: NOTHING_SET, stream_cipher: null, create_stream_on_append: true, create_stream_on_read: true }),
      ],
      [patch(PATH, { create_stream_on_append: false }), ok(including({ create_stream_on_append: false, create_stream_on_read: true }))],
      [get(PATH), ok(including({ create_stream_on_append: false, create_stream_on_read: true }))],
    ],
  },
  {
    name: 'the default config of streams is merged, inner objects too',
    shows: ['5.3-basin-default-null', '5.3-absent', '5.3-value'],
    basin: { default_stream_config: OTHER_CONFIG },
    steps: [
      [
        patch(PATH, { default_stream_config: { retention_policy: { age: 5 }, timestamping: { uncapped: false } } }),
        ok(
          including({
            default_stream_config: {
              ...OTHER_CONFIG,
              retention_policy: { age: 5 },
              timestamping: { mode: 'client-require', uncapped: false },
            },
          }),
        ),
      ],
    ],
  },
  {
    name: 'null clears a field, or all of them',
    shows: ['5.3-basin-null', '5.3-basin-default-null', '1.7-basin-reconfiguration'],
    basin: { default_stream_config: OTHER_CONFIG },
    steps: [
      [
        patch(PATH, { default_stream_config: { retention_policy: null } }),
        defaults({ retention_policy: as(null), storage_class: as('standard') }),
      ],
      [
        patch(PATH, { default_stream_config: { timestamping: { mode: null } } }),
        defaults({ timestamping: as({ mode: null, uncapped: true }) }),
      ],
      [
        patch(PATH, { default_stream_config: { timestamping: null, storage_class: null } }),
        defaults({ timestamping: as(null), storage_class: as('express') }),
      ],
      [patch(PATH, { default_stream_config: null }), ok(including({ default_stream_config: NOTHING_SET }))],
      [post('/streams', { stream: 'after' }), { status: 201 }],
      [get('/streams/after'), ok(including({ retention_policy: { age: 604_800 }, delete_on_empty: { min_age_secs: 0 } }))],
    ],
  },
  {
    name: 'null for a flag changes nothing',
    shows: ['5.3-flags-null'],
    basin: { create_stream_on_append: true },
    steps: [
      [
        patch(PATH, { create_stream_on_append: null, create_stream_on_read: null }),
        ok(including({ create_stream_on_append: true, create_stream_on_read: false })),
      ],
    ],
  },
  {
    name: 'the cipher may be set and cleared, for streams created later',
    shows: ['5.3-cipher', '5.3-basin-null', '1.1-stream-cipher-captured', '5.4-copied'],
    needs: ['encryption'],
    steps: [
      [post('/streams', { stream: 'plain' }), { status: 201, json: including({ cipher: null }) }],
      [patch(PATH, { stream_cipher: 'aegis-256' }), ok(including({ stream_cipher: 'aegis-256' }))],
      [post('/streams', { stream: 'secret' }), { status: 201, json: including({ cipher: 'aegis-256' }) }],
      [patch(PATH, { stream_cipher: null }), ok(including({ stream_cipher: null }))],
      [post('/streams', { stream: 'plain-again' }), { status: 201, json: including({ cipher: null }) }],
      [
        get('/streams'),
        ok(
          including({
            streams: [
              including({ name: 'plain', cipher: null }),
              including({ name: 'plain-again', cipher: null }),
              including({ name: 'secret', cipher: 'aegis-256' }),
            ],
          }),
        ),
      ],
    ],
  },
  {
    name: 'nothing changes nothing',
    shows: ['5.3-empty'],
    basin: { default_stream_config: OTHER_CONFIG, create_stream_on_read: true },
    steps: [[patch(PATH, {}), ok(including({ default_stream_config: OTHER_CONFIG, create_stream_on_read: true }))]],
  },
  {
    name: 'a bad body is refused before the basin is looked for',
    shows: ['5.3-body-before-existence', '5.3-age-zero', '1.7-config-fields-checked'],
    steps: [
      [patch('/basins/{basin}-none', { create_stream_on_read: 'yes' }), refusal(400, 'bad_json')],
      [patch('/basins/{basin}-none', { default_stream_config: { retention_policy: { age: 0 } } }), refusal(422, 'invalid')],
      [patch(PATH, { default_stream_config: { retention_policy: { age: 0 } } }), refusal(422, 'invalid')],
      [patch(PATH, { default_stream_config: 'none' }), refusal(400, 'bad_json')],
    ],
  },
  {
    name: 'an unknown basin is not found',
    shows: ['1.6-reconfigure-basin-missing', '5.3-missing'],
    steps: [[patch('/basins/{basin}-none', {}), refusal(404, 'basin_not_found')]],
  },
  {
    name: 'a basin that is being deleted takes no change',
    shows: ['1.6-reconfigure-basin-deleting', '5.3-deleting', '5.7-pending-refused'],
    run: async (client) => {
      const answer = await whilePending(
        client,
        (name) => deletedBasin(client, name),
        (name) => patch(`/basins/${name}`, { create_stream_on_read: true }),
        ({ status }) => status === 404,
      );
      expectFailure(answer, 409, 'basin_deletion_pending');
    },
  },
];
