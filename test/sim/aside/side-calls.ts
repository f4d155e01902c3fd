// What two clients do beside all others, on streams of their own: write to one whose records go by age, leave one alone that then
// deletes itself, and change configurations (moods.ts). No history holds these calls: each stream has its own check.

import type { SeqNum } from '#core/model/ids.ts';
import { appended, encodeBatch, type RecordToAppend, recordsOf } from '../bodies.ts';
import { BASIN } from '../catalog.ts';
import type { Client, ClientWorld } from '../client.ts';
import { AGED, AGED_CONFIG, type Aged } from './aged.ts';
import { BRIEF, BRIEF_CONFIG, type Brief } from './brief.ts';
import { type Moods, MoodyCalls } from './moods.ts';

/** What the side calls of a run share. */
export interface Aside {
  readonly brief: Brief;
  readonly aged: Aged;
  readonly moods: Moods;
}

export interface SideWorld extends Pick<ClientWorld, 'loop' | 'situations' | 'fail' | 'aside'> {
  readonly record: () => RecordToAppend;
}

const CALLS_MAX = 26;
/** About as long as the brief stream takes to be due: its records' age, its minimum age, and the most by which clocks differ. */
const DUE_MS = { min: 3_200, max: 7_000 };

export class SideCalls {
  readonly #client: Client;
  readonly #world: SideWorld;
  readonly #moody: MoodyCalls;

  constructor(client: Client, world: SideWorld) {
    this.#client = client;
    this.#world = world;
    this.#moody = new MoodyCalls(client, { ...world, moods: world.aside.moods });
  }

  /** Makes the streams; asked again until they are there. */
  async setUp(): Promise<void> {
    for (;;) {
      const made = await Promise.all([
        this.#moody.setUp(),
        this.#client.aside((service) => service.streams.ensure(BASIN, AGED, AGED_CONFIG)).then(({ kind }) => kind === 'value'),
        this.#client.aside((service) => service.streams.ensure(BASIN, BRIEF, BRIEF_CONFIG)).then(({ kind }) => kind === 'value'),
      ]);
      if (made.every((isMade) => isMade)) return;
      await this.#world.loop.sleep(50);
    }
  }

  /** Changes of configuration, and a stream whose records age. */
  async run(durationMs: number, hasBudget: () => boolean): Promise<void> {
    const { dice } = this.#client;
    const { loop } = this.#world;
    const pauseMs = (0.9 * durationMs) / CALLS_MAX;
    await loop.sleep(dice.range(0, pauseMs));
    for (let i = 0; i < CALLS_MAX && hasBudget(); i += 1) {
      const drawn = dice.between(1, 10);
      if (drawn === 1) await this.#appendAged();
      else if (drawn === 2) await this.#readAged();
      else await this.#moody.call();
      await loop.sleep(Math.min(4_000, dice.chance(0.5) ? dice.gap(10) : dice.gap(2 * pauseMs)));
    }
  }

  /** Writes to the brief stream, and comes back about when it is due to go. */
  async leaveAlone(hasBudget: () => boolean): Promise<void> {
    const { dice } = this.#client;
    const { loop } = this.#world;
    await loop.sleep(dice.range(0, 1_000));
    while (hasBudget()) {
      await this.#useBrief();
      if (dice.chance(0.4)) await this.#useBrief();
      await loop.sleep(dice.range(DUE_MS.min, DUE_MS.max));
    }
  }

  /** The brief stream's seal is on the way. */
  async meetSeal(): Promise<void> {
    await this.#world.loop.sleep(this.#client.dice.gap(4));
    await this.#useBrief();
  }

  async #useBrief(): Promise<void> {
    const { aside, record, loop } = this.#world;
    const began = loop.now;
    const batch = encodeBatch([record()]);
    const answer = await this.#client.aside((service) => service.append({ basin: BASIN, stream: BRIEF, request: {} }, batch, {}));
    if (answer.kind === 'value') aside.brief.acknowledged(began, answer.value.end.seqNum);
    if (answer.kind !== 'error') return;
    const { code } = answer.error;
    if (code === 'stream_deletion_pending' || code === 'stream_not_found') aside.brief.refused(began);
    if (code === 'stream_not_found') await this.#client.aside((service) => service.streams.create(BASIN, BRIEF, BRIEF_CONFIG));
  }

  async #appendAged(): Promise<void> {
    const { aside, record } = this.#world;
    const drawn = record();
    const answer = await this.#client.aside((service) =>
      service.append({ basin: BASIN, stream: AGED, request: {} }, encodeBatch([drawn]), {}),
    );
    if (answer.kind === 'value') aside.aged.acknowledged(answer.value.start.seqNum, appended(drawn).hash);
  }

  async #readAged(): Promise<void> {
    const { aged } = this.#world.aside;
    const from = this.#client.dice.between(0, aged.tail);
    const answer = await this.#client.aside(async (service) => {
      const request = { start: { kind: 'seqNum', seqNum: from as SeqNum } as const, clamp: true };
      const session = await service.openRead({ basin: BASIN, stream: AGED, request: {} }, request, 'unary');
      try {
        return await session.next();
      } finally {
        session.close();
      }
    });
    if (answer.kind === 'value' && answer.value !== 'end') aged.read(from, recordsOf(answer.value));
  }
}
