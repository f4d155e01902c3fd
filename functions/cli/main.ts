// `millrace`: runs one command and ends with its exit code. Every failure is one line on standard error.

import { CommanderError } from 'commander';
import { connectionOptions, createContext, DEFAULT_URL } from './context.ts';
import { EXIT_CODES } from './exit-code.ts';
import { failureOf } from './failure.ts';
import { Interrupt } from './interrupt.ts';
import { watchOutput } from './output.ts';
import { buildProgram } from './program.ts';

/** With `1`, a failure shows where in the program it came from. */
const DEBUG_VARIABLE = 'MILLRACE_DEBUG';

async function main(): Promise<number> {
  const unwatchOutput = watchOutput();
  const interrupt = new Interrupt();
  let url = DEFAULT_URL;
  const program = buildProgram(createContext(interrupt)).hook('preAction', (_program, command) => {
    // A server has its own ways to write and to end.
    if (command.name() === 'start') return unwatchOutput();
    interrupt.watch();
    url = connectionOptions(command).url;
  });
  try {
    await program.parseAsync();
    // A server goes on after its command.
    if (program.args[0] === 'start') return await new Promise<never>(() => undefined);
    return interrupt.exitCode ?? EXIT_CODES.done;
  } catch (error) {
    // Commander has said what is wrong, or has shown the help that was asked for.
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT_CODES.done : EXIT_CODES.usage;
    const { exitCode, line } = failureOf(error, url);
    process.stderr.write(`${line}\n`);
    if (process.env[DEBUG_VARIABLE] === '1' && error instanceof Error) process.stderr.write(`${error.stack}\n`);
    return exitCode;
  }
}

process.exit(await main());
