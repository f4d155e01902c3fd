// Every route of the S2 API: which method and path, and which use case answers. (S2 v1 API, section 1.6.)

import { refused } from '../../model/errors.ts';
import type { Provisioned } from '../basins.ts';
import type { StreamInfo } from '../deps.ts';
import { basinName, basinNamePart, streamName, streamNamePart } from '../names.ts';
import type { Service } from '../service.ts';
import type { Answer, AnswerHeaders, Call } from './call.ts';
import {
  basinConfigJson,
  basinInfoJson,
  parseBasinReconfiguration,
  parseConfigJson,
  parseCreateBasin,
  parseCreateStream,
  parseEnsureBasin,
  parseStreamConfig,
  parseStreamReconfiguration,
  streamConfigJson,
  streamInfoJson,
} from './config-schema.ts';
import { appendRecords, checkTail, readRecords } from './record-routes.ts';
import { decodeSegment, header, mediaType, parsePage, requestBasin } from './request.ts';

export interface Route {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** Segments that start with ":" stand for any one. */
  readonly path: string;
  readonly hasBody: boolean;
  handle(call: Call): Promise<Answer>;
}

const notImplemented = (): Promise<Answer> => Promise.reject(refused('not_implemented', 'this is not available yet'));

export const ROUTES: readonly Route[] = [
  route('GET', '/v1/basins', listBasins),
  route('POST', '/v1/basins', createBasin),
  route('GET', '/v1/basins/:basin', async (call) => json(200, basinConfigJson((await call.service.basins.get(pathBasin(call))).config))),
  route('PUT', '/v1/basins/:basin', ensureBasin),
  route('PATCH', '/v1/basins/:basin', reconfigureBasin),
  route('DELETE', '/v1/basins/:basin', async (call) => {
    await call.service.basins.delete(pathBasin(call));
    return { status: 202 };
  }),
  route('GET', '/v1/streams', listStreams),
  route('POST', '/v1/streams', createStream),
  route('GET', '/v1/streams/:stream', async (call) => {
    const { config } = await call.service.streams.get(...pathStream(call));
    return json(200, streamConfigJson(config));
  }),
  route('PUT', '/v1/streams/:stream', async (call) => {
    const target = pathStream(call);
    return provisioned(await call.service.streams.ensure(...target, parseStreamConfig(optionalJson(call) ?? {})));
  }),
  route('PATCH', '/v1/streams/:stream', async (call) => {
    const target = pathStream(call);
    return json(200, streamConfigJson(await call.service.streams.reconfigure(...target, parseStreamReconfiguration(bodyJson(call)))));
  }),
  route('DELETE', '/v1/streams/:stream', async (call) => {
    await call.service.streams.delete(...pathStream(call));
    return { status: 202 };
  }),
  route('GET', '/v1/streams/:stream/records/tail', checkTail),
  route('GET', '/v1/streams/:stream/records', readRecords),
  route('POST', '/v1/streams/:stream/records', appendRecords),
  route('GET', '/v1/access-tokens', notImplemented),
  route('POST', '/v1/access-tokens', notImplemented),
  route('DELETE', '/v1/access-tokens/:id', notImplemented),
  route('GET', '/v1/locations', notImplemented),
  route('GET', '/v1/locations/default', notImplemented),
  route('PUT', '/v1/locations/default', notImplemented),
  route('GET', '/v1/metrics', notImplemented),
  route('GET', '/v1/metrics/:basin', notImplemented),
  route('GET', '/v1/metrics/:basin/:stream', notImplemented),
];

function route(method: Route['method'], path: string, handle: Route['handle']): Route {
  return { method, path, hasBody: method === 'POST' || method === 'PUT' || method === 'PATCH', handle };
}

async function listBasins({ service, settings, query }: Call): Promise<Answer> {
  const page = parsePage(query, (text) => basinNamePart(text, 'bad_query'));
  const { items, hasMore } = await service.basins.list(page);
  return json(200, { basins: items.map((info) => basinInfoJson(info, settings.location)), has_more: hasMore });
}

async function createBasin(call: Call): Promise<Answer> {
  const token = header(call.exchange.headers, 's2-request-token');
  const { basin, config, location } = parseCreateBasin(bodyJson(call));
  const { info, outcome } = await call.service.basins.create(basinName(basin, 'bad_json'), config, location, token);
  return json(201, basinInfoJson(info, call.settings.location), { 's2-provision-result': outcome });
}

async function ensureBasin(call: Call): Promise<Answer> {
  const name = pathBasin(call);
  const { config, location } = parseEnsureBasin(optionalJson(call) ?? {});
  const { info, outcome } = await call.service.basins.ensure(name, config, location);
  return json(outcome === 'created' ? 201 : 200, basinInfoJson(info, call.settings.location), { 's2-provision-result': outcome });
}

async function reconfigureBasin(call: Call): Promise<Answer> {
  const name = pathBasin(call);
  return json(200, basinConfigJson(await call.service.basins.reconfigure(name, parseBasinReconfiguration(bodyJson(call)))));
}

async function listStreams({ service, exchange, query }: Call): Promise<Answer> {
  const basin = requestBasin(exchange.headers);
  const { items, hasMore } = await service.streams.list(
    basin,
    parsePage(query, (text) => streamNamePart(text, 'bad_query')),
  );
  return json(200, { streams: items.map(streamInfoJson), has_more: hasMore });
}

async function createStream(call: Call): Promise<Answer> {
  const basin = requestBasin(call.exchange.headers);
  const token = header(call.exchange.headers, 's2-request-token');
  const { stream, config } = parseCreateStream(bodyJson(call));
  return provisioned(await call.service.streams.create(basin, streamName(stream, 'bad_json'), config, token), 201);
}

function provisioned({ info, outcome }: Provisioned<StreamInfo>, status = outcome === 'created' ? 201 : 200): Answer {
  return json(status, streamInfoJson(info), { 's2-provision-result': outcome });
}

function pathBasin({ segments }: Call): string {
  return basinName(decodeSegment(segments[2] ?? ''), 'bad_path');
}

function pathStream({ segments, exchange }: Call): Parameters<Service['streams']['get']> {
  const name = streamName(decodeSegment(segments[2] ?? ''), 'bad_path');
  return [requestBasin(exchange.headers), name];
}

/** @throws StoreError `bad_json` */
function bodyJson({ exchange, body }: Call): unknown {
  if (mediaType(header(exchange.headers, 'content-type')) !== 'json') {
    throw refused('bad_json', 'expected a JSON body with `Content-Type: application/json`');
  }
  try {
    return parseConfigJson(new TextDecoder('utf-8', { fatal: true }).decode(body));
  } catch {
    throw refused('bad_json', 'the request body is not valid JSON');
  }
}

/** Nothing is as good as an empty configuration. */
function optionalJson(call: Call): unknown {
  return call.body.length === 0 ? undefined : bodyJson(call);
}

function json(status: number, value: object, headers: AnswerHeaders = {}): Answer {
  return { status, contentType: 'application/json', body: Buffer.from(JSON.stringify(value)), headers };
}
