// The settings of whatever works on a cell's table and buckets in AWS: channel tasks and functions alike.

import { CHANNELS_MAX, DEFAULT_CELL_CONFIG } from '#core/cell/config.ts';
import { readZoneSecret } from '#functions/chunk-server/env.ts';
import { SettingError } from '#functions/local/env.ts';

export interface StorageEnv {
  readonly table: string;
  /** Segments, and the chunks of storage class `standard`. */
  readonly bucket: string;
  /** One directory bucket a zone, in three zones; empty: there is no storage class `express`. */
  readonly expressBuckets: readonly string[];
  /** One chunk server a zone, in three zones; empty: there is no storage class `native`. */
  readonly nativeZones: readonly NativeZone[];
  /** Channels of each storage class, the same for all that work on them. */
  readonly channelsPerClass: number;
  /** Something else than AWS answers: the bucket stands in the path. */
  readonly isPathStyle: boolean;
}

export interface NativeZone {
  readonly url: string;
  readonly secret: string;
}

export type Variables = Readonly<Record<string, string | undefined>>;

const ZONES_COUNT = 3;
const TABLE = /^[A-Za-z0-9_.-]{3,255}$/;
const BUCKET = /^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/;
/** <name>--<zone id>--x-s3: the zone's id stands in the bucket's name. */
const DIRECTORY_BUCKET = /^[a-z0-9][a-z0-9-]*--([a-z0-9]+-az\d+)--x-s3$/;

/** @throws SettingError naming the variable, and what it must be */
export function readStorageEnv(variables: Variables): StorageEnv {
  return {
    table: needed(variables, 'MILLRACE_TABLE', TABLE, 'the name of a table of DynamoDB: 3 to 255 letters, digits, "_", "." or "-"'),
    bucket: needed(variables, 'MILLRACE_BUCKET', BUCKET, 'the name of a bucket of S3: 3 to 63 characters of a-z, 0-9, "." and "-"'),
    expressBuckets: expressBuckets(variables['MILLRACE_EXPRESS_BUCKETS']),
    nativeZones: nativeZones(variables),
    channelsPerClass: channelsPerClass(variables['MILLRACE_CHANNELS']),
    isPathStyle: Boolean(variables['AWS_ENDPOINT_URL'] ?? variables['AWS_ENDPOINT_URL_S3']),
  };
}

export function needed(variables: Variables, name: string, form: RegExp, what: string): string {
  const value = variables[name];
  if (value === undefined) throw new SettingError(`${name} is missing; it must be ${what}`);
  if (!form.test(value)) throw new SettingError(`${name} is "${value}"; it must be ${what}`);
  return value;
}

/** Of each storage class. @throws SettingError */
export function channelsPerClass(count: string | undefined): number {
  if (count === undefined || count === '') return DEFAULT_CELL_CONFIG.channelsPerClass;
  if (/^\d{1,2}$/.test(count) && Number(count) >= 1 && Number(count) <= CHANNELS_MAX) return Number(count);
  throw new SettingError(
    `MILLRACE_CHANNELS is "${count}"; it must be a whole number from 1 to ${CHANNELS_MAX}, and never less than before`,
  );
}

function expressBuckets(list: string | undefined): readonly string[] {
  if (list === undefined || list === '') return [];
  const buckets = list.split(',').map((part) => part.trim());
  const zones = buckets.map((bucket) => DIRECTORY_BUCKET.exec(bucket)?.[1]);
  const isGood = buckets.length === ZONES_COUNT && zones.every((zone) => zone !== undefined) && new Set(zones).size === ZONES_COUNT;
  if (isGood) return buckets;
  throw new SettingError(
    `MILLRACE_EXPRESS_BUCKETS is "${list}"; it must be three directory buckets in three zones, with commas between them, such as ` +
      'chunks--use1-az4--x-s3',
  );
}

/** The zones of storage class `native`, with the secret that their chunk servers take. */
export function nativeZones(variables: Variables): readonly NativeZone[] {
  const list = variables['MILLRACE_NATIVE_ZONES'];
  if (list === undefined || list === '') return [];
  const urls = list.split(',').map((part) => originOf(part.trim()));
  if (urls.length !== ZONES_COUNT || urls.includes(undefined) || new Set(urls).size !== ZONES_COUNT) {
    throw new SettingError(
      `MILLRACE_NATIVE_ZONES is "${list}"; it must be the URLs of three chunk servers in three zones, with commas between them, such as ` +
        'http://10.0.1.5:8090',
    );
  }
  const secret = readZoneSecret(variables);
  return urls.flatMap((url) => (url === undefined ? [] : [{ url, secret }]));
}

/** Undefined for what is more, or less, than scheme, host and port. */
function originOf(text: string): string | undefined {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const isPlain = url !== undefined && /^https?:$/.test(url.protocol) && url.pathname === '/' && url.search === '' && url.username === '';
  return isPlain ? url.origin : undefined;
}
