// How the control plane reaches the owner of a channel: through the one address that the cell's tasks share. Whichever task is met
// there serves the request, or passes it on to the owner.
//
// Requests go in no circle: no task knows this function.

import type { Served } from '#core/api/http/handler.ts';
import { epoch } from '#core/model/ids.ts';
import type { ChannelPeers } from '#core/ports/channel-peer.ts';

const FOLLOW = 'millrace-follow';
/** The function is reached by nobody who passes on: what names it as the owner names nobody. */
export const NOWHERE = { peer: 'http://function.invalid' };

/** For whoever owns no channel: the owner of every one is behind `cellUrl`. */
export function gatewayOwners(cellUrl: string): NonNullable<Served['owners']> {
  return {
    address: NOWHERE,
    isHere: () => false,
    readsFirst: true,
    find: async (channel) => ({ channel, epoch: epoch(0), address: { peer: cellUrl } }),
    // There is no other place to ask.
    refused: () => undefined,
    doubt: () => undefined,
  };
}

/** A task would tell who follows to go to the owner, which only tasks reach. */
export function gatewayPeers(peers: ChannelPeers): ChannelPeers {
  return {
    open(base, { headers: { [FOLLOW]: _unused, ...headers }, ...request }) {
      return peers.open(base, { ...request, headers });
    },
    close: () => peers.close(),
  };
}
