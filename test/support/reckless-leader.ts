// A candidate that, once elected, looks at no clock and at no sign that its term is over: it writes until the stream refuses it.
//
//   node test/support/reckless-leader.ts url basin stream name lease-ms
//
// So whatever keeps a deposed leader's writes out is the fence alone. Four appends are in flight at a time.

import { AppendInput, AppendRecord, FencingTokenMismatchError, S2 } from '@s2-dev/streamstore';
import { campaign, type Term } from '../../docs/examples/leader-election.ts';

const LANES = 4;
const PERIOD_MS = 5;

const [url = '', basin = '', streamName = '', name = '', lease = ''] = process.argv.slice(2);
const client = new S2({
  accessToken: 'none',
  endpoints: { account: url, basin: url },
  retry: { appendRetryPolicy: 'noSideEffects', maxAttempts: 1 },
});
const stream = client.basin(basin).stream(streamName);

async function lead({ number, token }: Term): Promise<void> {
  console.log(`${name} leads term ${number}`);
  let refusedCount = 0;
  const lane = async (): Promise<void> => {
    while (refusedCount === 0) {
      const record = AppendRecord.string({ body: name, headers: [['term', token]] });
      try {
        await stream.append(AppendInput.create([record], { fencingToken: token }));
      } catch (error) {
        if (error instanceof FencingTokenMismatchError) refusedCount += 1;
      }
      await new Promise((resolve) => setTimeout(resolve, PERIOD_MS));
    }
  };
  await Promise.all(Array.from({ length: LANES }, lane));
  console.log(`${name} was refused in term ${number}`);
}

await campaign({ stream, name, leaseMs: Number(lease), signal: new AbortController().signal, lead });
