// Some clients at once, against the whole store in virtual time: a seed decides what they ask, and how long each answer of a store
// takes, so how everything interleaves. A second process, which owns no channel, answers what needs none.

import type { AppendSession, Service } from '#core/api/service.ts';
import { RecordCursor } from '#core/format/record.ts';
import { StoreError } from '#core/model/errors.ts';
import type { SeqNum } from '#core/model/ids.ts';
import type { BasinConfig, PartialStreamConfig } from '#core/model/stream-config.ts';
import { Dice } from '#test/sim/random.ts';
import { batchOf, QUICK, VirtualStore } from '#test/support/virtual-cell.ts';
import type { BasinSettings, Call, Operation, Outcome, StreamOperation, Strict } from './history.ts';

const BASINS = ['basin-one', 'basin-two'] as const;
const STREAMS = ['a', 'b'] as const;
const PAGE = { prefix: '', startAfter: '', limit: 1_000 };

export interface Played {
  readonly calls: readonly Call[];
  readonly store: VirtualStore;
}

export async function play(seed: string, clientsCount = 4, callsEach = 11): Promise<Played> {
  const dice = new Dice(seed);
  const config = {
    channel: { ...QUICK.channel, tailMs: dice.pick([0, 10, 200]) },
    offload: { ...QUICK.offload, ageMsMin: 5 },
    everyMs: { ...QUICK.everyMs, offload: 8, gc: 40, trim: 30, compact: 5_000, sweep: 60_000, delete: dice.pick([5, 10, 40]) },
  };
  const store = new VirtualStore(seed, { latencyMs: dice.pick([2, 6, 20]), config });
  const workload = drawWorkload(dice);
  const calls: Call[] = [];
  const owner = store.process();
  const other = store.process();
  let order = 0;
  const run = async (id: number): Promise<void> => {
    const client = new Client(id, dice.fork(`client ${id}`), workload);
    for (let i = 0; i < callsEach; i += 1) {
      const operation = id === 0 && i === 0 ? FIRST : client.draw(i);
      const { service } = isForOwner(operation) || client.dice.chance(0.5) ? owner.cell : other.cell;
      const began = order++;
      const outcome = await client.ask(service, operation);
      calls.push({ client: id, operation, began, ended: order++, outcome });
      await store.loop.sleep(client.dice.chance(0.3) ? client.dice.range(0, 60) : client.dice.range(0, 2));
    }
  };
  await store.run(async () => {
    await owner.cell.open('lock');
    await Promise.all(Array.from({ length: clientsCount }, (_, id) => run(id)));
  });
  owner.kill();
  other.kill();
  return { calls: calls.sort((a, b) => a.began - b.began), store };
}

const FIRST: Operation = {
  kind: 'create basin',
  basin: BASINS[0],
  settings: { onAppend: true, onRead: true, strict: undefined },
  token: undefined,
};

function isForOwner(operation: Operation): boolean {
  const { kind } = operation;
  if (kind === 'delete basin') return operation.byOwner;
  return kind === 'append' || kind === 'read' || kind === 'tail' || kind === 'delete' || kind === 'change' || kind === 'ensure';
}

/** How often each kind of call comes in one run: runs differ in kind, not only in order. */
type Workload = readonly { readonly kind: Operation['kind']; readonly upTo: number }[];

const WEIGHTS: Readonly<Record<Operation['kind'], number>> = {
  append: 22,
  delete: 10,
  create: 9,
  ensure: 5,
  change: 7,
  read: 8,
  tail: 6,
  get: 7,
  list: 7,
  'list basins': 3,
  'create basin': 4,
  'ensure basin': 3,
  'change basin': 4,
  'get basin': 2,
  'delete basin': 3,
};

function drawWorkload(dice: Dice): Workload {
  let upTo = 0;
  return Object.entries(WEIGHTS).map(([kind, weight]) => {
    upTo += weight * dice.pick([0, 1, 1, 4]);
    return { kind: kind as Operation['kind'], upTo };
  });
}

class Client {
  readonly dice: Dice;
  readonly #id: number;
  readonly #workload: Workload;
  readonly #sessions = new Map<string, AppendSession>();

  constructor(id: number, dice: Dice, workload: Workload) {
    this.#id = id;
    this.dice = dice;
    this.#workload = workload;
  }

  draw(i: number): Operation {
    const { dice } = this;
    const drawn = dice.range(0, this.#workload.at(-1)?.upTo ?? 0);
    const kind = this.#workload.find(({ upTo }) => drawn < upTo)?.kind ?? 'append';
    const basin = dice.chance(0.85) ? BASINS[0] : BASINS[1];
    const at = { basin, stream: dice.chance(0.75) ? STREAMS[0] : STREAMS[1] };
    const settings: BasinSettings = { onAppend: dice.chance(0.6), onRead: dice.chance(0.5), strict: strictOf(dice) };
    switch (kind) {
      case 'append':
        return { kind, ...at, body: `${this.#id}.${i}`, inSession: dice.chance(0.4) };
      case 'create':
        return { kind, ...at, strict: strictOf(dice), token: tokenOf(dice) };
      case 'ensure':
      case 'change':
        return { kind, ...at, strict: dice.chance(0.4) };
      case 'create basin':
        return { kind, basin, settings, token: tokenOf(dice) };
      case 'ensure basin':
        return { kind, basin, settings };
      case 'change basin':
        return { kind, basin, settings: dice.chance(0.5) ? { strict: settings.strict ?? true } : { onAppend: settings.onAppend } };
      case 'list basins':
        return { kind };
      case 'list':
      case 'get basin':
        return { kind, basin };
      case 'delete basin':
        return { kind, basin, byOwner: dice.chance(0.5) };
      default:
        return { kind, ...at };
    }
  }

  async ask(service: Service, operation: Operation): Promise<Outcome> {
    try {
      if (operation.kind === 'append' && operation.inSession) return await this.#appendInSession(service, operation);
      return 'stream' in operation ? await askStream(service, operation) : await askBasin(service, operation);
    } catch (error) {
      if (!(error instanceof StoreError)) throw error;
      if (error.detail?.kind === 'range_not_satisfiable') return { kind: 'bodies', bodies: [] };
      if (error.effect !== 'none') throw new Error(`in fair weather an effect is unknown: ${JSON.stringify(operation)}`, { cause: error });
      return { kind: 'refused', code: error.code };
    }
  }

  /** After a failure the next one opens another session. */
  async #appendInSession(service: Service, { basin, stream, body }: Extract<Operation, { kind: 'append' }>): Promise<Outcome> {
    const name = `${basin}/${stream}`;
    const session = this.#sessions.get(name) ?? (await service.openAppendSession({ basin, stream, request: {} }));
    this.#sessions.set(name, session);
    try {
      return { kind: 'appended', at: (await session.submit(batchOf(body), {})).start.seqNum };
    } catch (error) {
      this.#sessions.delete(name);
      throw error;
    }
  }
}

function tokenOf(dice: Dice): string | undefined {
  return dice.chance(0.6) ? dice.pick(['one', 'two']) : undefined;
}

function strictOf(dice: Dice): Strict {
  return dice.chance(0.6) ? dice.chance(0.4) : undefined;
}

async function askBasin(service: Service, operation: Exclude<Operation, StreamOperation>): Promise<Outcome> {
  const { basins, streams } = service;
  switch (operation.kind) {
    case 'create basin':
      return { kind: (await basins.create(operation.basin, configOf(operation.settings), undefined, operation.token)).outcome };
    case 'ensure basin':
      return { kind: (await basins.ensure(operation.basin, configOf(operation.settings))).outcome };
    case 'change basin': {
      const { onAppend, onRead, strict } = operation.settings;
      await basins.reconfigure(operation.basin, {
        createStreamOnAppend: onAppend,
        createStreamOnRead: onRead,
        ...(strict === undefined ? {} : { defaultStreamConfig: streamConfig(strict) }),
      });
      return { kind: 'done' };
    }
    case 'get basin': {
      const { config, deletedAt } = await basins.get(operation.basin);
      return { kind: 'basin', settings: settingsOf(config), isDeleting: deletedAt !== undefined };
    }
    case 'delete basin':
      await basins.delete(operation.basin);
      return { kind: 'done' };
    case 'list basins':
      return { kind: 'names', names: (await basins.list(PAGE)).items.map(shown) };
    default:
      return { kind: 'names', names: (await streams.list(operation.basin, PAGE)).items.map(shown) };
  }
}

async function askStream(service: Service, operation: StreamOperation): Promise<Outcome> {
  const { basin, stream } = operation;
  const target = { basin, stream, request: {} };
  switch (operation.kind) {
    case 'create':
      return { kind: (await service.streams.create(basin, stream, streamConfig(operation.strict), operation.token)).outcome };
    case 'ensure':
      return { kind: (await service.streams.ensure(basin, stream, streamConfig(operation.strict))).outcome };
    case 'change': {
      const { timestamping } = await service.streams.reconfigure(basin, stream, streamConfig(operation.strict));
      return { kind: 'stream', strict: timestamping.mode === 'client-require' };
    }
    case 'get':
      return { kind: 'stream', strict: (await service.streams.get(basin, stream)).config.timestamping.mode === 'client-require' };
    case 'delete':
      await service.streams.delete(basin, stream);
      return { kind: 'done' };
    case 'append':
      return { kind: 'appended', at: (await service.append(target, batchOf(operation.body), {})).start.seqNum };
    case 'read':
      return { kind: 'bodies', bodies: await readAll(service, target) };
    default:
      return { kind: 'tail', tail: (await service.checkTail(target)).seqNum };
  }
}

async function readAll(service: Service, target: Parameters<Service['append']>[0]): Promise<readonly string[]> {
  const session = await service.openRead(target, { start: { kind: 'seqNum', seqNum: 0 as SeqNum }, clamp: true }, 'unary');
  try {
    const batch = await session.next();
    if (batch === 'end') return [];
    return batch.runs.flatMap(({ bytes }) => {
      const found: string[] = [];
      for (const cursor = new RecordCursor(bytes); cursor.next(); )
        found.push(new TextDecoder().decode(bytes.subarray(cursor.bodyStart, cursor.end)));
      return found;
    });
  } finally {
    session.close();
  }
}

function shown({ name, deletedAt }: { readonly name: string; readonly deletedAt?: string }): string {
  return deletedAt === undefined ? name : `(${name})`;
}

function streamConfig(strict: boolean | undefined): PartialStreamConfig {
  return strict === undefined ? {} : { timestamping: { mode: strict ? 'client-require' : 'client-prefer' } };
}

function configOf({ onAppend, onRead, strict }: BasinSettings): BasinConfig {
  const defaults = strict === undefined ? {} : { defaultStreamConfig: streamConfig(strict) };
  return { ...defaults, createStreamOnAppend: onAppend, createStreamOnRead: onRead };
}

function settingsOf({ createStreamOnAppend, createStreamOnRead, defaultStreamConfig }: BasinConfig): BasinSettings {
  const mode = defaultStreamConfig?.timestamping?.mode;
  return { onAppend: createStreamOnAppend, onRead: createStreamOnRead, strict: mode === undefined ? undefined : mode === 'client-require' };
}
