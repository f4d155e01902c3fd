// THE table of a cell's tunables: sizes, lingers, lease times and every other bound, with unit and reason.

import type { AccessSettings } from '../api/access/access.ts';
import type { ChannelConfig } from '../channel/deps.ts';
import type { UpkeepPlace } from '../jobs/job-ports.ts';
import { READER_LIMITS, type ReaderLimits } from '../reader/reader-limits.ts';

const KIB = 1024;
const MIB = 1024 * KIB;

/** What belongs to a kind of chunk store, not to a storage class. */
export interface ChunkStoreKind {
  /** Copies that make a chunk committed, of how many zones. */
  readonly zonesCount: number;
  readonly writeQuorum: number;
  /** P: chunks in flight beyond the commit point, by Little's law for this store's latency and throughput. */
  readonly windowMax: number;
  readonly batching: ChannelConfig['batching'];
  /** A zone's answer that takes longer counts as none, and is asked for again. */
  readonly answerTimeoutMs: number;
}

export const CHUNK_STORE_KINDS = {
  /** Direct I/O: 64 KiB is where a lone writer's chunk is full; under load 256 KiB reach the disk's throughput. */
  direct: {
    zonesCount: 3,
    writeQuorum: 2,
    windowMax: 8,
    batching: { chunkBytesTarget: 64 * KIB, chunkBytesMax: 256 * KIB, lingerMs: 1 },
    answerTimeoutMs: 5_000,
  },
  /** Chunk servers, direct I/O in three zones: the sizes of direct I/O, and a window for a network between. */
  native: {
    zonesCount: 3,
    writeQuorum: 2,
    windowMax: 16,
    batching: { chunkBytesTarget: 64 * KIB, chunkBytesMax: 256 * KIB, lingerMs: 1 },
    answerTimeoutMs: 5_000,
  },
  /** S3 Express, a bucket a zone: 512 KiB is where a smaller chunk costs more and a larger one takes longer. */
  express: {
    zonesCount: 3,
    writeQuorum: 2,
    windowMax: 19,
    batching: { chunkBytesTarget: 512 * KIB, chunkBytesMax: MIB, lingerMs: 5 },
    answerTimeoutMs: 5_000,
  },
  /** S3 Standard, or files in one folder in its place: 4 MiB, as a request is what costs. */
  objects: {
    zonesCount: 1,
    writeQuorum: 1,
    windowMax: 10,
    batching: { chunkBytesTarget: 4 * MIB, chunkBytesMax: 4 * MIB, lingerMs: 50 },
    answerTimeoutMs: 30_000,
  },
} as const satisfies Record<string, ChunkStoreKind>;

/** What a location may be called. */
export const LOCATION_NAME = /^[A-Za-z0-9:.-]{1,64}$/;

/** Each costs reads and renewals of its item, whether or not it is used. */
export const CHANNELS_MAX = 64;

export interface CellConfig {
  /** The one location of this deployment, as the API names it. */
  readonly location: string;
  /** Channels of each storage class, among which tasks share: 1 to CHANNELS_MAX. It may grow, and never shrink. */
  readonly channelsPerClass: number;
  /** Who may do what, and how soon a revoked access token is known everywhere. */
  readonly access: AccessSettings;
  readonly channel: Omit<ChannelConfig, 'batching'>;
  readonly reader: ReaderLimits;
  readonly retryDelayMs: { readonly min: number; readonly max: number };
  readonly offload: {
    /** A channel is offloaded once this much waits, or once the oldest of it is this old. */
    readonly backlogBytesMin: number;
    readonly ageMsMin: number;
    /** Bytes of chunks that one run holds in memory. */
    readonly runBytesMax: number;
  };
  /** Where functions offload: they are told this often at most, a channel, and the owner does it once the oldest that waits is so old. */
  readonly hints: { readonly everyMs: number; readonly lagMsMax: number };
  /** Who runs the jobs that anyone may: this process, or functions. */
  readonly upkeep: UpkeepPlace;
  /** How often each job looks for work, milliseconds. */
  readonly everyMs: {
    readonly offload: number;
    readonly gc: number;
    readonly trim: number;
    readonly compact: number;
    readonly sweep: number;
    readonly delete: number;
    readonly usage: number;
    readonly measure: number;
  };
  readonly usage: {
    /** What is counted is written this often, sooner near a bound: a crash loses what was counted since. */
    readonly flushMs: number;
    /** Minutes of any basin that are counted in memory, about half a KiB each. */
    readonly minutesMax: number;
    /** Streams whose storage changed and is to be sampled, or was sampled in this hour. */
    readonly streamsMax: number;
    /** What basins store is added up anew this long after it was. */
    readonly measureMs: number;
    /** Metrics reach back 30 days; what is older than this may go. */
    readonly keptDays: number;
  };
  readonly jobBudgetMs: number;
  /** For jobs that walk over all streams, a part a run: they must not take the processor from appends. */
  readonly walkBudgetMs: number;
  /** An object that no row names stays this long: the longest age of a read plan. */
  readonly readPlanAgeMs: number;
  /** Capacity of each direct-I/O zone: twice the backlog bound, so that a slow GC does not fill it. */
  readonly zoneBytesMax: number;
  readonly slabBytes: number;
}

export const DEFAULT_CELL_CONFIG: CellConfig = {
  location: 'local',
  channelsPerClass: 1,
  access: { mode: 'off', revocationMsMax: 10_000 },
  channel: {
    leaseMs: 10_000,
    tailMs: 10_000,
    tailBytesMax: 64 * MIB,
    backlogBytesMax: 256 * MIB,
    inFlightBytesMax: 16 * MIB,
    waitingBytesMax: 64 * MIB,
    // Clients give up after 5 s, and may then write a record twice.
    roomMsMax: 3_000,
    idleMs: 20,
    // Far beyond what NTP leaves; a clock that is set by hand may still do more.
    wallErrorMsMax: 60_000,
  },
  reader: READER_LIMITS,
  retryDelayMs: { min: 10, max: 1_000 },
  offload: { backlogBytesMin: 16 * MIB, ageMsMin: 2_000, runBytesMax: 32 * MIB },
  hints: { everyMs: 5_000, lagMsMax: 60_000 },
  upkeep: 'here',
  everyMs: { offload: 100, gc: 500, trim: 5_000, compact: 5_000, sweep: 60_000, delete: 1_000, usage: 1_000, measure: 5_000 },
  usage: { flushMs: 5_000, minutesMax: 20_000, streamsMax: 10_000, measureMs: 60_000, keptDays: 40 },
  jobBudgetMs: 5_000,
  walkBudgetMs: 200,
  readPlanAgeMs: 60_000,
  zoneBytesMax: 768 * MIB,
  slabBytes: 32 * MIB,
};
