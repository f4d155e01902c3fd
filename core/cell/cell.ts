// The whole store as a function of its ports: the only place that wires.

import { Access } from '../api/access/access.ts';
import { Tokens } from '../api/access/tokens.ts';
import type { ServiceSettings } from '../api/basins.ts';
import type { Owners } from '../api/owners.ts';
import { Service } from '../api/service.ts';
import { Meter } from '../api/usage/meter.ts';
import { toHex } from '../base/bytes.ts';
import { Channel } from '../channel/channel.ts';
import type { Proof } from '../channel/takeover.ts';
import { Repository } from '../metadata/repository.ts';
import { storedBytes } from '../metadata/stored-bytes.ts';
import type { StreamRef } from '../model/append.ts';
import { StoreError } from '../model/errors.ts';
import type { ChannelId, StreamId, ZoneId } from '../model/ids.ts';
import type { OwnerAddress } from '../model/owner-address.ts';
import type { StorageClass } from '../model/stream-config.ts';
import type { Checksum } from '../ports/checksum.ts';
import type { ChunkLogs } from '../ports/chunk-log.ts';
import type { ChunkStore } from '../ports/chunk-store.ts';
import type { Cipher } from '../ports/cipher.ts';
import type { Clock } from '../ports/clock.ts';
import type { MetadataStore } from '../ports/metadata-store.ts';
import type { ObjectStore } from '../ports/object-store.ts';
import type { OffloadQueue } from '../ports/offload-queue.ts';
import type { Random } from '../ports/random.ts';
import type { TokenAuthority } from '../ports/token-authority.ts';
import type { Trace } from '../ports/trace.ts';
import { ReadBudget } from '../reader/read-budget.ts';
import { openRead } from '../reader/read-session.ts';
import { Background } from './background.ts';
import { ChannelSlot } from './channel-slot.ts';
import type { CellConfig, ChunkStoreKind } from './config.ts';
import { NewStreams } from './new-streams.ts';
import { Operator } from './operator.ts';
import { readableTail } from './settled-reads.ts';
import { channelsOfTask, knownChannel, onOwnedChannel, TaskOwners } from './task-owners.ts';
import { flushUsage, heldIn } from './usage-jobs.ts';
import { channelsOf, chunkLogsOf } from './zone-logs.ts';

export type { Proof };

/** The zones of one kind of chunk store, and which storage class is kept in them. */
export interface ZoneSet {
  readonly storageClass: StorageClass;
  readonly kind: ChunkStoreKind;
  /** Every store that answers, with retired ones that only give back what they have. */
  stores(): readonly ChunkStore[];
  /** The zones of a log that is opened now. */
  currentZones(): readonly ZoneId[];
  /** Forgets retired zones that no log names any more. */
  removeUnnamed?(named: ReadonlySet<ZoneId>): Promise<void>;
}

export interface CellPorts {
  readonly clock: Clock;
  readonly random: Random;
  readonly checksum: Checksum;
  readonly cipher: Cipher;
  readonly trace: Trace;
  readonly metadata: MetadataStore;
  readonly authority: TokenAuthority;
  /** Where segments go. */
  readonly objects: ObjectStore;
  /** One a storage class; the first is where a class without zones goes. */
  readonly zones: readonly ZoneSet[];
  /** Tells functions what to offload; needed where the configuration leaves upkeep to them. */
  readonly offloadQueue?: OffloadQueue;
}

export interface OwnedChannel {
  readonly zones: ZoneSet;
  readonly id: ChannelId;
  readonly storageClass: StorageClass;
  readonly channel: Channel;
  readonly logs: ChunkLogs;
}

function createChannels(
  ports: CellPorts,
  config: CellConfig,
  repository: Repository,
  address: OwnerAddress | undefined,
): readonly ChannelSlot[] {
  const { clock, random, checksum, trace } = ports;
  return ports.zones.flatMap((zones) => {
    const logs = chunkLogsOf(ports, config, zones);
    return channelsOf(zones, config.channelsPerClass).map((id) => {
      const register = repository.channel(id, config.channel.leaseMs, address);
      const deps = {
        channel: id,
        clock,
        random,
        checksum,
        trace,
        logs,
        metadata: register,
        readState: (streamId: StreamId) => repository.segments.readState(streamId, 'strong'),
        isNamed: ({ basin, name, streamId }: StreamRef) => repository.streams.isNamed(basin, name, streamId),
      };
      const make = () => new Channel(deps, { ...config.channel, batching: zones.kind.batching });
      return new ChannelSlot({ id, zones, logs, register, make });
    });
  });
}

function operatorOf(
  { clock, random, trace }: CellPorts,
  { channel: { leaseMs } }: CellConfig,
  repository: Repository,
  owners: TaskOwners,
  channels: readonly ChannelSlot[],
): Operator {
  const { routes } = owners;
  const operator = new Operator(
    { clock, trace, repository, routes, leaseMs, task: toHex(random.bytes(16)), peer: owners.address.peer },
    channels,
  );
  owners.onVacant(() => operator.wanted());
  return operator;
}

/** How long channels that cannot be taken over keep those from serving that were, and the background from making room. */
const OPEN_MS_MAX = 5_000;

/**
 * Takes the channels over. Resolves once all are, or some for a while. A channel whose log is damaged stays out of use, and says so.
 *
 * @throws StoreError `corrupt` when that is true of all.
 */
async function opened(ports: CellPorts, channels: readonly OwnedChannel[], proof: Proof): Promise<void> {
  const { clock, trace } = ports;
  const opening = channels.map(({ id, channel }) =>
    channel.open(proof).catch((error: unknown) => {
      if (!(error instanceof StoreError)) throw error;
      trace.event('channel.halted', { channel: id, code: error.code, message: error.message });
      throw error;
    }),
  );
  const over = new AbortController();
  const enough = Promise.any(opening).then(() => clock.sleep(OPEN_MS_MAX, over.signal));
  enough.catch(() => undefined);
  const all = Promise.allSettled(opening);
  await Promise.race([all, enough]).finally(() => over.abort());
  if (channels.some(({ channel }) => channel.isReady)) return;
  for (const outcome of await all) if (outcome.status === 'rejected') throw outcome.reason;
}

/** What all channels of a process share, by number. */
export interface CellGauges {
  /** Bytes of segments that readers hold: `allReadsBytesMax`. 0 when nobody reads. */
  readonly readBytes: number;
  readonly usage: Meter['gauges'];
}

/** What a process needs to be one of several. */
export interface TaskSettings {
  readonly address: OwnerAddress;
}

export interface Cell {
  readonly settings: ServiceSettings;
  readonly service: Service;
  readonly access: Access;
  readonly tokens: Tokens;
  readonly channels: readonly OwnedChannel[];
  /** Of a process that is one of several. */
  readonly owners?: Owners;
  readonly gauges: CellGauges;
  /** Whether streams of the first storage class can be appended to and followed; of several processes each can pass on what it does not serve. */
  readonly isServing: boolean;
  /**
   * Takes every channel over, and starts the background jobs. One whose disk is full, or whose log is damaged, does not keep the
   * others from serving. One of several processes does not wait for its channels.
   *
   * @throws StoreError `corrupt` when no channel can be used.
   */
  open(proof: Proof): Promise<void>;
  /** Writes what was counted since, for a process in which no job runs. @throws StoreError: it is kept, and written the next time */
  flushUsage(): Promise<void>;
  /** Ends the jobs, drains and releases the channels. */
  close(): Promise<void>;
}

/** @param task of a process that is one of several over the same metadata, zones and objects. */
export function createCell(ports: CellPorts, config: CellConfig, task?: TaskSettings): Cell {
  const { clock, random, checksum, cipher, objects, authority } = ports;
  const repository = new Repository(ports.metadata, clock, random);
  const channels = createChannels(ports, config, repository, task?.address);
  const owners = task === undefined ? undefined : new TaskOwners(task.address, channels, repository, clock);
  const operator = owners === undefined ? undefined : operatorOf(ports, config, repository, owners, channels);
  const settings = { location: config.location, storageClasses: ports.zones.map(({ storageClass }) => storageClass) };
  const placement = new NewStreams(channels);
  const meter = new Meter(clock, random, config.usage);
  const budget = new ReadBudget(clock, config.reader.allReadsBytesMax, config.reader.roomWaitMs);
  const own = (ref: StreamRef) =>
    owners === undefined ? knownChannel(channels, ref).tail(ref) : onOwnedChannel(channels, owners, ref, (channel) => channel.tail(ref));
  const service = new Service(
    {
      names: repository,
      clock,
      cipher,
      random,
      meter,
      usage: repository.usage,
      storedBytes: (streamId) => storedBytes(repository.segments, streamId, heldIn(channels)),
      place: (storageClass) => placement.next(storageClass),
      servingClass: (channel) => channels.find(({ id }) => id === channel)?.storageClass,
      channels: channelsOfTask(channels, owners),
      openRead: async (ref, request, mode) => {
        const tail = await readableTail({ owners, repository, own }, ref, request, mode);
        return openRead({ objects, repository, tail, clock, checksum, random, limits: config.reader, budget }, ref, request, mode);
      },
    },
    settings,
  );
  const access = new Access({ authority, tokens: repository.accessTokens, clock }, config.access);
  const tokens = new Tokens({ authority, tokens: repository.accessTokens, revocations: access.revocations, clock, random, meter });
  const background = new Background(ports, config, repository, channels, access, meter, task !== undefined);
  return {
    settings,
    service,
    access,
    tokens,
    channels,
    ...(owners === undefined ? {} : { owners }),
    get gauges() {
      return { readBytes: budget.takenBytes, usage: meter.gauges };
    },
    get isServing() {
      return owners !== undefined || channels[0]?.channel.isReady === true;
    },
    async open(proof) {
      if (operator !== undefined) {
        operator.start();
        background.start();
        return;
      }
      // Channels that wait for room on a disk get it from the background.
      const late = clock.after(OPEN_MS_MAX, () => background.start());
      await opened(ports, channels, proof).finally(() => late.cancel());
      background.start();
    },
    flushUsage: () => flushUsage({ ports, config, repository, meter, channels }, false),
    async close() {
      await background.stop();
      await (operator === undefined ? Promise.all(channels.map(({ channel }) => channel.close())) : operator.close());
      // Whatever it is that keeps usage from being written, the process ends.
      await flushUsage({ ports, config, repository, meter, channels }, true).catch((error: unknown) => {
        if (!(error instanceof StoreError)) throw error;
        ports.trace.event('job.failed', { job: 'usage', code: error.code, message: error.message });
      });
    },
  };
}
