// `millrace read` and `millrace tail`: records to standard output, and where a stream ends.
//
// Records are written as they come, batch by batch; nothing else is written to standard output.

import { S2Error } from '@s2-dev/streamstore';
import { type Command, Option } from 'commander';
import { type Context, encryptionKeyOption, jsonOption, readEncryptionKey } from './context.ts';
import { CliError } from './exit-code.ts';
import { write, writeLine } from './output.ts';
import { parseStreamPlace, type StreamPlace } from './place.ts';
import { prose } from './printable.ts';
import { READ_FORMATS, type ReadFormat, recordWriter } from './record-format.ts';
import { type ReadQuery, type ReadStart, readBatches } from './record-reader.ts';
import { seconds, timestamp, u64, wholeNumber } from './values.ts';

interface FormatOptions {
  readonly format: ReadFormat;
  readonly base64?: true;
  readonly encryptionKeyFile?: string;
}

interface ReadCommandOptions extends FormatOptions {
  readonly seqNum?: string;
  readonly timestamp?: string;
  readonly tailOffset?: string;
  readonly clamp?: true;
  readonly count?: number;
  readonly bytes?: number;
  readonly until?: string;
  readonly wait?: number;
}

interface TailOptions extends FormatOptions {
  readonly follow?: true;
  readonly lines?: number;
  readonly json?: true;
}

interface Tail {
  readonly seqNum: number | bigint;
  readonly timestamp: number | bigint;
}

export function addRead(program: Command, context: Context): void {
  const read = program
    .command('read')
    .summary('print records')
    .description('Print the records of a stream: from its start to its tail, unless the options say otherwise.')
    .argument('<basin/stream>')
    .addOption(
      new Option('--seq-num <n>', 'start at this sequence number (default: 0)').argParser(u64).conflicts(['timestamp', 'tailOffset']),
    )
    .addOption(
      new Option('--timestamp <t>', 'start at the first record at or after it: a number, or an instant')
        .argParser(timestamp)
        .conflicts('tailOffset'),
    )
    .addOption(new Option('--tail-offset <n>', 'start that many records before the tail').argParser(u64))
    .option('--clamp', 'start at the tail when the start lies beyond it')
    .addOption(new Option('--count <n>', 'stop after that many records').argParser(wholeNumber))
    .addOption(new Option('--bytes <n>', 'stop before more than that many metered bytes').argParser(wholeNumber))
    .addOption(new Option('--until <t>', 'stop before the first record at or after it').argParser(timestamp))
    .addOption(new Option('--wait <duration>', 'at the tail, wait that long for each further record').argParser(seconds));
  addFormatOptions(read).action(async (argument: string, options: ReadCommandOptions, command: Command) => {
    const { clamp, count, bytes, until, wait } = options;
    const query = { start: startOf(options), clamp: clamp === true, count, bytes, until, waitSeconds: wait ?? 0 };
    await print(context, command, parseStreamPlace(argument), query, options);
  });
}

export function addTail(program: Command, context: Context): void {
  const tail = program
    .command('tail')
    .summary('print the tail, or follow it with -f')
    .description(
      prose(`
        Print where a stream ends: the sequence number that the next record gets, and the timestamp of the last one.
        With -f, print records as they come, until Ctrl-C; a restart of the server is sat out.
      `),
    )
    .argument('<basin/stream>')
    .option('-f, --follow', 'print records as they come')
    .addOption(new Option('-n, --lines <n>', 'with -f, begin that many records before the tail (default: 0)').argParser(wholeNumber))
    .addOption(jsonOption());
  addFormatOptions(tail).action(async (argument: string, options: TailOptions, command: Command) => {
    const place = parseStreamPlace(argument);
    const { seqNum, timestamp: last } = await tailOf(context, command, place);
    if (options.follow === true) {
      const start = BigInt(seqNum) - BigInt(Math.min(options.lines ?? 0, Number(seqNum)));
      await print(
        context,
        command,
        place,
        { start: { by: 'seq_num', at: String(start) } },
        options.json === true ? { ...options, format: 'jsonl' } : options,
      );
    } else if (options.json === true) await writeLine(`{"tail":{"seq_num":${seqNum},"timestamp":${last}}}`);
    else
      await writeLine(
        Number(seqNum) === 0 ? 'tail 0, nothing was written yet' : `tail ${seqNum}, last record at ${last}${instantText(last)}`,
      );
  });
}

function addFormatOptions(command: Command): Command {
  return command
    .addOption(new Option('--format <format>', 'text: bodies as lines, without command records').choices(READ_FORMATS).default('text'))
    .option('--base64', 'print bodies, and in JSON headers, too, as base64: exact also where they are no UTF-8')
    .addOption(encryptionKeyOption());
}

function startOf({ seqNum, timestamp: at, tailOffset }: ReadCommandOptions): ReadStart {
  if (at !== undefined) return { by: 'timestamp', at };
  return tailOffset === undefined ? { by: 'seq_num', at: seqNum ?? '0' } : { by: 'tail_offset', at: tailOffset };
}

async function print(context: Context, command: Command, place: StreamPlace, query: ReadQuery, options: FormatOptions): Promise<void> {
  const encryptionKey = readEncryptionKey(options.encryptionKeyFile);
  const writer = recordWriter(options.format, options.base64 === true);
  const connection = context.connect(command);
  await context.interrupt.hold(async (signal) => {
    let isOpen = false;
    const open = async (): Promise<void> => {
      if (!isOpen && writer.open !== '') await write(writer.open);
      isOpen = true;
    };
    try {
      for await (const records of readBatches(connection, place, query, { encryptionKey, signal })) {
        await open();
        await write(writer.batch(records));
      }
      await open();
    } catch (error) {
      if (!isNothingLeft(error, query)) throw refusal(error);
      await open();
    } finally {
      if (isOpen && writer.close !== '') await write(writer.close);
    }
  });
}

/** A start at the very tail is refused where the read may not wait: for a person, that is an empty result. */
function isNothingLeft(error: unknown, { start }: ReadQuery): boolean {
  const tail = tailIn(error);
  if (tail === undefined || start.by === 'timestamp') return false;
  return start.by === 'tail_offset' || BigInt(start.at) === BigInt(tail.seqNum);
}

function refusal(error: unknown): unknown {
  const tail = tailIn(error);
  if (tail === undefined) return error;
  return new CliError(
    prose(`
      range_not_satisfiable: the start lies beyond what is written; the tail is ${tail.seqNum}, its timestamp
      ${tail.timestamp} (--clamp starts at the tail)
    `),
  );
}

function tailIn(error: unknown): Tail | undefined {
  if (!(error instanceof S2Error) || error.status !== 416) return undefined;
  return parseTail(error.data);
}

async function tailOf(context: Context, command: Command, place: StreamPlace): Promise<Tail> {
  const connection = context.connect(command);
  const tail = parseTail(await connection.getJson(connection.recordsPath(place, '/tail'), { 's2-basin': place.basin }));
  if (tail === undefined) throw new CliError('the server answered something that is no tail');
  return tail;
}

function parseTail(value: unknown): Tail | undefined {
  const { tail } = (value ?? {}) as { tail?: { seq_num?: unknown; timestamp?: unknown } };
  const { seq_num: seqNum, timestamp: at } = tail ?? {};
  return isU64(seqNum) && isU64(at) ? { seqNum, timestamp: at } : undefined;
}

function isU64(value: unknown): value is number | bigint {
  return typeof value === 'number' || typeof value === 'bigint';
}

/** Where the timestamp can be milliseconds of our time. */
function instantText(at: number | bigint): string {
  const ms = Number(at);
  return ms > Date.UTC(2000, 0) && ms < Date.UTC(2200, 0) ? ` (${new Date(ms).toISOString()})` : '';
}
