// What the clients of a run do: few streams that many of them write to, read, follow, fence and trim, and one that comes and goes.

import { SideCalls } from './aside/side-calls.ts';
import type { RecordToAppend } from './bodies.ts';
import { drawSecrecy, type Secrecy } from './catalog.ts';
import { Client, type ClientWorld } from './client.ts';
import type { Process } from './process.ts';
import type { Dice } from './random.ts';

export const HOT = 'hot';
export const WARM = 'warm';
/** Deleted and made again. */
export const CHURN = 'churn';
export const STREAMS = [HOT, WARM, CHURN] as const;

/** A client that sleeps on into the liveness phase must not be taken for one that is stuck. */
const PAUSE_MS_MAX = 10_000;
/** In one run. */
const HAUNTS_MAX = 20;
const REMAKES_MAX = 3;
const REMAKE_TRIES_MAX = 30;
const SHADOWS_MAX = 8;
/** Heartbeats, mostly. */
const SHADOW_BATCHES_MAX = 60;

export interface WorkloadPlan {
  readonly operationsMax: number;
  readonly clientsCount: number;
  readonly followersCount: number;
  /** In which the operations are spread. */
  readonly durationMs: number;
  /** Share of appends with large records. */
  readonly largeShare: number;
  readonly deletes: boolean;
  readonly secrecy: Secrecy | undefined;
}

export function drawWorkload(dice: Dice, operationsMax: number): WorkloadPlan {
  return {
    operationsMax,
    clientsCount: dice.between(4, 10),
    followersCount: dice.between(0, 3),
    durationMs: dice.range(12_000, 22_000),
    largeShare: dice.pick([0, 0.1, 0.4]),
    deletes: dice.chance(0.6),
    secrecy: drawSecrecy(dice.fork('secrecy'), [[HOT], [WARM], [CHURN], [WARM, CHURN], STREAMS]),
  };
}

export class Workload {
  readonly #world: ClientWorld;
  readonly #dice: Dice;
  readonly #plan: WorkloadPlan;
  #begun = 0;
  #nextRecord = 1;
  #isOver = false;
  #haunts = 0;
  #meetings = 0;
  #shadows = 0;
  #remakes = 0;
  readonly #trims = new Set<number>();
  #running: Promise<void>[] = [];

  constructor(world: ClientWorld, dice: Dice, plan: WorkloadPlan) {
    this.#world = world;
    this.#dice = dice;
    this.#plan = plan;
  }

  start(): void {
    const { clientsCount, followersCount } = this.#plan;
    for (let id = 1; id <= clientsCount + followersCount; id += 1) {
      const client = this.client(id);
      this.#running.push(id <= clientsCount ? this.#work(client) : this.#follow(client));
    }
    const goesOn = (): boolean => this.hasBudget;
    for (const id of [801, 802]) this.#running.push(this.side(id).run(this.#plan.durationMs, goesOn));
    this.#running.push(this.side(803).leaveAlone(goesOn));
  }

  /** A stream is about to delete itself: somebody writes to it just then. */
  meetSeal(): void {
    if (!this.hasBudget || !this.#dice.chance(0.7)) return;
    this.#meetings += 1;
    this.#running.push(this.side(810 + this.#meetings).meetSeal());
  }

  side(id: number): SideCalls {
    return new SideCalls(this.client(id), { ...this.#world, record: () => this.plainRecord(20) });
  }

  client(id: number): Client {
    return new Client(id, this.#world, this.#dice.fork(`client-${id}`));
  }

  /** Resolves once every client has ended its last call. Followers stop at their next batch. */
  async finished(): Promise<void> {
    await Promise.all(this.#running);
  }

  /**
   * `zombie` was replaced, and takes itself for the owner still: once its successor has gone on, it is asked what only an owner may
   * answer. (By chance few calls come to it, and leases are about those.)
   */
  haunt(zombie: Process, successor: Process): void {
    if (!this.hasBudget || this.#haunts === HAUNTS_MAX) return;
    this.#haunts += 1;
    this.#running.push(this.#haunt(this.client(500 + this.#haunts), zombie, successor));
  }

  /** Something is about to befall `owner`: somebody follows a stream there, and stays when others have long gone to its successor. */
  shadow(owner: Process): void {
    if (!this.hasBudget || this.#shadows === SHADOWS_MAX) return;
    this.#shadows += 1;
    const client = this.client(600 + this.#shadows);
    client.only = owner;
    const stream = client.dice.pick([HOT, WARM]);
    const { tail } = client.knowledge(stream);
    this.#running.push(client.follow(stream, tail, SHADOW_BATCHES_MAX, 4).then(() => undefined));
    const writer = this.client(700 + this.#shadows);
    writer.only = owner;
    this.#running.push(this.#tease(writer, stream));
  }

  /** Something is on its way whenever it befalls. */
  async #tease(writer: Client, stream: string): Promise<void> {
    const { loop } = this.#world;
    const end = loop.now + 160;
    while (loop.now < end && this.hasBudget) {
      const { kind } = await writer.append(stream, [this.plainRecord(20)]);
      if (kind !== 'appended') return;
      await loop.sleep(writer.dice.gap(6));
    }
  }

  /** `deleter` dawdles over the deletion of a stream: as soon as others have carried it through, somebody makes the stream again. */
  remake(stream: string, deleter: Process): void {
    if (!this.hasBudget || this.#remakes === REMAKES_MAX) return;
    this.#remakes += 1;
    this.#running.push(this.#remake(this.client(800 + this.#remakes), stream, deleter));
  }

  async #remake(client: Client, stream: string, deleter: Process): Promise<void> {
    const { loop, cluster } = this.#world;
    for (let tries = 0; tries < REMAKE_TRIES_MAX && this.hasBudget; tries += 1) {
      await loop.sleep(client.dice.range(100, 300));
      const others = cluster.processes.filter((process) => process !== deleter);
      if (others.length === 0) continue;
      client.only = client.dice.pick(others);
      if ((await client.create(stream)).kind !== 'created') continue;
      client.only = undefined;
      await client.append(stream, [this.plainRecord(30)]);
      return;
    }
  }

  /** No more operations are begun. */
  stop(): void {
    this.#isOver = true;
  }

  get hasBudget(): boolean {
    return !this.#isOver && this.#begun < this.#plan.operationsMax;
  }

  plainRecord(bytes: number): RecordToAppend {
    const id = this.#nextRecord;
    this.#nextRecord += 1;
    return { kind: 'plain', id, bytes: Math.max(16, bytes) };
  }

  async #work(client: Client): Promise<void> {
    const { loop } = this.#world;
    const { durationMs, clientsCount, operationsMax } = this.#plan;
    const pauseMs = (0.85 * durationMs * clientsCount) / operationsMax;
    await loop.sleep(client.dice.range(0, pauseMs));
    while (this.hasBudget) {
      // Bursts, so that calls overlap; pauses between them, so that the run lasts.
      const burst = client.dice.between(1, 6);
      for (let i = 0; i < burst && this.hasBudget; i += 1) {
        this.#begun += 1;
        await this.#operate(client);
        await loop.sleep(client.dice.gap(4));
      }
      await loop.sleep(Math.min(PAUSE_MS_MAX, client.dice.gap(pauseMs * burst)));
    }
  }

  async #follow(client: Client): Promise<void> {
    const { loop } = this.#world;
    while (this.hasBudget) {
      const stream = client.dice.pick([HOT, HOT, WARM, CHURN]);
      const { tail, trimPoint } = client.knowledge(stream);
      let from = client.dice.chance(0.5) ? client.dice.between(trimPoint, Math.max(trimPoint, tail)) : tail;
      for (let i = 0; i < 3 && this.hasBudget; i += 1) {
        from = await client.follow(stream, from, client.dice.between(2, 15), client.dice.between(1, 3));
        await loop.sleep(client.dice.gap(50));
      }
    }
  }

  #stream(dice: Dice): string {
    const drawn = dice.unit();
    return drawn < 0.55 ? HOT : drawn < 0.85 ? WARM : CHURN;
  }

  async #operate(client: Client): Promise<void> {
    const { dice } = client;
    const stream = this.#stream(dice);
    const { tail, token } = client.knowledge(stream);
    const drawn = dice.between(1, 100);
    if (drawn <= 10) await this.#pipeline(client, stream);
    else if (drawn <= 36) await client.append(stream, this.#plain(dice));
    else if (drawn <= 50) await client.append(stream, this.#plain(dice), { matchSeqNum: this.#guess(dice, tail) });
    else if (drawn <= 57) {
      const fencingToken = dice.chance(0.85) ? token : 'wrong';
      const both = dice.chance(0.4) ? { matchSeqNum: this.#guess(dice, tail) } : {};
      await client.append(stream, this.#plain(dice), { fencingToken, ...both });
    } else if (drawn <= 61) await client.append(stream, this.#fence(client), dice.chance(0.4) ? { fencingToken: token } : {});
    else if (drawn <= 65) await client.append(stream, this.#trim(dice, tail));
    else if (drawn <= 66 && this.#world.catalog.isSecret(stream)) await client.pry(stream);
    else if (drawn <= 84) await this.#read(client, stream);
    else if (drawn <= 94) await client.checkTail(stream);
    else if (drawn <= 97 || !this.#plan.deletes) await client.create(CHURN);
    else await client.delete(CHURN);
  }

  /** Several appends at once: on one session, or each for itself. */
  async #pipeline(client: Client, stream: string): Promise<void> {
    const { dice } = client;
    const batches = Array.from({ length: dice.between(2, 6) }, () => this.#plain(dice));
    this.#begun += batches.length - 1;
    if (dice.chance(0.5)) await client.appendSession(stream, batches);
    else await Promise.all(batches.map((records) => client.append(stream, records)));
  }

  async #haunt(client: Client, zombie: Process, successor: Process): Promise<void> {
    const { dice } = client;
    const stream = dice.pick([HOT, HOT, WARM]);
    // At once, or once followers that hang on to it have waited for a while.
    await this.#world.loop.sleep(dice.range(0, dice.pick([30, 400])));
    client.only = successor;
    await client.append(stream, this.#plain(dice));
    if (!zombie.isOwner) return;
    client.only = zombie;
    const { tail } = client.knowledge(stream);
    await Promise.all([
      client.checkTail(stream),
      client.read(stream, tail),
      client.append(stream, this.#plain(dice), { matchSeqNum: tail + 1_000 }),
      client.append(stream, this.#plain(dice), { fencingToken: 'wrong' }),
    ]);
  }

  #guess(dice: Dice, tail: number): number {
    return dice.chance(0.85) ? tail : Math.max(0, tail + dice.between(-2, 2));
  }

  #plain(dice: Dice): RecordToAppend[] {
    const isLarge = dice.chance(this.#plan.largeShare);
    return Array.from({ length: dice.pick([1, 1, 1, 2, 3, 5]) }, () =>
      this.plainRecord(isLarge ? dice.between(200, 700) : dice.between(16, 90)),
    );
  }

  #fence(client: Client): RecordToAppend[] {
    const { dice } = client;
    const token = `t${this.#nextRecord}`;
    this.#nextRecord += 1;
    const records: RecordToAppend[] = [{ kind: 'fence', token }];
    if (dice.chance(0.3)) records.push(...this.#plain(dice));
    return records;
  }

  /** No two trims name the same number: a record is known by its bytes. */
  #trim(dice: Dice, tail: number): RecordToAppend[] {
    let to = dice.chance(0.1) ? 1e9 + dice.between(0, 1e6) : dice.between(0, tail + 3);
    while (this.#trims.has(to)) to += 1;
    this.#trims.add(to);
    const records: RecordToAppend[] = [{ kind: 'trim', to }];
    if (dice.chance(0.3)) records.unshift(...this.#plain(dice));
    return records;
  }

  async #read(client: Client, stream: string): Promise<void> {
    const { dice } = client;
    const { tail, trimPoint } = client.knowledge(stream);
    const from = dice.chance(0.2) ? dice.between(0, tail + 2) : dice.between(Math.min(trimPoint, tail), tail);
    await client.read(stream, from, {
      ...(dice.chance(0.3) ? { clamp: true } : {}),
      ...(dice.chance(0.5) ? { count: dice.between(1, 30) } : {}),
      ...(dice.chance(0.1) ? { waitSecs: 1 } : {}),
    });
  }
}
