// The metadata store as the rest of the cell uses it: typed, and checked by transitions.ts on every write.

import type { ChannelId } from '../model/ids.ts';
import type { OwnerAddress } from '../model/owner-address.ts';
import type { Clock } from '../ports/clock.ts';
import type { MetadataStore } from '../ports/metadata-store.ts';
import type { Random } from '../ports/random.ts';
import { AccessTokens } from './access-tokens.ts';
import { Basins } from './basins.ts';
import { ChannelRegister } from './channel-register.ts';
import { Doubt } from './doubt.ts';
import { JobRuns } from './job-runs.ts';
import { SegmentIndex } from './segment-index.ts';
import { Streams } from './streams.ts';
import { Tasks } from './tasks.ts';
import { Usage } from './usage.ts';

export class Repository {
  readonly basins: Basins;
  readonly streams: Streams;
  readonly segments: SegmentIndex;
  readonly accessTokens: AccessTokens;
  readonly doubt: Doubt;
  readonly usage: Usage;
  readonly tasks: Tasks;
  readonly jobRuns: JobRuns;
  readonly #store: MetadataStore;

  constructor(store: MetadataStore, clock: Clock, random: Random) {
    this.#store = store;
    this.basins = new Basins(store, clock, random);
    this.streams = new Streams(store, clock, random);
    this.doubt = new Doubt(store);
    this.accessTokens = new AccessTokens(store, clock);
    this.usage = new Usage(store);
    this.tasks = new Tasks(store);
    this.jobRuns = new JobRuns(store);
    this.segments = new SegmentIndex(store, clock);
  }

  /** The item M of one channel. @param address where its owner is reached, if we claim it. */
  channel(channel: ChannelId, leaseMs: number, address?: OwnerAddress): ChannelRegister {
    return new ChannelRegister(this.#store, channel, leaseMs, address);
  }
}
