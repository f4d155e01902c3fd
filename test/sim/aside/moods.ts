// A stream whose configuration changes under its appends, and a basin whose defaults change under the streams that are made in it.
//
// What changes is how timestamps are taken. Records bring none, or one far ahead of every clock, each later than all before:
//   - without a timestamp a record is refused where the client must give one, and only there;
//   - one from the future is kept as it is where timestamps are the client's and uncapped, and only there.

import type { AppendSession, Service } from '#core/api/service.ts';
import type { AppendAck } from '#core/model/append.ts';
import type { Report } from '../audit.ts';
import { encodeBatch, type RecordToAppend } from '../bodies.ts';
import { MOODS } from '../catalog.ts';
import type { Client, ClientWorld } from '../client.ts';
import { START_MS } from '../machine.ts';
import type { Answer, Process } from '../process.ts';
import type { Dice } from '../random.ts';
import { Settings, type Stamping, type Timed } from './settings.ts';

const MOODY = 'moody';
const INITIAL: Stamping = { mode: 'client-prefer', uncapped: false };
/** Ahead of whatever any clock of a run may show. */
const FUTURE_MS = START_MS + 1e9;
/** Streams that are made in one run to see the defaults of their basin. */
const MADE_MAX = 6;

/** How a call went, and when. */
export type Moment<T> = Timed & { readonly answer: Answer<T> };

export class Moods {
  readonly stream = new Settings('the stream', INITIAL);
  readonly basin = new Settings('the basin', INITIAL);
  #made = 0;
  #future = FUTURE_MS;

  /** Once the run is over. */
  check(report: Report): void {
    this.stream.check(report);
    this.basin.check(report);
  }

  /** A name that no stream had before; undefined: enough were made. */
  nextName(): string | undefined {
    this.#made += 1;
    return this.#made > MADE_MAX ? undefined : `made-${this.#made}`;
  }

  nextFuture(): number {
    this.#future += 1_000;
    return this.#future;
  }
}

type MoodWorld = Pick<ClientWorld, 'loop' | 'situations' | 'fail'> & { readonly moods: Moods; readonly record: () => RecordToAppend };

/** One client's calls. */
export class MoodyCalls {
  readonly #client: Client;
  readonly #world: MoodWorld;
  #session: { readonly process: Process; readonly session: AppendSession } | undefined;

  constructor(client: Client, world: MoodWorld) {
    this.#client = client;
    this.#world = world;
  }

  /** Makes the stream: true once it is there. */
  async setUp(): Promise<boolean> {
    const { kind } = await this.#client.aside((service) => service.streams.ensure(MOODS, MOODY, { timestamping: INITIAL }));
    return kind === 'value';
  }

  async call(): Promise<void> {
    const drawn = this.#client.dice.between(1, 12);
    if (drawn <= 4) await this.#change();
    else if (drawn <= 6) await this.#append();
    else if (drawn <= 9) await this.#appendInSession();
    else if (drawn === 10) await this.#readBack();
    else if (drawn === 11) await this.#changeBasin();
    else await this.#make();
  }

  async #change(): Promise<void> {
    const { moods, situations } = this.#world;
    const to = drawStamping(this.#client.dice);
    const isWhole = this.#client.dice.chance(0.3);
    const moment = await this.#timed(async (service) => {
      if (!isWhole) return (await service.streams.reconfigure(MOODS, MOODY, { timestamping: to })).timestamping;
      return (await service.streams.ensure(MOODS, MOODY, { timestamping: to, retention: 'infinite' })).info.config.timestamping;
    });
    if (this.#changed(moods.stream, moment, to)) situations.count('configuration changed');
  }

  async #changeBasin(): Promise<void> {
    const { moods, situations } = this.#world;
    const to = drawStamping(this.#client.dice);
    const patch = { defaultStreamConfig: { timestamping: to, retention: 'infinite' } } as const;
    const moment = await this.#timed(async (service) => (await service.basins.reconfigure(MOODS, patch)).defaultStreamConfig?.timestamping);
    if (this.#changed(moods.basin, moment, to)) situations.count('basin configuration changed');
  }

  #changed(settings: Settings, { answer, began, ended }: Moment<Partial<Stamping> | undefined>, to: Stamping): boolean {
    const { situations, fail } = this.#world;
    if (answer.kind === 'not-sent' || (answer.kind === 'error' && answer.error.effect === 'none')) return false;
    const isKnown = answer.kind === 'value';
    settings.changed({ began, ended, to, isKnown });
    if (!isKnown) situations.count('configuration change ended unknown');
    else if (!isSame(answer.value, to))
      fail('configuration', `${JSON.stringify(to)} was asked for, and ${JSON.stringify(answer.value)} answered`);
    return isKnown;
  }

  /** What is read is what was set. */
  async #readBack(): Promise<void> {
    const { moods } = this.#world;
    const stream = await this.#timed(async (service) => (await service.streams.get(MOODS, MOODY)).config.timestamping);
    this.#sawStamping(moods.stream, stream, 'was read as');
    const basin = await this.#timed(
      async (service) => (await service.basins.get(MOODS)).config.defaultStreamConfig?.timestamping ?? INITIAL,
    );
    this.#sawStamping(moods.basin, basin, 'was read as');
  }

  /** A new stream is made by the defaults of its basin. */
  async #make(): Promise<void> {
    const { moods } = this.#world;
    const name = moods.nextName();
    if (name === undefined) return;
    const moment = await this.#timed(async (service) => (await service.streams.create(MOODS, name, {})).info.config.timestamping);
    this.#sawStamping(moods.basin, moment, 'made a stream with');
  }

  #sawStamping(settings: Settings, { answer, began, ended }: Moment<Partial<Stamping>>, how: string): void {
    if (answer.kind !== 'value') return;
    const { value } = answer;
    settings.saw({ began, ended, what: `${how} ${JSON.stringify(value)}`, fits: (stamping) => isSame(value, stamping) });
  }

  async #append(): Promise<void> {
    const { batch, timestamp } = this.#batch();
    this.#appended(await this.#timed((service) => service.append({ basin: MOODS, stream: MOODY, request: {} }, batch, {})), timestamp);
  }

  /** Opened once, on the process that was the owner then; it holds what it found of the stream for as long as that lasts. */
  async #appendInSession(): Promise<void> {
    const { process, session } = this.#session ?? {};
    if (process === undefined || session === undefined || !process.isUp) {
      this.#session = undefined;
      const opened = await this.#client.aside(async (service, on) => ({
        process: on,
        session: await service.openAppendSession({ basin: MOODS, stream: MOODY, request: {} }),
      }));
      if (opened.kind === 'value') this.#session = opened.value;
      return;
    }
    const { batch, timestamp } = this.#batch();
    const moment = await this.#timed(() => session.submit(batch, {}), process);
    this.#appended(moment, timestamp);
    if (moment.answer.kind !== 'value') this.#session = undefined;
  }

  #batch(): { readonly batch: ReturnType<typeof encodeBatch>; readonly timestamp: number | undefined } {
    const { moods, record } = this.#world;
    const timestamp = this.#client.dice.chance(0.5) ? moods.nextFuture() : undefined;
    const drawn = record();
    return { batch: encodeBatch([timestamp === undefined ? drawn : ({ ...drawn, timestamp } as RecordToAppend)]), timestamp };
  }

  #appended({ answer, began, ended }: Moment<AppendAck>, timestamp: number | undefined): void {
    const { moods, situations } = this.#world;
    const saw = (what: string, fits: (stamping: Stamping) => boolean): void => moods.stream.saw({ began, ended, what, fits });
    if (answer.kind === 'error' && answer.error.code === 'invalid') {
      situations.count('append refused by a changed configuration');
      if (timestamp === undefined) saw('a record without a timestamp was refused', ({ mode }) => mode === 'client-require');
      else saw('a record with a timestamp was refused', () => false);
    }
    if (answer.kind !== 'value') return;
    if (timestamp === undefined) {
      saw('a record without a timestamp was taken', ({ mode }) => mode !== 'client-require');
      return;
    }
    const given = Number(answer.value.start.timestamp);
    // Raised to what another append had brought: it says nothing of this one.
    if (given > timestamp) return;
    const isKept = given === timestamp;
    situations.count(isKept ? 'timestamp beyond the clock kept' : 'timestamp beyond the clock capped');
    saw(
      `a timestamp of the future was ${isKept ? 'kept' : 'not kept'}`,
      ({ mode, uncapped }) => isKept === (mode !== 'arrival' && uncapped),
    );
  }

  async #timed<T>(handle: (service: Service) => Promise<T>, only?: Process): Promise<Moment<T>> {
    const { loop } = this.#world;
    const began = loop.now;
    const answer = await this.#client.aside(handle, only);
    return { answer, began, ended: loop.now };
  }
}

function drawStamping(dice: Dice): Stamping {
  return { mode: dice.pick(['client-prefer', 'client-require', 'arrival'] as const), uncapped: dice.chance(0.5) };
}

function isSame(one: Partial<Stamping> | undefined, { mode, uncapped }: Stamping): boolean {
  return one?.mode === mode && one.uncapped === uncapped;
}
