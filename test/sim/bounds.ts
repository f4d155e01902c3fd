// Looks whether every queue of a process keeps its bound, and, at the end, whether all of them have emptied.

import type { CellConfig, ChunkStoreKind } from '#core/cell/config.ts';
import type { Audit, Report } from './audit.ts';
import type { Process } from './process.ts';
import type { Situations } from './situations.ts';

/** Memory of a frame by its bytes, at most: a small one is about 100 bytes, and costs 512 more. */
const FRAME_COST_MAX = 7;
/** An append is let in below the bound, and may then go beyond it. */
const APPEND_BYTES_MAX = 4_096;
const WINDOWS_MAX = 2;

export class Bounds {
  readonly #config: CellConfig;
  readonly #kind: ChunkStoreKind;
  readonly #audit: Audit;
  readonly #situations: Situations;
  readonly #fail: Report;

  constructor(config: CellConfig, kind: ChunkStoreKind, audit: Audit, situations: Situations, fail: Report) {
    this.#config = config;
    this.#kind = kind;
    this.#audit = audit;
    this.#situations = situations;
    this.#fail = fail;
  }

  look(process: Process): void {
    const { backlogBytesMax, inFlightBytesMax, tailBytesMax, waitingBytesMax } = this.#config.channel;
    const inFlightMax = inFlightBytesMax + APPEND_BYTES_MAX;
    // Appends that were let in below the bound still arrive, and a small frame costs several times its bytes.
    const backlogMax = backlogBytesMax + FRAME_COST_MAX * inFlightMax;
    const zoneMax = WINDOWS_MAX * this.#kind.windowMax;
    for (const { channel } of process.cell.channels) {
      const { backlogBytes, heldBytes, waitingBytes, inFlightBytes, zoneChunks, zoneCalls } = channel.gauges;
      this.#check(process, 'bytes of records that wait for offload', backlogBytes, backlogMax);
      this.#check(process, 'bytes of records in memory', heldBytes, backlogMax + tailBytesMax);
      this.#check(process, 'bytes of appends that wait', waitingBytes, waitingBytesMax);
      this.#check(process, 'bytes in flight', inFlightBytes, inFlightMax);
      this.#check(process, 'chunks that a zone has yet to store', zoneChunks, zoneMax);
      this.#check(process, 'calls to a zone', zoneCalls, zoneMax);
      if (backlogBytes >= backlogBytesMax) this.#situations.count('bound met: bytes that wait for offload');
      if (inFlightBytes >= inFlightBytesMax) this.#situations.count('bound met: bytes in flight');
      if (2 * waitingBytes >= waitingBytesMax) this.#situations.count('half a bound met: appends that wait');
      if (zoneChunks === zoneMax) this.#situations.count('bound met: chunks that a zone has yet to store');
    }
    const { readBytes, usage } = process.cell.gauges;
    const { allReadsBytesMax } = this.#config.reader;
    const { minutesMax, streamsMax } = this.#config.usage;
    // A range that is larger than all that readers may hold goes alone.
    this.#check(process, 'bytes of segments that readers hold', readBytes, Math.max(allReadsBytesMax, this.#audit.rowBytesMax));
    this.#check(process, 'minutes of usage', usage.minutes, minutesMax);
    this.#check(process, 'streams to be sampled', usage.changedStreams, streamsMax);
    this.#check(process, 'streams that were sampled', usage.sampledStreams, streamsMax);
    this.#check(process, 'basins to be sampled', usage.changedBasins, streamsMax);
    if (2 * readBytes >= allReadsBytesMax) this.#situations.count('half a bound met: bytes that readers hold');
    if (usage.minutes === minutesMax) this.#situations.count('bound met: minutes of usage');
  }

  /** What is still held by a process that nobody asks for anything any more. */
  held(process: Process): string | undefined {
    for (const { channel } of process.cell.channels) {
      const { streams, heldBytes, backlogBytes, ...others } = channel.gauges;
      // Whoever lost a channel keeps what it held of it until it takes the channel over again.
      const gauges = channel.isReady ? { streams, heldBytes, backlogBytes, ...others } : others;
      for (const [name, value] of Object.entries(gauges)) if (value !== 0) return `${process.name} still has ${name} ${value}`;
    }
    const { readBytes } = process.cell.gauges;
    if (readBytes > 0) return `${process.name} still holds ${readBytes} bytes of segments for readers`;
    return undefined;
  }

  #check(process: Process, what: string, value: number, max: number): void {
    if (value > max || value < 0) this.#fail('bounds', `${process.name} has ${value} ${what}, ${max} are allowed`);
  }
}
