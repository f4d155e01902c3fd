// Whether a zone may be damaged: the store survives the loss of any one zone, and of another one only once the first is repaired.
//
// It is repaired when nothing is left that needs it: every log that was open when the zone was damaged is offloaded, and those that
// came later have three zones again. From outside nobody can tell, so this looks into the metadata of a server that is down.

import { copyFile, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { SqliteItems } from '#core/adapters/node/sqlite-items.ts';
import { decodeChannel } from '#core/metadata/codec.ts';
import { type ChannelState, channelKey } from '#core/metadata/schema.ts';
import { channelId } from '#core/model/ids.ts';
import type { Zone } from '#test/crash/damage.ts';

const EXPRESS = channelId('express-0');
const ZONES_COUNT = 3;

export class ZoneCare {
  readonly #dataDir: string;
  #victim: Zone | undefined;
  /** The epoch when the victim was last damaged. */
  #epoch = 0;

  constructor(dataDir: string) {
    this.#dataDir = dataDir;
  }

  /** Whether losing `zone` now is something the store promises to survive. */
  async mayDamage(zone: Zone): Promise<boolean> {
    if (this.#victim === undefined || this.#victim === zone) return true;
    const state = await this.#state();
    if (state === undefined) return false;
    return state.logs.every(
      (log) => (log.end !== undefined && log.base >= log.end) || (log.epoch > this.#epoch && log.zones.length >= ZONES_COUNT),
    );
  }

  async damaged(zone: Zone): Promise<void> {
    this.#victim = zone;
    this.#epoch = (await this.#state())?.epoch ?? 0;
  }

  /** What M says; from a copy, so that what a crash left is recovered by the server and not by this. */
  async #state(): Promise<ChannelState | undefined> {
    const folder = await mkdtemp(path.join(tmpdir(), 'millrace-chaos-'));
    try {
      const copy = path.join(folder, 'metadata.db');
      await copyFile(path.join(this.#dataDir, 'metadata.db'), copy);
      await copyFile(path.join(this.#dataDir, 'metadata.db-wal'), `${copy}-wal`).catch(() => undefined);
      const items = new SqliteItems(copy, 'write');
      const item = items.get(channelKey(EXPRESS));
      items.close();
      return item === undefined ? undefined : decodeChannel(EXPRESS, item);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  }
}
