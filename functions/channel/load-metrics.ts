// How much a task has to do, as a metric of CloudWatch by which tasks are added and taken away: lines in the embedded metric format,
// which CloudWatch finds in the log by itself, so that a task needs no right and sends nothing.
//
// A sample a second and a line a minute: one line holds all of its samples, so that averages and maxima are those of seconds.

import type { OwnedChannel } from '#core/cell/cell.ts';

/** `<namespace>/<cell>`: the dimension `Cell` tells cells apart, and tasks are added up by CloudWatch. */
export interface MetricsName {
  readonly namespace: string;
  readonly cell: string;
}

/** The format takes 100 values a metric. */
const SAMPLES_A_LINE = 60;
const SAMPLE_MS = 1_000;

export class LoadMetrics {
  readonly #name: MetricsName;
  readonly #write: (line: string) => void;
  #samples: number[] = [];

  /** @param write takes one line, with its end, as one piece */
  constructor(name: MetricsName, write: (line: string) => void) {
    this.#name = name;
    this.#write = write;
  }

  /** @param bytesInFlight of appends that are not acknowledged: those that wait, and those that zones have not stored */
  add(bytesInFlight: number, atMs: number): void {
    this.#samples.push(bytesInFlight);
    if (this.#samples.length === SAMPLES_A_LINE) this.flush(atMs);
  }

  flush(atMs: number): void {
    if (this.#samples.length === 0) return;
    const { namespace, cell } = this.#name;
    const metrics = [{ Name: 'BytesInFlight', Unit: 'Bytes' }];
    const CloudWatchMetrics = [{ Namespace: namespace, Dimensions: [['Cell']], Metrics: metrics }];
    const line = { _aws: { Timestamp: atMs, CloudWatchMetrics }, event: 'load', Cell: cell, BytesInFlight: this.#samples };
    this.#write(`${JSON.stringify(line)}\n`);
    this.#samples = [];
  }
}

/** From now to the end of the process. */
export function watchLoad(name: MetricsName, channels: readonly Pick<OwnedChannel, 'channel'>[]): void {
  const metrics = new LoadMetrics(name, (line) => void process.stdout.write(line));
  const bytes = (): number =>
    channels.map(({ channel }) => channel.gauges.waitingBytes + channel.gauges.inFlightBytes).reduce((a, b) => a + b, 0);
  setInterval(() => metrics.add(bytes(), Date.now()), SAMPLE_MS).unref();
  process.once('exit', () => metrics.flush(Date.now()));
}
