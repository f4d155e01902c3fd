// The whole command line: what `millrace --help` shows. Building it runs nothing.

import { readFileSync } from 'node:fs';
import { Command } from 'commander';
import { addAppend } from './append.ts';
import { addBench } from './bench.ts';
import { addFence, addTrim } from './commands.ts';
import { addConfig } from './config.ts';
import { addSharedOptions, type Context } from './context.ts';
import { addCreate } from './create.ts';
import { EXIT_CODES_HELP } from './exit-code.ts';
import { addLs } from './ls.ts';
import { addMetrics } from './metrics.ts';
import { prose } from './printable.ts';
import { addRead, addTail } from './read.ts';
import { addRm } from './rm.ts';
import { addStart } from './start.ts';
import { addToken } from './token.ts';

export function buildProgram(context: Context): Command {
  const program = new Command('millrace')
    .description(
      prose(`
        Streams of records, over the S2 v1 API. A stream is named basin/stream; what follows the first slash is
        its name.
      `),
    )
    .version(versionOf(), '--version', 'print the version')
    .helpOption('-h, --help', 'print help')
    .helpCommand('help [command]', 'print help of a command')
    .configureHelp({ showGlobalOptions: true, subcommandTerm: termOf })
    .configureOutput({ outputError: (text, write) => write(text.replace(/^error: /, 'millrace: ')) })
    .showHelpAfterError('(--help shows how it is used)')
    // Throws instead of ending the process; commands made from here on inherit it.
    .exitOverride()
    .addHelpText('after', `\n${EXIT_CODES_HELP}`);
  addSharedOptions(program);
  addStart(program);
  for (const add of [addLs, addCreate, addConfig, addRm, addAppend, addRead, addTail, addTrim, addFence, addToken, addMetrics, addBench]) {
    add(program, context);
  }
  return program;
}

/** Name and arguments; that there are options goes without saying. */
function termOf(command: Command): string {
  const names = command.registeredArguments.map((one) => (one.required ? `<${one.name()}>` : `[${one.name()}]`));
  return [command.name(), ...names].join(' ');
}

function versionOf(): string {
  const manifest = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as { version: string };
  return manifest.version;
}
