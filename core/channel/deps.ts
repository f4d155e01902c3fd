// What a channel needs of the rest: ports, its metadata, and its tunables.

import type { ChannelState, StreamState } from '../metadata/schema.ts';
import type { StreamRef } from '../model/append.ts';
import type { ChannelId, Epoch, OwnerNonce, Position, StreamId, ZoneId } from '../model/ids.ts';
import type { Checksum } from '../ports/checksum.ts';
import type { ChunkLogs } from '../ports/chunk-log.ts';
import type { Clock } from '../ports/clock.ts';
import type { Random } from '../ports/random.ts';
import type { Trace } from '../ports/trace.ts';
import type { BatchingConfig } from './batcher.ts';

/** What publish makes of a recovery: the old log's end (when there was an open one), and the zones of the new log. */
export interface Publication {
  readonly closed?: { readonly epoch: Epoch; readonly end: Position; readonly sealedAt: Position };
  readonly zones: readonly ZoneId[];
}

/** The channel's own item, by conditional commits. Each resolves to the item as it is now, or `undefined` when its condition failed. */
export interface ChannelMetadata {
  /** A strong read; makes the item of a new channel. */
  read(): Promise<ChannelState>;
  /** epoch + 1, the nonce, `recovering`; if epoch, version and lease counter are as in `seen`. */
  claim(seen: ChannelState, owner: OwnerNonce): Promise<ChannelState | undefined>;
  /** Moves the lease counter, not the version; if epoch and owner are as in `own`. */
  renew(own: ChannelState): Promise<ChannelState | undefined>;
  /** Closes the old log, opens the new one, `active`; if epoch, owner and version are as in `claimed`. */
  publish(claimed: ChannelState, publication: Publication): Promise<ChannelState | undefined>;
  /** `released`; if epoch and owner are as in `own`. */
  release(own: ChannelState): Promise<ChannelState | undefined>;
}

export interface ChannelDeps {
  readonly channel: ChannelId;
  readonly clock: Clock;
  readonly random: Random;
  readonly trace: Trace;
  readonly checksum: Checksum;
  readonly logs: ChunkLogs;
  readonly metadata: ChannelMetadata;
  /** A strong read of a stream's state item; undefined for a stream of which nothing was offloaded yet. */
  readState(streamId: StreamId): Promise<StreamState | undefined>;
  /** Whether the name of the stream stands for it still: a strong read. */
  isNamed(ref: StreamRef): Promise<boolean>;
}

export interface ChannelConfig {
  readonly batching: BatchingConfig;
  readonly leaseMs: number;
  /** Offloaded frames stay in memory at most this long, and at most this many bytes with all others. */
  readonly tailMs: number;
  readonly tailBytesMax: number;
  /** Bytes not offloaded at which appends are held back. */
  readonly backlogBytesMax: number;
  /** Bytes sequenced and not committed at which appends wait. */
  readonly inFlightBytesMax: number;
  /** Bytes of appends that wait for room, beyond which they are refused. */
  readonly waitingBytesMax: number;
  /** An append outside a session that waits this long for room is refused. */
  readonly roomMsMax: number;
  /** After this long without an append one empty chunk puts the last commit point on record. */
  readonly idleMs: number;
  /** Wall clocks of owners, of one after the other, differ by at most this: a stream that deletes itself waits so much longer. */
  readonly wallErrorMsMax: number;
}
