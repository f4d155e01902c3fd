// Fuzzes one group of routes: at least 10,000 requests, each answered as the API's description says, and all kinds of answers met.
//
//   MILLRACE_FUZZ_SEED=… npx vitest run test/fuzz      other requests (any), or some again (a seed); with _PATH=… the one run that failed, with _SHRINK=1
//                                                      the smallest that does

import fc from 'fast-check';
import { expect } from 'vitest';
import type { Route } from '#core/api/http/route.ts';
import { CASES_A_RUN, conversation, hold } from './conversation.ts';
import { type FuzzRequest, type Kind, outsideRequest, requestFor } from './requests.ts';
import { Tally } from './tally.ts';
import { heldBytes } from './world.ts';

export const CASES_MIN = 10_000;
const RUNS = CASES_MIN / CASES_A_RUN;
/** What is left of them all, once they are over: compiled code and bounded caches. 7 KiB of each request would be found. */
const HELD_BYTES_MAX = 64 * 1024 * 1024;

const { MILLRACE_FUZZ_SEED: seedText, MILLRACE_FUZZ_PATH: path, MILLRACE_FUZZ_SHRINK: shrink } = process.env;
/** The suite asks the same each time, so that what it finds is of the change; `any` draws another seed. */
const SEED_OF_THE_SUITE = 20_261_129;
export const SEED =
  seedText === undefined ? SEED_OF_THE_SUITE : seedText === 'any' ? Math.floor(Math.random() * 2 ** 31) : Number(seedText);
export const PARAMETERS = { seed: SEED, ...(path === undefined ? {} : { path }), endOnFailure: shrink === undefined };

/** @param routes with their names; requests for none of them where there are none. */
export async function fuzzGroup(name: string, routes: readonly Route[], kinds: readonly Kind[]): Promise<Tally> {
  const tally = new Tally();
  const requests = routes.flatMap((route) =>
    kinds.map((kind) => requestFor(route, kind).map((request) => [route.name, request] as [string, FuzzRequest])),
  );
  const request = requests.length === 0 ? outsideRequest.map((one) => ['outside', one] as [string, FuzzRequest]) : fc.oneof(...requests);
  await fc.assert(
    fc.asyncProperty(conversation(request), (one) => hold(one, new Tally())),
    { ...PARAMETERS, numRuns: 2 },
  );
  const before = await heldBytes();
  await fc.assert(
    fc.asyncProperty(conversation(request), (one) => hold(one, tally)),
    { ...PARAMETERS, numRuns: RUNS },
  );
  const held = (await heldBytes()) - before;
  console.info(`${name}: ${tally.cases} requests, seed ${SEED}`);
  if (path === undefined) {
    expect(tally.cases).toBeGreaterThanOrEqual(CASES_MIN);
    expect(held).toBeLessThan(HELD_BYTES_MAX);
  }
  return tally;
}

/** Each of these must have come often enough that more than one way led there. */
const OFTEN = 4;

/** Every answer that a route is described to give was met, but for those that need a store that fails. */
export function expectReached(tally: Tally, route: Route): void {
  const body = route.hasBody ? [413] : [];
  const statuses = [...Object.keys(route.doc.answers).map(Number), ...(route.doc.errors ?? []), ...body, 400, 401, 403, 405];
  const met = Object.fromEntries(statuses.map((status) => [status, Math.min(OFTEN, tally.count(route.name, String(status)))]));
  expect(met, tally.text).toEqual(Object.fromEntries(statuses.map((status) => [status, OFTEN])));
}

export function expectCodes(tally: Tally, codes: readonly string[]): void {
  const met = codes.filter((code) => tally.total(code) < OFTEN);
  expect(met, tally.text).toEqual([]);
}
