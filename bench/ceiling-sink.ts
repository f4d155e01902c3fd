// The server of the ceiling: bytes of one HTTP/2 stream go into three O_DIRECT | O_DSYNC files, 256 KiB at a time, and count as
// acknowledged, in order, once two of the three writes are done. No code of the product.
//
// Started by ceiling.ts as a process of its own, as the product is. Answers each stream with u32 BE counts of acknowledged bytes.

import { closeSync, constants, openSync, write, writeSync } from 'node:fs';
import http2 from 'node:http2';
import type { AddressInfo } from 'node:net';
import path from 'node:path';

/** Node has it; its types come only with the DOM's. */
declare const WebAssembly: {
  readonly Memory: new (options: { initial: number }) => { readonly buffer: ArrayBuffer };
};

const KIB = 1024;
const MIB = 1024 * KIB;
const BLOCK_BYTES = 256 * KIB;
const FILE_BYTES = 256 * MIB;
const WINDOW_BYTES = 16 * MIB;
const FILES = 3;
const QUORUM = 2;

const [folder, inFlight] = process.argv.slice(2);
if (folder === undefined || inFlight === undefined) throw new Error('usage: ceiling-sink.ts FOLDER BLOCKS_IN_FLIGHT');
const BLOCKS_IN_FLIGHT_MAX = Number(inFlight);

const memory = new WebAssembly.Memory({ initial: ((BLOCKS_IN_FLIGHT_MAX + 1) * BLOCK_BYTES) / (64 * KIB) });

/** Preallocated, so that no write changes the file system's own data. */
function openFile(name: string): number {
  const file = path.join(folder ?? '', name);
  const zeros = Buffer.alloc(4 * MIB);
  const plain = openSync(file, 'w');
  for (let at = 0; at < FILE_BYTES; at += zeros.length) writeSync(plain, zeros, 0, zeros.length, at);
  closeSync(plain);
  try {
    return openSync(file, constants.O_WRONLY | constants.O_DIRECT | constants.O_DSYNC);
  } catch {
    console.error('this file system refuses O_DIRECT: the ceiling is measured with O_DSYNC alone');
    return openSync(file, constants.O_WRONLY | constants.O_DSYNC);
  }
}

const files = Array.from({ length: FILES }, (_, at) => openFile(`ceiling-${at}`));

interface Block {
  readonly bytes: Buffer;
  /** Writes that are done. */
  copies: number;
}

class Sink {
  readonly #stream: http2.ServerHttp2Stream;
  readonly #free: Block[] = [];
  readonly #inFlight: Block[] = [];
  #filling: Block;
  #filled = 0;
  #at = 0;
  #rest: Buffer | undefined;

  constructor(stream: http2.ServerHttp2Stream) {
    this.#stream = stream;
    for (let at = 0; at <= BLOCKS_IN_FLIGHT_MAX; at++) {
      this.#free.push({ bytes: Buffer.from(memory.buffer, at * BLOCK_BYTES, BLOCK_BYTES), copies: 0 });
    }
    this.#filling = this.#take();
    stream.respond({ ':status': 200 });
    stream.on('data', (bytes: Buffer) => this.#fill(bytes));
    stream.on('end', () => stream.end());
    stream.on('error', () => undefined);
  }

  #take(): Block {
    const block = this.#free.pop();
    if (block === undefined) throw new Error('no block is free');
    block.copies = 0;
    return block;
  }

  #fill(bytes: Buffer): void {
    let from = 0;
    while (from < bytes.length) {
      if (this.#filled === BLOCK_BYTES) {
        if (this.#free.length === 0) {
          this.#rest = bytes.subarray(from);
          this.#stream.pause();
          return;
        }
        this.#filling = this.#take();
        this.#filled = 0;
      }
      const copied = bytes.copy(this.#filling.bytes, this.#filled, from);
      from += copied;
      this.#filled += copied;
      if (this.#filled === BLOCK_BYTES) this.#write(this.#filling);
    }
  }

  #write(block: Block): void {
    this.#inFlight.push(block);
    for (const file of files) {
      write(file, block.bytes, 0, BLOCK_BYTES, this.#at, (error) => {
        if (error !== null) throw error;
        block.copies += 1;
        if (block.copies === QUORUM) this.#acknowledge();
        if (block.copies === FILES) this.#release(block);
      });
    }
    this.#at = (this.#at + BLOCK_BYTES) % FILE_BYTES;
  }

  #acknowledge(): void {
    let count = 0;
    while ((this.#inFlight[0]?.copies ?? 0) >= QUORUM) {
      this.#inFlight.shift();
      count += 1;
    }
    if (count === 0) return;
    const answer = Buffer.allocUnsafe(4);
    answer.writeUInt32BE(count * BLOCK_BYTES);
    this.#stream.write(answer);
  }

  #release(block: Block): void {
    this.#free.push(block);
    const rest = this.#rest;
    if (rest === undefined) return;
    this.#rest = undefined;
    this.#fill(rest);
    if (this.#rest === undefined) this.#stream.resume();
  }
}

const server = http2.createServer({ settings: { initialWindowSize: WINDOW_BYTES } });
server.on('session', (session) => session.setLocalWindowSize(WINDOW_BYTES));
server.on('stream', (stream) => new Sink(stream));
server.listen(0, '127.0.0.1', () => console.log(`http://127.0.0.1:${(server.address() as AddressInfo).port}`));
