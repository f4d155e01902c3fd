// The machine that the server runs on: it can be switched off and on, frozen, and its clock can be set.

import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { newServer, type Server } from '#test/support/server.ts';
import { SmallDisks } from '#test/support/small-disks.ts';

const ROOT = path.join(import.meta.dirname, '../..');
const READY_TIMEOUT_MS = 60_000;
const FLAGS = [
  '--max-semi-space-size=128',
  '--external-memory-accounted-in-global-limit',
  `--import=${path.join(import.meta.dirname, 'shifted-clock.ts')}`,
];

/** In MiB. With a small backlog the zones fit into theirs. */
const DISKS = { '.': 64, zones: 330, segments: 256, chunks: 64 } as const;
const SMALL = { MILLRACE_BACKLOG_MIB: '8' };
/** As it is spelled in the environment; empty: as much as there is. */
const STORE_MAX = 'MILLRACE_STORE_MAX_MIB';

export type Disk = keyof typeof DISKS;
export const DISK_NAMES = Object.keys(DISKS) as readonly Disk[];

export type Power = 'up' | 'frozen' | 'down';

export class Machine {
  /** The data folder as this process sees it. */
  readonly dataDir: string;
  readonly #disks: SmallDisks | undefined;
  readonly #full = new Set<Disk>();
  readonly #server: Server;
  readonly #clockFile: string;
  /** Of the next start. */
  readonly #env: Record<string, string>;
  #power: Power = 'down';
  #shiftMs = 0;
  readonly #warnings = new Map<string, number>();
  #heard = 0;
  #onAlarm: (message: string) => void = () => undefined;

  private constructor(server: Server, env: Record<string, string>, clockFile: string, disks: SmallDisks | undefined) {
    this.#env = env;
    this.#server = server;
    this.#clockFile = clockFile;
    this.#disks = disks;
    this.dataDir = disks?.dataDir ?? server.dataDir;
  }

  /**
   * @param dir where the data folder and the clock lie; it must be there.
   * @param hasSmallDisks whether the data folder lies on small disks of its own, which can be filled.
   */
  static async build(dir: string, hasSmallDisks: boolean): Promise<Machine> {
    const dataDir = path.join(dir, 'data');
    const clockFile = path.join(dir, 'clock');
    await mkdir(dataDir, { recursive: true });
    await writeFile(clockFile, '0');
    const disks = hasSmallDisks ? await SmallDisks.mount(dataDir, DISKS) : undefined;
    const start = disks?.command.slice(0, -1) ?? [process.execPath];
    const env = { CHAOS_CLOCK_FILE: clockFile, ...SMALL, [STORE_MAX]: '' };
    const server = await newServer({
      dataDir,
      readyTimeoutMs: READY_TIMEOUT_MS,
      env,
      command: [start[0] ?? '', ...start.slice(1), ...FLAGS, path.join(ROOT, 'functions/local/main.ts')],
    });
    return new Machine(server, env, clockFile, disks);
  }

  get url(): string {
    return this.#server.url;
  }

  get power(): Power {
    return this.#power;
  }

  get output(): string {
    return this.#server.output;
  }

  /** What servers warned of, by event: how often. */
  warnings(): ReadonlyMap<string, number> {
    this.#listen();
    return this.#warnings;
  }

  get shiftMs(): number {
    return this.#shiftMs;
  }

  /** Told when the process ends without having been asked to, or breaks an invariant. */
  onAlarm(handler: (message: string) => void): void {
    this.#onAlarm = handler;
  }

  async start(): Promise<void> {
    this.spawn();
    await this.#server.ready();
    this.#power = 'up';
  }

  /** Starts the process without waiting for it to be ready. */
  spawn(): void {
    this.#listen();
    this.#server.spawn();
    this.#heard = 0;
    const { pid } = this.#server;
    void this.#server.exited.then(({ code, signal }) => {
      if (this.#power === 'down' || this.#server.pid !== pid) return;
      this.#power = 'down';
      this.#onAlarm(`the server ended by itself, with ${code ?? signal}`);
    });
  }

  async kill(): Promise<void> {
    this.#power = 'down';
    await this.#server.kill();
  }

  /** SIGTERM. @throws when it does not end well */
  async stop(): Promise<void> {
    this.#power = 'down';
    const exit = await this.#server.stop();
    if (exit.code !== 0) throw new Error(`SIGTERM ended the server with ${exit.code ?? exit.signal}`);
  }

  freeze(): void {
    this.#signal('SIGSTOP');
    this.#power = 'frozen';
  }

  thaw(): void {
    if (this.#power !== 'frozen') return;
    this.#signal('SIGCONT');
    this.#power = 'up';
  }

  /** Sets the wall clock of the server to the true time and this much. */
  async shiftClock(ms: number): Promise<void> {
    this.#shiftMs = ms;
    await writeFile(this.#clockFile, String(ms));
  }

  get hasSmallDisks(): boolean {
    return this.#disks !== undefined;
  }

  /** What each store may take from the next start on, in MiB; undefined: as much as there is. */
  get storeMaxMib(): number | undefined {
    const mib = this.#env[STORE_MAX];
    return mib === '' || mib === undefined ? undefined : Number(mib);
  }

  set storeMaxMib(mib: number | undefined) {
    this.#env[STORE_MAX] = mib === undefined ? '' : String(mib);
  }

  /** The disks that have no page left. */
  get full(): ReadonlySet<Disk> {
    return this.#full;
  }

  async fill(disk: Disk): Promise<void> {
    this.#full.add(disk);
    await this.#disks?.fill(disk);
  }

  async empty(): Promise<void> {
    for (const disk of this.#full) await this.#disks?.empty(disk);
    this.#full.clear();
  }

  /** What the server says of itself, by name and labels. */
  async metrics(): Promise<ReadonlyMap<string, number>> {
    const text = await (await fetch(`${this.url}/metrics`, { signal: AbortSignal.timeout(5_000) })).text();
    const values = new Map<string, number>();
    for (const match of text.matchAll(/^(\w+(?:\{.*\})?) (\S+)$/gm)) values.set(match[1] ?? '', Number(match[2]));
    return values;
  }

  async dispose(): Promise<void> {
    this.#power = 'down';
    await this.#server.kill();
    this.#disks?.unmount();
  }

  #signal(signal: NodeJS.Signals): void {
    if (this.#server.pid === 0) throw new Error('there is no server to signal');
    process.kill(this.#server.pid, signal);
  }

  /** Reads what the server has printed since it was last read; a broken invariant is told at once. */
  #listen(): void {
    const news = this.#server.output.slice(this.#heard);
    this.#heard = this.#server.output.length;
    for (const [, event = ''] of news.matchAll(/^\{"level":[456]0,.*?"event":"([^"]+)"/gm)) {
      this.#warnings.set(event, (this.#warnings.get(event) ?? 0) + 1);
    }
    const broken = /InvariantError[^"\n]*/.exec(news);
    if (broken !== null) this.#onAlarm(`the server broke a rule of its own: ${broken[0]}`);
  }
}
