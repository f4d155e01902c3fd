// The streams of a run: a few at a time. Each is given up after a while, read to its end, checked, and replaced by a new one, so
// that histories stay short enough to be checked, and a long run needs no more memory than a short one.

import { setTimeout as sleep } from 'node:timers/promises';
import type { Prng } from '#test/crash/prng.ts';
import type { Outcome } from '#test/sim/history.ts';
import type { Checked, Checking } from './checking.ts';
import { BASIN, Client, type ClientWorld } from './client.ts';
import { LiveStream, type StreamKind } from './live-stream.ts';
import type { Order } from './stream-history.ts';

const KINDS: readonly StreamKind[] = [
  { storageClass: 'express', comesAndGoes: false },
  { storageClass: 'express', comesAndGoes: false },
  { storageClass: 'express', comesAndGoes: false },
  { storageClass: 'express', comesAndGoes: true },
  { storageClass: 'standard', comesAndGoes: false },
  { storageClass: 'standard', comesAndGoes: true },
];
const LOOK_EVERY_MS = 100;
const READ_COUNT = 1_000;

export interface StreamsOptions {
  /** One stream of each at a time. Default: of both classes, and of either one that comes and goes. */
  readonly kinds?: readonly StreamKind[];
  /** A stream is given up once it is this old, or has this many calls, or as many appends of which nobody knows as can be checked. */
  readonly ageMs: { readonly min: number; readonly max: number };
  readonly callsMax: number;
  readonly onChecked: (stream: LiveStream, checked: Checked) => void;
  readonly onFailure: (error: unknown) => void;
}

interface Place {
  readonly kind: StreamKind;
  stream: LiveStream;
  overAt: number;
}

export class Streams {
  readonly #world: ClientWorld;
  readonly #order: Order;
  readonly #checking: Checking;
  readonly #prng: Prng;
  readonly #options: StreamsOptions;
  readonly #places: Place[];
  readonly #retiring = new Set<Promise<void>>();
  #made = 0;
  #isOver = false;
  #isAbandoned = false;

  constructor(world: ClientWorld, order: Order, checking: Checking, prng: Prng, options: StreamsOptions) {
    this.#world = world;
    this.#order = order;
    this.#checking = checking;
    this.#prng = prng;
    this.#options = options;
    this.#places = (options.kinds ?? KINDS).map((kind) => ({ kind, ...this.#make(kind) }));
  }

  get live(): readonly LiveStream[] {
    return this.#places.map(({ stream }) => stream);
  }

  /** Streams that are read to their end, or wait for it. */
  get retiringCount(): number {
    return this.#retiring.size;
  }

  /** Replaces streams until `stop`. */
  async run(): Promise<void> {
    while (!this.#isOver) {
      await sleep(LOOK_EVERY_MS);
      for (const place of this.#places) {
        const { stream, overAt } = place;
        // While the server is away for long, nothing is gained by more streams that wait for it.
        if (this.#retiring.size >= 2 * this.#places.length) continue;
        const isShort = stream.history.calls.length < this.#options.callsMax && !stream.isDoubtful;
        if (performance.now() < overAt && isShort) continue;
        Object.assign(place, this.#make(place.kind));
        this.#retire(stream);
      }
    }
  }

  /** Reads and checks whatever is left. Calls must succeed again by then. */
  async stop(): Promise<void> {
    this.#isOver = true;
    for (const { stream } of this.#places) this.#retire(stream);
    await Promise.all(this.#retiring);
  }

  /** Gives everything up where it is. */
  abandon(): void {
    this.#isOver = true;
    this.#isAbandoned = true;
    for (const { stream } of this.#places) stream.isOver = true;
  }

  #make(kind: StreamKind): { readonly stream: LiveStream; readonly overAt: number } {
    this.#made += 1;
    const stream = new LiveStream(`${kind.storageClass}-${this.#made}`, kind, this.#order);
    const { min, max } = this.#options.ageMs;
    void this.#create(stream).catch(this.#options.onFailure);
    return { stream, overAt: performance.now() + this.#prng.between(min, max) };
  }

  async #create(stream: LiveStream): Promise<void> {
    const client = new Client(this.#world, this.#prng.fork(`maker of ${stream.name}`));
    while (!stream.isOver) {
      const outcome = await client.create(stream);
      if (outcome.kind === 'created' || outcome.kind === 'resource_already_exists') return;
      await sleep(100);
    }
  }

  #retire(stream: LiveStream): void {
    stream.isOver = true;
    const retired = this.#finish(stream).catch(this.#options.onFailure);
    this.#retiring.add(retired);
    void retired.finally(() => this.#retiring.delete(retired));
  }

  async #finish(stream: LiveStream): Promise<void> {
    await stream.history.quiet();
    const client = new Client(this.#world, this.#prng.fork(`finisher of ${stream.name}`));
    await this.#readAll(client, stream);
    if (this.#isAbandoned) return;
    const checked = await this.#checking.check(stream.history.calls);
    this.#options.onChecked(stream, checked);
    // The server gets its space back; the history is closed, so that this is nobody's call.
    await this.#world.s2
      .basin(BASIN)
      .streams.delete({ stream: stream.name }, { signal: AbortSignal.timeout(5_000) })
      .catch(() => undefined);
  }

  async #readAll(client: Client, stream: LiveStream): Promise<void> {
    const tail = await this.#insist(() => client.checkTail(stream), 'tail');
    if (tail === undefined) return;
    for (let from = 0; from < tail.tail; ) {
      const at = from;
      const answer = await this.#insist(() => client.read(stream, at, { count: READ_COUNT }), 'read');
      const last = answer?.records.at(-1);
      if (last === undefined) return;
      from = last.seqNum + 1;
    }
  }

  /** Calls again while the server is away. @returns undefined when there is nothing to read */
  async #insist<Kind extends Outcome['kind']>(
    call: () => Promise<Outcome>,
    wanted: Kind,
  ): Promise<Extract<Outcome, { kind: Kind }> | undefined> {
    while (!this.#isAbandoned) {
      const outcome = await call();
      if (outcome.kind === wanted) return outcome as Extract<Outcome, { kind: Kind }>;
      if (outcome.kind !== 'failed') return undefined;
      await sleep(100);
    }
    return undefined;
  }
}
