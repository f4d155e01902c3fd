// A development cluster on one machine: the stores, three chunk servers and some channel tasks, each a process of its own.

import { randomBytes } from 'node:crypto';
import path from 'node:path';
import { ClusterProcess, type ProcessOptions } from './processes.ts';

const ZONES = ['a', 'b', 'c'];
/** Those of `npm start`. */
const TASK_FLAGS = ['--max-semi-space-size=128', '--external-memory-accounted-in-global-limit'];
const HOST = '127.0.0.1';

export interface ClusterOptions {
  readonly tasks: number;
  /** Of the first task; the others follow. 0: any free ones. */
  readonly port: number;
  readonly dir: string;
  /** Checks access; undefined: any token or none is accepted. */
  readonly rootToken: string | undefined;
  readonly signingSecret: string;
  /** Gets each line that a process logs. */
  readonly tell: (line: string) => void;
  /** Gets what ends all that was started, as soon as anything is. */
  readonly onStarted?: (stop: () => Promise<void>) => void;
}

export interface Cluster {
  readonly processes: readonly ClusterProcess[];
  readonly storesUrl: string;
  readonly zoneUrls: readonly string[];
  readonly taskUrls: readonly string[];
  /** Resolves when a process ends that nobody stopped, with which one and how. */
  readonly broken: Promise<string>;
  /** Ends all, tasks first. */
  stop(): Promise<void>;
}

/** Resolves once all serve. @throws Error naming the process that does not; the others are stopped then */
export async function startCluster(options: ClusterOptions): Promise<Cluster> {
  const { tasks, port, dir, tell } = options;
  const processes: ClusterProcess[] = [];
  const broken = Promise.withResolvers<string>();
  let isStopping = false;
  const start = (process: ProcessOptions): ClusterProcess => {
    const started = new ClusterProcess(process, tell);
    processes.push(started);
    void started.ended.then((how) => {
      if (!isStopping) broken.resolve(`${started.name} ended (${how})`);
    });
    return started;
  };
  const stop = async (): Promise<void> => {
    isStopping = true;
    const isTask = ({ name }: ClusterProcess): boolean => name.startsWith('task-');
    await Promise.all(processes.filter(isTask).map((process) => process.stop()));
    await Promise.all(processes.filter((process) => !isTask(process)).map((process) => process.stop()));
  };
  options.onStarted?.(stop);
  const secret = randomBytes(24).toString('hex');
  const below = { MILLRACE_HOST: HOST, MILLRACE_ZONE_SECRET: secret, PORT: '0', UV_THREADPOOL_SIZE: '16' };
  try {
    const stores = start({
      name: 'stores',
      script: 'functions/cluster/stores.ts',
      env: { ...below, MILLRACE_DATA_DIR: path.join(dir, 'stores') },
    });
    const zones = ZONES.map((zone) =>
      start({
        name: `zone-${zone}`,
        script: 'functions/chunk-server/main.ts',
        env: { ...below, MILLRACE_ZONE_NAME: zone, MILLRACE_DATA_DIR: path.join(dir, `zone-${zone}`) },
      }),
    );
    const [storesUrl = '', ...zoneUrls] = await Promise.all([stores, ...zones].map(({ url }) => url));
    const env = { ...below, ...access(options), MILLRACE_STORES_URL: storesUrl, MILLRACE_NATIVE_ZONES: zoneUrls.join(',') };
    const started = Array.from({ length: tasks }, (_, i) =>
      start({
        name: `task-${i + 1}`,
        script: 'functions/cluster/task.ts',
        flags: TASK_FLAGS,
        env: { ...env, PORT: String(port === 0 ? 0 : port + i) },
      }),
    );
    const taskUrls = await Promise.all(started.map(({ url }) => url));
    return { processes, storesUrl, zoneUrls, taskUrls, broken: broken.promise, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

function access({ rootToken, signingSecret }: ClusterOptions): Readonly<Record<string, string>> {
  if (rootToken === undefined) return { MILLRACE_AUTH: 'off' };
  return { MILLRACE_AUTH: 'required', MILLRACE_ROOT_TOKEN: rootToken, MILLRACE_SIGNING_SECRET: signingSecret };
}
