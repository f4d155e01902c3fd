// The server's side of a ChunkStore in another process: does what a call asks, in the zone that it names. (docs/chunk-server.md)
//
//   Z1  A store takes a data chunk only for the log and position that its valid header names.
//   Z18 Nothing is stored, sealed, deleted or answered for an identity that is not here: whoever knew the zone that was here before
//       is told so.

import { unreachable } from '../../base/invariant.ts';
import { CHUNK_HEADER_BYTES, decodeChunkHeader, isChunkOf } from '../../format/chunk.ts';
import { type LogId, logName, type Position } from '../../model/ids.ts';
import { CHUNK_BYTES_MAX } from '../../model/limits.ts';
import type { Checksum } from '../../ports/checksum.ts';
import type { ChunkStore } from '../../ports/chunk-store.ts';
import {
  type ChunkCall,
  decodeChunkCall,
  encodeCursor,
  encodeIdentities,
  encodeLogs,
  encodePositions,
  OUTCOMES,
} from '../../wire/chunk-call.ts';
import { crcOfChunk } from '../chunk-bytes.ts';
import { type CallAnswer, CallRefused, type CallService } from './calls/call-server.ts';

const NOTHING = new Uint8Array(0);

/** The stores of one zone: the one that is written to, and damaged ones that are only read. */
export interface ZoneStores {
  readonly current: ChunkStore;
  readonly retired: readonly ChunkStore[];
}

export function createChunkService(stores: () => ZoneStores, checksum: Checksum): CallService {
  return {
    bodyBytesMax: CHUNK_BYTES_MAX,
    async serve(head, body, bodyCrc) {
      const call = decodeChunkCall(head);
      if (call === undefined) throw new CallRefused('invalid', 'not a call of a chunk store');
      if (body.length > 0 && call.op !== 'put') throw new CallRefused('invalid', `${call.op} has no body`);
      const { current, retired } = stores();
      if (call.op === 'identify') {
        return { given: encodeIdentities({ current: current.zone, retired: retired.map(({ zone }) => zone) }) };
      }
      const store = [current, ...retired].find(({ zone }) => zone === call.zone);
      if (store === undefined) throw new CallRefused('other_zone', `zone ${call.zone} is not here; zone ${current.zone} is`);
      return await serve(store, call, { bytes: body, crc: bodyCrc }, checksum);
    },
  };
}

async function serve(
  store: ChunkStore,
  call: Exclude<ChunkCall, { op: 'identify' }>,
  body: { readonly bytes: Uint8Array; readonly crc: number },
  checksum: Checksum,
): Promise<CallAnswer> {
  switch (call.op) {
    case 'put':
      checkChunk(call.log, call.at, body, checksum);
      return { given: OUTCOMES.put.encode(await store.put(call.log, call.at, body.bytes)) };
    case 'seal':
      return { given: OUTCOMES.seal.encode(await store.seal(call.log, call.at, call.over)) };
    case 'get': {
      const found = await store.get(call.log, call.at, call.part);
      return typeof found === 'string' ? { given: OUTCOMES.get.encode(found) } : { given: OUTCOMES.get.encode('found'), body: found };
    }
    case 'list': {
      const { positions, cursor } = await store.list(call.log, call.cursor);
      return { given: encodeCursor(cursor), body: encodePositions(positions) };
    }
    case 'logs': {
      const { logs, cursor } = await store.logs(call.cursor);
      return { given: encodeCursor(cursor), body: encodeLogs(logs) };
    }
    case 'delete':
      await store.delete(call.log, call.range);
      return { given: NOTHING };
    default:
      return unreachable(call);
  }
}

/**
 * Z1, of what comes from another process: the store itself would take a wrong chunk for a fault of this one. The payload is not
 * summed again: the sum of the frame was over the whole chunk, and must follow from those in the chunk's header.
 */
function checkChunk(log: LogId, at: Position, { bytes, crc }: { bytes: Uint8Array; crc: number }, checksum: Checksum): void {
  const header = decodeChunkHeader(bytes, checksum);
  const isWhole = header?.kind === 'data' && bytes.length === CHUNK_HEADER_BYTES + header.payloadBytes;
  if (!isWhole || !isChunkOf(header, log, at)) throw new CallRefused('invalid', `Z1: not a data chunk of ${logName(log)}:${at}`);
  if (crcOfChunk(bytes, checksum) !== crc) throw new CallRefused('garbled', 'a payload does not match the checksum in its header');
}
