// What was acknowledged, and whether it is there: every acknowledged record at its sequence number, unchanged, and nothing twice.

import type { S2Basin } from '@s2-dev/streamstore';

export class Ledger {
  readonly #streams = new Map<string, Map<number, string>>();

  get count(): number {
    return [...this.#streams.values()].reduce((sum, stream) => sum + stream.size, 0);
  }

  acknowledged(stream: string, seqNum: number, body: string): void {
    const bodies = this.#streams.get(stream) ?? new Map<number, string>();
    this.#streams.set(stream, bodies);
    const other = bodies.get(seqNum);
    if (other !== undefined) throw new Error(`${stream}: ${seqNum} was acknowledged twice, for ${short(other)} and for ${short(body)}`);
    bodies.set(seqNum, body);
  }

  /** Reads every stream from its first record. @throws Error that names the first few that are not as they must be */
  async check(basin: S2Basin): Promise<void> {
    const wrong: string[] = [];
    for (const [name, bodies] of this.#streams) wrong.push(...(await differences(basin, name, bodies)));
    if (wrong.length > 0)
      throw new Error(`of ${this.count} acknowledged records ${wrong.length} are wrong: ${wrong.slice(0, 5).join('; ')}`);
  }
}

async function differences(basin: S2Basin, name: string, bodies: ReadonlyMap<number, string>): Promise<string[]> {
  const wrong: string[] = [];
  const seen = new Map<string, number>();
  const session = await basin.stream(name).readSession({ start: { from: { seqNum: 0 } }, stop: { waitSecs: 0 } });
  let next = 0;
  for await (const { seqNum, body } of session) {
    if (seqNum !== next) wrong.push(`${name}: ${seqNum} follows ${next - 1}`);
    next = seqNum + 1;
    const expected = bodies.get(seqNum);
    if (expected !== undefined && expected !== body) wrong.push(`${name}: ${seqNum} is ${short(body)} in place of ${short(expected)}`);
    // Every body is sent once, and nothing is tried again.
    const before = seen.get(body);
    if (before !== undefined) wrong.push(`${name}: ${seqNum} repeats ${before}`);
    seen.set(body, seqNum);
  }
  for (const seqNum of bodies.keys()) if (seqNum >= next) wrong.push(`${name}: ${seqNum} is lost`);
  return wrong;
}

function short(body: string): string {
  return JSON.stringify(body.slice(0, 20));
}
