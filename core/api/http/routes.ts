// Every route of the S2 API. (S2 v1 API, section 1.6.)

import { refused } from '../../model/errors.ts';
import type { Answer } from './call.ts';
import { type Route, route } from './route.ts';
import { BASIN_ROUTES } from './routes/basins.ts';
import { RECORD_ROUTES } from './routes/records.ts';
import { STREAM_ROUTES } from './routes/streams.ts';
import { TOKEN_ROUTES } from './routes/tokens.ts';

const notImplemented = (): Promise<Answer> => Promise.reject(refused('not_implemented', 'this is not available yet'));

export const ROUTES: readonly Route[] = [
  ...BASIN_ROUTES,
  ...STREAM_ROUTES,
  ...RECORD_ROUTES,
  ...TOKEN_ROUTES,
  route('GET /v1/locations', { summary: 'List locations', answers: {} }, notImplemented),
  route('GET /v1/locations/default', { summary: 'The default location', answers: {} }, notImplemented),
  route('PUT /v1/locations/default', { summary: 'Set the default location', answers: {} }, notImplemented),
  route('GET /v1/metrics', { summary: 'Metrics of the account', answers: {} }, notImplemented),
  route('GET /v1/metrics/:basin', { summary: 'Metrics of a basin', answers: {} }, notImplemented),
  route('GET /v1/metrics/:basin/:stream', { summary: 'Metrics of a stream', answers: {} }, notImplemented),
];
