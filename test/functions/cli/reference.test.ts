// docs/cli.md, README.md and package.json say what the command line does: none of them may fall behind.
//
// After a change of an option: npx vitest run test/functions/cli/reference.test.ts -u

import { readFileSync } from 'node:fs';
import path from 'node:path';
import type { Command } from 'commander';
import { describe, expect, test } from 'vitest';
import { createContext } from '#functions/cli/context.ts';
import { EXIT_CODES, EXIT_CODES_HELP } from '#functions/cli/exit-code.ts';
import { Interrupt } from '#functions/cli/interrupt.ts';
import { buildProgram } from '#functions/cli/program.ts';
import { LAUNCHER, ROOT } from './support.ts';

const DOCUMENT = path.join(ROOT, 'docs/cli.md');
const MARK = '\n## Commands\n';
const HELP_COLUMNS = 110;
/** Others on the machine would see it. */
const SECRETS = ['MILLRACE_ROOT_TOKEN'];

function leaves(command: Command): Command[] {
  return command.commands.length === 0 ? [command] : command.commands.flatMap(leaves);
}

function fullName(command: Command): string {
  return command.parent === null ? command.name() : `${fullName(command.parent)} ${command.name()}`;
}

function helpOf(command: Command): string {
  return command
    .configureOutput({ getOutHelpWidth: () => HELP_COLUMNS })
    .configureHelp({ showGlobalOptions: false })
    .helpInformation();
}

const program = buildProgram(createContext(new Interrupt()));

describe('docs/cli.md', () => {
  test('shows the help of every command', async () => {
    const [head = ''] = readFileSync(DOCUMENT, 'utf8').split(MARK);
    const sections = leaves(program).map((command) => `### ${fullName(command)}\n\n\`\`\`\n${helpOf(command).trimEnd()}\n\`\`\`\n`);
    expect(sections.length).toBeGreaterThan(12);
    await expect(`${head}${MARK}\n${sections.join('\n')}`).toMatchFileSnapshot(DOCUMENT);
  });

  test('has the exit codes as --help has them', () => {
    const rows = [...readFileSync(DOCUMENT, 'utf8').matchAll(/^\| (\d+) \| (.+) \|$/gm)].map((row) => Number(row[1]));
    expect(rows).toEqual(Object.values(EXIT_CODES));
    for (const code of rows) expect(EXIT_CODES_HELP).toMatch(new RegExp(`\\b${code}\\b`));
  });
});

describe('millrace start', () => {
  test('has a flag for every setting that README.md lists, but for secrets', () => {
    const settings = [...readFileSync(path.join(ROOT, 'README.md'), 'utf8').matchAll(/^\| `([A-Z_]+)` \|/gm)].map((row) => row[1] ?? '');
    expect(settings.length).toBeGreaterThan(3);
    const start = program.commands.find((command) => command.name() === 'start');
    const variables = start?.options.map((option) => option.envVar).filter((name) => name !== undefined);
    expect(variables?.toSorted()).toEqual(settings.filter((name) => !SECRETS.includes(name)).toSorted());
  });

  test('runs Node with the flags of npm start', () => {
    const { scripts } = JSON.parse(readFileSync(path.join(ROOT, 'package.json'), 'utf8')) as { scripts: { start: string } };
    const launcher = readFileSync(LAUNCHER, 'utf8');
    const flags = scripts.start.match(/ --[a-z-]+(?:=\w+)?/g)?.map((flag) => flag.trim());
    expect(flags?.length).toBeGreaterThan(0);
    expect(launcher).toContain(`NODE_FLAGS = [${flags?.map((flag) => `'${flag}'`).join(', ')}]`);
    expect(launcher).toContain(`THREADS = '${/UV_THREADPOOL_SIZE=(\d+)/.exec(scripts.start)?.[1]}'`);
  });
});
