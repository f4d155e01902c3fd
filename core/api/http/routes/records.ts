// Appends, reads and check-tail as single requests. (S2 v1 API, sections 2 and 3.4.)

import { refused } from '../../../model/errors.ts';
import { authorizeCommands } from '../../../model/principal.ts';
import type { ReadBatch } from '../../../model/read.ts';
import type { AppendInput } from '../../../wire/append-input.ts';
import { appendAckJson, decodeAppendJson, positionJson } from '../../../wire/append-json.ts';
import { decodeAppendInput, encodeAppendAck } from '../../../wire/append-proto.ts';
import { mediaType } from '../../../wire/media-type.ts';
import { encodeReadJson } from '../../../wire/read-json.ts';
import { encodeReadBatch } from '../../../wire/read-proto.ts';
import type { Answer, AnswerHeaders, Call } from '../call.ts';
import { serverDraining } from '../draining.ts';
import { streamTarget } from '../names-in.ts';
import { header, parseRead, requestFormat } from '../request.ts';
import { type Route, route } from '../route.ts';
import { readQuery } from '../schema/query.ts';

const PROTOBUF = 'application/protobuf';
const SESSION = 's2s/proto';

export const RECORD_ROUTES: readonly Route[] = [
  route(
    'GET /v1/streams/:stream/records/tail',
    { summary: 'The tail of a stream', headers: ['s2-basin', 's2-stream-config'], answers: { 200: 'TailResponse' }, errors: [404, 409] },
    checkTail,
  ),
  route(
    'GET /v1/streams/:stream/records',
    {
      summary: 'Read records: once, as server-sent events, or as a session of frames',
      query: readQuery,
      headers: ['s2-basin', 's2-format', 's2-encryption-key', 's2-stream-config', 'last-event-id'],
      answers: { 200: 'ReadBatch' },
      answerTypes: [PROTOBUF, 'text/event-stream', SESSION],
      errors: [404, 409, 416],
    },
    readRecords,
  ),
  route(
    'POST /v1/streams/:stream/records',
    {
      summary: 'Append records: one batch, or a session of frames',
      headers: ['s2-basin', 's2-format', 's2-encryption-key', 's2-stream-config'],
      body: { schema: 'AppendInput', otherTypes: [PROTOBUF, SESSION] },
      answers: { 200: 'AppendAck' },
      answerTypes: [PROTOBUF, SESSION],
      errors: [404, 409, 412],
    },
    appendRecords,
  ),
];

const NOTHING: ReadBatch = { runs: [], count: 0, meteredBytes: 0 };

async function appendRecords(call: Call): Promise<Answer> {
  const target = streamTarget(call);
  const { batch, conditions } = decodeInput(call);
  authorizeCommands(call.principal, batch.commands);
  const ack = await call.service.append(target, batch, conditions);
  return wantsProtobuf(call)
    ? { status: 200, contentType: 'application/protobuf', body: encodeAppendAck(ack) }
    : { status: 200, contentType: 'application/json', body: Buffer.from(appendAckJson(ack)) };
}

function decodeInput({ exchange, body }: Call): AppendInput {
  const type = mediaType(header(exchange.headers, 'content-type'));
  if (type === 'protobuf') return decodeAppendInput(body);
  if (type === 'json') return decodeAppendJson(body, requestFormat(exchange.headers));
  throw refused('bad_json', 'expected a JSON body with `Content-Type: application/json`');
}

async function readRecords(call: Call): Promise<Answer> {
  const { exchange, service, query, draining } = call;
  const target = streamTarget(call);
  const format = wantsProtobuf(call) ? undefined : requestFormat(exchange.headers);
  const request = parseRead(query);
  const session = await service.openRead(target, request, 'unary');
  // A read that may wait would only wait for the end; an empty answer would say that nothing came for as long as was asked.
  const ending = (request.waitSecs ?? 0) > 0 ? draining.advised : draining.over;
  const close = (): void => session.close();
  ending.addEventListener('abort', close, { once: true });
  try {
    const next = ending.aborted ? 'end' : await session.next(exchange.gone);
    if (next === 'end' && ending.aborted) throw serverDraining();
    const batch = next === 'end' ? NOTHING : next;
    const headers = immutableHeader(call, batch);
    return format === undefined
      ? { status: 200, contentType: 'application/protobuf', body: encodeReadBatch(batch), headers }
      : { status: 200, contentType: 'application/json', body: encodeReadJson(batch, format), headers };
  } finally {
    ending.removeEventListener('abort', close);
    session.close();
  }
}

/** Tells an edge what it may give again to whom it has checked, and how long it may believe that this token is not revoked. */
function immutableHeader({ access, principal }: Call, { settled }: ReadBatch): AnswerHeaders {
  if (settled === undefined) return {};
  const { streamId, trimPoint } = settled;
  const believedMs = access.believedMs(principal);
  const token = believedMs === 'open' ? '; open' : `; token-ms=${believedMs}`;
  return { 'millrace-immutable': `${streamId}; trim=${trimPoint}${believedMs === undefined ? '' : token}` };
}

async function checkTail(call: Call): Promise<Answer> {
  const tail = await call.service.checkTail(streamTarget(call));
  return { status: 200, contentType: 'application/json', body: Buffer.from(`{"tail":${positionJson(tail)}}`) };
}

function wantsProtobuf({ exchange }: Call): boolean {
  return mediaType(header(exchange.headers, 'accept')) === 'protobuf';
}
