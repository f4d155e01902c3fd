// The API's description against what the server does: every route is in it, its schemas take what requests may say, and answers
// follow it.

import { fc, test as prop } from '@fast-check/vitest';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ROUTES } from '#core/api/http/routes.ts';
import { parseConfigJson } from '#core/api/http/schema/config.ts';
import { ANSWER_SCHEMAS, REQUEST_SCHEMAS } from '#core/api/http/schema/named.ts';
import { decodeAppendJson } from '#core/wire/append-json.ts';
import { Api } from '#test/support/api.ts';
import { startServer, type TestServer } from './server.ts';

interface Document {
  readonly paths: Record<string, Record<string, Operation>>;
  readonly components: { readonly schemas: Record<string, object> };
}
interface Operation {
  readonly operationId: string;
  readonly parameters: readonly {
    readonly name: string;
    readonly in: string;
    readonly required: boolean;
    readonly schema: { readonly type?: string };
  }[];
  readonly requestBody?: { readonly required: boolean };
  readonly responses: Record<string, { readonly content?: Record<string, { readonly schema: { readonly $ref?: string } }> }>;
}

let server: TestServer;
let document: Document;

beforeAll(async () => {
  server = await startServer();
  document = (await (await fetch(`${server.origin}/openapi.json`)).json()) as Document;
});
afterAll(() => server.close());

describe('the description', () => {
  test('holds every route, under an id of its own', () => {
    const held = Object.entries(document.paths).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
    );
    expect(held.sort()).toEqual(ROUTES.map(({ method, path }) => `${method} ${path.replace(/:(\w+)/g, '{$1}')}`).sort());
    const ids = Object.values(document.paths).flatMap((methods) => Object.values(methods).map(({ operationId }) => operationId));
    expect(new Set(ids).size).toBe(ids.length);
  });

  test('refers to nothing that it does not hold', () => {
    const text = JSON.stringify(document);
    const refs = [...text.matchAll(/"\$ref":"#\/components\/schemas\/(\w+)"/g)].map(([, name]) => name ?? '');
    expect(refs.length).toBeGreaterThan(40);
    for (const name of refs) expect(Object.keys(document.components.schemas)).toContain(name);
  });

  test('names the storage classes that clients know, on every way in and out', () => {
    const classes = [...JSON.stringify(document).matchAll(/"storage_class":(\{.*?"enum":\[.*?\])/g)].map(([, schema]) => schema ?? '');
    expect(classes.length).toBeGreaterThan(3);
    for (const schema of classes) expect(schema).toContain('"enum":["standard","express"]');
    expect(JSON.stringify(document)).not.toContain('"native"');
  });

  test('says of numbers in the query that they are numbers, and of flags that they are flags', () => {
    const read = document.paths['/v1/streams/{stream}/records']?.['get']?.parameters ?? [];
    const types = Object.fromEntries(read.map(({ name, schema }) => [name, schema.type]));
    expect(types).toMatchObject({ stream: 'string', seq_num: 'integer', wait: 'integer', clamp: 'boolean', 's2-format': 'string' });
  });
});

describe('the schema of an append', () => {
  const text = fc.oneof(fc.string({ maxLength: 8 }), fc.constantFrom('', 'fence', 'trim'));
  const number = fc.oneof(fc.nat(), fc.constantFrom(-1, 0.5, 1e21, null, '1', true));
  const header = fc.oneof(fc.tuple(text, text), fc.array(text, { maxLength: 3 }), fc.constant(null));
  const record = fc.oneof(
    {
      weight: 8,
      arbitrary: fc.record({ timestamp: number, headers: fc.array(header, { maxLength: 2 }), body: text }, { requiredKeys: [] }),
    },
    { weight: 1, arbitrary: fc.constantFrom(null, 1, [], 'x', { body: null }, { headers: null }, { body: 1 }, { other: { deep: [1] } }) },
  );
  const input = fc.record(
    {
      records: fc.oneof(fc.array(record, { maxLength: 3 }), fc.constant(null)),
      match_seq_num: number,
      fencing_token: fc.oneof(text, fc.constant(null), fc.nat()),
      other: fc.json(),
    },
    { requiredKeys: [] },
  );

  prop.prop([fc.oneof({ weight: 9, arbitrary: input }, { weight: 1, arbitrary: fc.jsonValue() })], { numRuns: 10_000 })(
    'takes what the decoder takes, and refuses what it refuses as malformed',
    (value) => {
      const json = JSON.stringify(value);
      let code: string | undefined;
      try {
        decodeAppendJson(new TextEncoder().encode(json), 'raw');
      } catch (error) {
        code = (error as { code: string }).code;
      }
      const parsed = REQUEST_SCHEMAS.AppendInput.safeParse(parseConfigJson(json));
      // What breaks a rule of batches and records (empty, unknown command) is well-formed: `invalid`.
      if (code === undefined) expect(parsed.error?.issues).toBeUndefined();
      else if (code === 'bad_json') expect(parsed.success).toBe(false);
      else expect(code).toBe('invalid');
    },
  );
});

test('every answer that the routes give follows the schema that is named for it', async () => {
  const api = new Api(server.origin, 'described-basin');
  const json = (value: unknown) => ({ body: JSON.stringify(value), headers: { 'content-type': 'application/json' } });
  const calls: readonly (readonly [string, string, object?])[] = [
    ['POST', '/basins', json({ basin: api.basin, config: { default_stream_config: { retention_policy: { infinite: {} } } } })],
    ['PUT', `/basins/${api.basin}`],
    ['PATCH', `/basins/${api.basin}`, json({ default_stream_config: { timestamping: { mode: 'arrival' } } })],
    ['GET', `/basins/${api.basin}`],
    ['GET', '/basins'],
    ['POST', '/streams', json({ stream: 'a' })],
    ['PUT', '/streams/b', json({ retention_policy: { age: 10 }, delete_on_empty: { min_age_secs: 1 } })],
    ['PATCH', '/streams/b', json({ timestamping: { uncapped: true } })],
    ['GET', '/streams/b'],
    ['GET', '/streams'],
    ['POST', '/streams/a/records', json({ records: [{ body: 'x', headers: [['k', 'v']] }, {}] })],
    ['POST', '/streams/a/records', json({ records: [{}], match_seq_num: 9 })],
    ['POST', '/streams/a/records', json({ records: [{}], fencing_token: 'no' })],
    ['GET', '/streams/a/records?seq_num=0'],
    ['GET', '/streams/a/records?seq_num=9'],
    ['GET', '/streams/a/records/tail'],
    ['POST', '/access-tokens', json({ id: 'a', scope: { ops: ['read'] } })],
    ['GET', '/access-tokens'],
    ['DELETE', '/access-tokens/a'],
    ['GET', '/streams/none'],
    ['DELETE', '/streams/b'],
    ['DELETE', `/basins/${api.basin}`],
  ];
  for (const [method, path, options] of calls) {
    const answer = await api.call(method, path, options);
    const segments = path.split('?')[0]?.split('/').slice(1) ?? [];
    const pattern = Object.keys(document.paths).find((candidate) => {
      const parts = candidate.split('/').slice(2);
      return parts.length === segments.length && parts.every((part, at) => part.startsWith('{') || part === segments[at]);
    });
    const response = document.paths[pattern ?? '']?.[method.toLowerCase()]?.responses[String(answer.status)];
    expect(response, `${method} ${path} answers ${answer.status}`).toBeDefined();
    const ref = response?.content?.['application/json']?.schema.$ref?.split('/').at(-1);
    if (ref === undefined) {
      expect(answer.text, `${method} ${path}`).toBe('');
      continue;
    }
    const parsed = ANSWER_SCHEMAS[ref as keyof typeof ANSWER_SCHEMAS].safeParse(answer.json);
    expect(parsed.error?.issues, `${method} ${path} → ${ref}: ${answer.text}`).toBeUndefined();
  }
});
