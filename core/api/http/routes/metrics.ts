// Metrics over HTTP: of the account, of a basin, of a stream. (S2 v1 API, section 6.3.)

import { coversName } from '../../../model/access-scope.ts';
import type { Answer, Call } from '../call.ts';
import { pathBasin, pathBasinStream } from '../names-in.ts';
import { parseQueryWith } from '../request.ts';
import { json, type Route, route } from '../route.ts';
import { accountMetricsQuery, basinMetricsQuery, metricSetJson, metricsRequest, streamMetricsQuery } from '../schema/metrics.ts';

export const METRICS_ROUTES: readonly Route[] = [
  route('GET /v1/metrics', { summary: 'Metrics of the account', query: accountMetricsQuery, answers: { 200: 'MetricSet' } }, ofAccount),
  route('GET /v1/metrics/:basin', { summary: 'Metrics of a basin', query: basinMetricsQuery, answers: { 200: 'MetricSet' } }, ofBasin),
  route(
    'GET /v1/metrics/:basin/:stream',
    { summary: 'Metrics of a stream', query: streamMetricsQuery, answers: { 200: 'MetricSet' } },
    ofStream,
  ),
];

/** Only names that the token covers are told. */
async function ofAccount({ service, query, principal }: Call): Promise<Answer> {
  const asked = parseQueryWith(accountMetricsQuery, query);
  const metrics = await service.metrics.account(asked.set, metricsRequest(asked));
  const told = metrics.map((metric) =>
    metric.kind === 'label' ? { ...metric, values: metric.values.filter((name) => coversName(principal.scope.basins, name)) } : metric,
  );
  return json(200, metricSetJson(told));
}

async function ofBasin(call: Call): Promise<Answer> {
  const basin = pathBasin(call);
  const asked = parseQueryWith(basinMetricsQuery, call.query);
  return json(200, metricSetJson(await call.service.metrics.basin(basin, asked.set, metricsRequest(asked))));
}

async function ofStream(call: Call): Promise<Answer> {
  const [basin, stream] = pathBasinStream(call);
  const asked = parseQueryWith(streamMetricsQuery, call.query);
  return json(200, metricSetJson(await call.service.metrics.stream(basin, stream, asked.set, metricsRequest(asked))));
}
