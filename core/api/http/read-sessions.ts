// Reads that go on: S2S frames of ReadBatch, and server-sent events. (S2 v1 API, sections 3.5, 3.6 and 4.5.)
//
//   A13  A read session holds at most one batch that the client has not taken; it is closed whatever way it ends.

import type { ReadBatch } from '../../model/read.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Codec, Encoding } from '../../ports/codec.ts';
import type { JsonFormat } from '../../wire/append-json.ts';
import { type ErrorAnswer, errorAnswer } from '../../wire/error-answer.ts';
import { encodeReadJson } from '../../wire/read-json.ts';
import { encodeReadBatch } from '../../wire/read-proto.ts';
import { encodeTerminalFrame, FRAME_HEAD_BYTES, sealFrame } from '../../wire/session-frame.ts';
import type { SharedEncodings } from '../../wire/shared-encodings.ts';
import { type EventId, encodeBatchEvent, errorEvent, nextEventId, pingEvent, SSE_DONE } from '../../wire/sse.ts';
import type { ReadSession } from '../deps.ts';
import { type Draining, serverDraining } from './draining.ts';
import type { Exchange } from './exchange.ts';

/** How batches look in one kind of session. */
interface Encoder {
  batch(batch: ReadBatch): Uint8Array | undefined;
  error(answer: ErrorAnswer): Uint8Array;
  readonly done: Uint8Array | undefined;
}

export function frameEncoder(draining: Draining, codec: Codec, encoding: Encoding | undefined, shared: SharedEncodings): Encoder {
  return {
    batch(batch) {
      const advise = draining.advised.aborted;
      return shared.encode(`frame ${encoding} ${advise}`, batch, () =>
        sealFrame(encodeReadBatch(batch, FRAME_HEAD_BYTES), advise, codec, encoding),
      );
    },
    error: encodeTerminalFrame,
    done: undefined,
  };
}

/** @param resume the id that the connection goes on from, so that ids count over all connections of one reader. */
export function eventEncoder(format: JsonFormat, clock: Clock, resume: EventId | undefined, shared: SharedEncodings): Encoder {
  let id = resume;
  return {
    batch(batch) {
      if (batch.count === 0) {
        return batch.tail === undefined ? undefined : Buffer.from(pingEvent(clock.now(), batch.tail));
      }
      id = nextEventId(id, batch);
      return encodeBatchEvent(
        shared.encode(`event ${format}`, batch, () => encodeReadJson(batch, format)),
        id,
      );
    },
    error: ({ body }) => Buffer.from(errorEvent(body)),
    done: Buffer.from(SSE_DONE),
  };
}

/** Of whom a session is. */
interface Reader {
  /** Asked before each batch and heartbeat. @throws StoreError once the session may not go on */
  check(): void;
  /** A failure as it is told. */
  known(error: unknown): unknown;
}

/** Serves the session to its end. The head is sent. */
export async function serveReadSession(
  exchange: Exchange,
  session: ReadSession,
  encoder: Encoder,
  draining: Draining,
  reader: Reader,
): Promise<void> {
  const signal = AbortSignal.any([exchange.gone, draining.over]);
  try {
    exchange.body.resume();
    while (!signal.aborted) {
      const batch = await session.next(signal);
      if (batch === 'end') break;
      reader.check();
      const bytes = encoder.batch(batch);
      const blocked = bytes === undefined ? undefined : exchange.write(bytes);
      if (blocked !== undefined) await blocked;
    }
    if (draining.over.aborted) throw serverDraining();
    exchange.end(encoder.done);
  } catch (error) {
    if (!exchange.gone.aborted) exchange.end(encoder.error(errorAnswer(draining.over.aborted ? serverDraining() : reader.known(error))));
  } finally {
    session.close();
  }
}
