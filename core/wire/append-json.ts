// AppendInput in, AppendAck out, as JSON. (S2 v1 API, sections 1.7 and 2.2.)
//
//   AppendInput  { records: [AppendRecord], match_seq_num?: u64, fencing_token?: string }
//   AppendRecord { timestamp?: u64, headers?: [[name, value]], body?: string }
//
// A plain string's bytes go from the request straight into the batch; what is escaped or base64 passes through one
// scratch buffer, which is never longer than the request.

import { RecordBatchBuilder } from '../format/record.ts';
import type { AppendAck } from '../model/append.ts';
import { refused } from '../model/errors.ts';
import type { StreamPosition } from '../model/ids.ts';
import { BATCH_METERED_BYTES_MAX, FENCING_TOKEN_BYTES_MAX } from '../model/limits.ts';
import { type AppendInput, appendConditions } from './append-input.ts';
import { decodeBase64 } from './base64.ts';
import { halves, JsonScanner } from './json-scanner.ts';

/** How bytes stand in JSON strings: as UTF-8 text, or as base64. */
export type JsonFormat = 'raw' | 'base64';

const ENCODER = new TextEncoder();

/** @throws StoreError `bad_json`; `invalid` when the batch breaks a rule or a string is not base64. */
export function decodeAppendJson(bytes: Uint8Array, format: JsonFormat): AppendInput {
  return new AppendJsonDecoder(bytes, format).decode();
}

class AppendJsonDecoder {
  readonly #json: JsonScanner;
  readonly #format: JsonFormat;
  readonly #builder: RecordBatchBuilder;
  #scratch: Uint8Array | undefined;
  #scratchBytes = 0;
  /** Where the string that was read last is. */
  #source: Uint8Array;
  #start = 0;
  #end = 0;

  constructor(bytes: Uint8Array, format: JsonFormat) {
    this.#json = new JsonScanner(bytes);
    this.#format = format;
    this.#source = bytes;
    // A request may be longer than any batch: spaces, escapes, fields that are ignored.
    this.#builder = new RecordBatchBuilder(Math.min(bytes.length, 2 * BATCH_METERED_BYTES_MAX));
  }

  decode(): AppendInput {
    const json = this.#json;
    let hasRecords = false;
    let matchSeqNum: bigint | undefined;
    let fencingToken: string | undefined;
    json.object((key) => {
      json.colon();
      if (key === 'records') {
        if (hasRecords) throw json.bad('"records" stands twice');
        hasRecords = true;
        json.array(() => this.#record());
      } else if (key === 'match_seq_num') {
        if (!json.isNull()) matchSeqNum = json.u64();
      } else if (key === 'fencing_token') {
        if (!json.isNull()) fencingToken = this.#fencingToken();
      } else {
        json.skip();
      }
    });
    json.finish();
    if (!hasRecords) throw json.bad('"records" is missing');
    return { batch: this.#builder.finish(), conditions: appendConditions(matchSeqNum, fencingToken) };
  }

  #record(): void {
    const json = this.#json;
    const builder = this.#builder;
    let hasHeaders = false;
    builder.begin();
    json.object((key) => {
      json.colon();
      if (key === 'timestamp') {
        if (!json.isNull()) builder.timestamp(...halves(json.u64()));
      } else if (key === 'headers') {
        if (hasHeaders) throw json.bad('"headers" stands twice');
        hasHeaders = true;
        if (!json.isNull()) json.array(() => this.#header());
      } else if (key === 'body') {
        if (!json.isNull()) {
          this.#bytes();
          builder.body(this.#source, this.#start, this.#end);
        }
      } else {
        json.skip();
      }
    });
    builder.end();
  }

  #header(): void {
    const json = this.#json;
    let count = 0;
    let name: Uint8Array = json.bytes;
    let nameStart = 0;
    let nameEnd = 0;
    json.array((index) => {
      count += 1;
      if (index > 1) throw json.bad('a header is a name and a value');
      this.#bytes();
      if (index > 0) return;
      name = this.#source;
      nameStart = this.#start;
      nameEnd = this.#end;
    });
    if (count !== 2) throw json.bad('a header is a name and a value');
    this.#builder.header(name, nameStart, nameEnd, this.#source, this.#start, this.#end);
  }

  #fencingToken(): string {
    const token = this.#json.text();
    if (ENCODER.encode(token).length > FENCING_TOKEN_BYTES_MAX) {
      throw this.#json.bad(`a fencing token is at most ${FENCING_TOKEN_BYTES_MAX} bytes`);
    }
    return token;
  }

  /** Reads a string that stands for bytes. */
  #bytes(): void {
    const json = this.#json;
    json.string();
    const text = json.hasEscapes || (this.#format === 'raw' && json.hasMoreThanAscii) ? json.spanText() : undefined;
    if (json.hasEscapes && text !== undefined) {
      this.#toScratch(text);
    } else {
      this.#source = json.bytes;
      this.#start = json.start;
      this.#end = json.end;
    }
    if (this.#format === 'base64') this.#fromBase64();
  }

  #toScratch(text: string): void {
    const scratch = this.#room();
    const { written } = ENCODER.encodeInto(text, scratch.subarray(this.#scratchBytes));
    this.#span(scratch, this.#scratchBytes + written);
  }

  #fromBase64(): void {
    const scratch = this.#room();
    const end = decodeBase64(this.#source, this.#start, this.#end, scratch, this.#scratchBytes);
    if (end === undefined) throw refused('invalid', 'a string of the request is not standard padded base64');
    this.#span(scratch, end);
  }

  #span(scratch: Uint8Array, end: number): void {
    this.#source = scratch;
    this.#start = this.#scratchBytes;
    this.#end = end;
    this.#scratchBytes = end;
  }

  /** Twice the request: text that is both escaped and base64 passes through it twice. */
  #room(): Uint8Array {
    this.#scratch ??= new Uint8Array(2 * this.#json.bytes.length);
    return this.#scratch;
  }
}

export function positionJson({ seqNum, timestamp }: StreamPosition): string {
  return `{"seq_num":${seqNum},"timestamp":${timestamp}}`;
}

export function appendAckJson({ start, end, tail }: AppendAck): string {
  return `{"start":${positionJson(start)},"end":${positionJson(end)},"tail":${positionJson(tail)}}`;
}
