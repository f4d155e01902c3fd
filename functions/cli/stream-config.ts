// Options that set how streams behave, to what the API wants, and its answers back to what a person reads.

import type { BasinConfig, StreamConfig } from '@s2-dev/streamstore';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { usageError } from './exit-code.ts';
import { durationText, seconds } from './values.ts';

const STORAGE_CLASSES = ['express', 'standard'] as const;
const TIMESTAMPING_MODES = ['client-prefer', 'client-require', 'arrival'] as const;
const CIPHERS = ['aegis-256', 'aes-256-gcm'] as const;

type RetentionPolicy = NonNullable<StreamConfig['retentionPolicy']>;

export interface ConfigOptions {
  readonly storageClass?: (typeof STORAGE_CLASSES)[number];
  readonly retention?: RetentionPolicy;
  readonly timestamping?: (typeof TIMESTAMPING_MODES)[number];
  readonly uncapped?: boolean;
  readonly deleteOnEmpty?: number;
  readonly autoCreate?: boolean;
  readonly createOnAppend?: boolean;
  readonly createOnRead?: boolean;
  readonly cipher?: (typeof CIPHERS)[number];
}

export function addConfigOptions(command: Command): Command {
  return command
    .addOption(new Option('--storage-class <class>', 'where records are kept first').choices(STORAGE_CLASSES))
    .addOption(new Option('--retention <duration>', 'keep records that long, such as 7d, or "infinite"').argParser(retention))
    .addOption(new Option('--timestamping <mode>', 'whose timestamps records get').choices(TIMESTAMPING_MODES))
    .option('--uncapped', "let clients' timestamps lie in the future")
    .option('--no-uncapped', 'cap them at the time of arrival')
    .addOption(new Option('--delete-on-empty <duration>', 'delete a stream that was empty that long; "off" never').argParser(deleteOnEmpty))
    .option('--auto-create', 'basin: both of the following')
    .option('--no-auto-create', 'basin: neither of them')
    .option('--create-on-append', 'basin: make streams as they are first appended to')
    .option('--no-create-on-append', 'basin: make none by an append')
    .option('--create-on-read', 'basin: make streams as they are first read')
    .option('--no-create-on-read', 'basin: make none by a read')
    .addOption(new Option('--cipher <cipher>', 'basin: encrypt the streams made from now on').choices(CIPHERS));
}

/** @returns undefined where no option says anything */
export function streamConfigOf(options: ConfigOptions): StreamConfig | undefined {
  const { storageClass, retention: retentionPolicy, timestamping: mode, uncapped, deleteOnEmpty: minAgeSecs } = options;
  const config: StreamConfig = {
    ...(storageClass === undefined ? {} : { storageClass }),
    ...(retentionPolicy === undefined ? {} : { retentionPolicy }),
    ...(mode === undefined && uncapped === undefined
      ? {}
      : { timestamping: { ...(mode === undefined ? {} : { mode }), ...(uncapped === undefined ? {} : { uncapped }) } }),
    ...(minAgeSecs === undefined ? {} : { deleteOnEmpty: { minAgeSecs } }),
  };
  return Object.keys(config).length === 0 ? undefined : config;
}

export function basinConfigOf(options: ConfigOptions): BasinConfig {
  const onAppend = options.createOnAppend ?? options.autoCreate;
  const onRead = options.createOnRead ?? options.autoCreate;
  const defaultStreamConfig = streamConfigOf(options);
  return {
    ...(onAppend === undefined ? {} : { createStreamOnAppend: onAppend }),
    ...(onRead === undefined ? {} : { createStreamOnRead: onRead }),
    ...(defaultStreamConfig === undefined ? {} : { defaultStreamConfig }),
    ...(options.cipher === undefined ? {} : { streamCipher: options.cipher }),
  };
}

/** @throws CliError when an option that only a basin has was given */
export function refuseBasinOptions(options: ConfigOptions): void {
  for (const name of ['autoCreate', 'createOnAppend', 'createOnRead', 'cipher'] as const) {
    if (options[name] !== undefined) {
      throw usageError(`--${name.replace(/[A-Z]/g, (char) => `-${char.toLowerCase()}`)} is for a basin, not for a stream`);
    }
  }
}

/** As the API writes it: what scripts rely on. */
export function streamConfigJson(config: StreamConfig): object {
  const { storageClass, retentionPolicy, timestamping, deleteOnEmpty: onEmpty } = config;
  return {
    storage_class: storageClass ?? null,
    retention_policy:
      retentionPolicy === undefined || retentionPolicy === null
        ? null
        : 'ageSecs' in retentionPolicy
          ? { age: retentionPolicy.ageSecs }
          : { infinite: {} },
    timestamping: timestamping ? { mode: timestamping.mode ?? null, uncapped: timestamping.uncapped ?? null } : null,
    delete_on_empty: onEmpty ? { min_age_secs: onEmpty.minAgeSecs ?? 0 } : null,
  };
}

export function basinConfigJson({ defaultStreamConfig, streamCipher, createStreamOnAppend, createStreamOnRead }: BasinConfig): object {
  return {
    default_stream_config: defaultStreamConfig ? streamConfigJson(defaultStreamConfig) : null,
    stream_cipher: streamCipher ?? null,
    create_stream_on_append: createStreamOnAppend ?? false,
    create_stream_on_read: createStreamOnRead ?? false,
  };
}

const UNSET = '(default)';

/** Name and value, as the options are called. */
export function streamConfigRows(config: StreamConfig): [string, string][] {
  const { storageClass, retentionPolicy, timestamping, deleteOnEmpty: onEmpty } = config;
  return [
    ['storage-class', storageClass ?? UNSET],
    ['retention', retentionPolicy ? ('ageSecs' in retentionPolicy ? durationText(retentionPolicy.ageSecs) : 'infinite') : UNSET],
    ['timestamping', timestamping?.mode ?? UNSET],
    ['uncapped', yesNo(timestamping?.uncapped)],
    ['delete-on-empty', onEmpty?.minAgeSecs === undefined ? UNSET : onEmpty.minAgeSecs === 0 ? 'off' : durationText(onEmpty.minAgeSecs)],
  ];
}

export function basinConfigRows(config: BasinConfig): [string, string][] {
  return [
    ['create-on-append', yesNo(config.createStreamOnAppend ?? false)],
    ['create-on-read', yesNo(config.createStreamOnRead ?? false)],
    ['cipher', config.streamCipher ?? 'none'],
    ...streamConfigRows(config.defaultStreamConfig ?? {}),
  ];
}

function yesNo(value: boolean | null | undefined): string {
  if (value === undefined || value === null) return UNSET;
  return value ? 'yes' : 'no';
}

function retention(text: string): RetentionPolicy {
  if (text === 'infinite') return { infinite: {} };
  const ageSecs = seconds(text);
  if (ageSecs === 0) throw new InvalidArgumentError('It must be at least 1s, or "infinite".');
  return { ageSecs };
}

function deleteOnEmpty(text: string): number {
  return text === 'off' ? 0 : seconds(text);
}
