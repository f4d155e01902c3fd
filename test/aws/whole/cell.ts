// A whole cell as it is deployed, on this machine: two channel tasks behind a load balancer, the Worker in workerd before it, and the
// functions. What they are set to comes from the template, but for the addresses that differ where all share one machine.

import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { type RunningEdge, startEdge } from '#functions/edge/workerd.ts';
import { type Balancer, startBalancer } from '#test/support/aws/balancer.ts';
import { type Server, startServer } from '#test/support/server.ts';
import { Functions } from './functions.ts';
import type { Services } from './services.ts';
import { taskCommand, taskEnvironment } from './settings.ts';
import type { Template, Values } from './template.ts';

const TASKS = 2;
const READY_MS_MAX = 60_000;

export interface CellOfTest {
  readonly tasks: readonly Server[];
  readonly balancer: Balancer;
  readonly edge: RunningEdge;
  readonly functions: Functions;
  readonly rootToken: string;
  readonly expressBuckets: readonly string[];
  /** What tasks said that were ended since, by URL. */
  readonly lastWords: { readonly url: string; readonly output: string }[];
  stop(): Promise<void>;
}

export async function startCell(template: Template, values: Values, services: Services): Promise<CellOfTest> {
  const stops: (() => Promise<void>)[] = [];
  const stop = async (): Promise<void> => {
    for (const each of stops.splice(0).reverse()) await each();
  };
  try {
    const balancer = await startBalancer();
    stops.push(() => balancer.stop());
    const [loadBalancer] = template.at('AWS::ElasticLoadBalancingV2::LoadBalancer', 'Channels/');
    values.set(`${loadBalancer}.DNSName`, new URL(balancer.endpoint).host);
    const declared = taskEnvironment(template, values);
    const env = { ...declared, ...services.env, PORT: '0', MILLRACE_HOST: '127.0.0.1' };
    const command = await taskCommand(template);
    const tasks: Server[] = [];
    for (let i = 0; i < TASKS; i += 1) {
      const task = await startServer({ command, env, readyTimeoutMs: READY_MS_MAX });
      tasks.push(task);
      stops.push(() => task.dispose());
    }
    balancer.targets = tasks.map(({ url }) => url);
    const edge = await startEdge({ port: 0, variables: { MILLRACE_ORIGIN: balancer.endpoint, MILLRACE_RATE_PER_SEC: '0' } });
    stops.push(() => edge.close());
    const functions = await Functions.create(template, values, services.rest.endpoint, services.env);
    stops.push(() => functions.dispose());
    const rootToken = declared['MILLRACE_ROOT_TOKEN'] ?? '';
    const expressBuckets = (declared['MILLRACE_EXPRESS_BUCKETS'] ?? '').split(',');
    return { tasks, balancer, edge, functions, rootToken, expressBuckets, lastWords: [], stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** A figure of a task; NaN where it has none, or does not answer. */
export async function figureOf({ url }: Server, token: string, name: string): Promise<number> {
  try {
    const answer = await fetch(`${url}/metrics`, { headers: { authorization: `Bearer ${token}` }, signal: AbortSignal.timeout(5_000) });
    const line = (await answer.text()).split('\n').find((each) => each.startsWith(`${name} `));
    return line === undefined ? Number.NaN : Number(line.slice(name.length));
  } catch {
    return Number.NaN;
  }
}

/** The task that serves a channel, if there is one. */
export async function ownerOf(cell: CellOfTest, channel: string): Promise<Server | undefined> {
  for (const task of cell.tasks) {
    if ((await figureOf(task, cell.rootToken, `millrace_channel_ready{channel="${channel}"}`)) === 1) return task;
  }
  return undefined;
}

/** What all of its processes said, as files in a new folder. @returns the folder */
export async function writeLogs({ tasks, edge, functions, lastWords }: CellOfTest): Promise<string> {
  const folder = await mkdtemp(path.join(tmpdir(), 'millrace-aws-logs-'));
  const texts = new Map([...functions.logs, ['edge', edge.output()] as const]);
  for (const [i, { url, output }] of [...lastWords, ...tasks].entries()) texts.set(`${i}-task-${new URL(url).port}`, output);
  for (const [name, text] of texts) await writeFile(path.join(folder, `${name}.log`), text);
  return folder;
}
