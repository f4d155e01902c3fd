// Stream and basin configuration, with its defaults and how they resolve. (S2 v1 API, section 5.)

export type StorageClass = 'standard' | 'express' | 'native';
export type TimestampingMode = 'client-prefer' | 'client-require' | 'arrival';

/** How the records of a stream are encrypted, with keys that only its clients have. (S2 v1 API, section 5.4.) */
export const STREAM_CIPHERS = ['aegis-256', 'aes-256-gcm'] as const;
export type StreamCipher = (typeof STREAM_CIPHERS)[number];

/** A u64 of seconds, as it was given: a bigint above 2^53 − 1, so that equal ones are equal data. */
export type ExactSecs = number | bigint;

export function exactSecs(value: bigint): ExactSecs {
  return value > Number.MAX_SAFE_INTEGER ? value : Number(value);
}

/** For sums with times: what is longer than 2^53 − 1 ms (285,000 years) is that long. */
export function milliseconds(secs: ExactSecs): number {
  return Math.min(1_000 * Number(secs), Number.MAX_SAFE_INTEGER);
}

/** `infinite`, or an age in seconds (at least 1) by arrival time. */
export type Retention = { readonly ageSecs: ExactSecs } | 'infinite';

/** A stream's configuration, every field resolved. */
export interface StreamConfig {
  readonly storageClass: StorageClass;
  readonly retention: Retention;
  readonly timestamping: { readonly mode: TimestampingMode; readonly uncapped: boolean };
  /** Seconds without records and without a write after which the stream deletes itself; 0: never. */
  readonly deleteOnEmptyMinAgeSecs: ExactSecs;
}

/** What a request or a basin may leave out. */
export interface PartialStreamConfig {
  readonly storageClass?: StorageClass;
  readonly retention?: Retention;
  readonly timestamping?: { readonly mode?: TimestampingMode; readonly uncapped?: boolean };
  readonly deleteOnEmptyMinAgeSecs?: ExactSecs;
}

export interface BasinConfig {
  readonly defaultStreamConfig?: PartialStreamConfig;
  /** What streams are created with from now on; those that are there keep what they have. */
  readonly streamCipher?: StreamCipher;
  readonly createStreamOnAppend: boolean;
  readonly createStreamOnRead: boolean;
}

export const DEFAULT_STREAM_CONFIG: StreamConfig = {
  storageClass: 'express',
  retention: { ageSecs: 604_800 },
  timestamping: { mode: 'client-prefer', uncapped: false },
  deleteOnEmptyMinAgeSecs: 0,
};

/** Whether streams of this configuration delete themselves once they hold nothing and nobody writes to them. */
export function deletesItself({ deleteOnEmptyMinAgeSecs, retention }: StreamConfig): boolean {
  return deleteOnEmptyMinAgeSecs > 0 && retention !== 'infinite';
}

/** The first given of request, basin default and system default, field by field, also inside `timestamping`. */
export function resolveStreamConfig(request: PartialStreamConfig = {}, basinDefault: PartialStreamConfig = {}): StreamConfig {
  const system = DEFAULT_STREAM_CONFIG;
  return {
    storageClass: request.storageClass ?? basinDefault.storageClass ?? system.storageClass,
    retention: request.retention ?? basinDefault.retention ?? system.retention,
    timestamping: {
      mode: request.timestamping?.mode ?? basinDefault.timestamping?.mode ?? system.timestamping.mode,
      uncapped: request.timestamping?.uncapped ?? basinDefault.timestamping?.uncapped ?? system.timestamping.uncapped,
    },
    deleteOnEmptyMinAgeSecs: request.deleteOnEmptyMinAgeSecs ?? basinDefault.deleteOnEmptyMinAgeSecs ?? system.deleteOnEmptyMinAgeSecs,
  };
}
