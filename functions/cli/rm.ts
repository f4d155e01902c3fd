// `millrace rm`: deletes a stream, or a basin with all its streams.

import { S2Error } from '@s2-dev/streamstore';
import type { Command } from 'commander';
import type { Context } from './context.ts';
import { CliError } from './exit-code.ts';
import { writeLine } from './output.ts';
import { nameOf, parsePlace } from './place.ts';
import { printable } from './printable.ts';

interface RmOptions {
  readonly recursive?: true;
  readonly ifExists?: true;
}

export function addRm(program: Command, context: Context): void {
  program
    .command('rm')
    .summary('delete a basin or a stream')
    .description('Delete a stream, or a basin. Its name is free again when "millrace ls --all" shows it no more.')
    .argument('<basin[/stream]>')
    .option('-r, --recursive', 'delete a basin although it holds streams, and them with it')
    .option('--if-exists', 'end with 0 where there is none')
    .action(async (argument: string, options: RmOptions, command: Command) => {
      const { basin, stream } = parsePlace(argument);
      const s2 = context.connect(command).s2();
      const name = printable(nameOf({ basin, stream }));
      try {
        if (stream !== undefined) await s2.basin(basin).streams.delete({ stream });
        else {
          if (options.recursive !== true && (await s2.basin(basin).streams.list({ limit: 1 })).streams.length > 0) {
            throw new CliError(`${basin} holds streams; -r deletes it and them`);
          }
          await s2.basins.delete({ basin });
        }
      } catch (error) {
        const isMissing = error instanceof S2Error && (error.code === 'stream_not_found' || error.code === 'basin_not_found');
        if (!isMissing || options.ifExists !== true) throw error;
        await writeLine(`${name} does not exist`);
        return;
      }
      await writeLine(`deleting ${name}`);
    });
}
