// `millrace start`: the server, as `npm start` runs it. Every flag is a setting of the environment, and wins over it.

import { type Command, Option } from 'commander';

interface Setting {
  readonly flag: string;
  readonly variable: string;
  readonly meaning: string;
}

/** As README.md lists them; a test compares. A secret has no flag: others on the machine would see it. */
const SETTINGS: readonly Setting[] = [
  { flag: '--port <n>', variable: 'PORT', meaning: '0 picks a free one (default: 8080)' },
  { flag: '--host <address>', variable: 'MILLRACE_HOST', meaning: 'address to listen on (default: 127.0.0.1)' },
  { flag: '--data-dir <folder>', variable: 'MILLRACE_DATA_DIR', meaning: 'everything it keeps (default: .millrace)' },
  {
    flag: '--wait-secs <n>',
    variable: 'MILLRACE_WAIT_SECS',
    meaning: 'wait for the process that has the data folder to end, and take its place (default: 0)',
  },
  { flag: '--backlog-mib <n>', variable: 'MILLRACE_BACKLOG_MIB', meaning: 'records that may wait for offload (default: 256)' },
  { flag: '--store-max-mib <n>', variable: 'MILLRACE_STORE_MAX_MIB', meaning: 'what each store may take, as if its disk were so large' },
  { flag: '--location <name>', variable: 'MILLRACE_LOCATION', meaning: 'what the API calls the one location (default: local)' },
  { flag: '--auth <mode>', variable: 'MILLRACE_AUTH', meaning: 'whether access tokens are checked (default: off)' },
  {
    flag: '--revocation-secs <n>',
    variable: 'MILLRACE_REVOCATION_SECS',
    meaning: 'a revoked token is refused within this time (default: 10)',
  },
  { flag: '--basin-suffix <names>', variable: 'MILLRACE_BASIN_SUFFIX', meaning: 'host names below which each basin has its own' },
  { flag: '--tls-cert <file>', variable: 'MILLRACE_TLS_CERT', meaning: 'PEM file; with it the port speaks TLS' },
  { flag: '--tls-key <file>', variable: 'MILLRACE_TLS_KEY', meaning: 'PEM file of its key' },
];

export function addStart(program: Command): void {
  const start = program
    .command('start')
    .summary('run a server')
    .description('Run a server in this process until Ctrl-C, which ends it well. Settings come from flags, then from the environment.');
  const options = SETTINGS.map(({ flag, variable, meaning }) => ({ option: new Option(flag, meaning).env(variable), variable }));
  for (const { option } of options) start.addOption(option);
  start.action(async (values: Readonly<Record<string, string | undefined>>) => {
    for (const { option, variable } of options) {
      const value = values[option.attributeName()];
      if (value !== undefined) process.env[variable] = value;
    }
    await import('../local/main.ts');
  });
}
