// Configurations as JSON: what requests may say, checked, and what answers say. (S2 v1 API, sections 1.7 and 5.1.)

import { z } from 'zod';
import {
  type BasinConfig,
  exactSecs,
  type PartialStreamConfig,
  type Retention,
  STREAM_CIPHERS,
  type StreamConfig,
} from '../../../model/stream-config.ts';
import type { BasinInfo, StreamInfo } from '../../deps.ts';
import type { BasinReconfiguration, StreamReconfiguration } from '../../reconfigure.ts';
import type { StreamStatus } from '../../streams.ts';
import { locationName } from './metrics.ts';
import { parseWith, U64_JSON, u64In } from './parse.ts';

const u64 = u64In.transform(exactSecs).meta(U64_JSON);

/** Strict clients know two classes: a third is taken and told only where a deployment has it, and described nowhere. */
export const storageClass = z.enum(['standard', 'express', 'native']).meta({ enum: ['standard', 'express'] });
const mode = z.enum(['client-prefer', 'client-require', 'arrival']);
const retention = z
  .union([z.strictObject({ age: u64 }), z.strictObject({ infinite: z.object({}) })])
  .transform((value): Retention => ('age' in value ? { ageSecs: value.age } : 'infinite'));
const cipher = z.enum(STREAM_CIPHERS);

/** The same fields for a request, where null is absent, and for a PATCH, where it clears. */
export const streamFields = z.object({
  storage_class: storageClass.nullish(),
  retention_policy: retention.nullish(),
  timestamping: z.object({ mode: mode.nullish(), uncapped: z.boolean().nullish() }).nullish(),
  delete_on_empty: z.object({ min_age_secs: u64.nullish() }).nullish(),
});
export const basinFields = z.object({
  default_stream_config: streamFields.nullish(),
  stream_cipher: cipher.nullish(),
  create_stream_on_append: z.boolean().nullish(),
  create_stream_on_read: z.boolean().nullish(),
});

export const createBasin = z.object({ basin: z.string(), config: basinFields.nullish(), location: locationName.nullish() });
export const ensureBasin = z.object({ config: basinFields.nullish(), location: locationName.nullish() });
export const createStream = z.object({ stream: z.string(), config: streamFields.nullish() });

const u64Answer = z.number().meta(U64_JSON);
const retentionAnswer = z.union([z.object({ age: u64Answer }), z.object({ infinite: z.object({}) })]);

/** A stream's configuration: every field has its value. */
export const streamConfigAnswer = z.object({
  storage_class: storageClass,
  retention_policy: retentionAnswer,
  timestamping: z.object({ mode, uncapped: z.boolean() }),
  delete_on_empty: z.object({ min_age_secs: u64Answer }),
});
/** A basin's: what was not set is null. */
export const basinConfigAnswer = z.object({
  default_stream_config: z
    .object({
      storage_class: storageClass,
      retention_policy: retentionAnswer.nullable(),
      timestamping: z.object({ mode: mode.nullable(), uncapped: z.boolean().nullable() }).nullable(),
      delete_on_empty: z.object({ min_age_secs: u64Answer }).nullable(),
    })
    .nullable(),
  stream_cipher: cipher.nullable(),
  create_stream_on_append: z.boolean(),
  create_stream_on_read: z.boolean(),
});

type StreamFields = z.output<typeof streamFields>;
type BasinFields = z.output<typeof basinFields>;

/** What V8 gives a reviver as well, and TypeScript does not know yet. */
type SourceReviver = (key: string, value: unknown, context?: { readonly source?: string }) => unknown;

/** JSON whose whole numbers are bigint: none went through a double. @throws SyntaxError */
export function parseConfigJson(text: string): unknown {
  const revive: SourceReviver = (_, value, context) =>
    typeof value === 'number' && /^[0-9]{1,20}$/.test(context?.source ?? '') ? BigInt(context?.source ?? 0) : value;
  return JSON.parse(text, revive);
}

export function parseCreateBasin(body: unknown): { basin: string; config: BasinConfig; location?: string } {
  const { basin, config, location } = parse(createBasin, body);
  return { basin, config: basinConfig(config), ...(location == null ? {} : { location }) };
}

export function parseEnsureBasin(body: unknown): { config: BasinConfig; location?: string } {
  const { config, location } = parse(ensureBasin, body);
  return { config: basinConfig(config), ...(location == null ? {} : { location }) };
}

export function parseCreateStream(body: unknown): { stream: string; config: PartialStreamConfig } {
  const { stream, config } = parse(createStream, body);
  return { stream, config: streamConfig(config) };
}

export function parseStreamConfig(body: unknown): PartialStreamConfig {
  return streamConfig(parse(streamFields, body));
}

export function parseStreamReconfiguration(body: unknown): StreamReconfiguration {
  return reconfiguration(parse(streamFields, body));
}

export function parseBasinReconfiguration(body: unknown): BasinReconfiguration {
  const fields = parse(basinFields, body);
  const { default_stream_config: defaults } = fields;
  return {
    defaultStreamConfig: defaults == null ? defaults : reconfiguration(defaults),
    streamCipher: fields.stream_cipher,
    // Null means no change here: both take a value only.
    createStreamOnAppend: fields.create_stream_on_append ?? undefined,
    createStreamOnRead: fields.create_stream_on_read ?? undefined,
  };
}

function parse<T extends z.ZodType>(schema: T, body: unknown): z.output<T> {
  return parseWith(schema, body, 'bad_json', 'the JSON body');
}

function reconfiguration(fields: StreamFields): StreamReconfiguration {
  const { delete_on_empty: empty } = fields;
  return {
    storageClass: fields.storage_class,
    retention: fields.retention_policy,
    timestamping: fields.timestamping,
    deleteOnEmptyMinAgeSecs: empty == null ? empty : empty.min_age_secs,
  };
}

function streamConfig(fields: StreamFields | null | undefined): PartialStreamConfig {
  const { mode: stampMode, uncapped } = fields?.timestamping ?? {};
  const timestamping = { ...(stampMode == null ? {} : { mode: stampMode }), ...(uncapped == null ? {} : { uncapped }) };
  const minAge = fields?.delete_on_empty == null ? undefined : (fields.delete_on_empty.min_age_secs ?? 0);
  return {
    ...(fields?.storage_class == null ? {} : { storageClass: fields.storage_class }),
    ...(fields?.retention_policy == null ? {} : { retention: fields.retention_policy }),
    ...(Object.keys(timestamping).length === 0 ? {} : { timestamping }),
    ...(minAge === undefined ? {} : { deleteOnEmptyMinAgeSecs: minAge }),
  };
}

function basinConfig(fields: BasinFields | null | undefined): BasinConfig {
  const defaults = streamConfig(fields?.default_stream_config);
  return {
    ...(Object.keys(defaults).length === 0 ? {} : { defaultStreamConfig: defaults }),
    ...(fields?.stream_cipher == null ? {} : { streamCipher: fields.stream_cipher }),
    createStreamOnAppend: fields?.create_stream_on_append ?? false,
    createStreamOnRead: fields?.create_stream_on_read ?? false,
  };
}

export function streamConfigJson(config: StreamConfig): object {
  return {
    storage_class: config.storageClass,
    retention_policy: retentionJson(config.retention),
    timestamping: config.timestamping,
    delete_on_empty: { min_age_secs: config.deleteOnEmptyMinAgeSecs },
  };
}

/** Only what was set, but for the storage class, which clients expect resolved. */
export function basinConfigJson(config: BasinConfig): object {
  const defaults = config.defaultStreamConfig ?? {};
  const { timestamping, deleteOnEmptyMinAgeSecs: minAge } = defaults;
  return {
    default_stream_config: {
      storage_class: defaults.storageClass ?? 'express',
      retention_policy: defaults.retention === undefined ? null : retentionJson(defaults.retention),
      timestamping: timestamping === undefined ? null : { mode: timestamping.mode ?? null, uncapped: timestamping.uncapped ?? null },
      delete_on_empty: minAge === undefined ? null : { min_age_secs: minAge },
    },
    stream_cipher: config.streamCipher ?? null,
    create_stream_on_append: config.createStreamOnAppend,
    create_stream_on_read: config.createStreamOnRead,
  };
}

export function basinInfoJson(info: BasinInfo, location: string): object {
  return {
    name: info.name,
    location,
    created_at: info.createdAt,
    deleted_at: info.deletedAt ?? null,
    state: info.deletedAt === undefined ? 'active' : 'deleting',
  };
}

export function streamInfoJson(info: StreamInfo): object {
  return { name: info.name, created_at: info.createdAt, deleted_at: info.deletedAt ?? null, cipher: info.cipher ?? null };
}

export function streamStatusJson({ info, configuredClass, servingClass }: StreamStatus): object {
  return { ...streamInfoJson(info), storage_class: { configured: configuredClass, serving: servingClass ?? null } };
}

function retentionJson(value: Retention): object {
  return value === 'infinite' ? { infinite: {} } : { age: value.ageSecs };
}
