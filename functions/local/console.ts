// What `npm start` says to a person: where it listens and what to try, or why it cannot.

import type { ProcessTrace } from '#core/adapters/node/process-trace.ts';
import { StoreError } from '#core/model/errors.ts';
import { SettingError } from './env.ts';

export interface Listening {
  readonly host: string;
  readonly port: number;
  readonly isTls: boolean;
  readonly access: 'off' | 'required';
  readonly basinSuffixes: readonly string[];
}

/** One line with the URL, then commands to try. */
export function banner({ host, port, isTls, access, basinSuffixes }: Listening): void {
  const name = host.includes(':') ? `[${host}]` : host;
  const scheme = isTls ? 'https' : 'http';
  const url = `${scheme}://${name}:${port}`;
  const [suffix] = basinSuffixes;
  const basinUrl = suffix === undefined ? url : `${scheme}://{basin}.${suffix}:${port}`;
  const records = `${url}/v1/streams/hello/records`;
  const basin = "-H 's2-basin: my-first-basin'";
  const token = access === 'off' ? 'any' : '<access token>';
  const auth = access === 'off' ? '' : ` -H 'authorization: Bearer ${token}'`;
  const json = "-H 'content-type: application/json'";
  process.stdout.write(`millrace listens on ${url}

# a basin that makes streams as they are written to (once)
curl -X POST ${url}/v1/basins ${json}${auth} -d '{"basin":"my-first-basin","config":{"create_stream_on_append":true}}'
# append
curl -X POST ${records} ${basin}${auth} ${json} -d '{"records":[{"body":"hello"}]}'
# read
curl '${records}?seq_num=0' ${basin}${auth}
# tail
curl -N '${records}?seq_num=0' ${basin}${auth} -H 'accept: text/event-stream'
# the S2 SDK and CLI
export S2_ACCOUNT_ENDPOINT=${url} S2_BASIN_ENDPOINT=${basinUrl} S2_ACCESS_TOKEN=${token}
`);
}

/** Where a start waits for the process before it. */
export function tellWaiting(dataDir: string): void {
  process.stdout.write(`# another process has the data folder ${dataDir}; millrace waits for it to end, and then takes its place
`);
}

/** Ends the process: a person can act on a StoreError or SettingError; anything else is ours, with its stack. */
export function exitWith(error: unknown, trace: ProcessTrace, doing: 'start' | 'go on' = 'go on'): never {
  if (error instanceof SettingError || error instanceof StoreError) process.stderr.write(`millrace cannot ${doing}: ${error.message}\n`);
  else trace.log.fatal({ event: 'server.crashed', message: String(error), stack: error instanceof Error ? error.stack : undefined });
  process.exit(1);
}

/** The root token is told here, once, and nowhere else. */
export function tellRootToken(token: string): void {
  process.stdout.write(`# root access token, shown this once; keep it in a safe place
${token}
`);
}
