// Reads JSON in place, value by value, without building it: numbers stay exact u64, strings stay spans of bytes.
//
// JSON.parse would turn a nanosecond timestamp into a double. Every method throws StoreError `bad_json`.

import { refused, type StoreError } from '../model/errors.ts';

const DEPTH_MAX = 64;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const U32 = 0x1_0000_0000n;
const U64_MAX = 0xffff_ffff_ffff_ffffn;
const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
/** JSON knows no leading zeros. */
const WHOLE = /^(0|[1-9][0-9]*)$/;
const NUMBER = /^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?$/;

export class JsonScanner {
  readonly bytes: Uint8Array;
  #at = 0;
  /** The last string: between its quotes, and whether it holds escapes or more than ASCII. */
  start = 0;
  end = 0;
  hasEscapes = false;
  hasMoreThanAscii = false;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }

  /** Calls `visit` for each member, to consume its value. */
  object(visit: (key: string) => void): void {
    this.#expect(0x7b, 'an object');
    if (this.#is(0x7d)) return;
    for (;;) {
      visit(this.text());
      if (this.#is(0x7d)) return;
      this.#expect(COMMA, '"," or "}"');
    }
  }

  /** Calls `visit` for each element, to consume it. */
  array(visit: (index: number) => void): void {
    this.#expect(0x5b, 'an array');
    if (this.#is(0x5d)) return;
    for (let index = 0; ; index += 1) {
      visit(index);
      if (this.#is(0x5d)) return;
      this.#expect(COMMA, '"," or "]"');
    }
  }

  /** Behind a member's key. */
  colon(): void {
    this.#expect(0x3a, '":"');
  }

  /** Consumes `null`, if that is what comes. */
  isNull(): boolean {
    if (this.#peek() !== 0x6e) return false;
    this.#word('null');
    return true;
  }

  /** A whole number from 0 to 2^64 − 1. */
  u64(): bigint {
    const text = this.#number();
    if (!WHOLE.test(text) || text.length > 20) throw this.bad(`expected a whole number of at most 64 bits, not ${text}`);
    const value = BigInt(text);
    if (value > U64_MAX) throw this.bad(`expected a whole number of at most 64 bits, not ${text}`);
    return value;
  }

  /** A string, as its span. */
  string(): void {
    this.#expect(QUOTE, 'a string');
    const { bytes } = this;
    let at = this.#at;
    let more = 0;
    this.start = at;
    this.hasEscapes = false;
    for (; ; at += 1) {
      const byte = bytes[at];
      if (byte === QUOTE) break;
      if (byte === undefined) throw this.bad('a string does not end');
      if (byte < 0x20) throw this.bad('a control character stands in a string');
      if (byte === BACKSLASH) {
        this.hasEscapes = true;
        at += 1;
      }
      more |= byte;
    }
    this.end = at;
    this.#at = at + 1;
    this.hasMoreThanAscii = more >= 0x80;
  }

  /** A string, as text. */
  text(): string {
    this.string();
    return this.spanText();
  }

  /** The last string, as text. */
  spanText(): string {
    let text: string;
    try {
      text = UTF8.decode(this.bytes.subarray(this.start, this.end));
    } catch {
      throw this.bad('a string is not UTF-8');
    }
    if (!this.hasEscapes) return text;
    try {
      text = JSON.parse(`"${text}"`);
    } catch {
      throw this.bad('a string holds an unknown escape');
    }
    if (!text.isWellFormed()) throw this.bad('a string holds half a character');
    return text;
  }

  /** Passes over any value. */
  skip(depth = 0): void {
    if (depth > DEPTH_MAX) throw this.bad('it is nested too deeply');
    const byte = this.#peek();
    if (byte === 0x7b) {
      this.object(() => {
        this.colon();
        this.skip(depth + 1);
      });
    } else if (byte === 0x5b) this.array(() => this.skip(depth + 1));
    else if (byte === QUOTE) this.text();
    else if (byte === 0x74) this.#word('true');
    else if (byte === 0x66) this.#word('false');
    else if (byte === 0x6e) this.#word('null');
    else {
      const text = this.#number();
      if (!NUMBER.test(text)) throw this.bad(text === '' ? 'a value is expected' : `${text} is not a value`);
    }
  }

  /** Nothing but white space may follow. */
  finish(): void {
    if (this.#peek() !== undefined) throw this.bad('something stands behind the value');
  }

  bad(why: string): StoreError {
    return refused('bad_json', `the JSON body cannot be read: ${why} (at byte ${this.#at})`);
  }

  #number(): string {
    this.#peek();
    const start = this.#at;
    // Longer than any number that is asked for; what is longer fails its check.
    while (this.#at - start < 1_024 && isNumberByte(this.bytes[this.#at])) this.#at += 1;
    let text = '';
    for (let i = start; i < this.#at; i += 1) text += String.fromCharCode(this.bytes[i] ?? 0);
    return text;
  }

  #word(word: string): void {
    for (let i = 0; i < word.length; i += 1) {
      if (this.bytes[this.#at + i] !== word.charCodeAt(i)) throw this.bad(`"${word}" is expected`);
    }
    this.#at += word.length;
  }

  /** Passes over white space; the next byte. */
  #peek(): number | undefined {
    for (;;) {
      const byte = this.bytes[this.#at];
      if (byte !== 0x20 && byte !== 0x0a && byte !== 0x0d && byte !== 0x09) return byte;
      this.#at += 1;
    }
  }

  #is(byte: number): boolean {
    if (this.#peek() !== byte) return false;
    this.#at += 1;
    return true;
  }

  #expect(byte: number, what: string): void {
    if (!this.#is(byte)) throw this.bad(`${what} is expected`);
  }
}

function isNumberByte(byte: number | undefined): boolean {
  if (byte === undefined) return false;
  return (byte >= 0x30 && byte <= 0x39) || byte === 0x2d || byte === 0x2b || byte === 0x2e || (byte | 0x20) === 0x65;
}

/** The two halves of a u64. */
export function halves(value: bigint): [high: number, low: number] {
  return [Number(value / U32), Number(value % U32)];
}
