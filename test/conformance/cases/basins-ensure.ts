// PUT /basins/{basin}. (Sections 1.6 and 1.9.)

import { type Case, created, get, ok, put, refusal } from '../case.ts';
import { including, not, savedAs } from '../expect.ts';
import { basinInfo, deletedBasin, expectFailure, OTHER_CONFIG, whilePending } from '../helpers.ts';

const PATH = '/basins/{basin}-new';
const result = (outcome: string) => ({ status: 200, headers: { 's2-provision-result': outcome } });

export const BASINS_ENSURE: readonly Case[] = [
  {
    name: 'what is absent is created, without a token',
    shows: ['1.6-ensure-basin', '1.6-put-created', '1.9-put-created', '1.9-put-no-token', '1.3-provision-result-created'],
    steps: [
      [put(PATH, { config: { create_stream_on_read: true } }), created(basinInfo('{basin}-new'))],
      [get(PATH), ok(including({ create_stream_on_read: true }))],
    ],
  },
  {
    name: 'what is there as asked for stays as it is',
    shows: ['1.9-put-noop', '1.3-provision-result-noop', '1.9-put-compares-basin'],
    steps: [
      [put(PATH, { config: { default_stream_config: OTHER_CONFIG } }), created()],
      [put(PATH, { config: { default_stream_config: OTHER_CONFIG } }), { ...result('noop'), json: basinInfo('{basin}-new') }],
      [put(PATH, { config: { default_stream_config: OTHER_CONFIG, create_stream_on_read: false } }), result('noop')],
    ],
  },
  {
    name: 'what is there otherwise is replaced whole: what is left out is the default',
    shows: ['1.9-put-updated', '1.9-put-compares-basin', '1.3-provision-result-updated'],
    steps: [
      [put(PATH, { config: { default_stream_config: OTHER_CONFIG, create_stream_on_append: true } }), created()],
      [put(PATH, { config: { create_stream_on_read: true } }), { ...result('updated'), json: basinInfo('{basin}-new') }],
      [
        get(PATH),
        ok(
          including({
            create_stream_on_append: false,
            create_stream_on_read: true,
            default_stream_config: not(including({ storage_class: 'standard' })),
          }),
        ),
      ],
    ],
  },
  {
    name: 'the body may be left out, empty or null',
    shows: ['1.4-optional-body', '1.6-ensure-basin'],
    steps: [
      [put(PATH), created()],
      [put(PATH), result('noop')],
      [{ method: 'PUT', path: PATH, body: '', headers: { 'content-type': 'application/json' } }, result('noop')],
      [put(PATH, {}), result('noop')],
      [put(PATH, { config: null, location: null }), result('noop')],
    ],
  },
  {
    name: 'another location than the basin has is refused',
    shows: ['1.9-put-other-location', '1.5-invalid-location', '1.6-ensure-basin-invalid'],
    steps: [
      [put(PATH), created(including({ location: savedAs('location') }))],
      [put(PATH, { location: '{location}' }), result('noop')],
      [put(PATH, { location: 'another:place' }), refusal(422, 'invalid')],
      [put(PATH, { config: { create_stream_on_read: true }, location: 'another:place' }), refusal(422, 'invalid')],
      [get(PATH), ok(including({ create_stream_on_read: false }))],
    ],
  },
  {
    name: 'what may not be is refused before anything is made',
    shows: ['1.6-ensure-basin-invalid', '1.5-invalid-age'],
    steps: [
      [put(PATH, { config: { default_stream_config: { retention_policy: { age: 0 } } } }), refusal(422, 'invalid')],
      [put(PATH, { config: 7 }), refusal(400, 'bad_json')],
      [get(PATH), refusal(404, 'basin_not_found')],
    ],
  },
  {
    name: 'a basin that is being deleted is not brought back',
    shows: ['1.6-ensure-basin-deleting', '5.7-pending-refused'],
    run: async (client) => {
      const answer = await whilePending(
        client,
        (name) => deletedBasin(client, name),
        (name) => put(`/basins/${name}`),
      );
      expectFailure(answer, 409, 'basin_deletion_pending');
    },
  },
];
