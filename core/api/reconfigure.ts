// PATCH: what each field of a configuration becomes. Absent leaves it, null clears it, a value sets it. (S2 v1 API, section 5.3.)

import {
  type BasinConfig,
  type ExactSecs,
  type PartialStreamConfig,
  type Retention,
  resolveStreamConfig,
  type StorageClass,
  type StreamCipher,
  type StreamConfig,
  type TimestampingMode,
} from '../model/stream-config.ts';

export interface StreamReconfiguration {
  readonly storageClass?: StorageClass | null | undefined;
  readonly retention?: Retention | null | undefined;
  readonly timestamping?:
    | { readonly mode?: TimestampingMode | null | undefined; readonly uncapped?: boolean | null | undefined }
    | null
    | undefined;
  readonly deleteOnEmptyMinAgeSecs?: ExactSecs | null | undefined;
}

export interface BasinReconfiguration {
  readonly defaultStreamConfig?: StreamReconfiguration | null | undefined;
  readonly streamCipher?: StreamCipher | null | undefined;
  readonly createStreamOnAppend?: boolean | undefined;
  readonly createStreamOnRead?: boolean | undefined;
}

/** `patch` over `current`, with what is cleared left out. */
export function patchStreamConfig(current: PartialStreamConfig, patch: StreamReconfiguration): PartialStreamConfig {
  const storageClass = patched(current.storageClass, patch.storageClass);
  const retention = patched(current.retention, patch.retention);
  const minAge = patched(current.deleteOnEmptyMinAgeSecs, patch.deleteOnEmptyMinAgeSecs);
  const mode = patched(current.timestamping?.mode, patch.timestamping === null ? null : patch.timestamping?.mode);
  const uncapped = patched(current.timestamping?.uncapped, patch.timestamping === null ? null : patch.timestamping?.uncapped);
  return {
    ...(storageClass === undefined ? {} : { storageClass }),
    ...(retention === undefined ? {} : { retention }),
    ...(mode === undefined && uncapped === undefined
      ? {}
      : { timestamping: { ...(mode === undefined ? {} : { mode }), ...(uncapped === undefined ? {} : { uncapped }) } }),
    ...(minAge === undefined ? {} : { deleteOnEmptyMinAgeSecs: minAge }),
  };
}

/** What is cleared takes the basin's default as it is now, then the system's. */
export function reconfigureStream(current: StreamConfig, patch: StreamReconfiguration, basin: BasinConfig): StreamConfig {
  return resolveStreamConfig(patchStreamConfig(current, patch), basin.defaultStreamConfig);
}

export function reconfigureBasin(current: BasinConfig, patch: BasinReconfiguration): BasinConfig {
  const streamDefault =
    patch.defaultStreamConfig === null ? {} : patchStreamConfig(current.defaultStreamConfig ?? {}, patch.defaultStreamConfig ?? {});
  const streamCipher = patched(current.streamCipher, patch.streamCipher);
  return {
    ...(Object.keys(streamDefault).length === 0 ? {} : { defaultStreamConfig: streamDefault }),
    ...(streamCipher === undefined ? {} : { streamCipher }),
    createStreamOnAppend: patch.createStreamOnAppend ?? current.createStreamOnAppend,
    createStreamOnRead: patch.createStreamOnRead ?? current.createStreamOnRead,
  };
}

function patched<T>(current: T | undefined, change: T | null | undefined): T | undefined {
  if (change === undefined) return current;
  return change ?? undefined;
}

/** A configuration as text that is the same for equal ones, whatever the order of their fields. */
export function canonical(value: unknown): string {
  if (typeof value === 'bigint') return String(value);
  if (value === null || typeof value !== 'object') return JSON.stringify(value) ?? 'null';
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`;
  const fields = Object.entries(value).filter(([, field]) => field !== undefined);
  fields.sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${fields.map(([key, field]) => `${JSON.stringify(key)}:${canonical(field)}`).join(',')}}`;
}
