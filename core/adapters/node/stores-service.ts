// The server's side of metadata and objects in another process. For development clusters on one machine: it trusts whoever calls.

import { unreachable } from '../../base/invariant.ts';
import type { CommitResult, MetadataStore } from '../../ports/metadata-store.ts';
import type { ObjectStore } from '../../ports/object-store.ts';
import { decodeWrites, encodeItems, fromJson, type StoreCall, toJson } from '../../wire/store-call.ts';
import type { CallAnswer, CallService } from './calls/call-server.ts';

const NOTHING = toJson(null);

export interface ServedStores {
  readonly metadata: MetadataStore;
  readonly objects: ObjectStore;
}

/** @param bodyBytesMax the largest object that is put */
export function createStoresService(stores: ServedStores, bodyBytesMax: number): CallService {
  return {
    bodyBytesMax,
    serve: (head, body) => {
      const call = fromJson<StoreCall>(head);
      return call.op.startsWith('metadata.')
        ? serveMetadata(stores.metadata, call as MetadataCall, body)
        : serveObjects(stores.objects, call as ObjectCall, body);
    },
  };
}

type MetadataCall = Extract<StoreCall, { op: `metadata.${string}` }>;
type ObjectCall = Extract<StoreCall, { op: `object.${string}` }>;

async function serveMetadata(metadata: MetadataStore, call: MetadataCall, body: Uint8Array): Promise<CallAnswer> {
  switch (call.op) {
    case 'metadata.get':
      return json((await metadata.get(call.key, call.consistency)) ?? null);
    case 'metadata.query':
      return json(await metadata.query(call.partition, call.range, call.limit, call.consistency));
    case 'metadata.commit':
      return json(plainResult(await metadata.commit(decodeWrites(body), call.purpose)));
    default:
      return unreachable(call);
  }
}

function plainResult(result: CommitResult): object {
  if (result.committed) return { committed: true, items: encodeItems(result.items) };
  return { committed: false, failed: result.failed, current: encodeItems(result.current) };
}

async function serveObjects(objects: ObjectStore, call: ObjectCall, body: Uint8Array): Promise<CallAnswer> {
  switch (call.op) {
    case 'object.put': {
      const { key, ifAbsent, isUpkeep } = call;
      return { given: toJson(await objects.put(key, [body], { ifAbsent, isUpkeep })) };
    }
    case 'object.get': {
      const { key, start, end } = call;
      const found = await objects.get(key, start === undefined || end === undefined ? undefined : { start, end });
      return found === 'absent' ? { given: toJson('absent') } : { given: toJson('found'), body: found };
    }
    case 'object.head':
      return { given: toJson(await objects.head(call.key)) };
    case 'object.list':
      return json(await objects.list(call.prefix, call.cursor));
    case 'object.delete':
      await objects.delete(fromJson<readonly string[]>(body));
      return { given: NOTHING };
    default:
      return unreachable(call);
  }
}

/** What may be longer than a head. */
function json(value: unknown): CallAnswer {
  return { given: NOTHING, body: toJson(value) };
}
