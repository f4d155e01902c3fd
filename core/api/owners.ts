// Which process serves a channel, as a request needs to know that comes to any of them. A cell of one process has no need of it.

import type { ChannelId } from '../model/ids.ts';
import type { OwnerAddress } from '../model/owner-address.ts';
import type { Refusal, Route } from '../placement/routes.ts';

export interface Owners {
  /** Where this process is reached. */
  readonly address: OwnerAddress;
  /** A unary read is tried here first, as it may lie in segments (T13): for whoever owns nothing, and passes on by a longer way. */
  readonly readsFirst?: boolean;
  /** Whether a request for the channel is answered by this process now, be it with a failure. */
  isHere(channel: ChannelId): boolean;
  /** Where the channel is served, as far as is known; undefined: nowhere now. Cheap to ask again and again. */
  find(channel: ChannelId): Promise<Route | undefined>;
  /** Whoever is at the end of the route does not serve the channel (now): it is not given again for a while. */
  refused(route: Route, how: Refusal): void;
  /** The route may be out of date. */
  doubt(route: Route): void;
}
