// Clients that write to few streams, read them, follow them, fence and trim them, through the edge, while things break; what each of
// them saw is judged as one history a stream, by the checker of the simulator. (The clients are those of the chaos test.)

import type { S2 } from '@s2-dev/streamstore';
import { type Checked, Checking } from '#test/chaos/checking.ts';
import type { LiveStream, StreamKind } from '#test/chaos/live-stream.ts';
import { Order } from '#test/chaos/stream-history.ts';
import { Streams } from '#test/chaos/streams.ts';
import { Workload } from '#test/chaos/workload.ts';
import { Prng } from '#test/crash/prng.ts';

/** None that come and go: another task believes a name for ten seconds. */
const KINDS: readonly StreamKind[] = [
  { storageClass: 'express', comesAndGoes: false },
  { storageClass: 'express', comesAndGoes: false },
  { storageClass: 'standard', comesAndGoes: false },
];
const LOAD = { clients: 6, followers: 3, pauseMs: 50 };
const END_MS_MAX = 60_000;

export class Histories {
  readonly #streams: Streams;
  readonly #workload: Workload;
  readonly #checking = new Checking();
  readonly #prng: Prng;
  readonly #failures: string[] = [];
  #rotation: Promise<void> = Promise.resolve();
  streams = 0;
  operations = 0;
  unknown = 0;

  /** @param s2 goes through the edge, and tries nothing again */
  constructor(s2: S2, seed: number) {
    this.#prng = new Prng(seed);
    let clients = 0;
    const world = {
      s2,
      isWithoutHttp2: true,
      newClient: () => {
        clients += 1;
        return clients;
      },
      onNonsense: (message: string) => void this.#failures.push(`an answer that cannot be right: ${message}`),
    };
    this.#streams = new Streams(world, new Order(), this.#checking, this.#prng.fork('streams'), {
      kinds: KINDS,
      ageMs: { min: 12_000, max: 24_000 },
      callsMax: 2_000,
      onChecked: (stream, checked) => this.#count(stream, checked),
      onFailure: (error) => void this.#failures.push(String(error)),
    });
    this.#workload = new Workload(world, this.#streams, () => true, LOAD);
  }

  get failures(): readonly string[] {
    return this.#failures;
  }

  start(): void {
    this.#workload.start(this.#prng.fork('workload'));
    this.#rotation = this.#streams.run().catch((error: unknown) => void this.#failures.push(String(error)));
  }

  /** Every stream is read to its end and judged. Calls must succeed again by then. */
  async stop(): Promise<void> {
    await this.#workload.stop();
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(() => {
        this.#failures.push(`not within ${END_MS_MAX / 1_000} s after everything was well again: every stream is read to its end`);
        this.#streams.abandon();
        resolve();
      }, END_MS_MAX);
    });
    await Promise.race([this.#streams.stop(), late]);
    clearTimeout(timer);
    await this.#rotation;
    await this.#checking.close();
  }

  #count(stream: LiveStream, { verdict, measure, explanation }: Checked): void {
    this.streams += 1;
    this.operations += measure.operations;
    this.unknown += Math.round(measure.unknown * measure.operations);
    if (verdict.ok) return;
    const lines = verdict.violations.map(({ check, message }) => `${check}: ${message}`);
    this.#failures.push(`stream ${stream.name}: ${lines.join('\n')}\n${explanation}`);
  }
}
