// What one stream may hold, by what its writers were told and its readers were shown.
//
// A record names itself: its body starts with `writer:number|` and goes on with filler that follows from that name, so that its bytes
// can be checked without having been kept.
//
//   1  An acknowledged record is there once, at the sequence number that was acknowledged, with the same bytes.
//   2  A record that was not acknowledged is there once or not at all, with the bytes that were sent.
//   3  The records of one writer stand in the order in which it sent them.
//   4  What was read once is read again the same.
//   5  Sequence numbers have no gaps, and timestamps never go back.

import { createHash } from 'node:crypto';
import type { InRecord } from '#bench/protocol.ts';

export class Violation extends Error {
  override readonly name = 'Violation';
}

export interface RecordName {
  readonly writer: string;
  readonly number: number;
}

/** Bytes that follow from a name and repeat nowhere: made by the runtime, as every record is checked after every round. */
function fillerOf(name: string, length: number): Buffer {
  return length === 0 ? Buffer.alloc(0) : createHash('shake256', { outputLength: length }).update(name).digest();
}

/** The body of a record: its name, its length, and bytes that follow from both. */
export function bodyOf(writer: string, number: number, fillerBytes: number): Buffer {
  const name = `${writer}:${number}:${fillerBytes}|`;
  return Buffer.concat([Buffer.from(name), fillerOf(name, fillerBytes)]);
}

/** @throws Violation when the bytes are not those of the record that they name */
export function nameOf(body: Buffer): RecordName {
  const match = /^([a-z0-9-]+):(\d+):(\d+)\|/.exec(body.subarray(0, 64).toString('latin1'));
  if (match === null) throw new Violation(`a record that nobody wrote: ${body.subarray(0, 64).toString('hex')}`);
  const writer = match[1] ?? '';
  const number = Number(match[2]);
  if (!body.equals(bodyOf(writer, number, Number(match[3])))) throw new Violation(`${match[0]} has other bytes than were written`);
  return { writer, number };
}

export class History {
  readonly stream: string;
  /** By sequence number: the name that was acknowledged there. */
  readonly #acknowledged = new Map<number, string>();
  /** By sequence number: the name that a reader was shown there. */
  readonly #shown: string[] = [];
  /** By writer: how many records it has sent. */
  readonly #sent = new Map<string, number>();
  #endAcknowledged = 0;

  constructor(stream: string) {
    this.stream = stream;
  }

  get acknowledgedCount(): number {
    return this.#acknowledged.size;
  }

  /** Where a tailing reader goes on. */
  get shownCount(): number {
    return this.#shown.length;
  }

  /** Numbers for `count` records that `writer` is about to send. @returns the first */
  send(writer: string, count: number): number {
    const first = this.#sent.get(writer) ?? 0;
    this.#sent.set(writer, first + count);
    return first;
  }

  acknowledge(writer: string, number: number, count: number, start: number, end: number): void {
    if (end - start !== count) this.#fail(`${count} records of ${writer} were acknowledged as [${start}, ${end})`);
    for (let at = 0; at < count; at++) {
      const before = this.#acknowledged.get(start + at);
      if (before !== undefined) this.#fail(`${start + at} was acknowledged to ${before} and to ${writer}:${number + at}`);
      this.#acknowledged.set(start + at, `${writer}:${number + at}`);
    }
    this.#endAcknowledged = Math.max(this.#endAcknowledged, end);
  }

  /** A tailing reader was shown the next record. */
  show(record: InRecord): void {
    if (record.seqNum !== this.#shown.length) this.#fail(`a reader at ${this.#shown.length} was shown ${record.seqNum}`);
    this.#shown.push(this.#check(record));
  }

  /** A whole read of the stream from 0, after a restart, and the tail that the server states. */
  verify(records: readonly InRecord[], tail: number): void {
    if (records.length !== tail) this.#fail(`the tail is ${tail}, and ${records.length} records were read`);
    if (tail < this.#endAcknowledged) this.#fail(`the tail is ${tail}, and [0, ${this.#endAcknowledged}) was acknowledged`);
    if (tail < this.#shown.length) this.#fail(`the tail is ${tail}, and a reader was shown ${this.#shown.length} records`);
    const lastOf = new Map<string, number>();
    let timestamp = 0;
    records.forEach((record, at) => {
      if (record.seqNum !== at) this.#fail(`record ${at} has the sequence number ${record.seqNum}`);
      if (record.timestamp < timestamp) this.#fail(`the timestamp of ${at} goes back from ${timestamp} to ${record.timestamp}`);
      timestamp = record.timestamp;
      const name = this.#check(record);
      const { writer, number } = splitName(name);
      if (number <= (lastOf.get(writer) ?? -1)) this.#fail(`${at} holds ${name}, after ${writer}:${lastOf.get(writer)}`);
      lastOf.set(writer, number);
      if (at < this.#shown.length && this.#shown[at] !== name) this.#fail(`${at} was read as ${this.#shown[at]}, and now as ${name}`);
      this.#shown[at] = name;
    });
  }

  #check(record: InRecord): string {
    const { writer, number } = nameOf(record.body);
    const name = `${writer}:${number}`;
    if (number >= (this.#sent.get(writer) ?? 0)) this.#fail(`${record.seqNum} holds ${name}, which was never sent`);
    const acknowledged = this.#acknowledged.get(record.seqNum);
    if (acknowledged !== undefined && acknowledged !== name)
      this.#fail(`${record.seqNum} was acknowledged to ${acknowledged}, and holds ${name}`);
    return name;
  }

  #fail(message: string): never {
    throw new Violation(`stream ${this.stream}: ${message}`);
  }
}

function splitName(name: string): RecordName {
  const colon = name.lastIndexOf(':');
  return { writer: name.slice(0, colon), number: Number(name.slice(colon + 1)) };
}
