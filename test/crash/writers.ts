// Clients that append until the server goes away, and note what they were told.
//
// Nothing is sent twice, but by the conditional writer: what has no answer may or may not be there, and only the history can tell.

import type { ClientHttp2Session } from 'node:http2';
import { setTimeout as sleep } from 'node:timers/promises';
import { encodeAppendInput, frameOf } from '#bench/protocol.ts';
import { AppendSession, SessionError } from '#bench/session.ts';
import type { Api } from '#test/support/api.ts';
import { bodyOf, type History, Violation } from './history.ts';
import type { Prng } from './prng.ts';

export interface WriterContext {
  readonly api: Api;
  readonly connection: ClientHttp2Session;
  readonly history: History;
  readonly prng: Prng;
  readonly signal: AbortSignal;
}

/** Statuses with which a server may put a client off. */
const PUT_OFF = new Set([408, 429, 500, 502, 503, 504]);

interface Batch {
  readonly first: number;
  readonly bodies: readonly Buffer[];
}

function nextBatch(context: WriterContext, writer: string, recordsMax: number, bytesMax: number): Batch {
  const count = context.prng.between(1, recordsMax);
  const first = context.history.send(writer, count);
  return { first, bodies: Array.from({ length: count }, (_, at) => bodyOf(writer, first + at, context.prng.between(0, bytesMax))) };
}

async function postJson(context: WriterContext, batch: Batch, conditions: object): Promise<{ status: number; json: unknown } | undefined> {
  try {
    const records = batch.bodies.map((body) => ({ body: body.toString('base64') }));
    const answer = await context.api.append(context.history.stream, { records, ...conditions }, { 's2-format': 'base64' });
    return answer;
  } catch {
    return undefined; // The connection was lost: the server is gone, or about to be.
  }
}

interface JsonAck {
  readonly start: { readonly seq_num: number };
  readonly end: { readonly seq_num: number };
}

/** One request at a time, a few small records each. */
export async function writeUnary(context: WriterContext, writer: string): Promise<void> {
  while (!context.signal.aborted) {
    const batch = nextBatch(context, writer, 5, 600);
    const answer = await postJson(context, batch, {});
    if (answer?.status === 200) {
      const ack = answer.json as JsonAck;
      context.history.acknowledge(writer, batch.first, batch.bodies.length, ack.start.seq_num, ack.end.seq_num);
    } else if (answer !== undefined && !PUT_OFF.has(answer.status)) {
      throw new Violation(`a plain append was refused: ${answer.status} ${JSON.stringify(answer.json)}`);
    }
    await sleep(answer === undefined ? 5 : context.prng.between(0, 3));
  }
}

/** Many batches in flight on one session. */
export async function writeSession(context: WriterContext, writer: string, bytesMax: number): Promise<void> {
  const session = new AppendSession(context.connection, context.api.basin, context.history.stream);
  let lost = false;
  let violation: unknown;
  const settled: Promise<void>[] = [];
  while (!context.signal.aborted && !lost) {
    if (session.inFlight >= 16) {
      await sleep(1);
      continue;
    }
    const batch = nextBatch(context, writer, 8, bytesMax);
    const frame = frameOf(encodeAppendInput(batch.bodies.map((body) => ({ body }))));
    settled.push(
      session
        .append(frame)
        .then(
          (ack) => {
            context.history.acknowledge(writer, batch.first, batch.bodies.length, ack.start.seqNum, ack.end.seqNum);
          },
          (error: unknown) => {
            lost = true;
            if (error instanceof SessionError && !PUT_OFF.has(error.status))
              violation ??= new Violation(`a session was refused: ${error.message}`);
          },
        )
        .catch((error: unknown) => {
          lost = true;
          violation ??= error;
        }),
    );
    await sleep(context.prng.between(0, 2));
  }
  await Promise.all(settled);
  if (violation !== undefined) throw violation;
}

/**
 * The only writer of its stream: every append names the sequence number that it must get, so that one without an answer can be sent again,
 * also after a restart, and is there exactly once.
 */
export class ConditionalWriter {
  readonly #writer: string;
  #next = 0;
  #open: Batch | undefined;

  constructor(writer: string) {
    this.#writer = writer;
  }

  async write(context: WriterContext): Promise<void> {
    while (!context.signal.aborted) {
      const isRepeat = this.#open !== undefined;
      this.#open ??= nextBatch(context, this.#writer, 5, 300);
      const batch = this.#open;
      const answer = await postJson(context, batch, { match_seq_num: this.#next });
      const end = this.#next + batch.bodies.length;
      if (answer?.status === 200) {
        const ack = answer.json as JsonAck;
        if (ack.start.seq_num !== this.#next) throw new Violation(`match_seq_num ${this.#next} was acknowledged at ${ack.start.seq_num}`);
        this.#settle(context, batch, end);
      } else if (answer?.status === 412) {
        const { seq_num_mismatch: tail } = answer.json as { seq_num_mismatch?: number };
        // Refused because it is there already, from the first time it was sent. Anything else is a lie.
        if (!isRepeat || tail !== end) throw new Violation(`match_seq_num ${this.#next} was refused with ${JSON.stringify(answer.json)}`);
        this.#settle(context, batch, end);
      } else if (answer !== undefined && !PUT_OFF.has(answer.status)) {
        throw new Violation(`a conditional append was refused: ${answer.status} ${JSON.stringify(answer.json)}`);
      }
      await sleep(answer === undefined ? 5 : context.prng.between(0, 3));
    }
  }

  #settle(context: WriterContext, batch: Batch, end: number): void {
    context.history.acknowledge(this.#writer, batch.first, batch.bodies.length, this.#next, end);
    this.#next = end;
    this.#open = undefined;
  }
}
