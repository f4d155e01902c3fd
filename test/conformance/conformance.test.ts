// The suite against the real server, with everything on: one test a case. Whatever is skipped there has failed.

import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Case, CaseFile } from './case.ts';
import { CASE_FILES } from './cases/all.ts';
import { closePool } from './client/http.ts';
import { type Result, runCases } from './run.ts';
import { type FullTarget, startFullTarget } from './servers.ts';
import { probe } from './target.ts';

/** What takes a minute is run by `npm run conformance` only; coverage.test.ts knows which test shows it here. */
const FILES: readonly CaseFile[] = CASE_FILES.map(({ file, cases }) => ({ file, cases: cases.filter((one) => one.slow === undefined) }));
/** Many of them mostly wait. */
const CONCURRENCY = 10;
const RUN_MS_MAX = 180_000;

let server: FullTarget | undefined;
let results: ReadonlyMap<Case, Promise<Result>>;

beforeAll(async () => {
  server = await startFullTarget();
  const missing = await probe(server.target);
  results = runCases(FILES, server.target, missing, { concurrency: CONCURRENCY });
});

afterAll(async () => {
  closePool();
  await server?.dispose();
});

describe.each(FILES)('$file', ({ cases }) => {
  test.each(cases.map((one) => [one.name, one] as const))(
    '%s',
    async (_, one) => {
      const result = await results.get(one);
      expect(result?.outcome, result?.reason).toBe('passed');
    },
    RUN_MS_MAX,
  );
});
