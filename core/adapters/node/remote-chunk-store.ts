// The chunks of one zone in another process: a ChunkStore that asks a chunk server (functions/chunk-server) for everything.
//
// functions/channel opens one a zone. Which attempts are repeated here and which by chunk/, which repeats whatever has no answer:
// what has the same effect twice is asked for again at once, a put is not.
//
//   Z2  A store gives only bytes that match their checksums, and the log and position asked for.
//   Z18 A store keeps to the identity that it was opened for: of a zone that took its place nothing is asked and nothing believed.

import type { Range } from '../../base/range.ts';
import { CHUNK_HEADER_BYTES } from '../../format/chunk.ts';
import { refused, StoreError } from '../../model/errors.ts';
import { type LogId, logName, type Position, type ZoneId } from '../../model/ids.ts';
import { CHUNK_BYTES_MAX } from '../../model/limits.ts';
import type { Checksum } from '../../ports/checksum.ts';
import type { ChunkStore, Missing } from '../../ports/chunk-store.ts';
import {
  type ChunkCall,
  decodeCursor,
  decodeIdentities,
  decodeLogs,
  decodePositions,
  encodeChunkCall,
  OUTCOMES,
} from '../../wire/chunk-call.ts';
import { type ChunkPart, checkChunkToPut, crcOfChunk, validChunk } from '../chunk-bytes.ts';
import { CallClient, type CallClientOptions, OtherZone, type Served } from './calls/call-client.ts';

export interface RemoteZoneOptions extends Omit<CallClientOptions, 'answerBytesMax'> {}

export interface RemoteZone {
  readonly current: ChunkStore;
  /** Damaged zones that the server still has: they only give back what they have. */
  readonly retired: readonly ChunkStore[];
  /** Another zone has taken the place of one of these: open it anew. */
  readonly isReplaced: boolean;
  close(): Promise<void>;
}

/** Asks a chunk server which zone it has. @throws StoreError when it does not answer, or refuses the secret */
export async function openRemoteZone(options: RemoteZoneOptions): Promise<RemoteZone> {
  const client = new CallClient({ ...options, answerBytesMax: CHUNK_BYTES_MAX });
  try {
    const { given } = await client.call({ head: encodeChunkCall({ op: 'identify' }), mayRepeat: true });
    const identities = decodeIdentities(given);
    if (identities === undefined) throw refused('unavailable', `${options.url} does not say which zone it has`);
    let isReplaced = false;
    const storeOf = (zone: ZoneId, isWritable: boolean): ChunkStore =>
      new RemoteChunkStore(client, zone, isWritable, options.checksum, () => {
        isReplaced = true;
      });
    return {
      current: storeOf(identities.current, true),
      retired: identities.retired.map((zone) => storeOf(zone, false)),
      get isReplaced() {
        return isReplaced;
      },
      close: () => client.close(),
    };
  } catch (error) {
    await client.close();
    throw error;
  }
}

type CallOf<Op extends ChunkCall['op']> = Extract<ChunkCall, { op: Op }>;

class RemoteChunkStore implements ChunkStore {
  readonly zone: ZoneId;
  readonly isWritable: boolean;
  readonly #client: CallClient;
  readonly #checksum: Checksum;
  readonly #onOtherZone: () => void;

  constructor(client: CallClient, zone: ZoneId, isWritable: boolean, checksum: Checksum, onOtherZone: () => void) {
    this.zone = zone;
    this.isWritable = isWritable;
    this.#client = client;
    this.#checksum = checksum;
    this.#onOtherZone = onOtherZone;
  }

  async put(log: LogId, at: Position, chunk: Uint8Array): Promise<'stored' | 'occupied'> {
    this.#checkWritable();
    checkChunkToPut(log, at, chunk, this.#checksum);
    const call: CallOf<'put'> = { op: 'put', zone: this.zone, log, at };
    const { given } = await this.#call(call, false, { body: [chunk], bodyCrc: crcOfChunk(chunk, this.#checksum) });
    return OUTCOMES.put.decode(given) ?? this.#notUnderstood(call);
  }

  async seal(log: LogId, at: Position, over: Missing): Promise<'sealed' | 'occupied' | 'torn'> {
    this.#checkWritable();
    const call: CallOf<'seal'> = { op: 'seal', zone: this.zone, log, at, over };
    const { given } = await this.#call(call, true);
    return OUTCOMES.seal.decode(given) ?? this.#notUnderstood(call);
  }

  async get(log: LogId, at: Position, part: ChunkPart = 'whole'): Promise<Uint8Array | Missing> {
    const call: CallOf<'get'> = { op: 'get', zone: this.zone, log, at, part };
    const { given, body } = await this.#call(call, true);
    const outcome = OUTCOMES.get.decode(given) ?? this.#notUnderstood(call);
    if (outcome !== 'found') return outcome;
    const isSized = part === 'whole' || body.length === CHUNK_HEADER_BYTES;
    const found = isSized ? validChunk(body, log, at, part, this.#checksum) : undefined;
    // Z2: the server gave this for a valid chunk, so it is no answer, and least of all that the chunk is torn.
    return found?.bytes ?? this.#notUnderstood(call);
  }

  async list(log: LogId, cursor?: string): Promise<{ positions: readonly Position[]; cursor?: string }> {
    const call: CallOf<'list'> = { op: 'list', zone: this.zone, log, cursor };
    const { given, body } = await this.#call(call, true);
    const positions = decodePositions(body) ?? this.#notUnderstood(call);
    return { positions, ...next(given) };
  }

  async logs(cursor?: string): Promise<{ logs: readonly LogId[]; cursor?: string }> {
    const call: CallOf<'logs'> = { op: 'logs', zone: this.zone, cursor };
    const { given, body } = await this.#call(call, true);
    const logs = decodeLogs(body) ?? this.#notUnderstood(call);
    return { logs, ...next(given) };
  }

  async delete(log: LogId, range: Range<Position>): Promise<void> {
    await this.#call({ op: 'delete', zone: this.zone, log, range }, true);
  }

  async #call(call: ChunkCall, mayRepeat: boolean, body?: { body: readonly Uint8Array[]; bodyCrc: number }): Promise<Served> {
    try {
      return await this.#client.call({ head: encodeChunkCall(call), mayRepeat, ...body });
    } catch (error) {
      if (error instanceof OtherZone) this.#onOtherZone();
      throw error;
    }
  }

  #checkWritable(): void {
    if (!this.isWritable) throw refused('storage', `zone ${this.zone} is damaged and only read`);
  }

  #notUnderstood(call: ChunkCall): never {
    const where = 'log' in call ? ` of ${logName(call.log)}` : '';
    throw new StoreError('storage', 'unknown', `${this.#client.url} gave no answer to ${call.op}${where} that is understood`);
  }
}

function next(given: Uint8Array): { cursor?: string } {
  const cursor = decodeCursor(given);
  return cursor === undefined ? {} : { cursor };
}
