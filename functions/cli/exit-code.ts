// How a command can end, for whoever calls it from a script. The table stands in --help and in docs/cli.md.

export const EXIT_CODES = {
  done: 0,
  /** The server refused, or the command failed on the way. */
  failed: 1,
  usage: 2,
  unreachable: 3,
  interrupted: 130,
  terminated: 143,
} as const;

export const EXIT_CODES_HELP = `Exit codes:
  0    done
  1    refused or failed; standard error says why, and what to do
  2    wrong usage
  3    the server cannot be reached
  130  interrupted by Ctrl-C (143 by SIGTERM)
`;

/** Something that the caller can act on: it is said in one line, without a stack. */
export class CliError extends Error {
  override readonly name = 'CliError';
  readonly exitCode: number;

  constructor(message: string, exitCode: number = EXIT_CODES.failed) {
    super(message);
    this.exitCode = exitCode;
  }
}

/** An argument that cannot be right, whatever the server says. */
export function usageError(message: string): CliError {
  return new CliError(message, EXIT_CODES.usage);
}
