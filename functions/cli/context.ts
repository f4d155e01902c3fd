// What every command gets: the options that all share, a connection, and what an interrupt means.

import { readFileSync } from 'node:fs';
import { type Command, Option } from 'commander';
import { Connection, type ConnectionOptions } from './connection.ts';
import { usageError } from './exit-code.ts';
import type { Interrupt } from './interrupt.ts';

export const DEFAULT_URL = 'http://localhost:8080';
const KEY_BYTES = 32;
const KEY_BASE64 = /^[A-Za-z0-9+/]{43}=$/;

export interface Context {
  readonly interrupt: Interrupt;
  /** Of the command that runs. */
  connect(command: Command): Connection;
}

/** On the program, so that they may stand before or behind the command. */
export function addSharedOptions(program: Command): void {
  program
    .addOption(new Option('--url <url>', 'the server').env('MILLRACE_URL').default(DEFAULT_URL))
    .addOption(
      new Option(
        '--token <token>',
        'access token; others on this machine may see it, so prefer the variable (S2_ACCESS_TOKEN is read, too)',
      ).env('MILLRACE_TOKEN'),
    );
}

export function connectionOptions(command: Command): ConnectionOptions {
  const { url, token } = command.optsWithGlobals<{ url: string; token?: string }>();
  const secret = token ?? process.env['S2_ACCESS_TOKEN'];
  // Whoever sends it would say what is wrong with it, and so what it is.
  if (secret !== undefined && !/^[\x21-\x7e]+$/.test(secret)) throw usageError('the token is empty, or holds characters that no token has');
  return { url, token: secret };
}

export function createContext(interrupt: Interrupt): Context {
  return { interrupt, connect: (command) => new Connection(connectionOptions(command)) };
}

export function jsonOption(): Option {
  return new Option('--json', 'print JSON, one object a line');
}

export function encryptionKeyOption(): Option {
  return new Option('--encryption-key-file <file>', 'key of an encrypted stream: 32 bytes, or their base64');
}

/** @returns base64, as the header wants it */
export function readEncryptionKey(file: string | undefined): string | undefined {
  if (file === undefined) return undefined;
  let bytes: Buffer;
  try {
    bytes = readFileSync(file);
  } catch (error) {
    throw usageError(`the key file ${file} cannot be read: ${error instanceof Error && 'code' in error ? error.code : error}`);
  }
  if (bytes.length === KEY_BYTES) return bytes.toString('base64');
  const text = bytes.toString('latin1').trim();
  if (!KEY_BASE64.test(text)) throw usageError(`the key file ${file} holds no key: it must be ${KEY_BYTES} bytes, or their base64`);
  return text;
}
