// npm run conformance -- --url http://localhost:8080: is the server behind a URL an S2 server? What it does is compared with
// every statement of the S2 v1 API.
//
// Ends with 0 if nothing failed, 1 if something did, 2 if it was called in a way that says nothing about the server.

import { Command, InvalidArgumentError } from 'commander';
import type { CaseFile } from './case.ts';
import { CASE_FILES } from './cases/all.ts';
import { closePool } from './client/http.ts';
import { coverageOf } from './coverage.ts';
import { printCases, printSections, printSkips, sectionReports } from './report.ts';
import { type Result, runCases } from './run.ts';
import { STATEMENTS } from './statements/all.ts';
import { probe, type Target } from './target.ts';

interface Options {
  readonly url: string;
  readonly token: string;
  readonly basinSuffix?: string;
  readonly tlsUrl?: string;
  readonly insecure?: true;
  readonly only?: readonly string[];
  readonly coverage?: true;
  readonly json?: true;
  readonly concurrency: number;
}

const CONCURRENCY = 8;
const CONCURRENCY_MAX = 64;

function origin(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol))
    throw new InvalidArgumentError('It must be a URL such as http://localhost:8080.');
  if (url.pathname !== '/' || url.search !== '' || url.hash !== '') throw new InvalidArgumentError('It must end behind host and port.');
  return url.origin;
}

function count(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1 || value > CONCURRENCY_MAX) {
    throw new InvalidArgumentError(`It must be a whole number from 1 to ${CONCURRENCY_MAX}.`);
  }
  return value;
}

const command = new Command('npm run conformance --')
  .description('Compares the server behind a URL with every statement of the S2 v1 API.')
  .option('--url <url>', 'the server', origin, 'http://localhost:8080')
  .option('--token <token>', 'a token that may do everything', process.env['S2_ACCESS_TOKEN'] ?? 'any')
  .option('--basin-suffix <suffix>', 'of host-based basins: <basin>.<suffix>')
  .option('--tls-url <url>', 'the same server with TLS', origin)
  .option('--insecure', 'certificates that nobody vouches for will do')
  .option('--only <text...>', 'cases whose file, name or statement has one of these, such as 3.4 or records-append')
  .option('--coverage', 'list the statements that no case shows, and ask no server')
  .option('--json', 'one JSON document on standard output')
  .option('--concurrency <n>', 'cases under way at once', count, CONCURRENCY)
  .allowExcessArguments(false)
  .exitOverride((error) => process.exit(error.exitCode === 0 ? 0 : 2));

function selected(only: readonly string[] | undefined): readonly CaseFile[] {
  if (only === undefined) return CASE_FILES;
  return CASE_FILES.map(({ file, cases }) => ({
    file,
    cases: cases.filter((one) =>
      only.some(
        (text) => file.includes(text) || one.name.includes(text) || one.shows.some((id) => id === text || id.startsWith(`${text}-`)),
      ),
    ),
  })).filter(({ cases }) => cases.length > 0);
}

function reportCoverage(isJson: boolean): number {
  const { uncovered, faults } = coverageOf(CASE_FILES);
  const demands = STATEMENTS.filter((one) => one.about === 'server');
  const elsewhere = demands.filter((one) => one.elsewhere !== undefined);
  if (isJson) console.log(JSON.stringify({ uncovered, faults, elsewhere }, undefined, 2));
  else {
    for (const one of uncovered) console.log(`${one.id}: ${one.text}`);
    for (const fault of faults) console.log(fault);
    const cases = CASE_FILES.flatMap((one) => one.cases).length;
    console.log(
      `${STATEMENTS.length} statements, ${demands.length} of them about the server: ${demands.length - elsewhere.length - uncovered.length} shown by ${cases} cases, ` +
        `${elsewhere.length} by other tests, ${uncovered.length} by none`,
    );
  }
  return uncovered.length + faults.length === 0 ? 0 : 1;
}

function progress(isJson: boolean, total: number): (result: Result) => void {
  let done = 0;
  return (result) => {
    done += 1;
    if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${done}/${total} ${result.file}`);
    if (isJson || result.outcome !== 'failed') return;
    console.error(`${process.stderr.isTTY ? '\r\x1b[K' : ''}${printCases([result], 'failed')}\n`);
  };
}

function print(results: readonly Result[]): void {
  const pending = printCases(results, 'pending');
  const skips = printSkips(results);
  const of = (outcome: Result['outcome']): number => results.filter((one) => one.outcome === outcome).length;
  console.log(`\n${printSections(sectionReports(results))}\n`);
  if (pending !== '') console.log(`${pending}\n`);
  if (skips !== '') console.log(`${skips}\n`);
  console.log(
    `${results.length} cases: ${of('passed')} passed, ${of('failed')} failed, ${of('skipped')} skipped, ${of('pending')} pending`,
  );
}

function printAsJson(target: Target, results: readonly Result[]): void {
  const cases = results.map((one) => ({
    file: one.file,
    name: one.case.name,
    shows: one.case.shows,
    outcome: one.outcome,
    reason: one.reason,
    ms: one.ms,
  }));
  console.log(JSON.stringify({ url: target.url, sections: sectionReports(results), cases }, undefined, 2));
}

async function main(): Promise<number> {
  const options = command.parse().opts<Options>();
  const isJson = options.json === true;
  if (options.coverage === true) return reportCoverage(isJson);
  const files = selected(options.only);
  const total = files.flatMap((one) => one.cases).length;
  if (total === 0) {
    console.error(`no case has ${options.only?.join(' or ')} in its file, name or statements`);
    return 2;
  }
  const target: Target = {
    url: options.url,
    token: options.token,
    ...(options.basinSuffix === undefined ? {} : { basinSuffix: options.basinSuffix }),
    ...(options.tlsUrl === undefined ? {} : { tlsUrl: options.tlsUrl }),
    ...(options.insecure === true ? { insecure: true } : {}),
  };
  const missing = await probe(target).catch((error: unknown) => error);
  if (!(missing instanceof Map)) {
    console.error(`${target.url} cannot be tested: ${missing instanceof Error ? missing.message || String(missing) : String(missing)}`);
    return 2;
  }
  const running = runCases(files, target, missing, { concurrency: options.concurrency, onResult: progress(isJson, total) });
  const results = await Promise.all(running.values());
  closePool();
  if (process.stderr.isTTY) process.stderr.write('\r\x1b[K');
  if (isJson) printAsJson(target, results);
  else print(results);
  return results.some((one) => one.outcome === 'failed') ? 1 : 0;
}

process.exitCode = await main();
