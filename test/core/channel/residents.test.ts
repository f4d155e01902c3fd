import { setTimeout as sleep } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, onTestFinished, test } from 'vitest';
import { type Entry, OpenChunk } from '#core/channel/open-chunk.ts';
import { RecordBatchBuilder } from '#core/format/record.ts';
import type { SeqNum, StreamletNumber } from '#core/model/ids.ts';
import { batch, refOf, World } from './world.ts';

const ref = refOf(1);

async function opened(world: World, ...options: Parameters<World['channel']>) {
  const channel = world.channel(...options);
  await channel.open('lock');
  onTestFinished(() => channel.close());
  return channel;
}

function trimTo(seqNum: number) {
  const builder = new RecordBatchBuilder();
  const name = new Uint8Array();
  const value = new TextEncoder().encode('trim');
  const body = new Uint8Array(8);
  new DataView(body.buffer).setBigUint64(0, BigInt(seqNum));
  builder.begin();
  builder.header(name, 0, 0, value, 0, value.length);
  builder.body(body, 0, body.length);
  builder.end();
  return builder.finish();
}

describe('streams in memory', () => {
  test('T2: a sealed stream without records stays until its seal is offloaded, so that no append slips behind it', async () => {
    const world = new World();
    const channel = await opened(world);
    await channel.deleteStream(ref);
    await expect(channel.append(ref, batch('late'), {})).rejects.toMatchObject({ code: 'stream_deletion_pending' });
    expect(channel.gauges.streams).toBe(1);
  });

  test('T2: a sealed stream stays when its records are offloaded and its seal is not', async () => {
    const world = new World();
    const channel = await opened(world, { tailMs: 0 });
    await channel.append(ref, batch('a'), {});
    await channel.deleteStream(ref);
    world.offloaded(ref.streamId, 1, 1);
    await channel.refresh();
    await expect(channel.append(ref, batch('late'), {})).rejects.toMatchObject({ code: 'stream_deletion_pending' });
  });

  test('T2: what replay finds offloaded already does not stay in memory', async () => {
    const world = new World();
    const first = await opened(world);
    for (let i = 0; i < 5; i += 1) await first.append(refOf(i), batch('x'), {});
    for (let i = 0; i < 5; i += 1) world.offloaded(refOf(i).streamId, 1, 0);
    const second = await opened(world);
    expect(second.gauges.streams).toBe(0);
    expect(await second.append(refOf(2), batch('y'), {})).toMatchObject({ start: { seqNum: 1 } });
  });

  test('T2: a stream of which a reader let go while it waited leaves memory with the wait', async () => {
    const channel = await opened(new World());
    const tail = await channel.tail(ref);
    const waited = tail.waitBeyond(0 as SeqNum, 20);
    tail.release();
    await waited;
    expect(channel.gauges.streams).toBe(0);
  });

  test('L8: a trim point that retention raised meanwhile stands, whatever replay finds', async () => {
    const world = new World();
    const zero = { streamlet: 0 as StreamletNumber, lastTimestamp: 0n, token: '', isSealed: false };
    const state = { ...zero, offloaded: 100 as SeqNum, tail: 100 as SeqNum, trimPoint: 0 as SeqNum };
    world.states.set(ref.streamId, state);
    const first = await opened(world);
    await first.append(ref, trimTo(50), {});
    world.states.set(ref.streamId, { ...state, trimPoint: 90 as SeqNum });
    const second = await opened(world);
    const tail = await second.tail(ref);
    expect(tail.trimPoint).toBe(90);
    expect(await tail.position()).toMatchObject({ seqNum: 101 });
    tail.release();
  });
});

describe('OpenChunk', () => {
  test('lets go of what it gave away, though it is never empty', async () => {
    setFlagsFromString('--expose-gc');
    const collect = runInNewContext('gc') as () => void;
    const open = new OpenChunk();
    const taken: WeakRef<Entry>[] = [];
    const push = (): void => {
      const entry = { settle: () => undefined } as unknown as Entry;
      taken.push(new WeakRef(entry));
      open.push({ ...filled(), settle: () => void entry } as Entry, 0);
    };
    push();
    for (let i = 0; i < 1_000; i += 1) {
      push();
      open.take(1, 0);
    }
    expect(open.isEmpty).toBe(false);
    await sleep(1);
    collect();
    expect(taken.filter((entry) => entry.deref() !== undefined).length).toBeLessThan(200);
  });
});

/** An entry of some bytes, so that each chunk takes one. */
function filled(): object {
  const content = { stream: undefined, header: undefined, headerBytes: new Uint8Array(1), body: new Uint8Array(1) };
  return { ...content, content };
}
