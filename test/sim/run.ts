// run(seed): one history from one seed, and what was found wrong with it. Callable from any script.

import { checkHistory } from './checkers/index.ts';
import { measure } from './checkers/measure.ts';
import type { Violation } from './checkers/violation.ts';
import type { FaultKind } from './faults.ts';
import { DeadlineError, finale } from './finale.ts';
import type { History } from './history.ts';
import type { Situation } from './situations.ts';
import { CHURN, HOT, STREAMS, WARM } from './workload.ts';
import { type Drawn, type Failure, World } from './world.ts';

export interface RunOptions {
  /** Client operations of the safety phase. */
  readonly operationsMax?: number;
  /** Kinds of faults that this run must not have, whatever its seed draws. */
  readonly without?: readonly FaultKind[];
  /** The history is recorded and not judged: for who judges it in another way. */
  readonly isUnjudged?: boolean;
  /** For planted bugs: the product's own alarm is no failure, and what it warned of must show by itself. */
  readonly ignoresAlarms?: boolean;
  readonly log?: (line: string) => void;
}

export interface RunReport {
  readonly seed: number;
  readonly drawn: Drawn;
  readonly failures: readonly Failure[];
  readonly violations: readonly Violation[];
  readonly history: History;
  /** Everything that happened, and the numbers that all generators would draw next. */
  readonly fingerprint: string;
  readonly situations: ReadonlyMap<Situation, number>;
  readonly figures: Figures;
}

export interface Figures {
  readonly operations: number;
  readonly takeovers: number;
  readonly nonEmptyWindows: number;
  readonly adoptedChunks: number;
  readonly events: number;
  readonly virtualMs: number;
  readonly overlapping: number;
  readonly unknown: number;
}

export const OPERATIONS_DEFAULT = 320;
/** No run may take longer, whatever its bounds say one by one. */
const VIRTUAL_MS_MAX = 400_000;
const SETUP_MS_MAX = 20_000;

export async function run(seed: number, options: RunOptions = {}): Promise<RunReport> {
  const world = new World(seed, {
    operationsMax: options.operationsMax ?? OPERATIONS_DEFAULT,
    without: new Set(options.without ?? []),
    ignoresAlarms: options.ignoresAlarms ?? false,
    log: options.log,
  });
  const onRejection = (error: unknown): void =>
    world.fail('unhandled-rejection', error instanceof Error ? (error.stack ?? error.message) : String(error));
  process.on('unhandledRejection', onRejection);
  try {
    await play(world);
  } finally {
    process.off('unhandledRejection', onRejection);
  }
  return conclude(seed, world, options);
}

/** Lives through both phases. What goes wrong stands in the world's failures. */
export async function play(world: World): Promise<void> {
  const { loop } = world;
  let isOver = false;
  scenario(world).then(
    () => {
      isOver = true;
    },
    (error: unknown) => {
      world.fail(error instanceof DeadlineError ? 'liveness' : 'scenario', error instanceof Error ? error.message : String(error));
      isOver = true;
    },
  );
  try {
    await loop.run(() => isOver || world.failures.length > 0 || loop.now > VIRTUAL_MS_MAX);
  } catch (error) {
    world.fail('crash', error instanceof Error ? (error.stack ?? error.message) : String(error));
  }
  if (!isOver && world.failures.length === 0) world.fail('liveness', `the run did not end within ${VIRTUAL_MS_MAX} ms`);
}

async function scenario(world: World): Promise<void> {
  const { workload, nemesis, loop, cluster } = world;
  cluster.startAll();
  await setUp(world);
  world.note('--- safety');
  nemesis.start();
  world.watchBounds();
  workload.start();
  await loop.sleep(world.drawn.workload.durationMs);
  world.note('--- liveness');
  nemesis.heal();
  world.promptness.healed();
  await finale(world);
}

async function setUp(world: World): Promise<void> {
  const { loop, cluster, workload } = world;
  const client = workload.client(0);
  for (const { name, ...own } of world.catalog.basins) {
    const config = {
      createStreamOnAppend: false,
      createStreamOnRead: false,
      defaultStreamConfig: { retention: 'infinite' },
      ...own,
    } as const;
    for (let isMade = false; !isMade; ) {
      if (loop.now > SETUP_MS_MAX) throw new DeadlineError('nobody became the owner in fair weather');
      const owner = cluster.processes.find((process) => process.isOwner);
      if (owner === undefined) await loop.sleep(20);
      else isMade = (await owner.serve(client.dice, 0, 1_000, (service) => service.basins.create(name, config))).kind === 'value';
    }
  }
  await workload.side(800).setUp();
  for (const stream of STREAMS) await client.create(stream);
  for (const stream of [HOT, WARM, CHURN]) await client.append(stream, [workload.plainRecord(40)]);
}

function conclude(seed: number, world: World, options: RunOptions): RunReport {
  const history = world.recorder.calls;
  const violations: Violation[] = [];
  if (options.isUnjudged !== true) {
    world.aside.moods.check((check, message) => world.fail(check, message));
    const verdict = checkHistory(history);
    if (!verdict.ok) violations.push(...verdict.violations);
    for (const { check, message } of violations) world.fail(`history/${check}`, message);
  }
  const { overlapping, unknown } = measure(history);
  const { takeovers, nonEmptyWindows, adoptedChunks } = world.observer;
  return {
    seed,
    drawn: world.drawn,
    failures: world.failures,
    violations,
    history,
    fingerprint: `${world.fingerprint.value}/${world.dice.digest}`,
    situations: world.situations.counts,
    figures: {
      operations: history.length,
      takeovers,
      nonEmptyWindows,
      adoptedChunks,
      events: world.loop.count,
      virtualMs: world.loop.now,
      overlapping,
      unknown,
    },
  };
}
