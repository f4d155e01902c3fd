// The liveness phase: everything is well, so everything must come to its end, each thing within its time.

import { zlibChecksum } from '#core/adapters/node/zlib-checksum.ts';
import { invariant } from '#core/base/invariant.ts';
import { decodeChunkHeader } from '#core/format/chunk.ts';
import { chunksIn } from './ports/zones.ts';
import { CHURN, HOT, STREAMS } from './workload.ts';
import type { World } from './world.ts';

/** Something did not come to its end in time. */
export class DeadlineError extends Error {
  override readonly name = 'DeadlineError';
}

const CALLS_MS_MAX = 30_000;
const APPEND_MS_MAX = 30_000;
const DRAIN_MS_MAX = 60_000;
/** From the acknowledgement of a record to the follower that is given it: far below the time between two heartbeats. */
const WAKE_MS_MAX = 2_000;
const FOLLOW_ATTEMPTS_MAX = 10;
/** Heartbeats before the record, at most. */
const FOLLOWED_BATCHES_MAX = 1_000;
/** Until the last frames are evicted. */
const REST_MS = 8_000;
/** Chunks without records that an open log may keep: they wait for one with records to be offloaded. */
const EMPTY_CHUNKS_MAX = 60;

export async function finale(world: World): Promise<void> {
  const { workload, loop } = world;
  const ended = workload.finished();
  await within(world, CALLS_MS_MAX, 'every operation ends', async () => {
    await loop.sleep(5_000);
    workload.stop();
    await ended;
  });
  await eachStreamTakesAnAppend(world);
  await followersAreWoken(world);
  await until(world, DRAIN_MS_MAX, () => undrained(world));
  await readEverything(world);
  await nobodyGaveUp(world);
  await atRest(world);
}

/** All that was acknowledged was just read: a process that refuses for ever, as it takes records for lost, raised a false alarm. */
async function nobodyGaveUp(world: World): Promise<void> {
  const { workload, cluster } = world;
  for (const [i, process] of cluster.processes.entries()) {
    const client = workload.client(1_030 + i);
    client.only = process;
    const told = await client.checkTail(HOT);
    if (told.kind === 'failed' && told.code === 'corrupt')
      world.fail('false-alarm', `${process.name} takes records for lost that can be read`);
  }
}

/** What was taken for calls that are over is given back. */
async function atRest(world: World): Promise<void> {
  const end = world.loop.now + REST_MS;
  for (;;) {
    const held = world.cluster.processes.map((process) => world.bounds.held(process)).find((what) => what !== undefined);
    if (held === undefined) return;
    if (world.loop.now > end) return world.fail('at-rest', held);
    await world.loop.sleep(100);
  }
}

async function within(world: World, ms: number, what: string, act: () => Promise<void>): Promise<void> {
  let isLate = false;
  const late = world.loop.sleep(ms).then(() => {
    isLate = true;
  });
  await Promise.race([act(), late]);
  if (isLate) throw new DeadlineError(`not within ${ms} ms: ${what}`);
}

/** Waits until `lacking` says that nothing is. */
async function until(world: World, ms: number, lacking: () => string | undefined): Promise<void> {
  const end = world.loop.now + ms;
  for (;;) {
    const what = lacking();
    if (what === undefined) return;
    if (world.loop.now > end) throw new DeadlineError(`not within ${ms} ms: ${what}`);
    await world.loop.sleep(500);
  }
}

async function eachStreamTakesAnAppend(world: World): Promise<void> {
  const { workload, loop } = world;
  const client = workload.client(1_000);
  for (const stream of STREAMS) {
    const end = loop.now + APPEND_MS_MAX;
    for (;;) {
      const { kind } = await client.append(stream, [workload.plainRecord(30)]);
      if (kind === 'appended') break;
      if (stream === CHURN && kind === 'stream_not_found') await client.create(stream);
      if (loop.now > end)
        throw new DeadlineError(`stream ${stream} takes no append, ${APPEND_MS_MAX} ms after everything was well: ${kind}`);
      await loop.sleep(100);
    }
  }
}

/** A follower at the tail is given what is appended, at once and not only with its next heartbeat. */
async function followersAreWoken(world: World): Promise<void> {
  const { workload, loop } = world;
  const writer = workload.client(1_002);
  for (let attempt = 0; attempt < FOLLOW_ATTEMPTS_MAX; attempt += 1) {
    const tail = await retried(() => writer.checkTail(HOT));
    if (tail.kind !== 'tail') continue;
    let wokenAt = Number.POSITIVE_INFINITY;
    const follower = workload.client(1_010 + attempt);
    follower.patienceMs = 30_000;
    const following = follower.follow(HOT, tail.tail, FOLLOWED_BATCHES_MAX, 20, true).then((next) => {
      if (next > tail.tail) wokenAt = loop.now;
    });
    await loop.sleep(300);
    const { kind } = await writer.append(HOT, [workload.plainRecord(30)]);
    const ackedAt = loop.now;
    await following;
    // Whoever it followed may just have lost the channel.
    if (kind !== 'appended' || wokenAt === Number.POSITIVE_INFINITY) continue;
    if (wokenAt - ackedAt > WAKE_MS_MAX) throw new DeadlineError(`a follower was given a record ${(wokenAt - ackedAt).toFixed(0)} ms late`);
    return;
  }
  throw new DeadlineError(`no follower was given a record in ${FOLLOW_ATTEMPTS_MAX} attempts`);
}

/** What is left to do before the cell is at rest, if anything. */
function undrained(world: World): string | undefined {
  const { audit, cluster, zones, objects, aside } = world;
  for (const channel of audit.channels) {
    if (channel.state !== 'active') return `channel ${channel.channel} is ${channel.state}`;
    if (channel.pending !== undefined) return 'an offload is pending';
    if (channel.logs.length !== 1) return `M names ${channel.logs.length} logs`;
  }
  if (aside.brief.isThere) return 'the stream that deletes itself is there still';
  if (!aside.aged.isEmpty) return 'records are there still that are older than their stream keeps them';
  for (const { name, cell } of cluster.processes) {
    for (const { channel } of cell.channels) {
      const { streams, heldBytes, backlogBytes } = channel.gauges;
      if (channel.isReady && (streams > 0 || heldBytes > 0 || backlogBytes > 0)) {
        return `${name} holds ${streams} idle streams, ${heldBytes} bytes of frames, ${backlogBytes} of them not offloaded`;
      }
    }
  }
  for (const zone of zones.current) {
    let empty = 0;
    for (const { log, at, bytes } of chunksIn(zone)) {
      const header = decodeChunkHeader(bytes, zlibChecksum);
      if (header?.kind === 'seal') continue;
      // Where other zones hold a seal, one may be on its way: what an old owner stored there, or what is torn, is let be.
      if (audit.isLastSeal(log, at) || zones.isSealedSomewhere(log, at)) continue;
      empty += 1;
      if (header === undefined && zone.isDamaged) continue;
      // A write that came late, after gc had passed: it goes when base moves again, or with the log.
      const known = audit.channels.flatMap(({ logs }) => logs).find(({ epoch }) => epoch === log.epoch);
      if (known !== undefined && known.end === undefined && at < known.base) continue;
      if (header?.payloadBytes !== 0) return `${zone.name} still holds a chunk of log ${log.epoch} at ${at}`;
    }
    if (empty > EMPTY_CHUNKS_MAX) return `${zone.name} holds ${empty} empty chunks`;
  }
  const orphans = [...objects.store.objects.keys()].filter((key) => !audit.isReferenced(key));
  return orphans.length === 0 ? undefined : `nothing names object ${orphans[0]} (and ${orphans.length - 1} more)`;
}

async function readEverything(world: World): Promise<void> {
  const client = world.workload.client(1_001);
  for (const stream of STREAMS) {
    const tail = await retried(() => client.checkTail(stream));
    invariant(tail.kind === 'tail', 'the last look at a tail tells it');
    if (tail.tail === 0) continue;
    const all = await retried(() => client.read(stream, 0));
    if (all.kind !== 'read' && all.kind !== 'range_not_satisfiable') {
      throw new DeadlineError(`stream ${stream} cannot be read at rest: ${JSON.stringify(all)}`);
    }
    const last = all.kind === 'read' ? all.records.at(-1) : undefined;
    if (last !== undefined && last.seqNum + 1 !== tail.tail)
      world.fail('final-read', `${stream} was read to ${last.seqNum}, its tail is ${tail.tail}`);
  }
}

/** Again, as long as it only failed. */
async function retried<T extends { readonly kind: string }>(act: () => Promise<T>): Promise<T> {
  for (let i = 0; ; i += 1) {
    const outcome = await act();
    if (outcome.kind !== 'failed' || i === 20) return outcome;
  }
}
