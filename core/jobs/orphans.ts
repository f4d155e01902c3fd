// Which segment objects nothing names, and nothing can name any more.
//
//   G7  An offload object is an orphan only once M.version has passed the one in its key, it is not pending, and no row names it.
//   G8  A compaction's object is an orphan only if its stream's state, read after the object was seen, does not name it, and no row does.
//   G11 What M should know of and does not is kept, and told; from then on no sweep deletes anything.

import { invariant } from '../base/invariant.ts';
import { objectOrigin } from '../format/keys.ts';
import type { ChannelRegister } from '../metadata/channel-register.ts';
import type { ChannelState } from '../metadata/schema.ts';
import type { ChannelId } from '../model/ids.ts';
import { type JobPorts, NO_LEASE_MS } from './job-ports.ts';

/** Those of `keys`, of objects that were seen before this is called, that nothing names and nothing can; none where there is doubt. */
export async function orphansOf(ports: Pick<JobPorts, 'repository' | 'trace'>, keys: readonly string[]): Promise<readonly string[]> {
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
      const state: ChannelState | 'behind' | undefined =
        known !== undefined && known.version > origin.version ? known : await passed(register, origin.version);
      if (state === 'behind') {
        await doubt(ports, `object ${key} was made under a later version of its channel's metadata than there is`);
        return [];
      }
      channels.set(origin.channel, state);
      if (state === undefined || state.pending?.object === origin.main) continue;
      invariant(state.version > origin.version, 'G7: nobody can name the object any more');
    }
    // Read last: whoever named the object before the reads above has counted its rows by now, or never will.
    if ((await ports.repository.segments.objects.get(key)) === undefined) orphans.push(key);
  }
  return orphans;
}

/** Notes that metadata is not what belongs to what was found, and tells it. (G11) */
export async function doubt(ports: Pick<JobPorts, 'repository' | 'trace'>, found: string): Promise<void> {
  await ports.repository.doubt.note(found);
  tellDoubt(ports, found);
}

/** A person has to look, so it is told again with every run that deletes nothing for it. */
export function tellDoubt(ports: Pick<JobPorts, 'trace'>, found: string): void {
  const message = `metadata is older than what it describes, or another's; nothing is swept any more: ${found}`;
  ports.trace.event('job.sweep.doubt.error', { message });
}

/** M with a version beyond `version`, moved on if need be; `behind`: nobody can have named that version; undefined: not now. */
async function passed(register: ChannelRegister, version: number): Promise<ChannelState | 'behind' | undefined> {
  const state = await register.read();
  // An object's key has the version that its maker read, and M never goes back.
  if (state.version < version) return 'behind';
  if (state.state !== 'active') return undefined;
  return state.version > version ? state : await register.bump(state);
}
