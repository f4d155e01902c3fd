// The S2 session protocol as a client speaks it, written apart from the product: lean, so that a bench measures the server and not its
// client, and independent, so that a test does not check the product's codec with itself.
//
//   frame := length u24 BE (flag and payload) | flag u8 | payload          flag bit 7: terminal

export interface Position {
  readonly seqNum: number;
  readonly timestamp: number;
}

export interface OutRecord {
  readonly body: Uint8Array;
  readonly headers?: readonly (readonly [Uint8Array, Uint8Array])[];
  readonly timestamp?: number;
}

export interface Conditions {
  readonly matchSeqNum?: number;
  readonly fencingToken?: string;
}

export interface Ack {
  readonly start: Position;
  readonly end: Position;
  readonly tail: Position;
}

export interface InRecord extends Position {
  readonly headers: readonly (readonly [Buffer, Buffer])[];
  readonly body: Buffer;
}

export interface InBatch {
  readonly records: readonly InRecord[];
  readonly tail: Position | undefined;
}

export const TERMINAL = 0x80;
const FRAME_BYTES_MAX = 2 * 1024 * 1024;

// Encoding -------------------------------------------------------------------------------------------------------------------------

function varint(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value;
  while (rest >= 0x80) {
    bytes.push((rest % 0x80) | 0x80);
    rest = Math.floor(rest / 0x80);
  }
  bytes.push(rest);
  return Buffer.from(bytes);
}

function numberField(field: number, value: number): Buffer {
  return Buffer.concat([varint(field * 8), varint(value)]);
}

function bytesField(field: number, value: Uint8Array): Buffer {
  return Buffer.concat([varint(field * 8 + 2), varint(value.length), value]);
}

function encodeRecord(record: OutRecord): Buffer {
  const parts: Buffer[] = [];
  if (record.timestamp !== undefined) parts.push(numberField(1, record.timestamp));
  for (const [name, value] of record.headers ?? []) parts.push(bytesField(2, Buffer.concat([bytesField(1, name), bytesField(2, value)])));
  parts.push(bytesField(3, record.body));
  return Buffer.concat(parts);
}

/** The message `s2.v1.AppendInput`. */
export function encodeAppendInput(records: readonly OutRecord[], conditions: Conditions = {}): Buffer {
  const parts = records.map((record) => bytesField(1, encodeRecord(record)));
  if (conditions.matchSeqNum !== undefined) parts.push(numberField(2, conditions.matchSeqNum));
  if (conditions.fencingToken !== undefined) parts.push(bytesField(3, Buffer.from(conditions.fencingToken)));
  return Buffer.concat(parts);
}

export function frameOf(payload: Uint8Array, flag = 0): Buffer {
  const frame = Buffer.allocUnsafe(4 + payload.length);
  frame.writeUIntBE(payload.length + 1, 0, 3);
  frame[3] = flag;
  frame.set(payload, 4);
  return frame;
}

// Decoding -------------------------------------------------------------------------------------------------------------------------

export interface InFrame {
  readonly flag: number;
  readonly payload: Buffer;
}

/** Cuts a byte stream into frames. Keeps what is not a whole frame yet. */
export class FrameCutter {
  #parts: Buffer[] = [];
  #length = 0;

  /** Whether bytes of an unfinished frame wait for more. */
  get isMidFrame(): boolean {
    return this.#length > 0;
  }

  *push(bytes: Buffer): Generator<InFrame> {
    this.#parts.push(bytes);
    this.#length += bytes.length;
    while (this.#length >= 4) {
      if ((this.#parts[0]?.length ?? 0) < 4) this.#join();
      const head = this.#parts[0] ?? Buffer.alloc(0);
      const length = head.readUIntBE(0, 3);
      if (length === 0 || length > FRAME_BYTES_MAX) throw new Error(`the server sent a frame of length ${length}`);
      if (this.#length < 3 + length) return;
      if (head.length < 3 + length) this.#join();
      const whole = this.#parts[0] ?? Buffer.alloc(0);
      yield { flag: whole[3] ?? 0, payload: whole.subarray(4, 3 + length) };
      const rest = whole.subarray(3 + length);
      if (rest.length > 0) this.#parts[0] = rest;
      else this.#parts.shift();
      this.#length -= 3 + length;
    }
  }

  #join(): void {
    this.#parts = [Buffer.concat(this.#parts, this.#length)];
  }
}

/** A walk over the fields of one protobuf message. */
class Fields {
  readonly #bytes: Buffer;
  #at: number;
  readonly #end: number;
  field = 0;
  start = 0;
  end = 0;
  /** The value of a varint field. */
  value = 0;

  constructor(bytes: Buffer, start = 0, end = bytes.length) {
    this.#bytes = bytes;
    this.#at = start;
    this.#end = end;
  }

  next(): boolean {
    if (this.#at >= this.#end) return false;
    const tag = this.#varint();
    this.field = Math.floor(tag / 8);
    if (tag % 8 === 0) {
      this.value = this.#varint();
    } else if (tag % 8 === 2) {
      const length = this.#varint();
      this.start = this.#at;
      this.end = this.#at + length;
      this.#at = this.end;
    } else {
      throw new Error(`wire type ${tag % 8} in a message from the server`);
    }
    if (this.#at > this.#end) throw new Error('a message from the server is cut');
    return true;
  }

  #varint(): number {
    let value = 0;
    let scale = 1;
    for (;;) {
      const byte = this.#bytes[this.#at++];
      if (byte === undefined || scale > 2 ** 56) throw new Error('a varint from the server is malformed');
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value;
      scale *= 0x80;
    }
  }
}

function decodePosition(bytes: Buffer, start: number, end: number): Position {
  const fields = new Fields(bytes, start, end);
  let seqNum = 0;
  let timestamp = 0;
  while (fields.next()) {
    if (fields.field === 1) seqNum = fields.value;
    if (fields.field === 2) timestamp = fields.value;
  }
  return { seqNum, timestamp };
}

/** The message `s2.v1.AppendAck`. */
export function decodeAck(bytes: Buffer): Ack {
  const fields = new Fields(bytes);
  const positions: Position[] = [];
  while (fields.next()) positions[fields.field] = decodePosition(bytes, fields.start, fields.end);
  const [, start, end, tail] = positions;
  if (start === undefined || end === undefined || tail === undefined) throw new Error('an acknowledgement lacks a position');
  return { start, end, tail };
}

function decodeHeader(bytes: Buffer, start: number, end: number): readonly [Buffer, Buffer] {
  const fields = new Fields(bytes, start, end);
  let name = Buffer.alloc(0);
  let value = Buffer.alloc(0);
  while (fields.next()) {
    if (fields.field === 1) name = bytes.subarray(fields.start, fields.end) as Buffer<ArrayBuffer>;
    if (fields.field === 2) value = bytes.subarray(fields.start, fields.end) as Buffer<ArrayBuffer>;
  }
  return [name, value];
}

function decodeRecord(bytes: Buffer, start: number, end: number): InRecord {
  const fields = new Fields(bytes, start, end);
  let seqNum = 0;
  let timestamp = 0;
  let body = bytes.subarray(0, 0);
  const headers: (readonly [Buffer, Buffer])[] = [];
  while (fields.next()) {
    if (fields.field === 1) seqNum = fields.value;
    if (fields.field === 2) timestamp = fields.value;
    if (fields.field === 3) headers.push(decodeHeader(bytes, fields.start, fields.end));
    if (fields.field === 4) body = bytes.subarray(fields.start, fields.end);
  }
  return { seqNum, timestamp, headers, body };
}

/** The message `s2.v1.ReadBatch`. */
export function decodeReadBatch(bytes: Buffer): InBatch {
  const fields = new Fields(bytes);
  const records: InRecord[] = [];
  let tail: Position | undefined;
  while (fields.next()) {
    if (fields.field === 1) records.push(decodeRecord(bytes, fields.start, fields.end));
    if (fields.field === 2) tail = decodePosition(bytes, fields.start, fields.end);
  }
  return { records, tail };
}

/** How many records a ReadBatch holds, without a look inside them. */
export function countRecords(bytes: Buffer): number {
  const fields = new Fields(bytes);
  let count = 0;
  while (fields.next()) if (fields.field === 1) count += 1;
  return count;
}

export interface TerminalFrame {
  readonly status: number;
  readonly body: Readonly<Record<string, unknown>>;
}

export function decodeTerminal(payload: Buffer): TerminalFrame {
  return { status: payload.readUInt16BE(0), body: JSON.parse(payload.subarray(2).toString()) as Record<string, unknown> };
}
