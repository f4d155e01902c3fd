// Results: aligned lines for a person, or one JSON object a line.

export interface Result {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  /** Throughput as a part of the ceiling of the same run. */
  readonly ratio?: number;
}

export class Report {
  readonly #isJson: boolean;

  constructor(isJson: boolean) {
    this.#isJson = isJson;
  }

  add(name: string, value: number, unit: string, ceiling?: number): void {
    const rounded = Number(value.toPrecision(4));
    const result: Result = {
      name,
      value: rounded,
      unit,
      ...(ceiling === undefined ? {} : { ratio: Number((value / ceiling).toFixed(3)) }),
    };
    if (this.#isJson) {
      console.log(JSON.stringify(result));
      return;
    }
    const ratio = result.ratio === undefined ? '' : `  ${result.ratio.toFixed(3)} of the ceiling`;
    console.log(`${result.name.padEnd(52)} ${String(result.value).padStart(10)} ${result.unit}${ratio}`);
  }

  /** p50 and p99 of some latencies, milliseconds. */
  addLatencies(name: string, latencies: readonly number[]): void {
    const sorted = Float64Array.from(latencies).sort();
    this.add(`${name} p50`, percentile(sorted, 0.5), 'ms');
    this.add(`${name} p99`, percentile(sorted, 0.99), 'ms');
  }

  /** Progress, for a person: never on standard output. */
  note(text: string): void {
    console.error(text);
  }
}

function percentile(sorted: Float64Array, part: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? Number.NaN;
}
