// Objects in another process (stores-service.ts), for development clusters on one machine.

import type { Range } from '../../base/range.ts';
import type { ObjectPage, ObjectStore, ObjectSummary, PutOptions } from '../../ports/object-store.ts';
import { fromJson, type StoreCall, toJson } from '../../wire/store-call.ts';
import { checkObjectKey, checkObjectKeys, checkObjectPrefix } from '../object-key.ts';
import type { Call, CallClient, Served } from './calls/call-client.ts';

export class RemoteObjectStore implements ObjectStore {
  readonly #client: CallClient;

  constructor(client: CallClient) {
    this.#client = client;
  }

  async put(key: string, parts: readonly Uint8Array[], options: PutOptions = {}): Promise<'stored' | 'occupied'> {
    checkObjectKey(key);
    const { ifAbsent = false, isUpkeep = false } = options;
    return fromJson((await this.#call({ op: 'object.put', key, ifAbsent, isUpkeep }, { body: parts, mayRepeat: false })).given);
  }

  async get(key: string, range?: Range): Promise<Uint8Array | 'absent'> {
    checkObjectKey(key);
    const { given, body } = await this.#call({ op: 'object.get', key, ...range });
    return fromJson(given) === 'absent' ? 'absent' : body;
  }

  async head(key: string): Promise<ObjectSummary | 'absent'> {
    checkObjectKey(key);
    return fromJson((await this.#call({ op: 'object.head', key })).given);
  }

  async list(prefix: string, cursor?: string): Promise<ObjectPage> {
    checkObjectPrefix(prefix);
    const call: StoreCall = { op: 'object.list', prefix, ...(cursor === undefined ? {} : { cursor }) };
    return fromJson((await this.#call(call)).body);
  }

  async delete(keys: readonly string[]): Promise<void> {
    checkObjectKeys(keys);
    if (keys.length === 0) return;
    await this.#call({ op: 'object.delete' }, { body: [toJson(keys)], mayRepeat: false });
  }

  async #call(call: StoreCall, how: Omit<Call, 'head'> = { mayRepeat: true }): Promise<Served> {
    return await this.#client.call({ head: toJson(call), ...how });
  }
}
