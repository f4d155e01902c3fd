// GET /basins/{basin}. (Sections 1.6 and 1.7.)

import { type Case, get, ok, post, refusal } from '../case.ts';
import { including } from '../expect.ts';
import { deletedBasin, OTHER_CONFIG, whilePending } from '../helpers.ts';

const FLAGS = { create_stream_on_append: false, create_stream_on_read: false, stream_cipher: null };
const NEW = '{basin}-new';
/** Of a basin with some fields set the others are null, but for the storage class. */
const withDefaults = (config: { readonly [key: string]: unknown }) => ({
  ...FLAGS,
  default_stream_config: {
    storage_class: 'express',
    retention_policy: null,
    timestamping: null,
    delete_on_empty: null,
    ...config,
  } as never,
});
const makeWith = (config: { readonly [key: string]: never }) => post('/basins', { basin: NEW, config: { default_stream_config: config } });

export const BASINS_GET: readonly Case[] = [
  {
    name: 'the config of a basin has defaults for streams, a cipher and two flags',
    shows: ['1.6-get-basin', '1.1-basin-config', '1.7-basin-config', '1.7-basin-config-defaults'],
    steps: [
      [get('/basins/{basin}'), ok(including(FLAGS))],
      [post('/basins', { basin: NEW, config: { default_stream_config: OTHER_CONFIG, create_stream_on_append: true } }), { status: 201 }],
      [get(`/basins/${NEW}`), ok({ ...FLAGS, default_stream_config: OTHER_CONFIG, create_stream_on_append: true })],
    ],
  },
  {
    name: 'what was not set is null',
    shows: ['1.7-basin-config-set-only'],
    steps: [
      [makeWith({ retention_policy: { age: 60 } as never }), { status: 201 }],
      [get(`/basins/${NEW}`), ok(withDefaults({ retention_policy: { age: 60 } }))],
      [post('/basins', { basin: '{basin}-2', config: { default_stream_config: { timestamping: { uncapped: true } } } }), { status: 201 }],
      [get('/basins/{basin}-2'), ok(withDefaults({ timestamping: { mode: null, uncapped: true } }))],
      [
        post('/basins', {
          basin: '{basin}-3',
          config: { default_stream_config: { timestamping: {}, retention_policy: { infinite: {} } } },
        }),
        { status: 201 },
      ],
      [get('/basins/{basin}-3'), ok(withDefaults({ retention_policy: { infinite: {} } }))],
    ],
  },
  {
    name: 'the storage class is resolved',
    shows: ['1.7-basin-config-storage-class'],
    steps: [
      [get('/basins/{basin}'), ok(including({ default_stream_config: including({ storage_class: 'express' }) }))],
      [makeWith({ retention_policy: { age: 60 } as never }), { status: 201 }],
      [get(`/basins/${NEW}`), ok(including({ default_stream_config: including({ storage_class: 'express' }) }))],
    ],
  },
  {
    name: 'an unknown basin is not found',
    shows: ['1.6-get-basin-missing', '1.5-code-basin-not-found', '1.5-shape', '1.7-error-info'],
    steps: [[get(`/basins/${NEW}`), { ...refusal(404, 'basin_not_found'), headers: { 'content-type': 'application/json' } }]],
  },
  {
    name: 'while a basin is being deleted its config is there or gone, and nothing else',
    shows: ['5.7-pending-config'],
    run: async (client) => {
      const answer = await whilePending(
        client,
        (name) => deletedBasin(client, name),
        (name) => get(`/basins/${name}`),
        () => false,
      );
      if (answer.status !== 200 && answer.status !== 404) throw new Error(`got ${answer.status} ${answer.text}`);
    },
  },
];
