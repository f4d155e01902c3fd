// The official SDK, as a user sets it up, across rolling restarts: the next process waits beside the one that serves, which is then told
// to end. The application sees no error, loses nothing, and nothing is written twice.

import { setTimeout as sleep } from 'node:timers/promises';
import { AppendInput, AppendRecord, type AppendSession, BatchTransform, Producer, S2, type S2Stream } from '@s2-dev/streamstore';
import { describe, expect, onTestFinished, test } from 'vitest';
import { Api } from '#test/support/api.ts';
import { newServer, type Server } from '#test/support/server.ts';

const RESTARTS = 3;
const BASIN = 'rolling-basin';
/** How often each writer goes on between two restarts, at least, and how long it rests. */
const STEPS = 15;
const PAUSE_MS = 5;
/**
 * Over fetch a session sends one batch at a time, and the time that each has runs from when it was submitted: with more in line than is
 * sent in five seconds, the SDK itself gives up batches that go on to be written, and writes them again.
 */
const BOUNDED = { maxInflightBatches: 4 };

/** What the SDK took over: it gives its sequence number once it is acknowledged. */
interface Submitted {
  readonly ack: Promise<number>;
}

/** A writer that goes on until it is told to stop. It is the only one of its stream. */
interface Writer {
  readonly stream: S2Stream;
  /** How often it was acknowledged. @throws what the SDK told it */
  steps(): number;
  /** Settles with the bodies that were acknowledged, in the order in which they were submitted. */
  stop(): Promise<readonly string[]>;
}

function write(
  stream: S2Stream,
  step: (body: string, at: number) => Promise<Submitted>,
  close = async (): Promise<void> => undefined,
): Writer {
  let isOver = false;
  let steps = 0;
  let failure: { readonly error: unknown } | undefined;
  const acks: Promise<string>[] = [];
  const fail = (error: unknown): void => {
    failure ??= { error: new Error(`the writer of ${stream.name} failed`, { cause: error }) };
  };
  const running = (async () => {
    for (let at = 0; !isOver; at += 1) {
      const body = `${stream.name} ${at}`;
      const { ack } = await step(body, at);
      const told = ack.then((seqNum) => {
        expect(seqNum).toBe(at);
        steps += 1;
        return body;
      });
      told.catch(fail);
      acks.push(told);
      await sleep(PAUSE_MS);
    }
  })();
  running.catch(fail);
  return {
    stream,
    steps: () => {
      if (failure !== undefined) throw failure.error;
      return steps;
    },
    stop: async () => {
      isOver = true;
      await running;
      const bodies = await Promise.all(acks);
      await close();
      return bodies;
    },
  };
}

const inputOf = (body: string, matchSeqNum?: number): AppendInput =>
  AppendInput.create([AppendRecord.string({ body })], matchSeqNum === undefined ? undefined : { matchSeqNum });

async function submit(session: AppendSession, input: AppendInput): Promise<Submitted> {
  const ticket = await session.submit(input);
  return { ack: ticket.ack().then(({ start }) => start.seqNum) };
}

const WRITERS: Readonly<Record<string, (stream: S2Stream) => Promise<Writer>>> = {
  async session(stream) {
    const session = await stream.appendSession(BOUNDED);
    return write(
      stream,
      (body) => submit(session, inputOf(body)),
      () => session.close(),
    );
  },
  /** What is written twice does not match. */
  async conditional(stream) {
    const session = await stream.appendSession(BOUNDED);
    return write(
      stream,
      (body, at) => submit(session, inputOf(body, at)),
      () => session.close(),
    );
  },
  async producer(stream) {
    const batches = new BatchTransform({ lingerDurationMillis: 5, maxBatchRecords: 50 });
    const producer = new Producer(batches, await stream.appendSession(BOUNDED));
    const put = async (body: string): Promise<Submitted> => {
      const ticket = await producer.submit(AppendRecord.string({ body }));
      return { ack: ticket.ack().then((ack) => ack.seqNum()) };
    };
    return write(stream, put, () => producer.close());
  },
  /** A session for each record, and another one to read it: one or the other is being opened whenever a server goes. */
  async short(stream) {
    return write(stream, async (body, at) => {
      const session = await stream.appendSession();
      const { ack } = await submit(session, inputOf(body));
      await ack;
      await session.close();
      const bodies: string[] = [];
      for await (const record of await stream.readSession({ start: { from: { seqNum: at } }, stop: { limits: { count: 1 } } }))
        bodies.push(record.body);
      expect(bodies).toEqual([body]);
      return { ack };
    });
  },
  async unary(stream) {
    return write(stream, async (body, at) => {
      const { start } = await stream.append(inputOf(body));
      expect((await stream.checkTail()).tail.seqNum).toBe(at + 1);
      const { records } = await stream.read({ start: { from: { seqNum: at } }, stop: { limits: { count: 1 } } });
      expect(records.map((record) => record.body)).toEqual([body]);
      return { ack: Promise.resolve(start.seqNum) };
    });
  },
};

/** Follows a stream from its first record on. @returns what settles with the first `count` records, and ends it */
async function follow(stream: S2Stream): Promise<(count: number) => Promise<readonly string[]>> {
  const reader = (await stream.readSession({ start: { from: { seqNum: 0 } } })).getReader();
  const seen: string[] = [];
  let wake = (): void => undefined;
  let failure: unknown;
  const reading = (async () => {
    for (let next = await reader.read(); !next.done; next = await reader.read()) {
      expect(next.value.seqNum).toBe(seen.length);
      seen.push(next.value.body);
      wake();
    }
    throw new Error(`the read session of ${stream.name} ended behind ${seen.length} records`);
  })();
  reading.catch((error: unknown) => {
    failure ??= error;
    wake();
  });
  return async (count) => {
    while (seen.length < count && failure === undefined) {
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
    if (failure !== undefined) throw failure;
    failure = 'it was told to end';
    await reader.cancel();
    return seen;
  };
}

/** The next process, which waits for `server` to end. */
async function successorOf(server: Server): Promise<Server> {
  const next = await newServer({ dataDir: server.dataDir, port: server.port, env: { MILLRACE_WAIT_SECS: '120' } });
  onTestFinished(() => next.dispose());
  next.spawn();
  return next;
}

async function bodiesOf(api: Api, name: string): Promise<string[]> {
  const bodies: string[] = [];
  const tail = await api.tail(name);
  while (bodies.length < tail) bodies.push(...(await api.readBodies(name, bodies.length)));
  return bodies;
}

describe('A22: across rolling restarts', () => {
  test('the SDK sees no error, loses nothing and writes nothing twice, over HTTP/2 and over fetch', { timeout: 120_000 }, async () => {
    let server = await newServer();
    const first = server;
    onTestFinished(() => first.dispose());
    await server.start();
    const api = new Api(server.url, BASIN);
    await api.createBasin({ create_stream_on_append: true, create_stream_on_read: true });
    const basin = new S2({ accessToken: 'any', endpoints: { account: server.url, basin: server.url } }).basin(BASIN);
    const writers: Writer[] = [];
    for (const [kind, start] of Object.entries(WRITERS)) {
      // Without being told, the SDK takes HTTP/2 for sessions.
      writers.push(await start(basin.stream(`${kind}-default`)));
      writers.push(await start(basin.stream(`${kind}-fetch`, { forceTransport: 'fetch' })));
    }
    const readers = await Promise.all(writers.map(({ stream }) => follow(stream)));
    const quiet = await basin.stream('quiet').appendSession();
    const { ack: firstAck } = await submit(quiet, inputOf('first'));
    expect(await firstAck).toBe(0);

    const goOn = async (): Promise<void> => {
      const goals = writers.map((writer) => writer.steps() + STEPS);
      while (writers.some((writer, at) => writer.steps() < (goals[at] ?? 0))) await sleep(PAUSE_MS);
    };
    for (let restart = 0; restart < RESTARTS; restart += 1) {
      const next = await successorOf(server);
      await goOn();
      await expect.poll(() => next.output, { timeout: 20_000 }).toContain('waits for it to end');
      expect(await server.stop()).toEqual({ code: 0, signal: null });
      await next.ready();
      server = next;
    }
    await goOn();
    const { ack: lastAck } = await submit(quiet, inputOf('last'));
    expect(await lastAck).toBe(1);
    await quiet.close();

    for (const [at, { stream, stop }] of writers.entries()) {
      const acknowledged = await stop();
      expect(await bodiesOf(api, stream.name), stream.name).toEqual(acknowledged);
      expect(await readers[at]?.(acknowledged.length), stream.name).toEqual(acknowledged);
    }
  });
});
