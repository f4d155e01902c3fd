// `millrace token`: issues, lists and revokes access tokens. A secret is printed once, to standard output, by `issue` alone.

import type { AccessTokenInfo, AccessTokenScope } from '@s2-dev/streamstore';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { type Context, jsonOption } from './context.ts';
import { CliError, usageError } from './exit-code.ts';
import { writeLine } from './output.ts';
import { printable, prose } from './printable.ts';
import { later } from './values.ts';

type ResourceSet = NonNullable<AccessTokenScope['basins']>;
type OpGroups = NonNullable<AccessTokenScope['opGroups']>;
type Operation = NonNullable<AccessTokenScope['ops']>[number];

const LEVELS = ['account', 'basin', 'stream'] as const;

interface IssueOptions {
  readonly basins?: ResourceSet;
  readonly streams?: ResourceSet;
  readonly tokens?: ResourceSet;
  readonly ops?: readonly string[];
  readonly opGroups?: OpGroups;
  readonly expires?: number;
  readonly autoPrefix?: true;
  readonly json?: true;
}

export function addToken(program: Command, context: Context): void {
  const token = program
    .command('token')
    .summary('issue, list and revoke access tokens')
    .description('Issue, list and revoke access tokens.');
  addIssue(token, context);
  token
    .command('ls')
    .summary('list tokens')
    .description('List the tokens whose ids begin with the prefix; their secrets are not known to the server.')
    .argument('[prefix]')
    .option('-l, --long', 'with expiry and scope')
    .addOption(jsonOption())
    .action(async (prefix: string | undefined, { long, json }: { long?: true; json?: true }, command: Command) => {
      for await (const one of context
        .connect(command)
        .s2()
        .accessTokens.listAll({ prefix: prefix ?? '' })) {
        await writeLine(json === true ? tokenJson(one) : long === true ? tokenText(one) : printable(one.id));
      }
    });
  token
    .command('revoke')
    .summary('revoke a token')
    .description('Revoke a token. Servers refuse it once they have heard of it, which takes a bounded time.')
    .argument('<id>')
    .action(async (id: string, _options: object, command: Command) => {
      await context.connect(command).s2().accessTokens.revoke({ id });
      await writeLine(`revoked ${printable(id)}`);
    });
}

function addIssue(token: Command, context: Context): void {
  token
    .command('issue')
    .summary('issue a token and print its secret')
    .description(
      prose(`
        Issue a token and print its secret, which is shown only now. It can do what its operations allow on what its
        sets name, and nothing that the token that issues it cannot. A set is one name, or a prefix and "*" ("*" is
        everything).
      `),
    )
    .argument('<id>', 'its name, for "ls" and "revoke"')
    .addOption(new Option('--basins <set>', 'basins it may use').argParser(resourceSet))
    .addOption(new Option('--streams <set>', 'streams it may use').argParser(resourceSet))
    .addOption(new Option('--tokens <set>', 'ids of tokens it may list, issue and revoke').argParser(resourceSet))
    .option('--ops <operation...>', 'operations, such as append, read, check-tail')
    .addOption(
      new Option('--op-groups <groups>', 'all reads (r) or writes (w) of a level, such as account=r,basin=rw,stream=rw').argParser(
        opGroups,
      ),
    )
    .addOption(new Option('--expires <when>', 'a duration or an instant (default: as the token that issues it)').argParser(later))
    .option('--auto-prefix', 'names of streams are relative to the prefix of --streams')
    .addOption(jsonOption())
    .action(async (id: string, options: IssueOptions, command: Command) => {
      const { basins, streams, tokens, ops, opGroups: groups, expires, autoPrefix } = options;
      if (ops === undefined && groups === undefined) throw usageError('a token needs operations: give --ops or --op-groups');
      if (autoPrefix === true && !(streams !== undefined && 'prefix' in streams)) {
        throw usageError('--auto-prefix needs a prefix in --streams, such as --streams "tenant-1/*"');
      }
      const { accessToken } = await context
        .connect(command)
        .s2()
        .accessTokens.issue({
          id,
          scope: {
            ...(basins === undefined ? {} : { basins }),
            ...(streams === undefined ? {} : { streams }),
            ...(tokens === undefined ? {} : { accessTokens: tokens }),
            // The server knows which operations there are.
            ...(ops === undefined ? {} : { ops: ops.flatMap((one) => one.split(',')) as Operation[] }),
            ...(groups === undefined ? {} : { opGroups: groups }),
          },
          ...(autoPrefix === undefined ? {} : { autoPrefixStreams: autoPrefix }),
          ...(expires === undefined ? {} : { expiresAt: expires }),
        });
      if (accessToken === undefined || accessToken === '') throw new CliError('the server answered without a secret');
      await writeLine(options.json === true ? JSON.stringify({ id, access_token: accessToken }) : accessToken);
    });
}

/** `name`, `prefix*` or `*`. */
function resourceSet(text: string): ResourceSet {
  if (text === '') throw new InvalidArgumentError('It must be a name, or a prefix and "*".');
  return text.endsWith('*') ? { prefix: text.slice(0, -1) } : { exact: text };
}

function opGroups(text: string): OpGroups {
  const groups: { -readonly [Key in keyof OpGroups]: OpGroups[Key] } = {};
  for (const part of text.split(',')) {
    const [level, rights, ...rest] = part.split('=');
    const known = LEVELS.find((one) => one === level);
    if (known === undefined || rights === undefined || rest.length > 0 || !/^(r|w|rw|wr)$/.test(rights)) {
      throw new InvalidArgumentError('It must be such as account=r,basin=rw,stream=w.');
    }
    groups[known] = { read: rights.includes('r'), write: rights.includes('w') };
  }
  return groups;
}

function tokenJson({ id, expiresAt, autoPrefixStreams, scope }: AccessTokenInfo): string {
  return JSON.stringify({
    id,
    expires_at: expiresAt?.toISOString() ?? null,
    auto_prefix_streams: autoPrefixStreams,
    scope: {
      basins: scope.basins ?? null,
      streams: scope.streams ?? null,
      access_tokens: scope.accessTokens ?? null,
      op_groups: scope.opGroups ?? null,
      ops: scope.ops ?? [],
    },
  });
}

function tokenText({ id, expiresAt, autoPrefixStreams, scope }: AccessTokenInfo): string {
  const sets = `basins=${setText(scope.basins)} streams=${setText(scope.streams)} tokens=${setText(scope.accessTokens)}`;
  const prefixed = autoPrefixStreams ? ' auto-prefix' : '';
  const groups = LEVELS.map((level) => [level, scope.opGroups?.[level]] as const)
    .map(([level, group]) => [level, `${group?.read ? 'r' : ''}${group?.write ? 'w' : ''}`] as const)
    .filter(([, rights]) => rights !== '')
    .map(([level, rights]) => `${level}=${rights}`);
  const ops = [...groups, ...(scope.ops ?? [])].join(',');
  return `${printable(id)}  expires ${expiresAt?.toISOString() ?? 'never'}  ${printable(sets)}${prefixed}  ops=${ops}`;
}

function setText(set: ResourceSet | null | undefined): string {
  if (set === null || set === undefined) return '-';
  return 'prefix' in set ? `${set.prefix}*` : set.exact;
}
