import { setTimeout as sleep } from 'node:timers/promises';
import { fc, test } from '@fast-check/vitest';
import { describe, expect } from 'vitest';
import type { Channel } from '#core/channel/channel.ts';
import type { AppendSession } from '#core/channel/turns.ts';
import { refused, StoreError } from '#core/model/errors.ts';
import type { SeqNum } from '#core/model/ids.ts';
import { batch, bodies, refOf, World } from './world.ts';

const STREAMS = [1, 2, 3].map(refOf);

interface Outcome {
  readonly stream: number;
  readonly body: string;
  readonly session: AppendSession;
  readonly at?: number;
  readonly effect?: 'none' | 'unknown';
}

const step = fc.oneof(
  { weight: 8, arbitrary: fc.record({ kind: fc.constant('append' as const), stream: fc.nat(2), count: fc.integer({ min: 1, max: 6 }) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('conditional' as const), stream: fc.nat(2), seqNum: fc.nat(20) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('fault' as const), zone: fc.nat(2), fault: fc.nat(4) }) },
  { weight: 5, arbitrary: fc.record({ kind: fc.constant('sleep' as const), ms: fc.nat(8) }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('outage' as const), isOver: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('takeover' as const) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('close' as const) }) },
);

type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

/** 0: healthy. 1: full. 2: away. 3: slow. 4: applied, and the answer lost, every other time. */
function setFault(world: World, index: number, fault: number): void {
  const zone = world.zones[index];
  if (zone === undefined) return;
  let calls = 0;
  const lose = (): void => {
    calls += 1;
    if (fault === 2 || calls % 2 === 0) throw new StoreError('unavailable', 'unknown', 'no answer');
  };
  zone.capacityBytes = fault === 1 ? 0 : Number.POSITIVE_INFINITY;
  zone.faults = [undefined, undefined, { before: lose }, { before: () => sleep(3) }, { after: lose }][fault];
}

class History {
  readonly world = new World();
  readonly outcomes: Promise<Outcome>[] = [];
  readonly channels: Channel[] = [];
  readonly openings: Promise<void>[] = [];
  sessions: AppendSession[] = STREAMS.map(() => ({}));
  #count = 0;

  open(): void {
    const channel = this.world.channel({ inFlightBytesMax: 600, waitingBytesMax: 1_500 });
    this.channels.push(channel);
    this.openings.push(channel.open('lock'));
    this.sessions = STREAMS.map(() => ({}));
  }

  /** Opens another channel over the one before, and goes on once it is ready, or not much later. */
  async take(): Promise<void> {
    this.open();
    await Promise.race([this.openings.at(-1), sleep(20)]);
  }

  append(stream: number, matchSeqNum?: number): void {
    const channel = this.channels.at(-1);
    const ref = STREAMS[stream];
    if (channel === undefined || ref === undefined) throw refused('other', 'no channel');
    if (this.sessions[stream]?.failed !== undefined) this.sessions[stream] = {};
    const session = this.sessions[stream] ?? {};
    this.#count += 1;
    const body = `${this.#count}`;
    const conditions = matchSeqNum === undefined ? {} : { matchSeqNum: matchSeqNum as SeqNum };
    const outcome = channel.append(ref, batch(body), conditions, session).then(
      ({ start, end, tail }): Outcome => {
        expect(end.seqNum).toBe(start.seqNum + 1);
        expect(tail.seqNum).toBeGreaterThanOrEqual(end.seqNum);
        return { stream, body, session, at: start.seqNum };
      },
      (error: unknown): Outcome => {
        if (!(error instanceof StoreError)) throw error;
        return { stream, body, session, effect: error.effect };
      },
    );
    outcome.catch(() => undefined);
    this.outcomes.push(outcome);
  }

  async run(one: Step): Promise<void> {
    if (one.kind === 'append') for (let i = 0; i < one.count; i += 1) this.append(one.stream);
    else if (one.kind === 'conditional') this.append(one.stream, one.seqNum);
    else if (one.kind === 'fault') setFault(this.world, one.zone, one.fault);
    else if (one.kind === 'sleep') await sleep(one.ms);
    else if (one.kind === 'outage') for (const zone of [1, 2]) setFault(this.world, zone, one.isOver ? 0 : 1);
    else {
      if (one.kind === 'close') void this.channels.at(-1)?.close();
      await this.take();
    }
  }

  /** Heals everything, and reads each stream under one last owner. */
  async end(): Promise<{ readonly outcomes: readonly Outcome[]; readonly found: readonly (readonly string[])[] }> {
    for (const zone of this.world.zones.keys()) setFault(this.world, zone, 0);
    this.open();
    for (const channel of this.channels.slice(0, -1)) await channel.close();
    await Promise.all(this.openings);
    const last = this.channels.at(-1);
    if (last === undefined) throw refused('other', 'no channel');
    const outcomes = await Promise.all(this.outcomes);
    const found = await Promise.all(STREAMS.map((ref) => bodies(last, ref)));
    expect(await last.append(refOf(9), batch('still works'), {})).toMatchObject({ start: { seqNum: 0 } });
    await last.close();
    return { outcomes, found };
  }
}

describe('a history of appends, faults and takeovers', () => {
  test.prop([fc.array(step, { minLength: 5, maxLength: 40 })], { numRuns: 60 })(
    'L4: what was acknowledged is there once, at its number; what was refused with effect none is not; sessions keep their order',
    async (steps) => {
      const history = new History();
      await history.take();
      for (const one of steps) await history.run(one);
      const { outcomes, found } = await history.end();
      for (const [stream, list] of found.entries()) {
        expect(new Set(list).size).toBe(list.length);
        const mine = outcomes.filter((outcome) => outcome.stream === stream);
        for (const { body, at, effect } of mine) {
          if (at !== undefined) expect(list[at]).toBe(body);
          if (effect === 'none') expect(list).not.toContain(body);
        }
        for (const session of new Set(mine.map((outcome) => outcome.session))) {
          const inOrder = mine.filter((outcome) => outcome.session === session);
          const places = inOrder.map(({ body }) => list.indexOf(body)).filter((place) => place >= 0);
          expect(places).toEqual([...places].sort((a, b) => a - b));
          const failed = inOrder.findIndex(({ effect }) => effect === 'none');
          if (failed >= 0) expect(inOrder.slice(failed).filter(({ body }) => list.includes(body))).toEqual([]);
          const doubtful = inOrder.findIndex(({ at }) => at === undefined);
          if (doubtful >= 0) expect(inOrder.slice(doubtful).filter(({ at }) => at !== undefined)).toEqual([]);
        }
      }
    },
    60_000,
  );
});
