// A unary request on its way to a use case, and what comes back.

import type { ServiceSettings } from '../basins.ts';
import type { Service } from '../service.ts';
import type { Draining } from './draining.ts';
import type { Exchange } from './exchange.ts';

export interface Call {
  readonly exchange: Exchange;
  readonly service: Service;
  readonly settings: ServiceSettings;
  readonly draining: Draining;
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
