// Streams over HTTP: list, create, ensure, configure, delete. (S2 v1 API, section 1.6, rows 7 to 12.)

import { narrowed } from '../../../model/access-scope.ts';
import { authorize, type Principal } from '../../../model/principal.ts';
import type { Provisioned } from '../../basins.ts';
import type { StreamInfo } from '../../deps.ts';
import { streamName } from '../../names.ts';
import { type Answer, bodyJson, type Call, optionalJson } from '../call.ts';
import { knownStream, pathStream, storedStream } from '../names-in.ts';
import { pageOf, parseQueryWith, requestBasin, requestToken } from '../request.ts';
import { json, type Route, route } from '../route.ts';
import {
  parseCreateStream,
  parseStreamConfig,
  parseStreamReconfiguration,
  streamConfigJson,
  streamInfoJson,
  streamStatusJson,
} from '../schema/config.ts';
import { streamPageQuery } from '../schema/query.ts';

export const STREAM_ROUTES: readonly Route[] = [
  route(
    'GET /v1/streams',
    {
      summary: 'List the streams of a basin',
      query: streamPageQuery,
      headers: ['s2-basin'],
      answers: { 200: 'StreamList' },
      errors: [404],
    },
    list,
  ),
  route(
    'POST /v1/streams',
    {
      summary: 'Create a stream',
      headers: ['s2-basin', 's2-request-token'],
      body: { schema: 'CreateStreamRequest' },
      answers: { 201: 'StreamInfo' },
      errors: [404, 409],
    },
    create,
  ),
  route(
    'GET /v1/streams/:stream',
    { summary: 'The configuration of a stream', headers: ['s2-basin'], answers: { 200: 'StreamConfig' }, errors: [404, 409] },
    async (call) => json(200, streamConfigJson((await call.service.streams.get(...pathStream(call))).config)),
  ),
  route(
    'GET /v1/streams/:stream/status',
    {
      summary: 'What became of a stream: also of one that is being deleted, and in which storage class it is (not part of S2)',
      headers: ['s2-basin'],
      answers: { 200: 'StreamStatus' },
      errors: [404, 409],
    },
    async (call) => {
      const status = await call.service.streams.status(...pathStream(call));
      return json(200, streamStatusJson({ ...status, info: { ...status.info, name: knownStream(call.principal, status.info.name) } }));
    },
  ),
  route(
    'PUT /v1/streams/:stream',
    {
      summary: 'Create a stream, or give it this configuration',
      headers: ['s2-basin'],
      body: { schema: 'StreamConfigRequest', isOptional: true },
      answers: { 200: 'StreamInfo', 201: 'StreamInfo' },
      errors: [404, 409],
    },
    ensure,
  ),
  route(
    'PATCH /v1/streams/:stream',
    {
      summary: 'Change the configuration of a stream',
      headers: ['s2-basin'],
      body: { schema: 'StreamConfigRequest' },
      answers: { 200: 'StreamConfig' },
      errors: [404, 409],
    },
    reconfigure,
  ),
  route(
    'DELETE /v1/streams/:stream',
    { summary: 'Delete a stream', headers: ['s2-basin'], answers: { 202: undefined }, errors: [404, 409] },
    async (call) => {
      await call.service.streams.delete(...pathStream(call));
      return { status: 202 };
    },
  ),
];

async function list({ service, exchange, query, principal }: Call): Promise<Answer> {
  const basin = requestBasin(exchange);
  const page = pageOf(parseQueryWith(streamPageQuery, query));
  const stored = {
    ...page,
    prefix: principal.streamPrefix + page.prefix,
    startAfter: page.startAfter === '' ? '' : principal.streamPrefix + page.startAfter,
  };
  const shown = narrowed(stored.prefix, principal.scope.streams);
  if (shown === undefined) {
    await service.basins.get(basin);
    return json(200, { streams: [], has_more: false });
  }
  const { items, hasMore } = await service.streams.list(basin, { ...stored, prefix: shown.prefix, ...(shown.isExact ? { limit: 1 } : {}) });
  const covered = shown.isExact ? items.filter(({ name }) => name === shown.prefix) : items;
  return json(200, { streams: covered.map((info) => infoJson(principal, info)), has_more: hasMore && !shown.isExact });
}

async function create(call: Call): Promise<Answer> {
  const { exchange, principal, service } = call;
  const basin = requestBasin(exchange);
  const token = requestToken(exchange.headers);
  const { stream, config } = parseCreateStream(bodyJson(call));
  const name = storedStream(principal, streamName(stream, 'bad_json'), 'bad_json');
  authorize(principal, 'create-stream', { basin, stream: name });
  return provisioned(principal, await service.streams.create(basin, name, config, token), 201);
}

async function ensure(call: Call): Promise<Answer> {
  const { principal, service } = call;
  const [basin, stream] = pathStream(call);
  const config = parseStreamConfig(optionalJson(call) ?? {});
  const mayUpdate = (): void => authorize(principal, 'reconfigure-stream', { basin, stream });
  return provisioned(principal, await service.streams.ensure(basin, stream, config, mayUpdate));
}

async function reconfigure(call: Call): Promise<Answer> {
  const target = pathStream(call);
  return json(200, streamConfigJson(await call.service.streams.reconfigure(...target, parseStreamReconfiguration(bodyJson(call)))));
}

function provisioned(principal: Principal, { info, outcome }: Provisioned<StreamInfo>, status = outcome === 'created' ? 201 : 200): Answer {
  return json(status, infoJson(principal, info), { 's2-provision-result': outcome });
}

function infoJson(principal: Principal, info: StreamInfo): object {
  return streamInfoJson({ ...info, name: knownStream(principal, info.name) });
}
