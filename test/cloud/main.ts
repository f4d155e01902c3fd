// `npm run test:cloud`: a smoke test of a whole cell in a real account. Without credentials it says so, creates nothing, and exits 0.

import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { createInterface } from 'node:readline/promises';
import { S3Client } from '@aws-sdk/client-s3';
import { CommanderError } from 'commander';
import { temporaryFolder } from '#test/support/temporary-folder.ts';
import { AwsCell } from './aws-cell.ts';
import { type Options, parseOptions, ZONES_EXAMPLE } from './options.ts';
import { idleCosts, planText } from './plan.ts';
import { run } from './run.ts';

/** ECS starts a task within a minute or two, and the load balancer takes it up behind that. */
const HEALTHY_MS_MAX = 10 * 60_000;
const TAILS = 200;
const OUTAGE = { quietMs: 90_000, msMax: 10 * 60_000 };
const AWS_DOC = path.join(import.meta.dirname, '../../docs/aws.md');

/** Undefined: there are credentials. */
async function missingCredentials({ region }: Options): Promise<string | undefined> {
  try {
    await new S3Client({ region }).config.credentials();
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

async function agree({ isAgreed }: Options): Promise<boolean> {
  if (isAgreed) return true;
  if (!process.stdin.isTTY) {
    console.log('Nobody is there to ask: start it with --yes.');
    return false;
  }
  const prompt = createInterface({ input: process.stdin, output: process.stdout });
  try {
    return /^y(es)?$/i.test((await prompt.question('Start? [y/N] ')).trim());
  } finally {
    prompt.close();
  }
}

/** A first Ctrl-C ends the measuring; the teardown goes on. A second one leaves it, and says what is to do. */
function interrupt(stack: string, { region, zones }: Options): AbortSignal {
  const controller = new AbortController();
  const onSignal = (): void => {
    if (!controller.signal.aborted) {
      controller.abort(new Error('interrupted'));
      return;
    }
    console.error(
      `left half-way; go on with: npx cdk destroy ${stack} -c stack=${stack} -c removal=destroy -c region=${region} -c zones=${zones}`,
    );
    process.exit(130);
  };
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.on(name, onSignal);
  return controller.signal;
}

async function main(): Promise<number> {
  const options = parseOptions(process.argv.slice(2), (text) => process.stderr.write(text));
  // Every client, and the CDK, reads it from there.
  if (options.profile !== undefined) process.env['AWS_PROFILE'] = options.profile;
  const missing = await missingCredentials(options);
  if (missing !== undefined) {
    console.log(`skipped: there are no credentials of AWS (${missing}); name a profile with --profile, or set AWS_PROFILE`);
    return 0;
  }
  if (options.zones === undefined) {
    console.error(`name three zones that have S3 Express, as your account calls them and by their ids: --zones ${ZONES_EXAMPLE}`);
    console.error('(aws ec2 describe-availability-zones lists both)');
    return 1;
  }
  const stack = `MillraceCloudTest${Date.now().toString(36)}`;
  const plan = planText(options, stack, idleCosts(await readFile(AWS_DOC, 'utf8')));
  return await run(
    {
      cell: new AwsCell(stack, await temporaryFolder(), options),
      say: (line) => console.log(line),
      agree: () => agree(options),
      signal: interrupt(stack, options),
    },
    { plan, appends: options.appends, tails: TAILS, outage: OUTAGE, healthyMsMax: HEALTHY_MS_MAX },
  );
}

try {
  process.exitCode = await main();
} catch (error) {
  if (error instanceof CommanderError) {
    // What commander found it has said; ours it has not.
    if (error.code === 'zones') console.error(error.message);
    process.exitCode = error.exitCode;
  } else {
    console.error(`test:cloud: ${error instanceof Error ? error.message : String(error)}`);
    process.exitCode = 1;
  }
}
