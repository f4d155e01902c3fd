// The settings of the processes of a development cluster, which functions/cluster/main.ts gives them.

import { channelsPerClass, type NativeZone, nativeZones } from '#functions/aws/env.ts';
import { signingSecret } from '#functions/channel/env.ts';
import { readZoneSecret } from '#functions/chunk-server/env.ts';
import type { CallHostEnv } from '#functions/chunk-server/host.ts';
import { type LocalEnv, readEnv, SettingError } from '#functions/local/env.ts';

type Variables = Readonly<Record<string, string | undefined>>;

export function readStoresEnv(variables: Variables): CallHostEnv {
  const { port, host, dataDir, waitMs, tls } = readEnv({ ...variables, MILLRACE_AUTH: 'off', MILLRACE_ROOT_TOKEN: undefined });
  return { port, host, dataDir, waitMs, tls, secret: readZoneSecret(variables) };
}

export interface ClusterTaskEnv extends Omit<LocalEnv, 'dataDir'> {
  /** Where metadata and objects are. */
  readonly storesUrl: string;
  /** What that takes, and chunk servers. */
  readonly secret: string;
  readonly nativeZones: readonly NativeZone[];
  readonly signingSecret: string | undefined;
}

/** @throws SettingError naming the variable, and what it must be */
export function readClusterTaskEnv(variables: Variables): ClusterTaskEnv {
  const { dataDir: _unused, ...common } = readEnv(variables);
  const storesUrl = variables['MILLRACE_STORES_URL'] ?? '';
  if (!URL.canParse(storesUrl))
    throw new SettingError(`MILLRACE_STORES_URL is "${storesUrl}"; it must be a URL, such as http://127.0.0.1:8091`);
  const zones = nativeZones(variables);
  if (zones.length === 0) throw new SettingError('MILLRACE_NATIVE_ZONES is missing; it must be the URLs of three chunk servers');
  const { config } = common;
  return {
    ...common,
    config: {
      ...config,
      channelsPerClass: channelsPerClass(variables['MILLRACE_CHANNELS']),
      channel: { ...config.channel, leaseMs: leaseMs(variables['MILLRACE_LEASE_SECS']) ?? config.channel.leaseMs },
    },
    storesUrl,
    secret: readZoneSecret(variables),
    nativeZones: zones,
    signingSecret: signingSecret(variables, common),
  };
}

/** How long a task that was killed keeps its channels from others: on one machine, whose clock never stops, it may be short. */
function leaseMs(secs: string | undefined): number | undefined {
  if (secs === undefined) return undefined;
  if (/^\d{1,2}$/.test(secs) && Number(secs) >= 1) return 1_000 * Number(secs);
  throw new SettingError(`MILLRACE_LEASE_SECS is "${secs}"; it must be a whole number of seconds from 1 to 99`);
}
