// Use cases over basins: create, ensure, list, read, configure, delete. (S2 v1 API, sections 1.9, 5.3 and 5.7.)

import type { Provisioned as Outcome } from '../metadata/basins.ts';
import type { BasinInfo } from '../metadata/schema.ts';
import { refused } from '../model/errors.ts';
import { REQUEST_TOKEN_BYTES_MAX } from '../model/limits.ts';
import type { BasinConfig, StorageClass } from '../model/stream-config.ts';
import type { Page, ServiceDeps } from './deps.ts';
import { KeyedQueue } from './keyed-queue.ts';
import { type BasinReconfiguration, canonical, reconfigureBasin, type StreamReconfiguration } from './reconfigure.ts';
import type { Streams } from './streams.ts';

export interface ServiceSettings {
  /** The one location of this deployment, such as `aws:us-east-1`. */
  readonly location: string;
  readonly storageClasses: readonly StorageClass[];
}

/** What became of a request to have something: it was made, changed, or was so already. */
export interface Provisioned<T> {
  readonly info: T;
  readonly outcome: Outcome;
}

export class Basins {
  readonly #names: ServiceDeps['names']['basins'];
  readonly #meter: ServiceDeps['meter'];
  readonly #settings: ServiceSettings;
  readonly #streams: Pick<Streams, 'leaveBasin'>;
  /** One change of a basin at a time: those that meet would only try their commits again. */
  readonly #changes = new KeyedQueue();

  constructor(deps: ServiceDeps, settings: ServiceSettings, streams: Pick<Streams, 'leaveBasin'>) {
    this.#names = deps.names.basins;
    this.#meter = deps.meter;
    this.#settings = settings;
    this.#streams = streams;
  }

  async list(page: Page): Promise<{ readonly items: readonly BasinInfo[]; readonly hasMore: boolean }> {
    const { basins, hasMore } = await this.#names.list(page);
    this.#meter.operation('list-basins');
    return { items: basins, hasMore };
  }

  /** @param requestToken repeats of one call carry the same; none: any repeat is refused. */
  async create(name: string, config: BasinConfig, location?: string, requestToken?: string): Promise<Provisioned<BasinInfo>> {
    this.#check(config, location);
    const key = requestKey(requestToken, config);
    const { basin, outcome } = await this.#changes.run(name, () => this.#names.create(name, config, key));
    this.#meter.operation('create-basin');
    return { info: basin, outcome };
  }

  /** @param mayUpdate throws where a basin that is there must not be changed. */
  async ensure(name: string, config: BasinConfig, location?: string, mayUpdate?: () => void): Promise<Provisioned<BasinInfo>> {
    this.#check(config, location);
    const { basin, outcome } = await this.#changes.run(name, () => this.#names.ensure(name, config, mayUpdate));
    this.#meter.operation(outcome === 'updated' ? 'reconfigure-basin' : 'create-basin');
    return { info: basin, outcome };
  }

  /** One that is being deleted is still told. @throws StoreError `basin_not_found` */
  async get(name: string): Promise<BasinInfo> {
    const found = await this.#names.get(name);
    if (found === undefined) throw refused('basin_not_found', `basin "${name}" not found`);
    this.#meter.operation('get-basin-config', name);
    return found;
  }

  async reconfigure(name: string, patch: BasinReconfiguration): Promise<BasinConfig> {
    checkStreamConfig(patch.defaultStreamConfig ?? {}, this.#settings);
    const { config } = await this.#changes.run(name, () => this.#names.configure(name, (current) => reconfigureBasin(current, patch)));
    this.#meter.operation('reconfigure-basin');
    return config;
  }

  /** Resolves once the deletion is on record, and its streams are told of no more (A23); again: the same. They go in the background. */
  async delete(name: string): Promise<void> {
    await this.#changes.run(name, () => this.#streams.leaveBasin(name, () => this.#names.markDeleted(name)));
    this.#meter.operation('delete-basin');
  }

  #check(config: BasinConfig, location = this.#settings.location): void {
    if (location !== this.#settings.location) throw refused('invalid', `there is no location "${location}"`);
    checkStreamConfig(config.defaultStreamConfig ?? {}, this.#settings);
  }
}

/** @throws StoreError `invalid` for what no stream of this deployment may have; what is null, or not given, may be anything. */
export function checkStreamConfig(
  { storageClass, retention }: Pick<StreamReconfiguration, 'storageClass' | 'retention'>,
  settings: ServiceSettings,
): void {
  if (storageClass != null && !settings.storageClasses.includes(storageClass)) {
    throw refused('invalid', `storage class "${storageClass}" is not available here`);
  }
  if (retention != null && retention !== 'infinite' && retention.ageSecs < 1) {
    throw refused('invalid', 'a retention age is at least one second');
  }
}

/** What a repeat of the same creation is known by. */
export function requestKey(token: string | undefined, config: unknown): string | undefined {
  if (token === undefined) return undefined;
  if (new TextEncoder().encode(token).length > REQUEST_TOKEN_BYTES_MAX) {
    throw refused('bad_header', `s2-request-token is at most ${REQUEST_TOKEN_BYTES_MAX} bytes`);
  }
  return `${token}/${canonical(config)}`;
}
