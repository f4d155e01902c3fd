// `millrace ls`: basins, or the streams of one, all pages.

import type { BasinInfo, StreamInfo } from '@s2-dev/streamstore';
import type { Command } from 'commander';
import { type Context, jsonOption } from './context.ts';
import { usageError } from './exit-code.ts';
import { write } from './output.ts';
import { parseListing } from './place.ts';
import { printable, prose } from './printable.ts';

const CHARS_PER_WRITE = 64 * 1024;
const STATE_CHARS = 'deleting'.length;
const CIPHER_CHARS = 'aes-256-gcm'.length;

interface LsOptions {
  readonly long?: true;
  readonly all?: true;
  readonly json?: true;
  readonly prefix?: string;
}

interface Row {
  readonly name: string;
  readonly createdAt: Date;
  readonly deletedAt?: Date | null;
  /** What only basins or only streams have, by its name in JSON. */
  readonly extra: readonly [string, string | null];
}

export function addLs(program: Command, context: Context): void {
  program
    .command('ls')
    .summary('list basins, or the streams of one')
    .description(
      prose(`
        List the basins, or the streams of a basin whose names begin with the prefix, in the order of their bytes.
      `),
    )
    .argument('[basin[/prefix]]')
    .option('-l, --long', 'with time of creation, state, and location or cipher')
    .option('-a, --all', 'also what is being deleted')
    .option('--prefix <prefix>', 'only basins whose names begin with it')
    .addOption(jsonOption())
    .action(async (argument: string | undefined, options: LsOptions, command: Command) => {
      if (argument !== undefined && options.prefix !== undefined) throw usageError('--prefix is for basins; streams take basin/prefix');
      await print(rows(context, command, argument, options), options);
    });
}

async function* rows(context: Context, command: Command, argument: string | undefined, options: LsOptions): AsyncGenerator<Row> {
  const s2 = context.connect(command).s2();
  const includeDeleted = options.all === true;
  if (argument === undefined) {
    for await (const basin of s2.basins.listAll({ includeDeleted, prefix: options.prefix ?? '' })) yield basinRow(basin);
    return;
  }
  const { basin, prefix } = parseListing(argument);
  for await (const stream of s2.basin(basin).streams.listAll({ includeDeleted, prefix })) yield streamRow(stream);
}

function basinRow({ location, ...basin }: BasinInfo): Row {
  return { ...basin, extra: ['location', location ?? null] };
}

function streamRow({ cipher, ...stream }: StreamInfo): Row {
  return { ...stream, extra: ['cipher', cipher ?? null] };
}

async function print(all: AsyncIterable<Row>, options: LsOptions): Promise<void> {
  let text = '';
  for await (const row of all) {
    text += `${options.json === true ? json(row) : options.long === true ? long(row) : short(row)}\n`;
    if (text.length < CHARS_PER_WRITE) continue;
    await write(text);
    text = '';
  }
  if (text !== '') await write(text);
}

function json({ name, createdAt, deletedAt, extra: [key, value] }: Row): string {
  return JSON.stringify({ name, [key]: value, created_at: createdAt.toISOString(), deleted_at: deletedAt?.toISOString() ?? null });
}

function long({ name, createdAt, deletedAt, extra: [, value] }: Row): string {
  const state = (deletedAt ? 'deleting' : 'active').padEnd(STATE_CHARS);
  return `${createdAt.toISOString()}  ${state}  ${(value ?? '-').padEnd(CIPHER_CHARS)}  ${printable(name)}`;
}

function short({ name, deletedAt }: Row): string {
  return deletedAt ? `${printable(name)} (deleting)` : printable(name);
}
