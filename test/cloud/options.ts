// What `npm run test:cloud` is told. Nothing here looks at the account.

import { Command, CommanderError, InvalidArgumentError } from 'commander';
import { checkZones, type Zone } from '#stacks/zones.ts';

export interface Options {
  readonly profile: string | undefined;
  readonly region: string;
  /** As the app's context takes them; undefined where none were named. */
  readonly zones: string | undefined;
  /** Of each storage class. */
  readonly appends: number;
  /** Nobody is asked. */
  readonly isAgreed: boolean;
}

const APPENDS = 500;
const APPENDS_MAX = 100_000;
export const ZONES_EXAMPLE = 'us-east-1a=use1-az4,us-east-1b=use1-az6,us-east-1c=use1-az5';

function count(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1 || value > APPENDS_MAX) throw new InvalidArgumentError(`must be 1 to ${APPENDS_MAX}`);
  return value;
}

/** @throws CommanderError that says what is wrong; `exitCode` 0 where it was only asked for help */
export function parseOptions(args: readonly string[], write: (text: string) => void): Options {
  const command = new Command('npm run test:cloud --')
    .description('Deploys a development cell into a real account, measures it, kills its task, and removes it again.')
    .option('--profile <name>', 'of the credentials; default: as any program that uses the AWS SDK finds them')
    .option('--region <name>', 'where the cell goes', 'us-east-1')
    .option('--zones <list>', `three zones that have S3 Express, by your account's names and the ids: ${ZONES_EXAMPLE}`)
    .option('--appends <count>', 'to measure each storage class by', count, APPENDS)
    .option('--yes', 'start without asking')
    .allowExcessArguments(false)
    .configureOutput({ writeOut: write, writeErr: write })
    .exitOverride();
  command.parse(args, { from: 'user' });
  const { profile, region, zones, appends, yes } = command.opts<{
    profile?: string;
    region: string;
    zones?: string;
    appends: number;
    yes?: true;
  }>();
  if (zones !== undefined) mustBeZones(zones, region);
  return { profile, region, zones, appends, isAgreed: yes === true };
}

function mustBeZones(text: string, region: string): void {
  const zones = text.split(',').map((part): Zone => {
    const [name = '', id = ''] = part.trim().split('=');
    return { name, id };
  });
  try {
    checkZones(zones, region);
  } catch (error) {
    throw new CommanderError(1, 'zones', error instanceof Error ? error.message : String(error));
  }
}
