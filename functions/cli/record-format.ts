// How records look on standard output and on standard input: plain lines, or JSON.
//
//   text   body and a newline; command records (fence, trim) are left out, since nobody wrote them as lines
//   jsonl  {"seq_num", "timestamp", "headers", "body"}, one a line
//   json   the same as one array, which is closed however the read ends
//
// In JSON, bytes are text as UTF-8, or base64 where that is asked for; only the second keeps bytes that are no UTF-8.

import { AppendRecord } from '@s2-dev/streamstore';
import { CliError } from './exit-code.ts';
import type { ReadRecord } from './record-reader.ts';

export const READ_FORMATS = ['text', 'jsonl', 'json'] as const;
export type ReadFormat = (typeof READ_FORMATS)[number];
export const APPEND_FORMATS = ['lines', 'json'] as const;
export type AppendFormat = (typeof APPEND_FORMATS)[number];

type Bytes = 'utf8' | 'base64';

export interface RecordWriter {
  /** Before the first batch. */
  readonly open: string;
  batch(records: readonly ReadRecord[]): Uint8Array | string;
  readonly close: string;
}

export function recordWriter(format: ReadFormat, isBase64: boolean): RecordWriter {
  const bytes: Bytes = isBase64 ? 'base64' : 'utf8';
  if (format === 'text') return { open: '', batch: isBase64 ? base64Lines : plainLines, close: '' };
  if (format === 'jsonl') return { open: '', batch: (records) => records.map((one) => `${recordJson(one, bytes)}\n`).join(''), close: '' };
  let isFirst = true;
  return {
    open: '[',
    batch(records) {
      const text = records.map((one) => recordJson(one, bytes)).join(',\n');
      const before = isFirst ? '\n' : ',\n';
      isFirst = false;
      return `${before}${text}`;
    },
    close: '\n]\n',
  };
}

const NEWLINE = Buffer.from('\n');

function plainLines(records: readonly ReadRecord[]): Uint8Array {
  return Buffer.concat(records.filter((one) => !isCommand(one)).flatMap(({ body }) => [body, NEWLINE]));
}

function base64Lines(records: readonly ReadRecord[]): string {
  return records
    .filter((one) => !isCommand(one))
    .map(({ body }) => `${body.toString('base64')}\n`)
    .join('');
}

function isCommand({ headers }: ReadRecord): boolean {
  return headers.length === 1 && headers[0]?.[0].length === 0;
}

/** Numbers are written as they are: a bigint has no other form. */
function recordJson({ seqNum, timestamp, headers, body }: ReadRecord, bytes: Bytes): string {
  const pairs = JSON.stringify(headers.map(([name, value]) => [name.toString(bytes), value.toString(bytes)]));
  return `{"seq_num":${seqNum},"timestamp":${timestamp},"headers":${pairs},"body":${JSON.stringify(body.toString(bytes))}}`;
}

export interface LineOptions {
  readonly format: AppendFormat;
  readonly isBase64: boolean;
  /** Added to every record, behind its own. */
  readonly headers: readonly (readonly [string, string])[];
}

/** A record from one line; undefined for a line that holds none. */
export type LineParser = (line: Buffer, lineNumber: number) => ReturnType<typeof AppendRecord.bytes> | undefined;

export function lineParser({ format, isBase64, headers }: LineOptions): LineParser {
  const common = headers.map(([name, value]) => [Buffer.from(name), Buffer.from(value)] as const);
  if (format === 'lines') {
    return (line, lineNumber) => {
      const body = isBase64 ? decoded(line.toString('latin1'), 'base64', lineNumber, 'body') : line;
      return AppendRecord.bytes({ body, headers: common });
    };
  }
  const bytes: Bytes = isBase64 ? 'base64' : 'utf8';
  return (line, lineNumber) => (line.toString('latin1').trim() === '' ? undefined : recordOf(line, lineNumber, bytes, common));
}

function recordOf(line: Buffer, lineNumber: number, bytes: Bytes, common: readonly (readonly [Buffer, Buffer])[]) {
  let value: unknown;
  try {
    value = JSON.parse(line.toString());
  } catch {
    throw new CliError(`line ${lineNumber} is no JSON`);
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new CliError(`line ${lineNumber} is no JSON object`);
  const { body = '', headers = [], timestamp } = value as { body?: unknown; headers?: unknown; timestamp?: unknown };
  if (typeof body !== 'string') throw new CliError(`line ${lineNumber}: "body" must be a string`);
  if (!isPairs(headers)) throw new CliError(`line ${lineNumber}: "headers" must be pairs of strings, such as [["name","value"]]`);
  if (timestamp !== undefined && !(typeof timestamp === 'number' && Number.isSafeInteger(timestamp) && timestamp >= 0)) {
    throw new CliError(`line ${lineNumber}: "timestamp" must be a whole number from 0 to 2^53 - 1`);
  }
  const own = headers.map(
    ([name, text]) => [decoded(name, bytes, lineNumber, 'headers'), decoded(text, bytes, lineNumber, 'headers')] as const,
  );
  return AppendRecord.bytes({
    body: decoded(body, bytes, lineNumber, 'body'),
    headers: [...own, ...common],
    ...(timestamp === undefined ? {} : { timestamp }),
  });
}

function isPairs(value: unknown): value is [string, string][] {
  return (
    Array.isArray(value) && value.every((pair) => Array.isArray(pair) && pair.length === 2 && pair.every((one) => typeof one === 'string'))
  );
}

const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

function decoded(text: string, bytes: Bytes, lineNumber: number, field: string): Buffer {
  if (bytes === 'base64' && !BASE64.test(text)) throw new CliError(`line ${lineNumber}: "${field}" is no base64`);
  return Buffer.from(text, bytes);
}
