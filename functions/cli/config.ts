// `millrace config`: how a basin or a stream is set up, and changes of it.

import type { BasinConfig, S2, StreamConfig } from '@s2-dev/streamstore';
import { type Command, Option } from 'commander';
import { type Context, jsonOption } from './context.ts';
import { usageError } from './exit-code.ts';
import { write, writeLine } from './output.ts';
import { type Place, parsePlace } from './place.ts';
import {
  addConfigOptions,
  basinConfigJson,
  basinConfigOf,
  basinConfigRows,
  type ConfigOptions,
  refuseBasinOptions,
  streamConfigJson,
  streamConfigOf,
  streamConfigRows,
} from './stream-config.ts';

const UNSETTABLE = ['storage-class', 'retention', 'timestamping', 'uncapped', 'delete-on-empty', 'cipher'] as const;

type Unset = readonly (typeof UNSETTABLE)[number][];

interface ConfigCommandOptions extends ConfigOptions {
  readonly unset?: Unset;
  readonly json?: true;
}

export function addConfig(program: Command, context: Context): void {
  const config = program
    .command('config')
    .summary('show or change how a basin or a stream is set up')
    .description('Show how a basin or a stream is set up; with options, change what they name, and show the result.')
    .argument('<basin[/stream]>');
  addConfigOptions(config)
    .addOption(
      new Option('--unset <setting...>', 'back to the default: of the basin for a stream, of the server for a basin').choices(UNSETTABLE),
    )
    .addOption(jsonOption())
    .action(async (argument: string, options: ConfigCommandOptions, command: Command) => {
      const place = parsePlace(argument);
      const s2 = context.connect(command).s2();
      if (place.stream === undefined) {
        const result = await configureBasin(s2, place.basin, options);
        await print(options, basinConfigJson(result), basinConfigRows(result));
      } else {
        const result = await configureStream(s2, { ...place, stream: place.stream }, options);
        await print(options, streamConfigJson(result), streamConfigRows(result));
      }
    });
}

async function configureBasin(s2: S2, basin: string, options: ConfigCommandOptions): Promise<BasinConfig> {
  const unset = options.unset ?? [];
  const wanted = basinConfigOf(options);
  const defaults = { ...wanted.defaultStreamConfig, ...cleared(unset, wanted.defaultStreamConfig) };
  const changes = {
    ...wanted,
    ...(Object.keys(defaults).length === 0 ? {} : { defaultStreamConfig: defaults }),
    ...(unset.includes('cipher') ? { streamCipher: null } : {}),
  };
  if (Object.keys(changes).length === 0) return await s2.basins.getConfig({ basin });
  return await s2.basins.reconfigure({ basin, ...changes });
}

async function configureStream(s2: S2, place: Place & { stream: string }, options: ConfigCommandOptions): Promise<StreamConfig> {
  refuseBasinOptions(options);
  const { stream } = place;
  const { streams } = s2.basin(place.basin);
  const unset = options.unset ?? [];
  if (unset.includes('cipher')) throw usageError('the cipher of a stream never changes');
  const wanted = streamConfigOf(options) ?? {};
  const changes = { ...wanted, ...cleared(unset, wanted) };
  if (Object.keys(changes).length === 0) return await streams.getConfig({ stream });
  return await streams.reconfigure({ stream, ...changes });
}

/** `null` clears a field. */
function cleared(unset: Unset, wanted: StreamConfig | null | undefined): StreamConfig {
  const timestamping = {
    ...wanted?.timestamping,
    ...(unset.includes('timestamping') ? { mode: null } : {}),
    ...(unset.includes('uncapped') ? { uncapped: null } : {}),
  };
  return {
    ...(unset.includes('storage-class') ? { storageClass: null } : {}),
    ...(unset.includes('retention') ? { retentionPolicy: null } : {}),
    ...(Object.keys(timestamping).length === 0 ? {} : { timestamping }),
    ...(unset.includes('delete-on-empty') ? { deleteOnEmpty: null } : {}),
  };
}

async function print({ json }: ConfigCommandOptions, object: object, rows: readonly (readonly [string, string])[]): Promise<void> {
  if (json === true) return await writeLine(JSON.stringify(object));
  const width = Math.max(...rows.map(([name]) => name.length));
  await write(rows.map(([name, value]) => `${name.padEnd(width)}  ${value}\n`).join(''));
}
