// A channel of the cell in this process: the same place, whoever owns it, and behind it one channel after the other.

import type { Channel } from '../channel/channel.ts';
import type { ChannelRegister } from '../metadata/channel-register.ts';
import type { ChannelId } from '../model/ids.ts';
import type { StorageClass } from '../model/stream-config.ts';
import type { ChunkLogs } from '../ports/chunk-log.ts';
import type { OwnedChannel, ZoneSet } from './cell.ts';

export interface SlotParts {
  readonly id: ChannelId;
  readonly zones: ZoneSet;
  readonly logs: ChunkLogs;
  readonly register: ChannelRegister;
  make(): Channel;
}

export class ChannelSlot implements OwnedChannel {
  readonly id: ChannelId;
  readonly zones: ZoneSet;
  readonly storageClass: StorageClass;
  readonly logs: ChunkLogs;
  readonly register: ChannelRegister;
  readonly #make: () => Channel;
  #channel: Channel;

  constructor({ id, zones, logs, register, make }: SlotParts) {
    this.id = id;
    this.zones = zones;
    this.storageClass = zones.storageClass;
    this.logs = logs;
    this.register = register;
    this.#make = make;
    this.#channel = make();
  }

  get channel(): Channel {
    return this.#channel;
  }

  /** Drains and releases what is there; then there is one that is not claimed yet. */
  async replace(): Promise<void> {
    await this.#channel.close();
    this.#channel = this.#make();
  }
}
