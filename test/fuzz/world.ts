// The whole store on virtual time, behind the production handler and node's own HTTP/1.1 parser, without a socket: some thousands of
// requests a second, and a request that is not answered is found within virtual minutes.

import { Http1 } from '#core/adapters/node/http/http1.ts';
import { openTokenAuthority } from '#core/adapters/node/token-authority.ts';
import { zlibCodec } from '#core/adapters/node/zlib-codec.ts';
import { createHttpHandler, type HttpHandler } from '#core/api/http/handler.ts';
import type { Cell } from '#core/cell/cell.ts';
import { DEFAULT_CELL_CONFIG } from '#core/cell/config.ts';
import type { TokenAuthority } from '#core/ports/token-authority.ts';
import { temporaryFolder } from '#test/support/temporary-folder.ts';
import { VirtualStore } from '#test/support/virtual-cell.ts';
import { MemoryConnection, type RawAnswer } from './memory-connection.ts';

export const ROOT_TOKEN = 'the-root-token-of-the-fuzz';
export const BASIN_SUFFIX = 'b.test';

/** Longer than any wait that the API knows. */
const ANSWER_MS_MAX = 90_000;
/** A session that goes on is left then: most waits are over, and its first heartbeat has come. */
const LEAVE_AFTER_MS = 3_000;
const UNFINISHED_MS = 50;
const NEVER_MS = 1e9;
/** What threads have to do takes some real milliseconds. */
const THREADS_MS_MAX = 5_000;

const { authority: signer } = await openTokenAuthority({ dir: await temporaryFolder(), root: { token: ROOT_TOKEN } });
/** Signatures are made on threads: virtual time stands still meanwhile. */
const signing = { count: 0 };
const counted = <T>(work: Promise<T>): Promise<T> => {
  signing.count += 1;
  return work.finally(() => {
    signing.count -= 1;
  });
};
const authority: TokenAuthority = {
  publicKey: signer.publicKey,
  sign: (claims) => counted(signer.sign(claims)),
  verify: (token) => counted(signer.verify(token)),
  isRoot: (token) => signer.isRoot(token),
};
const hop = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** The jobs run, but do not fill the virtual minute of a read that waits. */
const CONFIG = {
  channel: { ...DEFAULT_CELL_CONFIG.channel, tailMs: 5_000, wallErrorMsMax: 0 },
  offload: { ...DEFAULT_CELL_CONFIG.offload, ageMsMin: 100 },
  everyMs: { offload: 3_000, gc: 10_000, trim: 10_000, compact: 30_000, sweep: 60_000, delete: NEVER_MS, usage: 10_000, measure: 30_000 },
};

export interface Sent {
  readonly method: string;
  readonly bytes: Uint8Array;
  /** The client leaves instead of sending the rest, unless it is answered soon. */
  readonly isUnfinished: boolean;
}

export class FuzzWorld {
  readonly cell: Cell;
  /** Failures that are the server's own. */
  readonly faults: unknown[] = [];
  readonly #store: VirtualStore;
  readonly #handler: HttpHandler;
  readonly #http1: Http1;
  #connection: MemoryConnection | undefined;

  private constructor(seed: string, mode: 'off' | 'required') {
    this.#store = new VirtualStore(seed, {
      latencyMs: 0.2,
      authority,
      storageClasses: ['express', 'standard'],
      config: { ...CONFIG, access: { mode, revocationMsMax: 10_000 } },
    });
    const { cell, clock } = this.#store.process();
    this.cell = cell;
    this.#handler = createHttpHandler({
      served: Promise.resolve(cell),
      clock,
      codec: zlibCodec,
      readiness: () => 'ready',
      metrics: () => 'millrace_up 1\n',
      basinSuffixes: [BASIN_SUFFIX],
      report: (error) => this.faults.push(error),
    });
    this.#http1 = new Http1({
      headerBytesMax: 32 * 1024,
      headersMsMax: 20_000,
      idleMsMax: 75_000,
      handle: (request, response) => this.#handler.handle(request, response),
    });
  }

  static async open(seed: string, mode: 'off' | 'required'): Promise<FuzzWorld> {
    const world = new FuzzWorld(seed, mode);
    await world.run(() => world.cell.open('lock'));
    return world;
  }

  /** Requests and sessions that the server holds. */
  get openCount(): number {
    return this.#handler.openCount;
  }

  async run<T>(act: () => Promise<T>): Promise<T> {
    return await this.#store.run(act);
  }

  /** Lets virtual time pass until `isOver`. @returns whether it came to be within `ms` */
  async until(isOver: () => boolean, ms: number): Promise<boolean> {
    let isLate = false;
    const timer = this.#store.loop.after(ms, () => {
      isLate = true;
    });
    while (!isLate && !isOver()) {
      await this.#store.loop.run(() => isLate || signing.count > 0 || isOver());
      while (signing.count > 0) await hop();
    }
    timer.cancel();
    return isOver();
  }

  /** The same for what threads work on, which need real time and have no virtual one. */
  async untilWorked(isOver: () => boolean, ms: number): Promise<boolean> {
    if (await this.until(isOver, ms)) return true;
    const end = performance.now() + THREADS_MS_MAX;
    while (!isOver() && performance.now() < end) await this.until(isOver, 1);
    return isOver();
  }

  /**
   * Sends requests at once, on the connection that is there or on a new one. Only the last may be unfinished.
   *
   * @returns their answers, as far as there are any: fewer where the connection ended before.
   */
  async request(all: readonly Sent[]): Promise<RawAnswer[]> {
    const connection = this.#connected();
    for (const { method } of all) connection.expect(method);
    connection.send(Buffer.concat(all.map(({ bytes }) => bytes)));
    const answers: RawAnswer[] = [];
    while (answers.length < all.length) {
      const isOver = (): boolean => connection.peek()?.isWhole === true || connection.isClosed || connection.broken !== undefined;
      const isUnfinished = all[answers.length]?.isUnfinished === true;
      await this.until(isOver, isUnfinished ? UNFINISHED_MS : LEAVE_AFTER_MS);
      const goesOn = connection.peek()?.headers['x-accel-buffering'] !== undefined;
      if (!isOver() && !isUnfinished && !goesOn && !(await this.untilWorked(isOver, ANSWER_MS_MAX))) {
        throw new Error(`no answer within ${ANSWER_MS_MAX} ms`);
      }
      if (connection.broken !== undefined) throw connection.broken;
      const answer = isOver() ? connection.shift() : connection.peek();
      if (answer !== undefined) answers.push(answer);
      if (!answer?.isWhole) break;
    }
    const isLeft = answers.length < all.length || answers.at(-1)?.isWhole !== true || all.at(-1)?.isUnfinished === true;
    if (isLeft || connection.isClosed) this.hangUp();
    return answers;
  }

  hangUp(): void {
    this.#connection?.destroy();
    this.#connection = undefined;
  }

  /** A client of its own, for what is no request. */
  connect(): MemoryConnection {
    return new MemoryConnection((socket) => this.#http1.serve(socket));
  }

  async close(): Promise<void> {
    this.hangUp();
    await this.run(() => this.cell.close());
    this.#http1.close();
  }

  #connected(): MemoryConnection {
    if (this.#connection === undefined || this.#connection.isClosed) this.#connection = this.connect();
    return this.#connection;
  }
}

/** Collects garbage, then counts what is left. */
export async function heldBytes(): Promise<number> {
  const { setFlagsFromString } = await import('node:v8');
  const { runInNewContext } = await import('node:vm');
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  await hop();
  collect();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}
