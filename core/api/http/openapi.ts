// The API's description in OpenAPI 3.1, made of the routes and of the very schemas that check requests.

import { z } from 'zod';
import { ANSWERS } from '../../wire/error-answer.ts';
import type { Answer } from './call.ts';
import { json, type Route } from './route.ts';
import { ROUTES } from './routes.ts';
import { HEADERS } from './schema/headers.ts';
import { ANSWER_SCHEMAS, REQUEST_SCHEMAS, type SchemaName } from './schema/named.ts';

type Json = Readonly<Record<string, unknown>>;

const JSON_TYPE = 'application/json';
const ERROR = { $ref: '#/components/schemas/ErrorInfo' };
/** What any request may be answered with. */
const ANY_ERRORS = [400, 401, 403, 408, 422, 429, 431, 500, 502, 503];
const STATUS_TEXTS: Readonly<Record<number, string>> = {
  400: 'The request is malformed',
  401: 'No valid access token',
  403: 'The access token does not allow this',
  404: 'There is no such basin, stream or access token',
  405: 'The path does not take this method',
  408: 'The request took too long',
  409: 'It exists already, or is being deleted',
  412: 'The condition of the append does not hold; nothing was appended',
  413: 'The body is too large',
  416: 'The read starts where nothing is written yet',
  422: 'The request is well-formed and cannot be done',
  429: 'Too much at once; try again later',
  431: 'The head of the request is too large',
  500: 'A failure of the server or its storage; it may have had an effect',
  502: 'The server is overloaded or its disk is full; nothing happened',
  503: 'Not available now; try again',
};

let described: Answer | undefined;

/** The document, made once. */
export function openApi(): Answer {
  described ??= json(200, openApiDocument(ROUTES));
  return described;
}

export function openApiDocument(routes: readonly Route[]): Json {
  const paths: Record<string, Record<string, Json>> = {};
  for (const route of routes) {
    const path = route.path.replace(/:(\w+)/g, '{$1}');
    paths[path] ??= {};
    paths[path][route.method.toLowerCase()] = operation(route);
  }
  return {
    openapi: '3.1.0',
    info: { title: 'Millrace', version: '1', description: 'Serverless stream storage: the S2 v1 API.' },
    security: [{ accessToken: [] }],
    paths,
    components: {
      securitySchemes: { accessToken: { type: 'http', scheme: 'bearer' } },
      schemas: { ...named(REQUEST_SCHEMAS, 'input'), ...named(ANSWER_SCHEMAS, 'output') },
    },
  };
}

function operation({ path, method, access, doc, hasBody }: Route): Json {
  const { body } = doc;
  return {
    operationId: `${method.toLowerCase()}${path.replace(/\/v1|:/g, '').replace(/[/-](\w)/g, (_, letter: string) => letter.toUpperCase())}`,
    summary: doc.summary,
    description: `Needs the operation \`${access.operation}\`${access.sometimes === undefined ? '' : `, sometimes also ${access.sometimes.map((name) => `\`${name}\``).join(' or ')}`}.`,
    parameters: [...pathParameters(path), ...queryParameters(doc.query), ...headerParameters(doc.headers ?? [])],
    ...(hasBody && body !== undefined
      ? { requestBody: { required: body.isOptional !== true, content: content(body.schema, body.otherTypes) } }
      : {}),
    responses: responses(doc),
  };
}

function responses(doc: Route['doc']): Json {
  const good = Object.entries(doc.answers).map(([status, schema]) => [
    status,
    { description: 'Done', ...(schema === undefined ? {} : { content: content(schema, doc.answerTypes) }) },
  ]);
  const bad = [...ANY_ERRORS, 405, 413, ...(doc.errors ?? [])].sort((a, b) => a - b).map((status) => [String(status), failure(status)]);
  return Object.fromEntries([...good, ...bad]);
}

function failure(status: number): Json {
  const schema = status === 412 ? ref('ConditionFailed') : status === 416 ? ref('TailResponse') : ERROR;
  const codes = [...new Set(Object.values(ANSWERS).flatMap((answer) => (answer.status === status ? [answer.code] : [])))];
  const text = STATUS_TEXTS[status] ?? 'Refused';
  return { description: codes.length === 0 ? text : `${text} (${codes.join(', ')})`, content: { [JSON_TYPE]: { schema } } };
}

function content(schema: SchemaName, otherTypes: readonly string[] = []): Json {
  const binary = Object.fromEntries(otherTypes.map((type) => [type, { schema: { type: 'string', format: 'binary' } }]));
  return { [JSON_TYPE]: { schema: ref(schema) }, ...binary };
}

function ref(name: SchemaName): Json {
  return { $ref: `#/components/schemas/${name}` };
}

function pathParameters(path: string): readonly Json[] {
  return [...path.matchAll(/:(\w+)/g)].map(([, name]) => ({ name, in: 'path', required: true, schema: { type: 'string' } }));
}

function queryParameters(query: z.ZodObject | undefined): readonly Json[] {
  return Object.entries(query?.shape ?? {}).map(([name, schema]) => ({
    name,
    in: 'query',
    required: !(schema as z.ZodType).safeParse(undefined).success,
    ...parameterSchema(schema as z.ZodType),
  }));
}

function headerParameters(names: readonly (keyof typeof HEADERS)[]): readonly Json[] {
  return names.map((name) => ({ name, in: 'header', required: false, ...parameterSchema(HEADERS[name]) }));
}

/** A parameter's description stands beside its schema. */
function parameterSchema(schema: z.ZodType): Json {
  const { description, ...rest } = jsonSchema(schema, 'input');
  return { ...(description === undefined ? {} : { description }), schema: rest };
}

function named(schemas: Readonly<Record<string, z.ZodType>>, io: 'input' | 'output'): Json {
  return Object.fromEntries(Object.entries(schemas).map(([name, schema]) => [name, jsonSchema(schema, io)]));
}

function jsonSchema(schema: z.ZodType, io: 'input' | 'output'): Json {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, {
    io,
    unrepresentable: 'any',
    override: ({ jsonSchema: made }) => {
      // Text on its way in, a number in what it says.
      if (made.type === 'integer' || made.type === 'boolean') for (const key of ['pattern', 'enum'] as const) delete made[key];
    },
  });
  return rest;
}
