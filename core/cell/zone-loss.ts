// Whether a zone can be spared: its server replaced, its disk given up. functions/zones asks for an operator before one is.
//
//   Z21 A zone's server is given up only while the others hold, of every log that M names, all zones but as many as may be lost. A zone
//       that was lost before counts as lost for as long as any log names it, however healthy its successor is.

import { ChannelRegister } from '../metadata/channel-register.ts';
import type { ChannelId, Epoch, ZoneId } from '../model/ids.ts';
import type { MetadataStore } from '../ports/metadata-store.ts';
import type { ZoneSet } from './cell.ts';
import { CHANNELS_MAX } from './config.ts';
import { channelsOf } from './zone-logs.ts';

/** One server of a zone, and which zone it says that it has now. */
export interface ZoneServer {
  readonly place: string;
  /** Undefined: it does not answer. */
  readonly zone: ZoneId | undefined;
}

export interface NamedLog {
  readonly channel: ChannelId;
  readonly epoch: Epoch;
  readonly zones: readonly ZoneId[];
}

/** The logs that the metadata items of a storage class's channels name, read strongly: of as many channels as there may be. */
export async function namedLogs(metadata: MetadataStore, zones: Pick<ZoneSet, 'storageClass'>): Promise<readonly NamedLog[]> {
  const all = channelsOf(zones, CHANNELS_MAX).map(async (channel) => {
    const state = await new ChannelRegister(metadata, channel, 0).look('strong');
    return (state?.logs ?? []).map((log): NamedLog => ({ channel, epoch: log.epoch, zones: log.zones }));
  });
  return (await Promise.all(all)).flat();
}

/** Why `server` cannot be spared, for people; nothing: it can. */
export function whyNotSpared(
  server: ZoneServer,
  servers: readonly ZoneServer[],
  logs: readonly NamedLog[],
  kind: Pick<ZoneSet['kind'], 'zonesCount' | 'writeQuorum'>,
): readonly string[] {
  const others = servers.filter((other) => other !== server);
  const silent = others.filter(({ zone }) => zone === undefined);
  const held = new Set(others.map(({ zone }) => zone));
  const lostMax = kind.zonesCount - kind.writeQuorum;
  return [
    ...silent.map(({ place }) => `${place} does not answer, so that nothing could be acknowledged without this one`),
    ...logs.flatMap(({ channel, epoch, zones }) => {
      const lost = zones.filter((zone) => !held.has(zone));
      if (lost.length <= lostMax) return [];
      return [`Z21: epoch ${epoch} of ${channel} would have lost ${lost.join(' and ')}; it may lose ${lostMax}`];
    }),
  ];
}
