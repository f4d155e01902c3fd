// The metadata store behind the network; stale reads serve what was there before the last change.

import { MemoryMetadataStore } from '#core/adapters/memory/memory-metadata-store.ts';
import type { Key, MetadataStore, Write } from '#core/ports/metadata-store.ts';
import type { Audit } from '../audit.ts';
import type { Gate } from '../machine.ts';
import type { Network, Remote } from '../network.ts';
import type { Dice } from '../random.ts';
import type { Situations } from '../situations.ts';

const STALE_CHANGES_MAX = 5;

export interface Fate {
  /** It arrives once more, so much later. */
  readonly againMs?: number;
  /** It is under way for so much longer. */
  readonly lateMs?: number;
}

export class Metadata implements Remote {
  readonly name = 'metadata';
  latencyMs: { readonly min: number; readonly mean: number };
  readonly silentShare = 0;
  readonly timeoutMs = 400;
  isDark = false;
  slowness = 1;
  /** Share of stale reads that do not see the last change. */
  staleShare = 0;
  /** And of those, how many do not see the one before it either, and so on. */
  staleDeeper = 0;
  /** Told of every write of a channel's item that is sent; says how it fares. */
  onChannelWrite: ((machine: string, write: Write) => Fate) | undefined;
  /** Whose change of a channel's item was taken last. */
  channelWriter: string | undefined;
  /** Told of every read of a channel's item that arrives; it is answered once this resolves. */
  onChannelRead: ((machine: string) => Promise<void> | undefined) | undefined;
  /** Told of every stream that is made: whether its request arrives once more, so much later. */
  onCreation: (() => number | undefined) | undefined;
  /** The next look of this machine at the name of a stream is under way for so long. */
  lateLook: { readonly machine: string; readonly ms: number } | undefined;
  readonly store: MemoryMetadataStore;
  readonly #now: () => number;

  constructor(dice: Dice, situations: Situations, now: () => number) {
    this.#now = now;
    this.latencyMs = { min: 0.5, mean: 3 };
    this.store = new MemoryMetadataStore({
      staleBy: () => {
        if (!dice.chance(this.staleShare)) return 0;
        situations.count('stale read served');
        let unseen = 1;
        while (unseen < STALE_CHANGES_MAX && dice.chance(this.staleDeeper)) unseen += 1;
        if (unseen > 1) situations.count('stale read of more than one change ago');
        return unseen;
      },
    });
  }

  portFor(machine: string, gate: Gate, network: Network, audit: Audit): MetadataStore {
    const { store } = this;
    const read = <T>(apply: () => Promise<T>): Promise<T> => network.call(machine, gate, this, { isWrite: false }, apply);
    return {
      get: (key, consistency) => {
        const lateMs = this.#takeLateLook(machine, gate, key);
        return network.call(machine, gate, this, { isWrite: false, lateMs }, async () => {
          if (key.partition.startsWith('channel/')) await this.onChannelRead?.(machine);
          return await store.get(key, consistency);
        });
      },
      query: (partition, range, limit, consistency) => read(() => store.query(partition, range, limit, consistency)),
      commit: (writes) => {
        const [write] = writes;
        const apply = async () => {
          if (write?.key.partition.startsWith('channel/')) this.channelWriter = machine;
          const result = await store.commit(writes);
          audit.committed(writes, result);
          return result;
        };
        const fate = write?.key.partition.startsWith('channel/') ? this.onChannelWrite?.(machine, write) : undefined;
        const againMs = fate?.againMs ?? (isCreation(writes) ? this.onCreation?.() : undefined);
        // Only what arrived once arrives again: of what was throttled the caller is told that it never has an effect.
        let isRepeated = againMs === undefined;
        const arrived = (): ReturnType<typeof apply> => {
          if (!isRepeated && againMs !== undefined) network.again(this, againMs, apply);
          isRepeated = true;
          return apply();
        };
        return network.call(machine, gate, this, { isWrite: true, lateMs: fate?.lateMs ?? 0 }, arrived);
      },
    };
  }

  #takeLateLook(machine: string, gate: Gate, { partition }: Key): number {
    const { lateLook } = this;
    if (lateLook?.machine !== machine || !partition.startsWith('streams/')) return 0;
    this.lateLook = undefined;
    gate.keptWaitingUntil = this.#now() + lateLook.ms;
    return lateLook.ms;
  }
}

/** A stream is made where its name is free, and it was never made and removed before. */
function isCreation(writes: readonly Write[]): boolean {
  const [name] = writes;
  return name?.kind === 'put' && name.key.partition.startsWith('streams/') && name.when !== undefined && 'absent' in name.when;
}
