// `millrace append`: lines of standard input become records, in order, and the last position is printed.
//
// However it ends, it says how many of the first records are acknowledged, and what is known of the rest.

import { meteredBytes } from '@s2-dev/streamstore';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { type Acknowledged, AppendPump } from './append-pump.ts';
import { type Context, encryptionKeyOption, jsonOption, readEncryptionKey } from './context.ts';
import { CliError, usageError } from './exit-code.ts';
import { failureOf, hadNoEffect, reasonOf } from './failure.ts';
import { linesOf } from './lines.ts';
import { note, writeLine } from './output.ts';
import { nameOf, parseStreamPlace } from './place.ts';
import { count, prose } from './printable.ts';
import { progressText, showProgress } from './progress.ts';
import { APPEND_FORMATS, type AppendFormat, type LineParser, lineParser } from './record-format.ts';
import { wholeNumber } from './values.ts';

/** What one record can hold, and what JSON and base64 make of it. */
const RECORD_BYTES_MAX = 1024 * 1024;
const JSON_LINE_BYTES_MAX = 8 * RECORD_BYTES_MAX;
const IN_FLIGHT_BYTES_MAX = 8 * RECORD_BYTES_MAX;

interface AppendOptions {
  readonly header: readonly (readonly [string, string])[];
  readonly format: AppendFormat;
  readonly base64?: true;
  readonly matchSeqNum?: number;
  readonly fencingToken?: string;
  readonly atLeastOnce?: true;
  readonly encryptionKeyFile?: string;
  readonly json?: true;
}

export function addAppend(program: Command, context: Context): void {
  program
    .command('append')
    .summary('append lines of standard input')
    .description(
      prose(`
        Append the lines of standard input to a stream, a record a line, in order, and print the last position. When
        it fails or is interrupted, it says how many of the first records are stored. It appends no record twice,
        unless with --at-least-once.
      `),
    )
    .argument('<basin/stream>')
    .addOption(
      new Option('--format <format>', 'what a line is: text, or an object with body, headers and timestamp')
        .choices(APPEND_FORMATS)
        .default('lines'),
    )
    .option('--base64', 'bodies, and in JSON headers, too, are base64')
    .addOption(new Option('--header <name=value>', 'header of every record; may be repeated').argParser(parseHeader).default([], 'none'))
    .addOption(new Option('--match-seq-num <n>', 'append only if the first record gets this sequence number').argParser(wholeNumber))
    .option('--fencing-token <token>', 'append only while the stream has this fencing token')
    .option('--at-least-once', 'try again when an answer is lost: a record may then be there twice')
    .addOption(encryptionKeyOption())
    .addOption(jsonOption())
    .action(async (place: string, options: AppendOptions, command: Command) => {
      await append(context, command, place, options);
    });
}

async function append(context: Context, command: Command, argument: string, options: AppendOptions): Promise<void> {
  const place = parseStreamPlace(argument);
  const connection = context.connect(command);
  const stream = connection.stream(place, readEncryptionKey(options.encryptionKeyFile), {
    appendRetryPolicy: options.atLeastOnce === true ? 'all' : 'noSideEffects',
  });
  const session = await stream.appendSession({ maxInflightBytes: IN_FLIGHT_BYTES_MAX });
  const pump = new AppendPump(session, options);
  if (process.stdin.isTTY) note('millrace: type lines; Ctrl-D ends');
  const startedAt = performance.now();
  const hideProgress = showProgress(() => pump.acknowledged);
  let readError: unknown;
  await context.interrupt.hold(async (signal) => {
    try {
      await feed(pump, AbortSignal.any([signal, pump.failed]), options);
    } catch (error) {
      readError = error;
    }
    await pump.close(signal.aborted ? 'drop' : 'send');
    hideProgress();
  });
  const { acknowledged } = pump;
  if (pump.failure !== undefined) throw incomplete(pump.failure.error, pump, connection.url);
  if (readError !== undefined)
    throw new CliError(`${reasonOf(readError)}; ${storedText(acknowledged)}`, failureOf(readError, connection.url).exitCode);
  if (context.interrupt.exitCode !== undefined) throw new CliError(`interrupted; ${storedText(acknowledged)}`, context.interrupt.exitCode);
  if (process.stderr.isTTY) note(progressText(acknowledged, performance.now() - startedAt));
  await writeLine(options.json === true ? resultJson(acknowledged) : resultText(acknowledged, nameOf(place)));
}

/** Every line until the end or `signal`. */
async function feed(pump: AppendPump, signal: AbortSignal, options: AppendOptions): Promise<void> {
  const { format, header: headers } = options;
  const parse: LineParser = lineParser({ format, isBase64: options.base64 === true, headers });
  const bodyBytesMax = RECORD_BYTES_MAX - meteredBytes({ headers });
  if (bodyBytesMax < 0) throw usageError('the headers alone are larger than a record can be');
  const isPlain = format === 'lines' && options.base64 !== true;
  const stop = (): void => void process.stdin.destroy();
  signal.addEventListener('abort', stop, { once: true });
  let lineNumber = 0;
  try {
    for await (const lines of linesOf(process.stdin, isPlain ? bodyBytesMax : JSON_LINE_BYTES_MAX)) {
      for (const line of lines) {
        lineNumber += 1;
        const record = parse(line, lineNumber);
        if (record === undefined) continue;
        if (record.meteredBytes > RECORD_BYTES_MAX) throw new CliError(`line ${lineNumber} is larger than a record can be`);
        if (pump.isFull) await pump.room();
        if (signal.aborted) return;
        pump.add(record);
      }
    }
  } catch (error) {
    if (!signal.aborted) throw error;
  } finally {
    signal.removeEventListener('abort', stop);
    process.stdin.destroy();
  }
}

/** What became of the records: the caller may have to look. */
function incomplete(error: unknown, pump: AppendPump, url: string): CliError {
  const { acknowledged, unanswered } = pump;
  const { exitCode, line } = failureOf(error, url);
  const reason = line.replace(/^millrace: /, '');
  if (unanswered === 0 || hadNoEffect(error)) return new CliError(`${reason}; ${storedText(acknowledged)}`, exitCode);
  const from = acknowledged.end === undefined ? 'from the tail back' : `from ${acknowledged.end} on`;
  return new CliError(`${reason}; ${storedText(acknowledged)}; ${count(unanswered)} more may be: read ${from} to see`, exitCode);
}

function storedText({ records, start, end }: Acknowledged): string {
  if (start === undefined || end === undefined) return 'no record is stored';
  return `the first ${count(records)} records are stored (sequence numbers ${start} to ${end - 1})`;
}

function resultText({ records, start, end, tail }: Acknowledged, name: string): string {
  if (start === undefined || end === undefined) return `no record appended to ${name}`;
  return `${count(records)} records appended to ${name}: sequence numbers ${start} to ${end - 1}, tail ${tail}`;
}

function resultJson({ records, start, end, tail }: Acknowledged): string {
  return JSON.stringify({ records, start_seq_num: start ?? null, end_seq_num: end ?? null, tail_seq_num: tail ?? null });
}

function parseHeader(text: string, before: readonly (readonly [string, string])[]): readonly (readonly [string, string])[] {
  const equals = text.indexOf('=');
  if (equals < 1) throw new InvalidArgumentError('It must be name=value.');
  return [...before, [text.slice(0, equals), text.slice(equals + 1)]];
}
