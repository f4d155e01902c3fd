// What comes back in a session: frames or events that are whole, in their order, with the one that ends it last.

import assert from 'node:assert/strict';
import { ANSWER_SCHEMAS } from '#core/api/http/schema/named.ts';
import { decodeAck, decodeBatch } from '#test/conformance/client/proto.ts';
import { FLAG_GZIP, FLAG_TERMINAL, FLAG_ZSTD, unpacked } from '#test/conformance/client/session.ts';
import { checkFailure } from './failures.ts';

export interface SeenSession {
  readonly regular: number;
  /** Status of the terminal frame. */
  readonly terminal: number | undefined;
}

/** Frames of an answer; it may have been left in the middle of one. @throws AssertionError */
export function checkFrames(kind: 'acks' | 'batches', body: Buffer): SeenSession {
  let regular = 0;
  let lastEnd = -1n;
  for (let at = 0; at + 3 <= body.length; ) {
    const end = at + 3 + body.readUIntBE(at, 3);
    if (end > body.length) break;
    const flags = body[at + 3] ?? 0;
    const frame = { flags, payload: body.subarray(at + 4, end), hex: '' };
    assert.equal(flags & ~(FLAG_TERMINAL | FLAG_ZSTD | FLAG_GZIP), 0);
    if ((flags & FLAG_TERMINAL) !== 0) {
      assert.deepEqual([flags, end], [FLAG_TERMINAL, body.length], 'a terminal frame is plain, and the last');
      const status = frame.payload.readUInt16BE(0);
      assert(status >= 400 && status < 500, `a session ends with ${status} ${frame.payload.subarray(2)}`);
      checkFailure(status, 'application/json', 'POST', frame.payload.subarray(2));
      return { regular, terminal: status };
    }
    if (kind === 'acks') {
      const ack = decodeAck(unpacked(frame));
      assert(ack.start.seqNum >= lastEnd && ack.end.seqNum > ack.start.seqNum && ack.tail.seqNum >= ack.end.seqNum, 'acks are in order');
      lastEnd = ack.end.seqNum;
    } else {
      const batch = decodeBatch(unpacked(frame));
      assert(batch.records.length > 0 || batch.tail !== undefined, 'a batch holds records or a tail');
      for (const { seqNum } of batch.records) {
        assert(lastEnd < 0n || seqNum === lastEnd, 'records follow one another');
        lastEnd = seqNum + 1n;
      }
    }
    regular += 1;
    at = end;
  }
  return { regular, terminal: undefined };
}

/** Events of an answer; it may have been left in the middle of one. @throws AssertionError */
export function checkEvents(body: Buffer): void {
  const text = body.toString();
  const blocks = text
    .slice(0, text.lastIndexOf('\n\n') + 1)
    .split('\n\n')
    .slice(0, -1);
  for (const [at, block] of blocks.entries()) {
    const [, name, id, data] = /^(?:event: (batch|ping|error)\n)?(?:id: (\d+,\d+,\d+)\n)?data: ([^\n]*)$/.exec(block) ?? [];
    assert(data !== undefined, `no event: ${block}`);
    assert.equal(id !== undefined, name === 'batch');
    if (name === 'batch') assert(ANSWER_SCHEMAS.ReadBatch.safeParse(JSON.parse(data)).success, `no batch: ${data}`);
    else if (name === 'ping') assert(typeof JSON.parse(data).tail.seq_num === 'number', `no ping: ${data}`);
    else assert.equal(at, blocks.length - 1, `something follows ${block}`);
    if (name === 'error') assert(typeof JSON.parse(data) === 'object');
    if (name === undefined) assert.equal(data, '[DONE]');
  }
}
