// One run: asks, deploys, measures, and takes down whatever it made, however the rest went.
//
// 1. Nothing is made before the plan was printed and agreed to.
// 2. From the moment at which the deployment begins, the cell is destroyed and looked for, after success, failure and Ctrl-C alike.
// 3. A run is good only if every acknowledged record was read back, and nothing is left.

import { setTimeout as sleep } from 'node:timers/promises';
import { S2 } from '@s2-dev/streamstore';
import type { CloudCell } from './cell.ts';
import { Ledger } from './ledger.ts';
import { appendLatencies, type Latencies, measureOutage, type OutageLimits, tailLatencies } from './measure.ts';
import { CLASSES } from './plan.ts';

export interface RunOptions {
  readonly plan: string;
  readonly appends: number;
  /** Records of each storage class that a reader waits for. */
  readonly tails: number;
  readonly outage: OutageLimits;
  readonly healthyMsMax: number;
}

export interface RunPorts {
  readonly cell: CloudCell;
  readonly say: (line: string) => void;
  /** Whether to start. */
  readonly agree: () => Promise<boolean>;
  /** Aborted by Ctrl-C. */
  readonly signal: AbortSignal;
}

const HEALTH_EVERY_MS = 1_000;
const DESTROY_TRIES = 2;

/** @returns the exit code */
export async function run({ cell, say, agree, signal }: RunPorts, options: RunOptions): Promise<number> {
  say(options.plan);
  if (!(await agree())) {
    say('Nothing was created.');
    return 1;
  }
  let failure: unknown;
  try {
    await measured(cell, say, options, signal);
  } catch (error) {
    failure = error;
    say(signal.aborted ? 'interrupted; takes down what was made' : `failed: ${messageOf(error)}`);
  }
  const isGone = await takeDown(cell, say);
  return failure === undefined && isGone ? 0 : 1;
}

async function measured(cell: CloudCell, say: (line: string) => void, options: RunOptions, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  const startedAt = performance.now();
  const outputs = await cell.deploy(signal);
  signal.throwIfAborted();
  say(`deployed in ${((performance.now() - startedAt) / 1_000).toFixed(0)} s: ${outputs.Endpoint}`);
  await healthy(outputs.Endpoint, options.healthyMsMax, signal);
  const s2 = new S2({
    accessToken: await cell.rootToken(outputs),
    endpoints: { account: outputs.Endpoint, basin: outputs.Endpoint },
    // What is measured is one try; and a body that is sent once is there once.
    retry: { maxAttempts: 1 },
  });
  const basin = s2.basin('cloud-test');
  await s2.basins.create({ basin: 'cloud-test' });
  const ledger = new Ledger();
  for (const storageClass of CLASSES) {
    await basin.streams.create({ stream: storageClass, config: { storageClass } });
    const stream = basin.stream(storageClass);
    const latencies = await appendLatencies(stream, ledger, options.appends, signal);
    say(`append, ${storageClass}: ${told(latencies)} (${options.appends} of 1 KiB, one after the other)`);
    say(`append to reader, ${storageClass}: ${told(await tailLatencies(stream, ledger, options.tails, signal))}`);
  }
  const { ms, failed } = await measureOutage(basin.stream('express'), ledger, () => cell.killTask(outputs), options.outage, signal);
  say(`task killed: the next append was acknowledged after ${ms.toFixed(0)} ms; ${failed} were refused or not answered meanwhile`);
  await ledger.check(basin);
  say(`every one of ${ledger.count} acknowledged records is there, once and in order`);
}

function told({ medianMs, p99Ms }: Latencies): string {
  return `median ${medianMs.toFixed(1)} ms, p99 ${p99Ms.toFixed(1)} ms`;
}

async function healthy(endpoint: string, msMax: number, signal: AbortSignal): Promise<void> {
  const deadline = performance.now() + msMax;
  for (;;) {
    const answer = await fetch(`${endpoint}/health`, { signal: AbortSignal.any([signal, AbortSignal.timeout(5_000)]) }).catch(
      () => undefined,
    );
    await answer?.body?.cancel();
    if (answer?.status === 200) return;
    if (performance.now() > deadline) throw new Error(`${endpoint}/health does not answer 200`);
    await sleep(HEALTH_EVERY_MS, undefined, { signal });
  }
}

/** @returns whether nothing is left */
async function takeDown(cell: CloudCell, say: (line: string) => void): Promise<boolean> {
  for (let tries = 1; tries <= DESTROY_TRIES; tries += 1) {
    try {
      await cell.destroy();
      break;
    } catch (error) {
      say(`teardown failed (${tries} of ${DESTROY_TRIES} tries): ${messageOf(error)}`);
    }
  }
  try {
    const left = await cell.leftovers();
    say(left.length === 0 ? 'nothing is left' : `LEFT IN THE ACCOUNT, and may cost: ${left.join(', ')}`);
    return left.length === 0;
  } catch (error) {
    say(`WHAT IS LEFT IS NOT KNOWN, look at the stack in the account: ${messageOf(error)}`);
    return false;
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
