// Basins over HTTP: list, create, ensure, configure, delete. (S2 v1 API, section 1.6, rows 1 to 6.)

import { narrowed } from '../../../model/access-scope.ts';
import { authorize } from '../../../model/principal.ts';
import { basinName } from '../../names.ts';
import { type Answer, bodyJson, type Call, optionalJson } from '../call.ts';
import { pathBasin } from '../names-in.ts';
import { pageOf, parseQueryWith, requestToken } from '../request.ts';
import { json, type Route, route } from '../route.ts';
import { basinConfigJson, basinInfoJson, parseBasinReconfiguration, parseCreateBasin, parseEnsureBasin } from '../schema/config.ts';
import { basinPageQuery } from '../schema/query.ts';

export const BASIN_ROUTES: readonly Route[] = [
  route('GET /v1/basins', { summary: 'List basins', query: basinPageQuery, answers: { 200: 'BasinList' } }, list),
  route(
    'POST /v1/basins',
    {
      summary: 'Create a basin',
      headers: ['s2-request-token'],
      body: { schema: 'CreateBasinRequest' },
      answers: { 201: 'BasinInfo' },
      errors: [409],
    },
    create,
  ),
  route('GET /v1/basins/:basin', { summary: 'The configuration of a basin', answers: { 200: 'BasinConfig' }, errors: [404] }, getConfig),
  route(
    'PUT /v1/basins/:basin',
    {
      summary: 'Create a basin, or give it this configuration',
      body: { schema: 'EnsureBasinRequest', isOptional: true },
      answers: { 200: 'BasinInfo', 201: 'BasinInfo' },
      errors: [409],
    },
    ensure,
  ),
  route(
    'PATCH /v1/basins/:basin',
    {
      summary: 'Change the configuration of a basin',
      body: { schema: 'BasinReconfiguration' },
      answers: { 200: 'BasinConfig' },
      errors: [404, 409],
    },
    reconfigure,
  ),
  route('DELETE /v1/basins/:basin', { summary: 'Delete a basin and all its streams', answers: { 202: undefined }, errors: [404] }, remove),
];

async function list({ service, settings, query, principal }: Call): Promise<Answer> {
  const page = pageOf(parseQueryWith(basinPageQuery, query));
  const shown = narrowed(page.prefix, principal.scope.basins);
  if (shown === undefined) return json(200, { basins: [], has_more: false });
  const { items, hasMore } = await service.basins.list({ ...page, prefix: shown.prefix, ...(shown.isExact ? { limit: 1 } : {}) });
  const covered = shown.isExact ? items.filter(({ name }) => name === shown.prefix) : items;
  return json(200, { basins: covered.map((info) => basinInfoJson(info, settings.location)), has_more: hasMore && !shown.isExact });
}

async function create(call: Call): Promise<Answer> {
  const { service, settings, principal, exchange } = call;
  const token = requestToken(exchange.headers);
  const { basin, config, location } = parseCreateBasin(bodyJson(call));
  const name = basinName(basin, 'bad_json');
  authorize(principal, 'create-basin', { basin: name });
  const { info, outcome } = await service.basins.create(name, config, location, token);
  return json(201, basinInfoJson(info, settings.location), { 's2-provision-result': outcome });
}

async function getConfig(call: Call): Promise<Answer> {
  return json(200, basinConfigJson((await call.service.basins.get(pathBasin(call))).config));
}

async function ensure(call: Call): Promise<Answer> {
  const { service, settings, principal } = call;
  const name = pathBasin(call);
  const { config, location } = parseEnsureBasin(optionalJson(call) ?? {});
  const mayUpdate = (): void => authorize(principal, 'reconfigure-basin', { basin: name });
  const { info, outcome } = await service.basins.ensure(name, config, location, mayUpdate);
  return json(outcome === 'created' ? 201 : 200, basinInfoJson(info, settings.location), { 's2-provision-result': outcome });
}

async function reconfigure(call: Call): Promise<Answer> {
  const name = pathBasin(call);
  return json(200, basinConfigJson(await call.service.basins.reconfigure(name, parseBasinReconfiguration(bodyJson(call)))));
}

async function remove(call: Call): Promise<Answer> {
  await call.service.basins.delete(pathBasin(call));
  return { status: 202 };
}
