// Turns the types of schema.ts into fields and back. A reader takes nothing for granted: a damaged item throws `corrupt`.

import { InvariantError } from '../base/invariant.ts';
import {
  channelId,
  type Epoch,
  epoch,
  type OwnerNonce,
  ownerNonce,
  position,
  seqNum,
  streamId,
  streamletNumber,
  zoneId,
} from '../model/ids.ts';
import {
  type BasinConfig,
  type ExactSecs,
  exactSecs,
  type PartialStreamConfig,
  type Retention,
  STREAM_CIPHERS,
  type StreamConfig,
} from '../model/stream-config.ts';
import type { Fields, FieldValue, Item } from '../ports/metadata-store.ts';
import { corruptItem, FieldReader, present } from './fields.ts';
import type { BasinInfo, ChannelLog, ChannelState, ObjectInfo, PendingOffload, SegmentRow, StreamInfo, StreamState } from './schema.ts';

/** The owner of a channel that nobody claimed yet. */
export const NOBODY = ownerNonce('0'.repeat(32));

const STORAGE_CLASSES = ['standard', 'express', 'native'] as const;
const TIMESTAMPING_MODES = ['client-prefer', 'client-require', 'arrival'] as const;
const PHASES = ['recovering', 'active', 'released'] as const;

/** Runs `read`; a value that breaks the rule of its type is a damaged item, not a broken program. */
function decode<T>(item: Item, read: (fields: FieldReader) => T): T {
  try {
    return read(new FieldReader(item));
  } catch (error) {
    if (error instanceof InvariantError) throw corruptItem(item, error.message);
    throw error;
  }
}

/** A copy in which a field without a value is left out. */
function optional<Name extends string, T>(name: Name, value: T | undefined): { readonly [K in Name]?: T } {
  return (value === undefined ? {} : { [name]: value }) as { readonly [K in Name]?: T };
}

export function encodeBasin(basin: BasinInfo): Fields {
  return present({
    config: encodeBasinConfig(basin.config),
    createdAt: basin.createdAt,
    deletedAt: basin.deletedAt,
    requestKey: basin.requestKey,
    mark: basin.mark,
  });
}

export function decodeBasin(item: Item): BasinInfo {
  return decode(item, (fields) => ({
    name: item.sort,
    config: decodeBasinConfig(fields.object('config')),
    createdAt: fields.text('createdAt'),
    ...optional('deletedAt', fields.optionalText('deletedAt')),
    ...optional('requestKey', fields.optionalText('requestKey')),
    ...optional('mark', fields.optionalText('mark')),
  }));
}

function encodeBasinConfig(config: BasinConfig): Fields {
  return present({
    defaultStreamConfig: config.defaultStreamConfig && encodeStreamConfig(config.defaultStreamConfig),
    streamCipher: config.streamCipher,
    createStreamOnAppend: config.createStreamOnAppend,
    createStreamOnRead: config.createStreamOnRead,
  });
}

function decodeBasinConfig(fields: FieldReader): BasinConfig {
  const defaults = fields.optionalObject('defaultStreamConfig');
  const cipher = fields.has('streamCipher') ? fields.oneOf('streamCipher', STREAM_CIPHERS) : undefined;
  return {
    ...optional('defaultStreamConfig', defaults && decodePartialConfig(defaults)),
    ...optional('streamCipher', cipher),
    createStreamOnAppend: fields.flag('createStreamOnAppend'),
    createStreamOnRead: fields.flag('createStreamOnRead'),
  };
}

function encodeStreamConfig(config: PartialStreamConfig): Fields {
  const { retention, timestamping, deleteOnEmptyMinAgeSecs: minAge } = config;
  return present({
    storageClass: config.storageClass,
    retention: retention === 'infinite' ? retention : retention && { ageSecs: encodeSecs(retention.ageSecs) },
    timestamping: timestamping && present({ mode: timestamping.mode, uncapped: timestamping.uncapped }),
    deleteOnEmptyMinAgeSecs: minAge === undefined ? undefined : encodeSecs(minAge),
  });
}

/** A number, and as decimal text what a number does not hold. */
function encodeSecs(secs: ExactSecs): FieldValue {
  return typeof secs === 'bigint' ? String(secs) : secs;
}

function decodeSecs(fields: FieldReader, name: string): ExactSecs {
  return fields.isText(name) ? exactSecs(fields.u64(name)) : fields.count(name);
}

function decodePartialConfig(fields: FieldReader): PartialStreamConfig {
  const has = (name: string): boolean => fields.has(name);
  const timestamping = fields.optionalObject('timestamping');
  return {
    ...optional('storageClass', has('storageClass') ? fields.oneOf('storageClass', STORAGE_CLASSES) : undefined),
    ...optional('retention', has('retention') ? decodeRetention(fields) : undefined),
    ...optional('timestamping', timestamping && decodeTimestamping(timestamping)),
    ...optional('deleteOnEmptyMinAgeSecs', has('deleteOnEmptyMinAgeSecs') ? decodeSecs(fields, 'deleteOnEmptyMinAgeSecs') : undefined),
  };
}

function decodeTimestamping(fields: FieldReader): NonNullable<PartialStreamConfig['timestamping']> {
  return {
    ...optional('mode', fields.has('mode') ? fields.oneOf('mode', TIMESTAMPING_MODES) : undefined),
    ...optional('uncapped', fields.has('uncapped') ? fields.flag('uncapped') : undefined),
  };
}

function decodeRetention(fields: FieldReader): Retention {
  return fields.isText('retention')
    ? fields.oneOf('retention', ['infinite'] as const)
    : { ageSecs: decodeSecs(fields.object('retention'), 'ageSecs') };
}

function decodeStreamConfig(fields: FieldReader): StreamConfig {
  const timestamping = fields.object('timestamping');
  return {
    storageClass: fields.oneOf('storageClass', STORAGE_CLASSES),
    retention: decodeRetention(fields),
    timestamping: { mode: timestamping.oneOf('mode', TIMESTAMPING_MODES), uncapped: timestamping.flag('uncapped') },
    deleteOnEmptyMinAgeSecs: decodeSecs(fields, 'deleteOnEmptyMinAgeSecs'),
  };
}

export function encodeStream(stream: StreamInfo): Fields {
  return present({
    streamId: stream.streamId,
    config: encodeStreamConfig(stream.config),
    configVersion: stream.configVersion === 0 ? undefined : stream.configVersion,
    createdAt: stream.createdAt,
    deletedAt: stream.deletedAt,
    requestKey: stream.requestKey,
    cipher: stream.cipher,
    chain: stream.chain.map(({ streamlet, channel, start }) => ({ streamlet, channel, start })),
  });
}

export function decodeStream(basin: string, item: Item): StreamInfo {
  return decode(item, (fields) => ({
    basin,
    name: item.sort,
    streamId: streamId(fields.text('streamId')),
    config: decodeStreamConfig(fields.object('config')),
    configVersion: fields.optionalCount('configVersion') ?? 0,
    createdAt: fields.text('createdAt'),
    ...optional('deletedAt', fields.optionalText('deletedAt')),
    ...optional('requestKey', fields.optionalText('requestKey')),
    ...optional('cipher', fields.has('cipher') ? fields.oneOf('cipher', STREAM_CIPHERS) : undefined),
    chain: fields.objects('chain').map((link) => ({
      streamlet: streamletNumber(link.count('streamlet')),
      channel: channelId(link.text('channel')),
      start: seqNum(link.count('start')),
    })),
  }));
}

export function encodeState(state: StreamState): Fields {
  const { compacting, configured } = state;
  return present({
    streamlet: state.streamlet,
    offloaded: state.offloaded,
    tail: state.tail,
    lastTimestamp: String(state.lastTimestamp),
    token: state.token,
    trimPoint: state.trimPoint,
    isSealed: state.isSealed,
    lastArrival: state.lastArrival,
    configured: configured && { version: configured.version, config: encodeStreamConfig(configured.config) },
    storedBytes: state.storedBytes,
    compacting: compacting && { object: compacting.object, first: compacting.first, end: compacting.end },
    removedAt: state.removedAt,
  });
}

export function decodeState(item: Item): StreamState {
  return decode(item, (fields) => {
    const compacting = fields.optionalObject('compacting');
    const configured = fields.optionalObject('configured');
    return {
      streamlet: streamletNumber(fields.count('streamlet')),
      offloaded: seqNum(fields.count('offloaded')),
      tail: seqNum(fields.count('tail')),
      lastTimestamp: fields.u64('lastTimestamp'),
      token: fields.text('token'),
      trimPoint: seqNum(fields.count('trimPoint')),
      isSealed: fields.flag('isSealed'),
      ...optional('lastArrival', fields.optionalCount('lastArrival')),
      ...optional(
        'configured',
        configured && { version: configured.count('version'), config: decodeStreamConfig(configured.object('config')) },
      ),
      ...optional('storedBytes', fields.optionalCount('storedBytes')),
      ...optional(
        'compacting',
        compacting && {
          object: compacting.text('object'),
          first: seqNum(compacting.count('first')),
          end: seqNum(compacting.count('end')),
        },
      ),
      ...optional('removedAt', fields.optionalCount('removedAt')),
    };
  });
}

export function encodeRow(row: SegmentRow): Fields {
  return { ...row, firstTimestamp: String(row.firstTimestamp), lastTimestamp: String(row.lastTimestamp) };
}

export function decodeRow(item: Item): SegmentRow {
  return decode(item, (fields) => ({
    first: seqNum(fields.count('first')),
    end: seqNum(fields.count('end')),
    object: fields.text('object'),
    byteStart: fields.count('byteStart'),
    byteEnd: fields.count('byteEnd'),
    firstTimestamp: fields.u64('firstTimestamp'),
    lastTimestamp: fields.u64('lastTimestamp'),
    arrivalMax: fields.count('arrivalMax'),
    meteredBytes: fields.count('meteredBytes'),
    records: fields.count('records'),
  }));
}

export function encodeObject(object: ObjectInfo): Fields {
  const { rows, bytes, createdAt, isComplete } = object;
  return { rows, bytes, createdAt, isComplete };
}

export function decodeObject(key: string, item: Item): ObjectInfo {
  return decode(item, (fields) => ({
    key,
    rows: fields.count('rows'),
    bytes: fields.count('bytes'),
    createdAt: fields.count('createdAt'),
    isComplete: fields.flag('isComplete'),
  }));
}

export function encodeChannel(state: ChannelState): Fields {
  const { pending, address } = state;
  return present({
    version: state.version,
    epoch: state.epoch,
    owner: state.owner,
    leaseCounter: state.leaseCounter,
    leaseMs: state.leaseMs,
    state: state.state,
    logs: state.logs.map((log) =>
      present({ epoch: log.epoch, base: log.base, end: log.end, sealedAt: log.sealedAt, zones: [...log.zones] }),
    ),
    pending: pending && { object: pending.object, epoch: pending.epoch, from: pending.from, to: pending.to },
    address: address && present({ peer: address.peer, edge: address.edge }),
  });
}

export function decodeChannel(channel: ChannelState['channel'], item: Item): ChannelState {
  return decode(item, (fields) => {
    const pending = fields.optionalObject('pending');
    const address = fields.optionalObject('address');
    return {
      channel,
      version: fields.count('version'),
      epoch: epoch(fields.count('epoch')),
      owner: ownerNonce(fields.text('owner')),
      leaseCounter: fields.count('leaseCounter'),
      leaseMs: fields.count('leaseMs'),
      state: fields.oneOf('state', PHASES),
      logs: fields.objects('logs').map(decodeLog),
      ...optional('pending', pending && decodePending(pending)),
      ...optional('address', address && { peer: address.text('peer'), ...optional('edge', address.optionalText('edge')) }),
    };
  });
}

function decodeLog(fields: FieldReader): ChannelLog {
  const end = fields.optionalCount('end');
  const sealedAt = fields.optionalCount('sealedAt');
  return {
    epoch: epoch(fields.count('epoch')),
    base: position(fields.count('base')),
    ...optional('end', end === undefined ? undefined : position(end)),
    ...optional('sealedAt', sealedAt === undefined ? undefined : position(sealedAt)),
    zones: fields.texts('zones').map(zoneId),
  };
}

function decodePending(fields: FieldReader): PendingOffload {
  return {
    object: fields.text('object'),
    epoch: epoch(fields.count('epoch')),
    from: position(fields.count('from')),
    to: position(fields.count('to')),
  };
}

/** M before the first claim. */
export function unclaimedChannel(channel: ChannelState['channel']): ChannelState {
  return {
    channel,
    version: 0,
    epoch: 0 as Epoch,
    owner: NOBODY satisfies OwnerNonce,
    leaseCounter: 0,
    leaseMs: 0,
    state: 'released',
    logs: [],
  };
}
