// Rounds of: start, read everything back, append and tail, kill -9; on some, one zone's folder is damaged while the process is down.
//
// A data folder serves ROUNDS_A_LIFE rounds, and only one of its zones is ever damaged: the store survives the loss of any one zone, and
// from outside nobody can tell when the repair of one is complete and another may go.

import type { ClientHttp2Session } from 'node:http2';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect, openRead, readAll, SessionError } from '#bench/session.ts';
import { Api } from '#test/support/api.ts';
import { newServer, type Server, type ServerOptions } from '#test/support/server.ts';
import { damageZone, ZONES } from './damage.ts';
import { History, Violation } from './history.ts';
import { Prng } from './prng.ts';
import { ConditionalWriter, type WriterContext, writeSession, writeUnary } from './writers.ts';

const ROUNDS_A_LIFE = 10;
/** Data folders, each with a server: while one waits for its disk or its next kill, the other goes on. */
const LIVES_AT_A_TIME = 2;
const BASIN = 'crash-basin';

export interface CrashOptions {
  readonly rounds: number;
  readonly seed: number;
  readonly print: (line: string) => void;
  /** Runs another program in place of the server. */
  readonly command?: ServerOptions['command'];
  /** Set off to run a server that keeps no zones. Default true. */
  readonly damages?: boolean;
}

export interface CrashReport {
  readonly rounds: number;
  readonly acknowledged: number;
  readonly damages: number;
  /** Kills before the process was ready. */
  readonly earlyKills: number;
}

type Write = (context: WriterContext) => Promise<void>;

interface Workload {
  readonly history: History;
  readonly config: object;
  readonly writers: readonly Write[];
}

/** The streams of one life, each with the way in which it is written. */
function newWorkloads(): Workload[] {
  const conditional = new ConditionalWriter('only');
  return [
    { history: new History('unary'), config: {}, writers: [(c) => writeUnary(c, 'u1'), (c) => writeUnary(c, 'u2')] },
    { history: new History('session'), config: {}, writers: [(c) => writeSession(c, 's1', 2_000), (c) => writeUnary(c, 'u3')] },
    { history: new History('large'), config: {}, writers: [(c) => writeSession(c, 'l1', 20_000)] },
    { history: new History('conditional'), config: {}, writers: [(c) => conditional.write(c)] },
    { history: new History('standard'), config: { storage_class: 'standard' }, writers: [(c) => writeSession(c, 'c1', 500)] },
  ];
}

export async function runCrashTest(options: CrashOptions): Promise<CrashReport> {
  const prng = new Prng(options.seed);
  const report = { rounds: 0, acknowledged: 0, damages: 0, earlyKills: 0 };
  let begun = 0;
  let isFailed = false;
  const liveOn = async (): Promise<void> => {
    while (begun < options.rounds && !isFailed) {
      const rounds = Math.min(ROUNDS_A_LIFE, options.rounds - begun);
      const ownPrng = prng.fork(`life ${begun}`);
      begun += rounds;
      const life = new Life(options, ownPrng, await newServer(serverOptions(options)));
      try {
        await life.run(rounds, report);
      } catch (error) {
        isFailed = true;
        options.print(`failed in round ${report.rounds + 1}; the server, ${life.serverState()}, said last:\n${life.lastWords()}`);
        throw error;
      } finally {
        await life.end();
      }
    }
  };
  const outcomes = await Promise.allSettled(Array.from({ length: LIVES_AT_A_TIME }, liveOn));
  for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason;
  return report;
}

function serverOptions(options: CrashOptions): ServerOptions {
  return { readyTimeoutMs: 30_000, ...(options.command === undefined ? {} : { command: options.command }) };
}

class Life {
  readonly #options: CrashOptions;
  readonly #prng: Prng;
  readonly #server: Server;
  readonly #workloads = newWorkloads();

  constructor(options: CrashOptions, prng: Prng, server: Server) {
    this.#options = options;
    this.#prng = prng;
    this.#server = server;
  }

  serverState(): string {
    return this.#server.state;
  }

  lastWords(): string {
    return this.#server.output.slice(-4_000);
  }

  async end(): Promise<void> {
    await this.#server.dispose();
  }

  async run(rounds: number, report: { rounds: number; acknowledged: number; damages: number; earlyKills: number }): Promise<void> {
    const zone = this.#prng.pick(ZONES);
    let damages = 0;
    await this.#server.start();
    await this.#createStreams();
    for (let round = 0; round < rounds; round++) {
      const before = this.#acknowledged();
      await this.#appendUntilKilled();
      const acknowledged = this.#acknowledged() - before;
      report.acknowledged += acknowledged;
      let damage: string | undefined;
      // In a life of its full length, at least once.
      const isDue = damages === 0 && round === ROUNDS_A_LIFE - 1;
      if (this.#options.damages !== false && (this.#prng.chance(0.3) || isDue)) {
        damage = await damageZone(this.#server.dataDir, zone, this.#prng);
        if (damage !== undefined) damages += 1;
      }
      const earlyKills = await this.#restart();
      report.earlyKills += earlyKills;
      const records = await this.#verify();
      report.rounds += 1;
      const extras = [damage, earlyKills > 0 ? `${earlyKills} kills while starting` : undefined].filter((text) => text !== undefined);
      this.#options.print(
        `round ${report.rounds} of ${this.#options.rounds}: ${acknowledged} records acknowledged, ${records} read back${extras.map((text) => `; ${text}`).join('')}`,
      );
    }
    report.damages += damages;
    await this.#stopAndVerify();
  }

  #acknowledged(): number {
    return this.#workloads.reduce((sum, workload) => sum + workload.history.acknowledgedCount, 0);
  }

  async #createStreams(): Promise<void> {
    const api = new Api(this.#server.url, BASIN);
    await api.createBasin();
    for (const { history, config } of this.#workloads) await api.createStream(history.stream, config);
  }

  async #appendUntilKilled(): Promise<void> {
    const api = new Api(this.#server.url, BASIN);
    const connection = await connect(this.#server.url);
    const stop = new AbortController();
    const tasks = this.#workloads.flatMap(({ history, writers }) => [
      tail(connection, history, stop.signal),
      ...writers.map((write, at) =>
        write({ api, connection, history, prng: this.#prng.fork(`${history.stream} ${at}`), signal: stop.signal }),
      ),
    ]);
    const all = Promise.all(tasks);
    all.catch(() => undefined); // Awaited below, after the kill.
    // Mostly within the first second; now and then long enough for background work to move records below the writers.
    await Promise.race([sleep(this.#prng.chance(0.1) ? this.#prng.between(2_200, 3_200) : this.#prng.between(20, 700)), all]);
    await this.#server.kill();
    stop.abort();
    connection.destroy();
    await all;
  }

  /** Starts the server again, sometimes killing it before it is ready. @returns how often */
  async #restart(): Promise<number> {
    let kills = 0;
    while (kills < 3 && this.#prng.chance(0.25)) {
      this.#server.spawn();
      await sleep(this.#prng.between(20, 500));
      await this.#server.kill();
      kills += 1;
    }
    await this.#server.start();
    return kills;
  }

  /** @returns how many records were read back */
  async #verify(): Promise<number> {
    const api = new Api(this.#server.url, BASIN);
    const connection = await connect(this.#server.url);
    let count = 0;
    try {
      for (const { history } of this.#workloads) {
        const tailBefore = await api.tail(history.stream);
        const batches = tailBefore === 0 ? [] : await readAll(connection, BASIN, history.stream, `?seq_num=0&count=${tailBefore}`);
        const records = batches.flatMap((batch) => batch.records);
        history.verify(records, tailBefore);
        count += records.length;
      }
    } finally {
      connection.destroy();
    }
    return count;
  }

  async #stopAndVerify(): Promise<void> {
    const exit = await this.#server.stop();
    if (exit.code !== 0) throw new Violation(`SIGTERM ended the server with ${exit.code ?? exit.signal}`);
    await this.#server.start();
    await this.#verify();
  }
}

/** Follows a stream from where it was left until the connection is lost. */
async function tail(connection: ClientHttp2Session, history: History, signal: AbortSignal): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const read = openRead(connection, BASIN, history.stream, `?seq_num=${history.shownCount}`, {
      onBatch: (batch) => {
        try {
          for (const record of batch.records) history.show(record);
          if (batch.tail !== undefined && batch.tail.seqNum < history.shownCount) {
            throw new Violation(`stream ${history.stream}: a tail of ${batch.tail.seqNum} was stated after ${history.shownCount} records`);
          }
        } catch (error) {
          reject(error);
          read.close();
        }
      },
      onEnd: (error) => {
        if (error instanceof SessionError && error.status === 416)
          reject(new Violation(`stream ${history.stream}: ${history.shownCount}: ${error.message}`));
        else resolve();
      },
    });
    signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
