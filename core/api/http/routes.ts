// Every route of the S2 API. (S2 v1 API, section 1.6.)

import type { Route } from './route.ts';
import { BASIN_ROUTES } from './routes/basins.ts';
import { LOCATION_ROUTES } from './routes/locations.ts';
import { METRICS_ROUTES } from './routes/metrics.ts';
import { RECORD_ROUTES } from './routes/records.ts';
import { STREAM_ROUTES } from './routes/streams.ts';
import { TOKEN_ROUTES } from './routes/tokens.ts';

export const ROUTES: readonly Route[] = [
  ...BASIN_ROUTES,
  ...STREAM_ROUTES,
  ...RECORD_ROUTES,
  ...TOKEN_ROUTES,
  ...LOCATION_ROUTES,
  ...METRICS_ROUTES,
];
