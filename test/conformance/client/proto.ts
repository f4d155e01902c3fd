// The messages of s2.v1, written by hand from the field numbers: nothing of the server's own encoder is used here.

export interface ProtoHeader {
  readonly name: string | Uint8Array;
  readonly value: string | Uint8Array;
}

export interface ProtoRecord {
  readonly timestamp?: number | bigint;
  readonly headers?: readonly ProtoHeader[];
  readonly body?: string | Uint8Array;
}

export interface ProtoAppend {
  readonly records: readonly ProtoRecord[];
  readonly matchSeqNum?: number | bigint;
  readonly fencingToken?: string;
}

export interface Position {
  readonly seqNum: bigint;
  readonly timestamp: bigint;
}

export interface Ack {
  readonly start: Position;
  readonly end: Position;
  readonly tail: Position;
}

export interface ReadRecord extends Position {
  readonly headers: readonly (readonly [name: Buffer, value: Buffer])[];
  readonly body: Buffer;
}

export interface Batch {
  readonly records: readonly ReadRecord[];
  readonly tail: Position | undefined;
}

function varint(value: number | bigint): Buffer {
  const bytes: number[] = [];
  let rest = BigInt(value);
  for (; rest > 0x7fn; rest >>= 7n) bytes.push(Number(rest & 0x7fn) | 0x80);
  bytes.push(Number(rest));
  return Buffer.from(bytes);
}

const numberField = (field: number, value: number | bigint): Buffer => Buffer.concat([varint(field << 3), varint(value)]);

function bytesField(field: number, value: string | Uint8Array): Buffer {
  const bytes = Buffer.from(value as Uint8Array);
  return Buffer.concat([varint((field << 3) | 2), varint(bytes.length), bytes]);
}

function encodeRecord({ timestamp, headers = [], body }: ProtoRecord): Buffer {
  return Buffer.concat([
    ...(timestamp === undefined ? [] : [numberField(1, timestamp)]),
    ...headers.map(({ name, value }) => bytesField(2, Buffer.concat([bytesField(1, name), bytesField(2, value)]))),
    ...(body === undefined ? [] : [bytesField(3, body)]),
  ]);
}

export function encodeAppend({ records, matchSeqNum, fencingToken }: ProtoAppend): Buffer {
  return Buffer.concat([
    ...records.map((record) => bytesField(1, encodeRecord(record))),
    ...(matchSeqNum === undefined ? [] : [numberField(2, matchSeqNum)]),
    ...(fencingToken === undefined ? [] : [bytesField(3, fencingToken)]),
  ]);
}

type Field = readonly [field: number, value: bigint | Buffer];

/** @throws when the bytes are no message with numbers and bytes only */
function fieldsOf(message: Buffer): Field[] {
  let at = 0;
  const number = (): bigint => {
    let value = 0n;
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = message[at];
      if (byte === undefined) throw new Error('a varint is cut');
      at += 1;
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
    throw new Error('a varint is too long');
  };
  const fields: Field[] = [];
  while (at < message.length) {
    const key = Number(number());
    if ((key & 7) === 0) fields.push([key >> 3, number()]);
    else if ((key & 7) === 2) {
      const length = Number(number());
      if (at + length > message.length) throw new Error('a field is cut');
      fields.push([key >> 3, message.subarray(at, at + length)]);
      at += length;
    } else throw new Error(`wire type ${key & 7} does not occur`);
  }
  return fields;
}

function bytesOf(fields: readonly Field[], field: number): Buffer[] {
  return fields.flatMap(([found, value]) => (found === field && typeof value !== 'bigint' ? [value] : []));
}

function numberOf(fields: readonly Field[], field: number): bigint {
  return fields.reduce((before, [found, value]) => (found === field && typeof value === 'bigint' ? value : before), 0n);
}

function positionOf(fields: readonly Field[], field: number): Position | undefined {
  const [found] = bytesOf(fields, field);
  if (found === undefined) return undefined;
  const inner = fieldsOf(found);
  return { seqNum: numberOf(inner, 1), timestamp: numberOf(inner, 2) };
}

/** @throws when one of the three positions is missing */
export function decodeAck(message: Buffer): Ack {
  const fields = fieldsOf(message);
  const [start, end, tail] = [1, 2, 3].map((field) => positionOf(fields, field));
  if (start === undefined || end === undefined || tail === undefined)
    throw new Error(`an ack lacks a position: ${message.toString('hex')}`);
  return { start, end, tail };
}

export function decodeBatch(message: Buffer): Batch {
  const fields = fieldsOf(message);
  return {
    records: bytesOf(fields, 1).map((bytes) => {
      const record = fieldsOf(bytes);
      return {
        seqNum: numberOf(record, 1),
        timestamp: numberOf(record, 2),
        headers: bytesOf(record, 3).map((header) => {
          const inner = fieldsOf(header);
          return [bytesOf(inner, 1)[0] ?? Buffer.alloc(0), bytesOf(inner, 2)[0] ?? Buffer.alloc(0)] as const;
        }),
        body: bytesOf(record, 4)[0] ?? Buffer.alloc(0),
      };
    }),
    tail: positionOf(fields, 2),
  };
}
