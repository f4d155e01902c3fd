// A unary request on its way to a use case, and what comes back.

import { refused } from '../../model/errors.ts';
import type { Principal } from '../../model/principal.ts';
import { mediaType } from '../../wire/media-type.ts';
import type { Access } from '../access/access.ts';
import type { Tokens } from '../access/tokens.ts';
import type { ServiceSettings } from '../basins.ts';
import type { Service } from '../service.ts';
import type { Draining } from './draining.ts';
import type { Exchange } from './exchange.ts';
import { header } from './request.ts';
import { parseConfigJson } from './schema/config.ts';

export interface Call {
  readonly exchange: Exchange;
  readonly service: Service;
  readonly settings: ServiceSettings;
  readonly draining: Draining;
  readonly principal: Principal;
  readonly tokens: Tokens;
  readonly access: Access;
  /** The path's segments, still encoded, `v1` first. */
  readonly segments: readonly string[];
  readonly query: ReadonlyMap<string, string>;
  /** Decompressed; empty where the route takes none. */
  readonly body: Uint8Array;
}

export type AnswerHeaders = Readonly<Record<string, string | number>>;

export interface Answer {
  readonly status: number;
  /** With a body only. */
  readonly contentType?: string;
  readonly body?: Uint8Array;
  readonly headers?: AnswerHeaders;
}

/** @throws StoreError `bad_json` */
export function bodyJson({ exchange, body }: Call): unknown {
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
export function optionalJson(call: Call): unknown {
  return call.body.length === 0 ? undefined : bodyJson(call);
}
