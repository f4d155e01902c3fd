// What clients do: few streams that all of them write to, read, follow, fence and trim, and one that comes and goes.

import { setTimeout as sleep } from 'node:timers/promises';
import type { Prng } from '#test/crash/prng.ts';
import { Client, type ClientWorld, type Conditions } from './client.ts';
import type { LiveStream } from './live-stream.ts';
import { fenceRecord, type MadeRecord, plainRecord, trimRecord } from './records.ts';
import type { Streams } from './streams.ts';

const KIB = 1_024;

export interface WorkloadOptions {
  readonly clients: number;
  readonly followers: number;
  /** Mean time that a client waits between two bursts of calls. */
  readonly pauseMs: number;
}

export class Workload {
  readonly #world: ClientWorld;
  readonly #streams: Streams;
  /** Whether calls have a chance: most clients wait while the server is down. */
  readonly #isServed: () => boolean;
  readonly #options: WorkloadOptions;
  #isOver = false;
  #running: Promise<void>[] = [];

  constructor(world: ClientWorld, streams: Streams, isServed: () => boolean, options: WorkloadOptions) {
    this.#world = world;
    this.#streams = streams;
    this.#isServed = isServed;
    this.#options = options;
  }

  start(prng: Prng): void {
    const { clients, followers } = this.#options;
    for (let i = 0; i < clients; i += 1) this.#running.push(this.#work(prng.fork(`client ${i}`)));
    for (let i = 0; i < followers; i += 1) this.#running.push(this.#follow(prng.fork(`follower ${i}`)));
  }

  /** Ends it, and resolves once the last call has ended. */
  async stop(): Promise<void> {
    this.abandon();
    await Promise.all(this.#running);
  }

  /** Begins nothing any more. */
  abandon(): void {
    this.#isOver = true;
  }

  async #work(prng: Prng): Promise<void> {
    const client = new Client(this.#world, prng.fork('calls'));
    while (!this.#isOver) {
      for (let burst = prng.between(1, 5); burst > 0 && !this.#isOver; burst -= 1) {
        const stream = prng.pick(this.#streams.live);
        await operate(client, stream, prng);
      }
      await this.#pause(prng);
    }
  }

  async #follow(prng: Prng): Promise<void> {
    const client = new Client(this.#world, prng.fork('calls'));
    while (!this.#isOver) {
      const stream = prng.pick(this.#streams.live);
      let from = prng.chance(0.5) ? stream.tail : prng.between(stream.trimPoint, Math.max(stream.trimPoint, stream.tail));
      for (let again = prng.between(1, 3); again > 0 && !this.#isOver && !stream.isOver; again -= 1) {
        from = await client.follow(stream, from, prng.between(200, 4_000));
        await this.#pause(prng);
      }
    }
  }

  async #pause(prng: Prng): Promise<void> {
    await sleep(-Math.log(1 - prng.next()) * this.#options.pauseMs);
    for (let waited = 0; !this.#isServed() && !this.#isOver && waited < 2_000; waited += 25) {
      if (prng.chance(0.01)) return;
      await sleep(25);
    }
  }
}

/** What is drawn up to here appends. */
const APPENDS_OF_100 = 60;

async function operate(client: Client, stream: LiveStream, prng: Prng): Promise<void> {
  if (stream.isOver) return;
  const { tail, token } = stream;
  const drawn = prng.between(stream.appendsLeft > 0 ? 1 : APPENDS_OF_100 + 1, 100);
  if (drawn <= 28) await client.append(stream, plain(stream, prng));
  else if (drawn <= 42) await client.append(stream, plain(stream, prng), { matchSeqNum: guess(tail, prng) });
  else if (drawn <= 49) {
    const fencingToken = prng.chance(0.85) ? token : 'wrong';
    const both = prng.chance(0.4) ? { matchSeqNum: guess(tail, prng) } : {};
    await client.append(stream, plain(stream, prng), { fencingToken, ...both });
  } else if (drawn <= 53) await client.append(stream, fence(stream, prng), prng.chance(0.4) ? { fencingToken: token } : {});
  else if (drawn <= 56) await client.append(stream, trim(stream, prng));
  else if (drawn <= APPENDS_OF_100) await session(client, stream, prng);
  else if (drawn <= 80) await read(client, stream, prng);
  else if (drawn <= 94 || !stream.comesAndGoes) await client.checkTail(stream);
  else if (drawn <= 98) await client.create(stream);
  else await client.delete(stream);
}

function guess(tail: number, prng: Prng): number {
  return prng.chance(0.85) ? tail : Math.max(0, tail + prng.between(-2, 2));
}

function plain(stream: LiveStream, prng: Prng): MadeRecord[] {
  const isLarge = prng.chance(0.04);
  const as = prng.chance(0.5) ? 'string' : 'bytes';
  return Array.from({ length: prng.pick([1, 1, 1, 2, 3, 5]) }, () =>
    plainRecord(stream.nextName(), isLarge ? prng.between(4 * KIB, 60 * KIB) : prng.between(16, 200), as, prng),
  );
}

function fence(stream: LiveStream, prng: Prng): MadeRecord[] {
  // A token has 36 bytes at most.
  const token = stream.nextName().slice(-36);
  return [fenceRecord(token), ...(prng.chance(0.3) ? plain(stream, prng) : [])];
}

function trim(stream: LiveStream, prng: Prng): MadeRecord[] {
  const to = prng.chance(0.1) ? 1e9 + prng.between(0, 1e6) : prng.between(0, stream.tail + 3);
  return [...(prng.chance(0.3) ? plain(stream, prng) : []), trimRecord(stream.freeTrim(to))];
}

/** Either anything, or a chain in which each batch names the sequence number that it must get. */
async function session(client: Client, stream: LiveStream, prng: Prng): Promise<void> {
  const isChain = prng.chance(0.5);
  let next = stream.tail;
  const batches = Array.from({ length: Math.min(prng.between(2, 12), stream.appendsLeft) }, () => {
    const records = plain(stream, prng);
    const conditions: Conditions = isChain ? { matchSeqNum: next } : {};
    next += records.length;
    return { records, conditions };
  });
  await client.appendSession(stream, batches, prng.pick([0, 0, 5]));
}

async function read(client: Client, stream: LiveStream, prng: Prng): Promise<void> {
  const { tail, trimPoint } = stream;
  const from = prng.chance(0.2) ? prng.between(0, tail + 2) : prng.between(Math.min(Math.max(trimPoint, tail - 60), tail), tail);
  await client.read(stream, from, {
    ...(prng.chance(0.3) ? { clamp: true } : {}),
    ...(prng.chance(0.8) ? { count: prng.between(1, 30) } : {}),
    ...(prng.chance(0.1) ? { waitSecs: 1 } : {}),
  });
}
