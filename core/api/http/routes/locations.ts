// Locations over HTTP: list, and get and set the default. (S2 v1 API, section 6.2.)

import { type Answer, bodyJson, type Call } from '../call.ts';
import { json, type Route, route } from '../route.ts';
import { locationJson, locationName } from '../schema/metrics.ts';
import { parseWith } from '../schema/parse.ts';

export const LOCATION_ROUTES: readonly Route[] = [
  route('GET /v1/locations', { summary: 'List locations', answers: { 200: 'LocationList' } }, async ({ service }) =>
    json(200, service.locations.list().map(locationJson)),
  ),
  route('GET /v1/locations/default', { summary: 'The default location', answers: { 200: 'LocationInfo' } }, async ({ service }) =>
    json(200, locationJson(service.locations.default())),
  ),
  route(
    'PUT /v1/locations/default',
    { summary: 'Set the default location', body: { schema: 'LocationName' }, answers: { 200: 'LocationInfo' } },
    setDefault,
  ),
];

async function setDefault(call: Call): Promise<Answer> {
  const name = parseWith(locationName, bodyJson(call), 'bad_json', 'the JSON body');
  return json(200, locationJson(call.service.locations.setDefault(name)));
}
