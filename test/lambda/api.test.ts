// The control plane as Lambda runs it, on emulators, beside a channel task that it passes on to what has to be in order with appends.

import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { CreateSecretCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import type { APIGatewayProxyStructuredResultV2 } from 'aws-lambda';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { bundleFunction } from '#stacks/bundle.ts';
import { type Cloud, ROOT_TOKEN, startCloud } from '#test/support/aws/cloud.ts';
import { isMissing, missingDynamo, missingMoto, TEST_CREDENTIALS, TEST_REGION } from '#test/support/aws/emulators.ts';
import { eventOfRequest } from '#test/support/lambda/api-event.ts';
import { createLambda, type Lambda } from '#test/support/lambda/lambda.ts';
import { type Server, startServer } from '#test/support/server.ts';

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });
const BASIN = 'control-basin';
const SETTINGS = ['MILLRACE_TABLE', 'MILLRACE_BUCKET', 'MILLRACE_EXPRESS_BUCKETS', 'AWS_'];

const folder = mkdtempSync(path.join(tmpdir(), 'millrace-api-'));
beforeAll(() => bundleFunction('api', folder));
afterAll(() => rmSync(folder, { recursive: true }));

test('the function is one file of at most 2 MB', () => {
  const { size } = statSync(path.join(folder, 'index.mjs'));
  console.log(`api: ${(size / 1024 / 1024).toFixed(2)} MiB`);
  expect(size).toBeLessThan(2 * 1024 * 1024);
});

test('a setting that is missing is named, and the function does not start', async () => {
  const lambda = await createLambda({ folder, env: { MILLRACE_TABLE: 'a-table', MILLRACE_BUCKET: 'a-bucket' }, timeoutMs: 30_000 });
  await expect(lambda.invoke(eventOfRequest('GET', '/v1/basins', {}))).rejects.toMatchObject({
    type: 'SettingError',
    message: expect.stringContaining('MILLRACE_CELL_URL is missing'),
  });
  await lambda.dispose();
});

describe.skipIf(isMissing(missingDynamo(), missingMoto()))('the control plane', () => {
  let cloud: Cloud;
  let task: Server;
  let lambda: Lambda;
  let env: Readonly<Record<string, string>>;

  beforeAll(async () => {
    cloud = await startCloud();
    task = await startServer({ command: [process.execPath, 'functions/channel/main.ts'], env: cloud.env, readyTimeoutMs: 60_000 });
    const { endpoint } = cloud.s3;
    const secrets = new SecretsManagerClient({ endpoint, region: TEST_REGION, credentials: TEST_CREDENTIALS });
    await secrets.send(new CreateSecretCommand({ Name: 'root', SecretString: ROOT_TOKEN }));
    await secrets.send(new CreateSecretCommand({ Name: 'signing', SecretString: cloud.env['MILLRACE_SIGNING_SECRET'] }));
    secrets.destroy();
    env = {
      ...Object.fromEntries(Object.entries(cloud.env).filter(([name]) => SETTINGS.some((setting) => name.startsWith(setting)))),
      AWS_ENDPOINT_URL_SECRETS_MANAGER: endpoint,
      MILLRACE_CELL_URL: task.url,
      MILLRACE_ROOT_TOKEN_ID: 'root',
      MILLRACE_SIGNING_SECRET_ID: 'signing',
    };
    lambda = await createLambda({ folder, env, timeoutMs: 60_000 });
  }, 120_000);
  afterAll(async () => {
    await lambda?.dispose();
    await task?.dispose();
    await cloud?.stop();
  });

  interface Asked {
    readonly status: number;
    readonly headers: Readonly<Record<string, unknown>>;
    readonly body: string;
    readonly json: Record<string, unknown>;
  }

  async function ask(method: string, target: string, body?: unknown, headers: Readonly<Record<string, string>> = {}): Promise<Asked> {
    const all = { authorization: `Bearer ${ROOT_TOKEN}`, 's2-basin': BASIN, 'content-type': 'application/json', ...headers };
    const event = eventOfRequest(method, target, all, body === undefined ? undefined : JSON.stringify(body));
    const answer = (await lambda.invoke(event)) as APIGatewayProxyStructuredResultV2;
    const text = Buffer.from(answer.body ?? '', answer.isBase64Encoded ? 'base64' : 'utf8').toString();
    const json = /^[[{]/.test(text) ? (JSON.parse(text) as Record<string, unknown>) : {};
    return { status: answer.statusCode ?? 0, headers: answer.headers ?? {}, body: text, json };
  }

  test('makes, lists and configures basins and streams by itself, and the task serves them', async () => {
    expect(await ask('POST', '/v1/basins', { basin: BASIN })).toMatchObject({ status: 201 });
    expect((await ask('GET', '/v1/basins')).json).toMatchObject({ basins: [{ name: BASIN }], has_more: false });
    expect(await ask('POST', '/v1/streams', { stream: 'a/stream', config: { storage_class: 'express' } })).toMatchObject({ status: 201 });
    expect((await ask('GET', '/v1/streams?prefix=a%2F')).json).toMatchObject({ streams: [{ name: 'a/stream' }] });
    expect((await ask('GET', '/v1/streams/a%2Fstream')).json).toMatchObject({ storage_class: 'express' });
    console.log(`api: ${lambda.coldStart}`);
    const headers = { authorization: `Bearer ${ROOT_TOKEN}`, 's2-basin': BASIN };
    const tail = await fetch(`${task.url}/v1/streams/a%2Fstream/records/tail`, { headers });
    expect(await tail.json()).toMatchObject({ tail: { seq_num: 0 } });
  });

  test('passes on what has to be in order with appends, and gives the answer as it came', async () => {
    const records = '/v1/streams/a%2Fstream/records';
    for (let i = 0; i < 3; i += 1) {
      const { status, json } = await ask('POST', records, { records: [{ body: `record ${i}` }], match_seq_num: i });
      expect([status, json]).toMatchObject([200, { start: { seq_num: i } }]);
    }
    expect(await ask('POST', records, { records: [{ body: 'late' }], match_seq_num: 1 })).toMatchObject({ status: 412 });
    expect((await ask('GET', `${records}/tail`)).json).toMatchObject({ tail: { seq_num: 3 } });
    const read = await ask('GET', `${records}?seq_num=0`);
    expect((read.json['records'] as { body: string }[]).map(({ body }) => body)).toEqual(['record 0', 'record 1', 'record 2']);
    const patched = await ask('PATCH', '/v1/streams/a%2Fstream', { retention_policy: { age: 3_600 } });
    expect([patched.status, patched.json]).toMatchObject([200, { retention_policy: { age: 3_600 } }]);
    await ask('POST', '/v1/streams', { stream: 'gone' });
    expect(await ask('DELETE', '/v1/streams/gone')).toMatchObject({ status: 202 });
  });

  test('checks tokens, issues and revokes them; the task knows of both', async () => {
    expect(await ask('GET', '/v1/basins', undefined, { authorization: 'Bearer wrong' })).toMatchObject({ status: 401 });
    const scope = {
      basins: { prefix: '' },
      streams: { prefix: '' },
      op_groups: { account: { read: true }, basin: { read: true }, stream: { read: true } },
    };
    const issued = await ask('POST', '/v1/access-tokens', { id: 'reader', scope });
    expect(issued).toMatchObject({ status: 201 });
    const authorization = `Bearer ${String(issued.json['access_token'])}`;
    expect(await ask('GET', '/v1/streams', undefined, { authorization })).toMatchObject({ status: 200 });
    expect(await ask('POST', '/v1/streams', { stream: 'not-allowed' }, { authorization })).toMatchObject({ status: 403 });
    const headers = { authorization, 's2-basin': BASIN };
    expect((await fetch(`${task.url}/v1/streams`, { headers })).status).toBe(200);
    expect(await ask('DELETE', '/v1/access-tokens/reader')).toMatchObject({ status: 204 });
    expect(await ask('GET', '/v1/streams', undefined, { authorization })).toMatchObject({ status: 401 });
    const isRefused = async (): Promise<number> => (await fetch(`${task.url}/v1/streams`, { headers })).status;
    await expect.poll(isRefused, { timeout: 20_000, interval: 500 }).toBe(401);
  });

  test('K2, J6: a token that is revoked elsewhere is refused within the bound, however long the function was frozen meanwhile', async () => {
    const scope = { op_groups: { account: { read: true } } };
    const issued = await ask('POST', '/v1/access-tokens', { id: 'short-lived', scope });
    const authorization = `Bearer ${String(issued.json['access_token'])}`;
    expect(await ask('GET', '/v1/locations', undefined, { authorization })).toMatchObject({ status: 200 });
    const root = { headers: { authorization: `Bearer ${ROOT_TOKEN}` } };
    expect((await fetch(`${task.url}/v1/access-tokens/short-lived`, { method: 'DELETE', ...root })).status).toBe(204);
    await new Promise((resolve) => setTimeout(resolve, 11_000));
    expect(await ask('GET', '/v1/locations', undefined, { authorization })).toMatchObject({ status: 401 });
  });

  test('tells those who want a session where there is one, and answers what it does not know as the task does', async () => {
    const events = await ask('GET', '/v1/streams/a%2Fstream/records', undefined, { accept: 'text/event-stream' });
    expect([events.status, events.json, events.headers['millrace-owner']]).toMatchObject([421, { code: 'moved' }, task.url]);
    expect(await ask('GET', '/v1/nothing')).toMatchObject({ status: 404 });
    const bad = {
      method: 'POST',
      body: JSON.stringify({ basin: 'X' }),
      headers: { authorization: `Bearer ${ROOT_TOKEN}`, 'content-type': 'application/json' },
    };
    const expected = await fetch(`${task.url}/v1/basins`, bad);
    expect(await ask('POST', '/v1/basins', { basin: 'X' })).toMatchObject({ status: expected.status, json: await expected.json() });
    expect((await ask('GET', '/openapi.json')).json).toMatchObject({ openapi: expect.stringMatching(/^3/) });
  });

  test('what it answers counts in the metrics, also of a process that is frozen for ever after', async () => {
    const now = Math.floor(Date.now() / 1_000);
    const metrics = await fetch(`${task.url}/v1/metrics?set=account-ops&start=${now - 3_600}&end=${now + 60}&interval=hour`, {
      headers: { authorization: `Bearer ${ROOT_TOKEN}` },
    });
    const text = await metrics.text();
    expect([metrics.status, text]).toEqual([200, expect.stringContaining('create-basin')]);
  });

  test('T13: goes on without any task for what needs none, and reads what lies in segments; it says when a task is needed', async () => {
    await task.stop();
    const records = '/v1/streams/a%2Fstream/records';
    const { status: found, json } = await ask('GET', `${records}?seq_num=0&count=2`);
    expect([found, (json['records'] as { body: string }[]).map(({ body }) => body)]).toEqual([200, ['record 0', 'record 1']]);
    expect(await ask('GET', `${records}?seq_num=0`)).toMatchObject({ status: 503 });
    expect(await ask('GET', '/v1/basins')).toMatchObject({ status: 200 });
    expect(await ask('POST', '/v1/streams', { stream: 'made-meanwhile' })).toMatchObject({ status: 201 });
    const append = await ask('POST', '/v1/streams/made-meanwhile/records', { records: [{ body: 'x' }] });
    expect(append).toMatchObject({ status: 503, json: { code: 'unavailable' } });
    await task.start();
    // It serves before it has its channels.
    const status = async () => (await ask('POST', '/v1/streams/made-meanwhile/records', { records: [{ body: 'x' }] })).status;
    await expect.poll(status, { timeout: 60_000 }).toBe(200);
  });

  test('a secret that is not there is named, and what it should be is not', async () => {
    const wrong = await createLambda({ folder, env: { ...env, MILLRACE_ROOT_TOKEN_ID: 'no-such-secret' }, timeoutMs: 60_000 });
    await expect(wrong.invoke(eventOfRequest('GET', '/v1/basins', {}))).rejects.toMatchObject({
      type: 'StoreError',
      message: expect.stringContaining('secret no-such-secret'),
    });
    expect(wrong.log).not.toContain(ROOT_TOKEN);
    await wrong.dispose();
  });
});
