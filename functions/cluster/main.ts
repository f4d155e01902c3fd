// `npm run cluster -- --tasks 3 --zones 3`: a whole cluster as separate processes on this machine, until SIGINT or SIGTERM, or until
// one of them ends by itself. For development: metadata and objects are one process, which nothing stands in for.

import { randomBytes } from 'node:crypto';
import { Command, InvalidArgumentError } from 'commander';
import { type Cluster, startCluster } from './cluster.ts';

const TASKS_MAX = 16;
const ZONES_COUNT = 3;
const PORT_MAX = 65_535 - TASKS_MAX;

function wholeNumber(min: number, max: number): (text: string) => number {
  return (text) => {
    if (/^\d{1,5}$/.test(text) && Number(text) >= min && Number(text) <= max) return Number(text);
    throw new InvalidArgumentError(min === max ? `It must be ${min}.` : `It must be a whole number from ${min} to ${max}.`);
  };
}

interface Flags {
  readonly tasks: number;
  readonly port: number;
  readonly dir: string;
  readonly auth?: boolean;
}

const flags = new Command('cluster')
  .description('A cluster of channel tasks, chunk servers and stores on this machine, for development.')
  .option('--tasks <count>', 'channel tasks', wholeNumber(1, TASKS_MAX), 3)
  .option('--zones <count>', 'chunk servers: storage class native has three zones', wholeNumber(ZONES_COUNT, ZONES_COUNT), ZONES_COUNT)
  .option('--port <port>', 'of the first task; the others follow; 0: any free ones', wholeNumber(0, PORT_MAX), 8080)
  .option('--dir <folder>', 'where everything is kept', '.millrace/cluster')
  .option('--auth', 'check access tokens (MILLRACE_ROOT_TOKEN, or a new root token that is printed)')
  .parse()
  .opts<Flags>();

const known = process.env['MILLRACE_ROOT_TOKEN'];
const rootToken = flags.auth === true ? (known ?? randomBytes(24).toString('hex')) : undefined;
let stopping: (() => Promise<void>) | undefined;
let isAsked = false;

const end = async (code: number): Promise<void> => {
  isAsked = true;
  await stopping?.();
  process.exit(code);
};
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.on(signal, () => {
    // npm passes on what the terminal sends to both.
    if (!isAsked) void end(0);
  });
}

try {
  const cluster = await startCluster({
    ...flags,
    rootToken,
    signingSecret: process.env['MILLRACE_SIGNING_SECRET'] ?? randomBytes(24).toString('hex'),
    tell: (line) => process.stderr.write(`${line}\n`),
    onStarted: (stop) => {
      stopping = stop;
    },
  });
  banner(cluster);
  const broken = await cluster.broken;
  process.stderr.write(`millrace cannot go on: ${broken}; everything is stopped\n`);
  await end(1);
} catch (error) {
  if (!isAsked) {
    process.stderr.write(`millrace cannot start: ${error instanceof Error ? error.message : String(error)}\n`);
    process.exit(1);
  }
}

function banner({ taskUrls, zoneUrls, storesUrl, processes }: Cluster): void {
  const pids = processes.map(({ name, pid }) => `${name} ${pid}`).join(', ');
  const token =
    rootToken === undefined ? '' : known === undefined ? `root token: ${rootToken}\n` : 'root token: that of MILLRACE_ROOT_TOKEN\n';
  process.stdout.write(`millrace cluster serves at ${taskUrls.join(' ')} (any of them takes any request)
chunk servers: ${zoneUrls.join(' ')}
metadata and objects: ${storesUrl}
${token}processes: ${pids}
`);
}
