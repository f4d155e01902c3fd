// What black-box tests of one basin each share.

import { expect } from 'vitest';
import { type Answer, Api } from './api.ts';
import type { MemoryServer } from './memory-server.ts';

let count = 0;

/** A basin of a test's own. */
export async function withBasin(server: MemoryServer, config: object = {}): Promise<Api> {
  count += 1;
  const api = new Api(server.origin, `basin-${String(count).padStart(4, '0')}`);
  await api.createBasin(config);
  return api;
}

/** An answer that failed. */
export function code(status: number, name: string): { readonly status: number; readonly json: { readonly code: string } } {
  return { status, json: { code: name } };
}

/** What became of a request to have something. */
export function result({ status, headers }: Answer): [number, string | null] {
  return [status, headers.get('s2-provision-result')];
}

/** Asks until what is expected is so. */
export function settled(look: () => Promise<unknown>) {
  return expect.poll(look, { timeout: 5_000, interval: 10 });
}

export const BOTH_AUTO = { create_stream_on_append: true, create_stream_on_read: true };
const NEVER_MS = 3_600_000;
/** No background job runs: deletions stay pending. */
export const NO_JOBS = {
  everyMs: {
    offload: NEVER_MS,
    gc: NEVER_MS,
    trim: NEVER_MS,
    compact: NEVER_MS,
    sweep: NEVER_MS,
    delete: NEVER_MS,
    usage: NEVER_MS,
    measure: NEVER_MS,
  },
};
