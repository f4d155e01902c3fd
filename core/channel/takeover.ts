// How a process becomes the owner of a channel: claim, find and seal (chunk/), replay, write the window again, publish.
//
//   L7  A claim is conditional on the epoch, version and lease counter that were watched; an epoch is never resumed. Whoever
//       does not watch the lease knows that its owner is gone: by a lock, a release, or as it is the owner itself.
//   L8  Replay ends before the publish, and is an idempotent fold: known frames are skipped, overlap is corruption, a gap too.
//   L9  Nothing is sequenced before the publish is known; a takeover that fails leaves no writer behind.

import { toHex } from '../base/bytes.ts';
import { invariant } from '../base/invariant.ts';
import { decodeFrames, type Frame } from '../format/frame.ts';
import type { ChannelState } from '../metadata/schema.ts';
import { refused, StoreError } from '../model/errors.ts';
import { type Epoch, logName, type OwnerNonce, type Position } from '../model/ids.ts';
import type { LogDescription, Recovery, WrittenChunk } from '../ports/chunk-log.ts';
import type { Bases, HeldFrame } from './backlog.ts';
import type { ChannelConfig, ChannelDeps } from './deps.ts';
import type { Moment } from './held-lease.ts';
import { isLeasedAs, watchMs } from './lease.ts';
import { Tenure } from './tenure.ts';

/** Between two looks at a lease that is watched. */
const LOOK_MS_MIN = 10;

/** How the last owner is known to be gone. `lock`: an exclusive lock proves it; `lease`: its lease must run out first. */
export type Proof = 'lock' | 'lease';

/** The owner of this nonce is the caller itself, who lets nothing be sequenced under it any more. */
export interface OwnClaim {
  readonly own: OwnerNonce;
}

/** Nobody has had the channel since it was seen so: it was released, or its lease ran out under the eyes of whoever says so (L2). */
export interface Vacancy {
  readonly seen: ChannelState;
}

export interface Owned {
  readonly tenure: Tenure;
  /** M as published. */
  readonly item: ChannelState;
}

/**
 * Takes the channel over.
 *
 * @throws StoreError `unavailable` when another claimed it meanwhile, or a quorum does not answer: try again from the start.
 */
export async function takeOver(
  deps: ChannelDeps,
  config: ChannelConfig,
  proof: Proof | OwnClaim | Vacancy,
  signal: AbortSignal,
): Promise<Owned> {
  const owner = toHex(deps.random.bytes(16)) as OwnerNonce;
  const seen = isVacancy(proof) ? proof.seen : await awaitVacancy(deps, proof, signal);
  const sentAt: Moment = { monotonic: deps.clock.monotonic(), wall: deps.clock.now() };
  const claimed = await deps.metadata.claim(seen, owner);
  if (claimed === undefined) throw refused('unavailable', `channel ${deps.channel} was claimed by another owner`);
  invariant(claimed.epoch === seen.epoch + 1 && claimed.owner === owner, 'L7: a claim takes the next epoch');
  deps.trace.event('takeover.claimed', { channel: deps.channel, epoch: claimed.epoch });
  const tenure = new Tenure(deps, config, claimed.epoch, basesOf(claimed));
  tenure.lease.renewed(sentAt);
  const recovered = new AbortController();
  void renewUntil(deps, tenure, claimed, recovered.signal);
  try {
    const item = await recover(deps, tenure, claimed, signal);
    return { tenure, item };
  } catch (error) {
    tenure.stop(error instanceof StoreError ? error : refused('unavailable', 'the takeover failed'));
    throw await unlessOvertaken(deps, claimed, error);
  } finally {
    // A renewal without an answer must not hold up the new owner.
    recovered.abort();
  }
}

/** Why a takeover failed: what looks damaged is only gone where another owner has claimed, published and offloaded meanwhile. */
async function unlessOvertaken(deps: ChannelDeps, claimed: ChannelState, error: unknown): Promise<unknown> {
  if (!(error instanceof StoreError) || error.code !== 'corrupt') return error;
  const now = await deps.metadata.read();
  if (now.epoch === claimed.epoch && now.owner === claimed.owner) return error;
  return refused('unavailable', `channel ${deps.channel} was claimed by another owner`);
}

/** Steps 2 to 5, from the claim to the publish. Resolves to M as published. */
async function recover(deps: ChannelDeps, tenure: Tenure, claimed: ChannelState, signal: AbortSignal): Promise<ChannelState> {
  const open = claimed.logs.find((log) => log.end === undefined);
  const recovery = open === undefined ? undefined : await deps.logs.recover(describe(deps, open), floorOf(claimed, open));
  await replayLogs(deps, tenure, claimed, recovery);
  const zones = deps.logs.zones();
  await rewriteWindow(deps, tenure, claimed, zones, recovery?.adopted ?? [], signal);
  const publication =
    open === undefined || recovery === undefined
      ? { zones }
      : { zones, closed: { epoch: open.epoch, end: recovery.end, sealedAt: recovery.sealedAt } };
  const item = await publish(deps, claimed, publication);
  tenure.advance(basesOf(item));
  tenure.activate();
  deps.trace.event('takeover.published', { channel: deps.channel, epoch: item.epoch, adopted: recovery?.adopted.length ?? 0 });
  return item;
}

/** First positions not offloaded, of each log that M names. */
export function basesOf(item: ChannelState): Bases {
  return new Map(item.logs.map(({ epoch, base }) => [epoch, base]));
}

function describe(deps: ChannelDeps, log: ChannelState['logs'][number]): LogDescription {
  const { epoch, ...rest } = log;
  return { log: { channel: deps.channel, epoch }, ...rest };
}

function floorOf(item: ChannelState, open: ChannelState['logs'][number]): Position {
  const pending = item.pending?.epoch === open.epoch ? item.pending.to : 0;
  return Math.max(open.base, pending) as Position;
}

/** Keeps the lease while recovering, so that a long replay is not taken for a crash. */
async function renewUntil(deps: ChannelDeps, tenure: Tenure, claimed: ChannelState, over: AbortSignal): Promise<void> {
  while (await pause(deps, tenure.lease.lengthMs / 4, over)) {
    const sentAt = tenure.lease.now();
    try {
      const item = await deps.metadata.renew(claimed);
      // Claimed by another: the publish will be refused.
      if (item === undefined) return;
      tenure.lease.renewed(sentAt);
    } catch (error) {
      if (!(error instanceof StoreError)) throw error;
    }
  }
}

/** False as soon as `over` aborts. */
function pause(deps: ChannelDeps, ms: number, over: AbortSignal): Promise<boolean> {
  return deps.clock.sleep(ms, over).then(
    () => true,
    () => false,
  );
}

function isVacancy(proof: Proof | OwnClaim | Vacancy): proof is Vacancy {
  return typeof proof === 'object' && 'seen' in proof;
}

/** Reads M until its owner is certainly gone. */
async function awaitVacancy(deps: ChannelDeps, proof: Proof | OwnClaim, signal: AbortSignal): Promise<ChannelState> {
  let seen = await deps.metadata.read();
  if (typeof proof === 'object' && seen.owner !== proof.own) {
    throw refused('unavailable', `channel ${deps.channel} has another owner`);
  }
  let since = deps.clock.monotonic();
  for (;;) {
    const restMs = watchMs(seen.leaseMs) - (deps.clock.monotonic() - since);
    if (proof !== 'lease' || seen.state === 'released' || restMs <= 0) return seen;
    if (!(await pause(deps, Math.min(restMs, Math.max(LOOK_MS_MIN, seen.leaseMs / 10)), signal))) throw givenUp(deps);
    const now = await deps.metadata.read();
    // What jobs change beside them (the version) says nothing of the owner: it may be gone while they go on.
    if (!isLeasedAs(seen, now)) since = deps.clock.monotonic();
    seen = now;
  }
}

async function replayLogs(deps: ChannelDeps, tenure: Tenure, item: ChannelState, recovery: Recovery | undefined): Promise<void> {
  for (const log of item.logs) {
    const end = log.end ?? recovery?.end;
    invariant(end !== undefined, 'L8: the open log was recovered before replay');
    const description = describe(deps, log);
    for await (const chunk of deps.logs.read(description, { start: log.base, end })) {
      await replayChunk(deps, tenure, log.epoch, chunk);
    }
  }
}

async function replayChunk(deps: ChannelDeps, tenure: Tenure, epoch: Epoch, chunk: WrittenChunk): Promise<void> {
  const frames = [...decodeFrames(chunk.payload, deps.checksum)];
  await Promise.all(frames.map((frame) => tenure.streams.load(frame.streamId, frame.streamlet)));
  const held: HeldFrame[] = [];
  const tails = new Map<string, number>();
  for (const frame of frames) {
    const stream = tenure.streams.get(frame.streamId);
    invariant(stream !== undefined, 'S4: the streams of a chunk are loaded before its replay');
    const tail = tails.get(frame.streamId) ?? stream.committed.tail;
    if (isKnown(frame, tail, stream.committed.isSealed)) continue;
    if (frame.first !== tail) {
      throw new StoreError(
        'corrupt',
        'none',
        `chunk ${chunk.at} of ${deps.channel}/${epoch} has ${frame.first} of ${frame.streamId}, expected ${tail}`,
      );
    }
    tails.set(frame.streamId, frame.first + frame.count);
    held.push({ stream, frame });
  }
  if (held.length > 0) tenure.replayed(epoch, chunk, held);
}

function isKnown(frame: Frame, tail: number, isSealed: boolean): boolean {
  return frame.kind === 'seal' ? isSealed || frame.first < tail : frame.first + frame.count <= tail;
}

/** Step 5: the adopted payloads become the first chunks of the new log, to quorum. */
async function rewriteWindow(
  deps: ChannelDeps,
  tenure: Tenure,
  claimed: ChannelState,
  zones: ReturnType<ChannelDeps['logs']['zones']>,
  adopted: readonly Uint8Array[],
  signal: AbortSignal,
): Promise<void> {
  const log = { channel: deps.channel, epoch: claimed.epoch };
  const target = adopted.length as Position;
  let settle: (error?: StoreError) => void = () => {};
  const done = new Promise<void>((resolve, reject) => {
    settle = (error) => (error === undefined ? resolve() : reject(error));
  });
  // Nobody waits for it yet if the replay below fails.
  done.catch(() => undefined);
  const writer = deps.logs.openWriter(log, claimed.owner, zones, {
    committed: (commitPoint) => {
      if (commitPoint === target) settle();
      tenure.committed(commitPoint);
    },
    deposed: (reason) => {
      settle(reason);
      tenure.deposed(reason);
    },
    stalled: (error) => tenure.stalled(error),
  });
  tenure.attach(writer);
  for (const [i, payload] of adopted.entries()) {
    invariant(writer.hasRoom && writer.end === i, 'L9: the window fits into the new log, from its start');
    await replayChunk(deps, tenure, claimed.epoch, { at: i as Position, payload });
    writer.write([payload]);
  }
  if (adopted.length === 0) settle();
  const abandon = (): void => settle(givenUp(deps));
  signal.addEventListener('abort', abandon);
  if (signal.aborted) abandon();
  await done.finally(() => signal.removeEventListener('abort', abandon));
  deps.trace.event(adopted.length > 0 ? 'takeover.window.nonempty' : 'takeover.window.empty', {
    log: logName(log),
    adopted: adopted.length,
  });
}

/** Step 5, the publish: an ambiguous answer is looked up by the nonce. */
async function publish(
  deps: ChannelDeps,
  claimed: ChannelState,
  publication: Parameters<ChannelDeps['metadata']['publish']>[1],
): Promise<ChannelState> {
  let item: ChannelState | undefined;
  try {
    item = await deps.metadata.publish(claimed, publication);
  } catch (error) {
    if (!(error instanceof StoreError)) throw error;
    deps.trace.event('takeover.publish.ambiguous', { channel: deps.channel, code: error.code });
  }
  item ??= await deps.metadata.read();
  if (item.epoch === claimed.epoch && item.owner === claimed.owner && item.state === 'active') return item;
  throw refused('unavailable', `channel ${deps.channel} was claimed by another owner before its publish`);
}

function givenUp(deps: ChannelDeps): StoreError {
  return refused('draining', `the takeover of channel ${deps.channel} was given up: it is being closed`);
}
