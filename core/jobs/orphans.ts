// Which segment objects nothing names, and nothing can name any more.
//
//   G7  An offload object is an orphan only once M.version has passed the one in its key, it is not pending, and no row names it.
//   G8  A compaction's object is an orphan only if its stream's state, read after the object was seen, does not name it, and no row does.

import { invariant } from '../base/invariant.ts';
import { objectOrigin } from '../format/keys.ts';
import type { ChannelRegister } from '../metadata/channel-register.ts';
import type { ChannelState } from '../metadata/schema.ts';
import type { ChannelId } from '../model/ids.ts';
import { type JobPorts, NO_LEASE_MS } from './job-ports.ts';

/** Those of `keys`, of objects that were seen before this is called, that nothing names and nothing can. */
export async function orphansOf(ports: Pick<JobPorts, 'repository'>, keys: readonly string[]): Promise<readonly string[]> {
  const channels = new Map<ChannelId, ChannelState | undefined>();
  const orphans: string[] = [];
  for (const key of keys) {
    const origin = objectOrigin(key);
    if (origin === undefined) continue;
    if (origin.kind === 'compact') {
      const state = await ports.repository.segments.readState(origin.streamId, 'strong');
      if (state?.compacting?.object === key) continue;
    } else {
      const known = channels.get(origin.channel);
      const register = ports.repository.channel(origin.channel, NO_LEASE_MS);
      const state = known !== undefined && known.version > origin.version ? known : await passed(register, origin.version);
      channels.set(origin.channel, state);
      if (state === undefined || state.pending?.object === origin.main) continue;
      invariant(state.version > origin.version, 'G7: nobody can name the object any more');
    }
    // Read last: whoever named the object before the reads above has counted its rows by now, or never will.
    if ((await ports.repository.segments.objects.get(key)) === undefined) orphans.push(key);
  }
  return orphans;
}

/** M with a version beyond `version`, moved on if need be; undefined: in doubt. */
async function passed(register: ChannelRegister, version: number): Promise<ChannelState | undefined> {
  const state = await register.read();
  if (state.state !== 'active') return undefined;
  return state.version > version ? state : await register.bump(state);
}
