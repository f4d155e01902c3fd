import type { APIGatewayProxyEventV2 } from 'aws-lambda';
import { describe, expect, test } from 'vitest';
import type { PeerRequest } from '#core/ports/channel-peer.ts';
import { readApiEnv, readApiSettings } from '#functions/api/env.ts';
import { answerOf, requestOf } from '#functions/api/event.ts';
import { gatewayPeers } from '#functions/api/gateway.ts';
import { refusedSession } from '#functions/api/sessions.ts';
import { eventOfRequest } from '../support/lambda/api-event.ts';

describe('an event as a request', () => {
  test('keeps method, path and query as they were sent, and leaves out what belongs to one connection', () => {
    const event = eventOfRequest(
      'PATCH',
      '/v1/streams/a%2Fb%20c?prefix=%25&x=',
      { 'S2-Basin': 'my-basin', connection: 'keep-alive', expect: '100-continue' },
      '{}',
    );
    expect(requestOf(event)).toEqual({
      method: 'PATCH',
      target: '/v1/streams/a%2Fb%20c?prefix=%25&x=',
      headers: { 's2-basin': 'my-basin', host: 'url.lambda', 'content-length': 2 },
      body: Buffer.from('{}'),
    });
  });

  test('takes bytes from base64, text as UTF-8, and no body from none', () => {
    const bytes = Buffer.from([0, 255, 128]);
    const event = { ...eventOfRequest('POST', '/v1/x', {}), body: bytes.toString('base64'), isBase64Encoded: true };
    expect(requestOf(event).body).toEqual(bytes);
    expect(requestOf(eventOfRequest('POST', '/v1/x', {}, 'ä')).headers).toMatchObject({ 'content-length': 2 });
    expect(requestOf(eventOfRequest('POST', '/v1/x', {})).headers).toMatchObject({ 'content-length': 0 });
    expect(requestOf(eventOfRequest('GET', '/v1/x', {})).headers).not.toHaveProperty('content-length');
    const bare: APIGatewayProxyEventV2 = eventOfRequest('GET', '/v1/x', {});
    expect(requestOf(bare)).toMatchObject({ target: '/v1/x', body: Buffer.alloc(0) });
  });
});

describe('an answer', () => {
  test.each([
    ['application/json', undefined, false],
    ['text/plain; charset=utf-8', undefined, false],
    ['application/json', 'gzip', true],
    ['application/protobuf', undefined, true],
  ])('of %s, packed: %s, travels in base64: %s', (type, encoding, isBase64Encoded) => {
    const headers = {
      'content-type': type,
      'retry-after-ms': '20',
      connection: 'close',
      'content-length': '3',
      'transfer-encoding': 'chunked',
    };
    const answer = answerOf(200, encoding === undefined ? headers : { ...headers, 'content-encoding': encoding }, Buffer.from('abc'));
    expect(answer).toMatchObject({ statusCode: 200, isBase64Encoded, body: isBase64Encoded ? 'YWJj' : 'abc' });
    expect(answer.headers).toEqual({
      'content-type': type,
      'retry-after-ms': '20',
      ...(encoding === undefined ? {} : { 'content-encoding': encoding }),
    });
  });
});

describe('what lasts', () => {
  test.each([
    [{ 'content-type': 's2s/proto' }, 'sessions'],
    [{ accept: 'application/json, text/event-stream' }, 'events'],
  ])('%o is told where it is served', (headers, what) => {
    const refusal = refusedSession({ method: 'GET', target: '/', headers, body: Buffer.alloc(0) }, 'https://cell.example.com');
    expect(refusal).toMatchObject({ statusCode: 421, headers: { 'millrace-owner': 'https://cell.example.com' } });
    expect(JSON.parse(refusal?.body ?? '')).toEqual({ code: 'moved', message: `${what} are served at https://cell.example.com, not here` });
  });

  test('what one answer ends is not refused', () => {
    const request = { method: 'GET', target: '/', headers: { accept: '*/*', 'content-type': 'application/json' }, body: Buffer.alloc(0) };
    expect(refusedSession(request, 'https://cell.example.com')).toBeUndefined();
  });
});

test('a request that is passed on to the cell does not say that it follows: a task would send it where only tasks come', () => {
  const opened: PeerRequest[] = [];
  const peers = gatewayPeers({
    open(_base, request) {
      opened.push(request);
      throw new Error('not sent');
    },
    close: () => undefined,
  });
  const headers = { 'millrace-follow': 'peer', authorization: 'Bearer x' };
  expect(() => peers.open('http://cell', { method: 'GET', target: '/', headers })).toThrow('not sent');
  expect(opened).toEqual([{ method: 'GET', target: '/', headers: { authorization: 'Bearer x' } }]);
});

describe('settings of the control plane', () => {
  const good = {
    MILLRACE_TABLE: 'a-table',
    MILLRACE_BUCKET: 'a-bucket',
    MILLRACE_CELL_URL: 'https://cell.example.com',
    MILLRACE_ROOT_TOKEN_ID: 'root',
    MILLRACE_SIGNING_SECRET_ID: 'arn:aws:secretsmanager:us-east-1:123456789012:secret:signing',
  };
  const secrets = { rootToken: 'r'.repeat(48), signing: 's'.repeat(48) };

  test('are taken, and access is always checked', () => {
    const settings = readApiSettings(good);
    const env = readApiEnv(settings, secrets, { ...good, MILLRACE_AUTH: 'off' });
    expect(env).toMatchObject({ cellUrl: good.MILLRACE_CELL_URL, rootToken: secrets.rootToken, config: { access: { mode: 'required' } } });
  });

  test.each([
    ['MILLRACE_CELL_URL', undefined, 'MILLRACE_CELL_URL is missing'],
    ['MILLRACE_CELL_URL', 'https://cell.example.com/v1', 'it must be where the channel tasks are reached'],
    ['MILLRACE_ROOT_TOKEN_ID', '', 'MILLRACE_ROOT_TOKEN_ID is ""; it must be the name or ARN of a secret'],
    ['MILLRACE_SIGNING_SECRET_ID', undefined, 'MILLRACE_SIGNING_SECRET_ID is missing'],
    ['MILLRACE_TABLE', '!', 'MILLRACE_TABLE is "!"'],
    ['MILLRACE_LOCATION', 'no location', 'MILLRACE_LOCATION is "no location"'],
  ])('%s = %s is refused', (name, value, message) => {
    expect(() => readApiSettings({ ...good, [name]: value })).toThrow(message);
  });

  test('a secret that is too short is told, and not what it is', () => {
    const settings = readApiSettings(good);
    for (const short of [
      { ...secrets, rootToken: 'hunter2' },
      { ...secrets, signing: 'hunter2' },
    ]) {
      expect(() => readApiEnv(settings, short, good)).toThrow(/at least \d+/);
      expect(() => readApiEnv(settings, short, good)).not.toThrow(/hunter2/);
    }
  });
});
