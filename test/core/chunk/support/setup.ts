// A log over zones in one world, and chunks laid into them by hand.

import { zlibChecksum } from '#core/adapters/node/zlib-checksum.ts';
import type { ChunkLogOptions } from '#core/chunk/options.ts';
import { encodeChunk } from '#core/format/chunk.ts';
import type { StoreError } from '#core/model/errors.ts';
import { channelId, epoch, type LogId, ownerNonce, type Position, position } from '#core/model/ids.ts';
import type { ChunkWriterEvents, LogDescription } from '#core/ports/chunk-log.ts';
import { World } from './world.ts';
import { Zone } from './zone.ts';

export const LOG: LogId = { channel: channelId('test-0'), epoch: epoch(7) };
export const OWNER = ownerNonce('0123456789abcdef0123456789abcdef');
export const P = 3;
export const TIMEOUT_MS = 50;

export interface Setup {
  readonly world: World;
  readonly zones: readonly Zone[];
  readonly options: ChunkLogOptions;
  readonly description: LogDescription;
  readonly traced: string[];
}

export function setUp(zoneCount = 3, writeQuorum = zoneCount === 1 ? 1 : 2): Setup {
  const world = new World(1);
  const zones = Array.from({ length: zoneCount }, (_, i) => new Zone(world, `zone-${i}`));
  const traced: string[] = [];
  const caller = { isAlive: true, asleepUntil: 0 };
  const options: ChunkLogOptions = {
    stores: () => zones.map((zone) => zone.store(caller)),
    currentZones: () => zones.map((zone) => zone.disk.zone),
    writeQuorum,
    windowMax: P,
    clock: world.clock(),
    checksum: zlibChecksum,
    trace: { event: (name) => void traced.push(name) },
    retryDelayMs: { min: 1, max: 10 },
    answerTimeoutMs: TIMEOUT_MS,
  };
  return { world, zones, options, traced, description: { log: LOG, base: position(0), zones: options.currentZones() } };
}

/** Writes down what a writer tells. */
export class Told implements ChunkWriterEvents {
  readonly commits: Position[] = [];
  readonly stalls: (string | undefined)[] = [];
  reason: StoreError | undefined;

  committed(commitPoint: Position): void {
    this.commits.push(commitPoint);
  }

  deposed(reason: StoreError): void {
    this.reason = reason;
  }

  stalled(error: StoreError | undefined): void {
    this.stalls.push(error?.code);
  }
}

export function payload(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

export function text(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}

/** The chunk that says `at` and its commit point, as `owner` would have written it. */
export function chunkAt(at: number, commitPoint: number, owner = OWNER): Uint8Array {
  const header = { log: LOG, at: position(at), commitPoint: position(commitPoint), owner };
  return encodeChunk(header, [payload(`chunk ${at}`)], zlibChecksum);
}

/** Lays chunks into a zone: each is [position, commit point]. */
export async function lay(zone: Zone | undefined, chunks: readonly (readonly [number, number])[], owner = OWNER): Promise<void> {
  for (const [at, commitPoint] of chunks) await zone?.disk.put(LOG, position(at), chunkAt(at, commitPoint, owner));
}
