// What a route is: where it answers, what it needs, what it says of itself in the API's description, and what it does.

import type { z } from 'zod';
import type { AccessRule, RouteName } from '../../wire/authorization.ts';
import { AUTHORIZATION } from '../../wire/authorization.ts';
import type { Answer, AnswerHeaders, Call } from './call.ts';
import type { HeaderName } from './schema/headers.ts';
import type { SchemaName } from './schema/named.ts';

export type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';

export interface RouteDoc {
  /** One line: what it is for. */
  readonly summary: string;
  readonly query?: z.ZodObject;
  readonly headers?: readonly HeaderName[];
  readonly body?: { readonly schema: SchemaName; readonly isOptional?: boolean; readonly otherTypes?: readonly string[] };
  /** The schema of each answer that succeeds; undefined: it has no body. */
  readonly answers: Readonly<Record<number, SchemaName | undefined>>;
  readonly answerTypes?: readonly string[];
  /** Statuses of errors besides those that any route may answer. */
  readonly errors?: readonly number[];
}

export interface Route {
  readonly name: RouteName;
  readonly method: Method;
  /** Segments that start with ":" stand for any one. */
  readonly path: string;
  readonly hasBody: boolean;
  readonly access: AccessRule;
  readonly doc: RouteDoc;
  handle(call: Call): Promise<Answer>;
}

export function route(name: RouteName, doc: RouteDoc, handle: Route['handle']): Route {
  const [method, path] = name.split(' ') as [Method, string];
  return {
    name,
    method,
    path,
    hasBody: method === 'POST' || method === 'PUT' || method === 'PATCH',
    access: AUTHORIZATION[name],
    doc,
    handle,
  };
}

/** What V8 has as well, and TypeScript does not know yet. */
const { rawJSON } = JSON as unknown as { rawJSON(text: string): unknown };

export function json(status: number, value: unknown, headers: AnswerHeaders = {}): Answer {
  const text = JSON.stringify(value, (_, part: unknown) => (typeof part === 'bigint' ? rawJSON(String(part)) : part));
  return { status, contentType: 'application/json', body: Buffer.from(text), headers };
}
