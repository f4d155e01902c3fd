// The settings of the check of chunk servers: those of the channel tasks whose chunk servers they are.

import { needed, readStorageEnv, type StorageEnv, type Variables } from '#functions/aws/env.ts';

export type ZonesEnv = Pick<StorageEnv, 'table' | 'nativeZones'>;

/** @throws SettingError naming the variable, and what it must be */
export function readZonesEnv(variables: Variables): ZonesEnv {
  needed(variables, 'MILLRACE_NATIVE_ZONES', /./, 'the URLs of three chunk servers: without them there is nothing to look at');
  return readStorageEnv(variables);
}
