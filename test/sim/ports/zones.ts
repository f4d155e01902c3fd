// Three zones of chunks: the memory adapter behind the network, and what disks do: fill up, tear, lose everything.

import { MemoryChunkStore } from '#core/adapters/memory/memory-chunk-store.ts';
import { zlibChecksum } from '#core/adapters/node/zlib-checksum.ts';
import type { ZoneSet } from '#core/cell/cell.ts';
import type { ChunkStoreKind } from '#core/cell/config.ts';
import { decodeChunk, decodeChunkHeader } from '#core/format/chunk.ts';
import { StoreError } from '#core/model/errors.ts';
import { channelId, epoch, type LogId, logName, type Position, type ZoneId, zoneId } from '#core/model/ids.ts';
import type { ChunkStore } from '#core/ports/chunk-store.ts';
import type { Audit } from '../audit.ts';
import type { Gate } from '../machine.ts';
import type { Network, Remote } from '../network.ts';
import type { Dice } from '../random.ts';
import type { Situations } from '../situations.ts';

export const ZONES_COUNT = 3;
const PAGE_MAX = 5;

/** What one slot holds now; a wiped zone is replaced by another, of a new identity. */
export class Zone implements Remote {
  readonly name: string;
  readonly slot: number;
  readonly store: MemoryChunkStore;
  readonly latencyMs = { min: 0.3, mean: 2 };
  readonly silentShare = 0.5;
  readonly timeoutMs = 300;
  isDark = false;
  slowness = 1;
  isGone = false;
  /** Bytes were torn at rest: what it says of old logs counts as lost. */
  isDamaged = false;

  constructor(slot: number, generation: number) {
    this.slot = slot;
    this.name = `zone-${slot}`;
    this.store = new MemoryChunkStore({ zone: zoneId(`zone-${slot}-${generation}`), checksum: zlibChecksum, pageMax: PAGE_MAX });
  }
}

export interface StoredChunk {
  readonly log: LogId;
  readonly at: Position;
  readonly bytes: Uint8Array;
}

export class Zones {
  /** Probability that a put tears, and is not answered: the store died while it wrote. */
  tornWrites = 0;
  mayTear: () => boolean = () => true;
  readonly #dice: Dice;
  readonly #network: Network;
  readonly #audit: Audit;
  readonly #situations: Situations;
  #current: Zone[];
  #generation = 0;

  constructor(dice: Dice, network: Network, audit: Audit, situations: Situations) {
    this.#dice = dice;
    this.#network = network;
    this.#audit = audit;
    this.#situations = situations;
    this.#current = Array.from({ length: ZONES_COUNT }, (_, slot) => new Zone(slot, 0));
  }

  get current(): readonly Zone[] {
    return this.#current;
  }

  isSealedSomewhere(log: LogId, at: Position): boolean {
    return this.#current.some(({ store }) => {
      const bytes = store.stored.get(logName(log))?.get(at);
      return bytes !== undefined && decodeChunkHeader(bytes, zlibChecksum)?.kind === 'seal';
    });
  }

  /** Everything in the slot is gone; an empty zone of another identity stands there. */
  wipe(slot: number): void {
    this.#generation += 1;
    const fresh = new Zone(slot, this.#generation);
    const gone = this.#current[slot];
    if (gone !== undefined) {
      gone.isGone = true;
      gone.store.stored.clear();
      fresh.isDark = gone.isDark;
      fresh.slowness = gone.slowness;
    }
    this.#current = this.#current.map((zone) => (zone.slot === slot ? fresh : zone));
  }

  /** The zones as a process reaches them. */
  setFor(machine: string, gate: Gate, kind: ChunkStoreKind): ZoneSet {
    const stores = new Map<ZoneId, ChunkStore>();
    const storeOf = (zone: Zone): ChunkStore => {
      const known = stores.get(zone.store.zone);
      if (known !== undefined) return known;
      const made = this.#storeFor(machine, gate, zone);
      stores.set(zone.store.zone, made);
      return made;
    };
    return {
      storageClass: 'express',
      kind,
      stores: () => this.#current.map(storeOf),
      currentZones: () => this.#current.map((zone) => zone.store.zone),
    };
  }

  #storeFor(machine: string, gate: Gate, zone: Zone): ChunkStore {
    const { store } = zone;
    const call = <T>(isWrite: boolean, apply: () => Promise<T>): Promise<T> =>
      this.#network.call(machine, gate, zone, { isWrite }, async () => {
        if (zone.isGone) throw new StoreError('unavailable', 'none', `${zone.name} is gone`);
        return await apply();
      });
    return {
      zone: store.zone,
      isWritable: true,
      put: (log, at, chunk) => {
        this.#audit.stored(zone.name, [chunk]);
        return call(true, () => this.#put(zone, log, at, chunk));
      },
      seal: (log, at, over) => call(true, () => store.seal(log, at, over)),
      get: (log, at, part) => call(false, () => store.get(log, at, part)),
      list: (log, cursor) => call(false, () => store.list(log, cursor)),
      logs: (cursor) => call(false, () => store.logs(cursor)),
      delete: (log, range) =>
        call(true, async () => {
          const chunks = store.stored.get(logName(log));
          for (const [at, bytes] of chunks ?? []) {
            if (at >= range.start && at < range.end) this.#audit.chunkDeleted(zone.name, log, at, bytes);
          }
          await store.delete(log, range);
        }),
    };
  }

  async #put(zone: Zone, log: LogId, at: Position, chunk: Uint8Array): Promise<'stored' | 'occupied'> {
    const isTorn = this.#dice.chance(this.tornWrites) && this.mayTear();
    const answer = await zone.store.put(log, at, chunk);
    if (!isTorn && answer === 'stored') for (const act of this.#audit.onStored) act(zone.store.zone, log, at, chunk);
    if (!isTorn || answer !== 'stored') return answer;
    damage(zone.store, log, at, this.#dice, this.#situations);
    this.#situations.count('torn write');
    throw new StoreError('storage', 'unknown', `${zone.name} broke off a write`);
  }
}

/** What a broken disk or a broken write leaves of a chunk: a byte is another one, the end is missing, or never came. */
export function damage(store: MemoryChunkStore, log: LogId, at: Position, dice: Dice, situations: Situations): void {
  const chunks = store.stored.get(logName(log));
  const bytes = chunks?.get(at);
  if (chunks === undefined || bytes === undefined) return;
  const from = dice.between(0, bytes.length - 1);
  const how = dice.pick(['flipped', 'flipped', 'short', 'zeros'] as const);
  const left = how === 'zeros' ? bytes.slice().fill(0, from) : bytes.slice(0, from);
  // Where there were zeros, nothing is lost.
  if (how === 'flipped' || decodeChunk(left, zlibChecksum) !== undefined) {
    store.tear(log, at, from);
    situations.count('chunk flipped');
    return;
  }
  chunks.set(at, left);
  situations.count(how === 'short' ? 'chunk cut short' : 'chunk with zeros at its end');
}

/** Everything that a zone holds. */
export function* chunksIn(zone: Zone): Generator<StoredChunk> {
  for (const [name, chunks] of zone.store.stored) {
    const slash = name.lastIndexOf('/');
    const log = { channel: channelId(name.slice(0, slash)), epoch: epoch(Number(name.slice(slash + 1))) };
    for (const [at, bytes] of chunks) yield { log, at, bytes };
  }
}
