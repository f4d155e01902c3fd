// A candidate to try: start it in several terminals, then stop, pause (Ctrl-Z, fg) or kill the one that leads.
//
//   npx millrace create my-first-basin/election --if-missing
//   node docs/examples/elect.ts http://localhost:8080 my-first-basin election alice [lease in ms, default 3000]
//
// The leader counts: one record a tenth of a second. Read along with `npx millrace tail -f my-first-basin/election`.

import { AppendRecord, S2 } from '@s2-dev/streamstore';
import { campaign, type Term, TermOver } from './leader-election.ts';

const PERIOD_MS = 100;

const [
  url = 'http://localhost:8080',
  basinName = 'my-first-basin',
  streamName = 'election',
  name = `process ${process.pid}`,
  lease = '3000',
] = process.argv.slice(2);
const client = new S2({
  accessToken: process.env['MILLRACE_TOKEN'] ?? 'none',
  endpoints: { account: url, basin: url },
  retry: { appendRetryPolicy: 'noSideEffects' },
});
const stop = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stop.abort());

async function lead(term: Term): Promise<void> {
  console.log(`${name} leads term ${term.number}`);
  try {
    for (let at = 0; !term.signal.aborted; at += 1) {
      await term.append([AppendRecord.string({ body: `${name} counts ${at}`, headers: [['term', term.token]] })]);
      await new Promise((resolve) => setTimeout(resolve, PERIOD_MS));
    }
  } catch (error) {
    if (!(error instanceof TermOver)) throw error;
  } finally {
    console.log(`${name} leads term ${term.number} no more`);
  }
}

await campaign({ stream: client.basin(basinName).stream(streamName), name, leaseMs: Number(lease), signal: stop.signal, lead });
process.exit(0);
