// THE list of every metadata item: its key, what it says, who writes it and who deletes it.
//
// | item           | partition               | sort                    | written by                                  | deleted by          |
// |----------------|-------------------------|-------------------------|---------------------------------------------|---------------------|
// | basin          | basins                  | <basin>                 | api: create, ensure, configure, delete      | removal of a basin  |
// | deleting basin | deleting-basins         | <basin>                 | with the deletion of a basin                | removal of a basin  |
// | basin guard    | basin-guard/<basin>/<n> | g                       | with each change of the basin: all 16       | with the basin      |
// | stream name    | streams/<basin>         | <name>                  | api: create, ensure, configure, delete      | removal of a stream |
// | deleting       | deleting-streams        | <stream id>             | with the deletion of a name                 | removal of a stream |
// | stream state   | stream/<stream id>      | state                   | offload, trim, compaction, seals, configure | purge               |
// | segment row    | stream/<stream id>      | row/<first, 16 hex>     | offload, compaction                         | trim, compaction    |
// | removed stream | removed-streams         | <ms, 16>/<stream id>    | removal of a stream                         | purge               |
// | object         | object/<object key>     | o                       | with every row that is added or unlinked    | gc                  |
// | dead object    | dead-objects            | <ms, 16>/<object key>   | with the last row of an object              | gc                  |
// | channel (M)    | channel/<channel>       | M                       | channel: claim, renew, publish, release;    | nobody              |
// |                |                         |                         | offload: name, finish; gc: drop; sweep: bump |                    |
// | task           | tasks                   | <task id>               | its task: again and again                   | it, or another      |
// | access token   | access-tokens           | <token id>              | api: issue                                  | revocation, purge   |
// | revoked token  | revoked-tokens          | <ms, 16>/<secret's id>  | api: revoke                                 | purge               |
// | doubt          | doubt                   | sweep                   | sweep                                       | a person            |
// | run of a job   | job/<job>               | run                     | functions: whoever runs the job             | nobody              |
// | use of account | usage-account           | <hour, 8>/<id>          | flush of usage: its own ids, again and again | purge of usage      |
// | use of a basin | usage/<basin>           | <hour, 8>/<id>          | the same                                    | purge of usage      |
// | stream storage | usage-stream/<stream id>| <hour, 8>/<id>          | the same                                    | purge of usage      |
// | basin storage  | usage-storage/<basin>   | <hour, 8>               | measuring of storage                        | purge of usage      |
// | day of usage   | usage-days              | <day, 6>/<kind>/<name>  | with the first item of a day of any of these | purge of usage      |
// | format         | table                   | format                  | host, at the first start (adapters/aws)     | nobody              |
// | tie            | data-folder             | identity                | host, at each start (adapters/node)         | nobody              |
//
// M is alone in its transactions. A stream's state outlives the stream by the purge age, marked `removedAt`: an offload
// that slept meanwhile would otherwise take "no state" for a new stream. codec.ts turns these types into fields and back.

import { invariant } from '../base/invariant.ts';
import type { StreamRef } from '../model/append.ts';
import type { ChannelId, Epoch, OwnerNonce, Position, SeqNum, StreamId, StreamletNumber, Timestamp, ZoneId } from '../model/ids.ts';
import type { OwnerAddress } from '../model/owner-address.ts';
import type { BasinConfig, StreamCipher, StreamConfig } from '../model/stream-config.ts';
import type { Fields, Key } from '../ports/metadata-store.ts';

/** Guards a basin has: a stream creation checks one of them, by the hash of its name; one alone would be a hot spot. */
export const BASIN_GUARDS = 16;

export interface BasinInfo {
  readonly name: string;
  readonly config: BasinConfig;
  /** RFC 3339, UTC. */
  readonly createdAt: string;
  /** When deletion was asked for; it is never withdrawn. */
  readonly deletedAt?: string;
  /** From the request token and the config of the POST that made it. */
  readonly requestKey?: string;
  /** Drawn anew with each configuration; the guards carry it too. Absent in basins of before that. */
  readonly mark?: string;
}

/** One link of a stream's chain. */
export interface StreamLink {
  readonly streamlet: StreamletNumber;
  readonly channel: ChannelId;
  readonly start: SeqNum;
}

export interface StreamInfo {
  readonly basin: string;
  readonly name: string;
  readonly streamId: StreamId;
  readonly config: StreamConfig;
  /** Changes of the configuration since the stream was made. */
  readonly configVersion: number;
  readonly createdAt: string;
  readonly deletedAt?: string;
  readonly requestKey?: string;
  /** The basin's when the stream was created, for ever; absent: its records are not encrypted. */
  readonly cipher?: StreamCipher;
  /** Never empty; only the last takes appends. */
  readonly chain: readonly StreamLink[];
}

/** What is known of a stream without its channel. Absent: a new stream, all zero. Only moves forward. */
export interface StreamState {
  readonly streamlet: StreamletNumber;
  /** Everything below is in segments (or trimmed). */
  readonly offloaded: SeqNum;
  readonly tail: SeqNum;
  readonly lastTimestamp: Timestamp;
  readonly token: string;
  readonly trimPoint: SeqNum;
  /** The streamlet ended with a seal frame, which is offloaded: nothing can follow in it. */
  readonly isSealed: boolean;
  /**
   * When the last record that is offloaded arrived, milliseconds since 1970: it outlives the rows. Absent: there was none, or it was
   * offloaded before this was noted.
   */
  readonly lastArrival?: number;
  /** The configuration, where it was changed since the stream was made: owners read it with the state, strongly. */
  readonly configured?: ConfiguredStream;
  /** Metered bytes of its rows. Absent in a state that was written before they were summed up: the next change of rows sums them. */
  readonly storedBytes?: number;
  /** The output of a compaction that runs, named before any row points to it. */
  readonly compacting?: Compaction;
  /** Milliseconds since 1970; the name is gone, and all rows with it. */
  readonly removedAt?: number;
}

/** A configuration, and which one of the stream's it is. */
export interface ConfiguredStream {
  readonly version: number;
  readonly config: StreamConfig;
}

export interface Compaction {
  readonly object: string;
  readonly first: SeqNum;
  readonly end: SeqNum;
}

/** One segment: [first, end) of a stream, in bytes [byteStart, byteEnd) of an object. */
export interface SegmentRow {
  readonly first: SeqNum;
  readonly end: SeqNum;
  readonly object: string;
  readonly byteStart: number;
  readonly byteEnd: number;
  readonly firstTimestamp: Timestamp;
  readonly lastTimestamp: Timestamp;
  /** The latest arrival of a record in it, milliseconds since 1970: retention goes by this. */
  readonly arrivalMax: number;
  readonly meteredBytes: number;
  readonly records: number;
}

export interface ObjectInfo {
  readonly key: string;
  /** Rows that name it. */
  readonly rows: number;
  readonly bytes: number;
  /** Milliseconds since 1970. */
  readonly createdAt: number;
  /** Every row that it will ever have was added: at no rows it is dead. */
  readonly isComplete: boolean;
}

export interface DeadObject {
  readonly key: string;
  /** Milliseconds since 1970. */
  readonly deadSince: number;
}

/** A stream whose name is deleted and whose data is not yet gone. */
export interface DeletingStream {
  readonly basin: string;
  readonly name: string;
  readonly streamId: StreamId;
}

export interface RemovedStream {
  readonly streamId: StreamId;
  readonly removedAt: number;
}

/** One epoch's log as M knows it. */
export interface ChannelLog {
  readonly epoch: Epoch;
  /** First position that is not offloaded. */
  readonly base: Position;
  /** Exclusive end of what counts; absent while the log is open. With it comes `sealedAt`, at or after it. */
  readonly end?: Position;
  readonly sealedAt?: Position;
  readonly zones: readonly ZoneId[];
}

/** An offload that is named and not finished: [from, to) of the log of `epoch` is in `object`. */
export interface PendingOffload {
  readonly object: string;
  readonly epoch: Epoch;
  readonly from: Position;
  readonly to: Position;
}

/** `released` and `epoch` 0 with no logs: a channel that nobody claimed yet. */
export type ChannelPhase = 'recovering' | 'active' | 'released';

/** M: a channel's metadata item. */
export interface ChannelState {
  readonly channel: ChannelId;
  /** Plus one with every change but a renewal. */
  readonly version: number;
  readonly epoch: Epoch;
  /** Drawn for the claim that made the epoch. */
  readonly owner: OwnerNonce;
  /** Plus one with every renewal. */
  readonly leaseCounter: number;
  readonly leaseMs: number;
  readonly state: ChannelPhase;
  /** Oldest first; only the last may be open. */
  readonly logs: readonly ChannelLog[];
  readonly pending?: PendingOffload;
  /** Where the owner that made the epoch is reached; absent: it is not, or is of a version that does not say. */
  readonly address?: OwnerAddress;
}

/** A job of functions: who runs it now, and where the next run goes on. */
export interface JobRun {
  readonly job: string;
  /** Drawn for each run. Absent: nobody runs it. */
  readonly holder?: string;
  /** Milliseconds since 1970: from then on the run counts as gone, whether it is or not. Comes and goes with `holder`. */
  readonly until?: number;
  /** The job's own. Absent: the next run begins anew. */
  readonly cursor?: Fields;
  /** Runs that failed in a row where the cursor stands. */
  readonly failures: number;
}

export const BASINS = 'basins';
export const DELETING_STREAMS = 'deleting-streams';
export const DELETING_BASINS = 'deleting-basins';
export const REMOVED_STREAMS = 'removed-streams';
export const DEAD_OBJECTS = 'dead-objects';
export const ACCESS_TOKENS = 'access-tokens';
export const REVOKED_TOKENS = 'revoked-tokens';
export const TASKS = 'tasks';
export const ROW_PREFIX = 'row/';

/** Behind every `row/…` sort key. */
export const ROWS_END = 'row0';

export function basinKey(basin: string): Key {
  return { partition: BASINS, sort: basin };
}

export function basinGuardKey(basin: string, guard: number): Key {
  invariant(guard >= 0 && guard < BASIN_GUARDS, 'M11: a basin has 16 guards');
  return { partition: `basin-guard/${basin}/${guard}`, sort: 'g' };
}

export function streamsPartition(basin: string): string {
  return `streams/${basin}`;
}

export function streamKey(basin: string, name: string): Key {
  return { partition: streamsPartition(basin), sort: name };
}

export function deletingStreamKey(streamId: StreamId): Key {
  return { partition: DELETING_STREAMS, sort: streamId };
}

export function removedStreamKey(stream: RemovedStream): Key {
  return { partition: REMOVED_STREAMS, sort: `${paddedMs(stream.removedAt)}/${stream.streamId}` };
}

export function streamPartition(streamId: StreamId): string {
  return `stream/${streamId}`;
}

export function stateKey(streamId: StreamId): Key {
  return { partition: streamPartition(streamId), sort: 'state' };
}

/** Sort keys of rows are in the order of their first sequence numbers. */
export function rowSort(first: number): string {
  return `${ROW_PREFIX}${first.toString(16).padStart(16, '0')}`;
}

export function rowKey(streamId: StreamId, first: SeqNum): Key {
  return { partition: streamPartition(streamId), sort: rowSort(first) };
}

export function objectKey(key: string): Key {
  return { partition: `object/${key}`, sort: 'o' };
}

export function deadObjectKey(object: DeadObject): Key {
  return { partition: DEAD_OBJECTS, sort: `${paddedMs(object.deadSince)}/${object.key}` };
}

export function channelKey(channel: ChannelId): Key {
  return { partition: `channel/${channel}`, sort: 'M' };
}

export function taskKey(task: string): Key {
  return { partition: TASKS, sort: task };
}

export function accessTokenKey(id: string): Key {
  return { partition: ACCESS_TOKENS, sort: id };
}

export function revokedTokenKey(token: { readonly tokenId: string; readonly revokedAt: number }): Key {
  return { partition: REVOKED_TOKENS, sort: `${paddedMs(token.revokedAt)}/${token.tokenId}` };
}

export function doubtKey(): Key {
  return { partition: 'doubt', sort: 'sweep' };
}

export function jobRunKey(job: string): Key {
  return { partition: `job/${job}`, sort: 'run' };
}

type Optional<T> = { [Name in keyof T]-?: object extends Pick<T, Name> ? Name : never }[keyof T];

function named<T>(names: Readonly<Record<Optional<T>, true>>, more: readonly string[] = []): readonly string[] {
  return [...Object.keys(names), ...more];
}

/** Fields that an item may be without, and may come to have. */
const BASIN_OPTIONAL = named<BasinInfo>({ deletedAt: true, requestKey: true, mark: true });
const STREAM_OPTIONAL = named<StreamInfo>({ deletedAt: true, requestKey: true, cipher: true }, ['configVersion']);
const STATE_OPTIONAL = named<StreamState>({ lastArrival: true, configured: true, storedBytes: true, compacting: true, removedAt: true });
const JOB_OPTIONAL = named<JobRun>({ holder: true, until: true, cursor: true });
const NONE: readonly string[] = [];

/** Whoever replaces an item that it has read says of each of these whether it was there. A new one does not compile until it is named. */
export function optionalFields({ partition, sort }: Key): readonly string[] {
  if (partition === BASINS) return BASIN_OPTIONAL;
  if (partition.startsWith('streams/')) return STREAM_OPTIONAL;
  if (partition.startsWith('job/')) return JOB_OPTIONAL;
  return partition.startsWith('stream/') && sort === 'state' ? STATE_OPTIONAL : NONE;
}

/** Decimal, so that byte order is the order of time. */
export function paddedMs(ms: number): string {
  return String(Math.max(0, Math.floor(ms))).padStart(16, '0');
}

/** The link that takes appends. */
export function openLink(stream: StreamInfo): StreamLink {
  const link = stream.chain.at(-1);
  invariant(link !== undefined, 'M12: a chain is never empty');
  return link;
}

export function streamRef(stream: StreamInfo): StreamRef {
  const { streamlet, channel } = openLink(stream);
  const { basin, name, streamId, config, configVersion, cipher } = stream;
  return { basin, name, streamId, channel, streamlet, config, configVersion, ...(cipher === undefined ? {} : { cipher }) };
}
