// `millrace create`: a basin, or a stream in one.

import { S2Error } from '@s2-dev/streamstore';
import type { Command } from 'commander';
import { type Context, jsonOption } from './context.ts';
import { usageError } from './exit-code.ts';
import { writeLine } from './output.ts';
import { nameOf, type Place, parsePlace } from './place.ts';
import { printable } from './printable.ts';
import { addConfigOptions, basinConfigOf, type ConfigOptions, refuseBasinOptions, streamConfigOf } from './stream-config.ts';

interface CreateOptions extends ConfigOptions {
  readonly ifMissing?: true;
  readonly location?: string;
  readonly json?: true;
}

export function addCreate(program: Command, context: Context): void {
  const create = program
    .command('create')
    .summary('create a basin or a stream')
    .description('Create a basin, or a stream in one. For a basin, stream options are the defaults of the streams in it.')
    .argument('<basin[/stream]>')
    .option('--if-missing', 'leave one that exists as it is, and end with 0');
  addConfigOptions(create)
    .option('--location <name>', 'basin: where it is placed')
    .addOption(jsonOption())
    .action(async (argument: string, options: CreateOptions, command: Command) => {
      const place = parsePlace(argument);
      const result = await createOrFind(context, command, place, options);
      if (options.json === true) await writeLine(JSON.stringify({ result, basin: place.basin, stream: place.stream ?? null }));
      else await writeLine(result === 'created' ? `created ${printable(nameOf(place))}` : `${printable(nameOf(place))} exists`);
    });
}

async function createOrFind(context: Context, command: Command, place: Place, options: CreateOptions): Promise<'created' | 'exists'> {
  const s2 = context.connect(command).s2();
  try {
    if (place.stream === undefined) {
      const { location } = options;
      await s2.basins.create({ basin: place.basin, config: basinConfigOf(options), ...(location === undefined ? {} : { location }) });
    } else {
      refuseBasinOptions(options);
      if (options.location !== undefined) throw usageError('--location is for a basin, not for a stream');
      await s2.basin(place.basin).streams.create({ stream: place.stream, config: streamConfigOf(options) ?? {} });
    }
    return 'created';
  } catch (error) {
    if (options.ifMissing === true && error instanceof S2Error && error.code === 'resource_already_exists') return 'exists';
    throw error;
  }
}
