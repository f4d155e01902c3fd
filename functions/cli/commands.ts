// `millrace trim` and `millrace fence`: the two command records.

import { AppendRecord } from '@s2-dev/streamstore';
import { Argument, type Command, Option } from 'commander';
import { appendCommand } from './connection.ts';
import type { Context } from './context.ts';
import { writeLine } from './output.ts';
import { parseStreamPlace } from './place.ts';
import { prose } from './printable.ts';
import { wholeNumber } from './values.ts';

interface Conditions {
  readonly matchSeqNum?: number;
  readonly fencingToken?: string;
}

export function addTrim(program: Command, context: Context): void {
  const trim = program
    .command('trim')
    .summary('make the beginning of a stream unreadable')
    .description(
      prose(`
        Append a command that makes all records below a sequence number unreadable, for good. It takes effect
        soon.
      `),
    )
    .argument('<basin/stream>')
    .addArgument(new Argument('<seq-num>', 'the first record to keep').argParser(wholeNumber));
  addConditions(trim).action(async (place: string, seqNum: number, conditions: Conditions, command: Command) => {
    const stream = context.connect(command).stream(parseStreamPlace(place));
    const at = await appendCommand(stream, AppendRecord.trim(seqNum), conditions);
    await writeLine(`trim to ${seqNum} is record ${at}`);
  });
}

export function addFence(program: Command, context: Context): void {
  const fence = program
    .command('fence')
    .summary('set the fencing token of a stream')
    .description(
      prose(`
        Append a command that sets the fencing token. From then on, appends that carry another one are refused. An
        empty token ("") lifts the fence.
      `),
    )
    .argument('<basin/stream>')
    .argument('<token>', '36 bytes at most');
  addConditions(fence).action(async (place: string, token: string, conditions: Conditions, command: Command) => {
    const stream = context.connect(command).stream(parseStreamPlace(place));
    const at = await appendCommand(stream, AppendRecord.fence(token), conditions);
    await writeLine(token === '' ? `the fence is lifted by record ${at}` : `the fence is record ${at}`);
  });
}

function addConditions(command: Command): Command {
  return command
    .addOption(new Option('--match-seq-num <n>', 'only if the command gets this sequence number').argParser(wholeNumber))
    .option('--fencing-token <token>', 'only while the stream has this fencing token');
}
