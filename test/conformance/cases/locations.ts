// GET /locations, GET and PUT /locations/default. (Sections 1.6, 1.7 and 6.2.)

import { strict as assert } from 'node:assert';
import { type Case, created, get, ok, post, put, refusal } from '../case.ts';
import { boolean, including, listOf } from '../expect.ts';
import { LOCATION_NAME } from '../helpers.ts';

const LOCATION = { name: LOCATION_NAME, is_private: boolean };
const setDefault = (name: string) => put('/locations/default', name);

export const LOCATION_CASES: readonly Case[] = [
  {
    name: 'locations are an array, not wrapped and not empty, each once, and the default is one of them',
    shows: [
      '1.6-list-locations',
      '1.6-get-default-location',
      '1.7-location-info',
      '1.7-location-name',
      '6.2-list',
      '6.2-name',
      '6.2-default-listed',
      '1.1-one-default-location',
    ],
    needs: ['locations'],
    basin: null,
    run: async (client) => {
      const { json } = await client.expect(get('/locations'), ok(listOf(LOCATION)));
      const names = (json as { name: string }[]).map(({ name }) => name);
      assert.ok(names.length > 0);
      assert.equal(new Set(names).size, names.length);
      const found = await client.expect(get('/locations/default'), ok(LOCATION));
      assert.ok(names.includes((found.json as { name: string }).name));
    },
  },
  {
    name: 'the default is set to a listed location, and read back',
    shows: ['1.6-set-default-location', '6.2-set-default', '1.1-one-default-location'],
    needs: ['locations'],
    basin: null,
    run: async (client) => {
      const { json } = await client.expect(get('/locations/default'), ok(LOCATION));
      const { name } = json as { name: string };
      await client.expect(setDefault(name), ok(json as never));
      await client.expect(get('/locations/default'), ok(json as never));
    },
  },
  {
    name: 'a location that is not listed cannot be the default',
    shows: ['1.6-set-default-location-unknown', '6.2-set-unknown', '6.2-name', '1.7-location-name', '1.5-code-bad-json'],
    needs: ['locations'],
    basin: null,
    run: async (client) => {
      const { json } = await client.expect(get('/locations/default'), ok(LOCATION));
      await client.expect(setDefault('nowhere:at-all'), refusal(422, 'invalid'));
      for (const name of ['', 'not a name', 'x'.repeat(65), 'a_b']) {
        await client.expect(setDefault(name), refusal(400, 'bad_json'));
        await client.expect(post('/basins', { basin: '{basin}-0', location: name }), refusal(400, 'bad_json'));
        await client.expect(put('/basins/{basin}-0', { location: name }), refusal(400, 'bad_json'));
      }
      await client.expect(put('/locations/default', { name: 'nowhere' }), refusal(400, 'bad_json'));
      await client.expect({ method: 'PUT', path: '/locations/default', body: '' }, refusal(400, 'bad_json'));
      await client.expect(get('/locations/default'), ok(json as never));
    },
  },
  {
    name: 'a basin has the location that it was created with, or the default',
    shows: ['6.2-basin', '6.2-basin-default', '1.7-basin-info', '1.9-put-other-location'],
    needs: ['locations'],
    run: async (client) => {
      const { json } = await client.expect(get('/locations/default'), ok(LOCATION));
      const { name: location } = json as { name: string };
      await client.expect(get('/basins?prefix={basin}'), ok(including({ basins: [including({ location })] })));
      for (const [at, one] of ((await client.call(get('/locations'))).json as { name: string }[]).entries()) {
        await client.expect(post('/basins', { basin: `{basin}-${at}`, location: one.name }), created(including({ location: one.name })));
      }
      await client.expect(put('/basins/{basin}-0', { location: 'nowhere:at-all' }), refusal(422, 'invalid'));
    },
  },
];
