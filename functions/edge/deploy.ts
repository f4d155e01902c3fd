// `npm run deploy:edge`: the Worker to Cloudflare, in front of the cell that `cdk deploy --outputs-file cdk-outputs.json` made.

import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Command } from 'commander';
import { EDGE_DIR, readWranglerConfig } from './wrangler-config.ts';

/** Without these wrangler asks the network for more than it needs. */
const QUIET = { WRANGLER_SEND_METRICS: 'false', WRANGLER_SEND_ERROR_REPORTS: 'false', CLOUDFLARE_CF_FETCH_ENABLED: 'false' };

interface Options {
  readonly outputs: string;
  readonly stack?: string;
  readonly dryRun?: true;
}

class DeployError extends Error {
  override readonly name = 'DeployError';
}

/** The endpoint of the cell, among the outputs of its stack. @throws DeployError */
function endpointOf(text: string, file: string, stack: string | undefined): string {
  let outputs: Readonly<Record<string, Readonly<Record<string, string>>>>;
  try {
    outputs = JSON.parse(text) as typeof outputs;
  } catch {
    throw new DeployError(`${file} is not JSON; it must be what \`cdk deploy --outputs-file\` wrote`);
  }
  const found = Object.entries(outputs).filter(([name, its]) => (stack === undefined || name === stack) && its['Endpoint'] !== undefined);
  const [one, ...others] = found;
  if (one === undefined) throw new DeployError(`${file} holds no output "Endpoint"${stack === undefined ? '' : ` of the stack ${stack}`}`);
  if (others.length > 0)
    throw new DeployError(`${file} holds several cells; choose one with --stack ${found.map(([name]) => name).join('|')}`);
  const endpoint = one[1]['Endpoint'] ?? '';
  if (!URL.canParse(endpoint)) throw new DeployError(`the output "Endpoint" of ${one[0]} is "${endpoint}", which is no URL`);
  return new URL(endpoint).origin;
}

async function deploy({ outputs: file, stack, dryRun }: Options): Promise<number> {
  const text = await readFile(file, 'utf8').catch(() => {
    throw new DeployError(`${file} cannot be read; make it with \`npx cdk deploy --outputs-file ${file}\`, or name another with --outputs`);
  });
  const endpoint = endpointOf(text, file, stack);
  if (endpoint.startsWith('http:'))
    console.warn(`warning: ${endpoint} speaks plaintext, so tokens and records can be read between the edge and the cell`);
  const wrangler = path.join(EDGE_DIR, 'node_modules/wrangler/bin/wrangler.js');
  if (!existsSync(wrangler)) throw new DeployError('wrangler is not installed; run `npm ci --prefix edge`');
  const { vars } = await readWranglerConfig();
  const given = Object.keys(vars).flatMap((name) => (process.env[name] === undefined ? [] : [`${name}:${process.env[name]}`]));
  const set = [`MILLRACE_ORIGIN:${endpoint}`, ...given];
  const outDir = dryRun === undefined ? undefined : await mkdtemp(path.join(tmpdir(), 'millrace-deploy-'));
  const args = ['deploy', '--config', path.join(EDGE_DIR, 'wrangler.jsonc'), ...set.flatMap((one) => ['--var', one])];
  if (outDir !== undefined) args.push('--dry-run', '--outdir', outDir);
  console.log(`the edge will stand in front of ${endpoint}`);
  try {
    return await run(process.execPath, [wrangler, ...args]);
  } finally {
    if (outDir !== undefined) await rm(outDir, { recursive: true, force: true });
  }
}

function run(program: string, args: readonly string[]): Promise<number> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { stdio: 'inherit', cwd: EDGE_DIR, env: { ...process.env, ...QUIET } });
    child.once('error', reject);
    child.once('close', (code) => resolve(code ?? 1));
  });
}

const command = new Command('npm run deploy:edge --')
  .description('Deploys the edge Worker with wrangler, in front of the cell whose outputs a file holds.')
  .option('--outputs <file>', 'what `cdk deploy --outputs-file` wrote', 'cdk-outputs.json')
  .option('--stack <name>', 'where the file holds several')
  .option('--dry-run', 'builds it, says what it would be told, and deploys nothing')
  .allowExcessArguments(false);

try {
  process.exitCode = await deploy(command.parse().opts<Options>());
} catch (error) {
  if (!(error instanceof DeployError)) throw error;
  console.error(`the edge cannot be deployed: ${error.message}`);
  process.exitCode = 1;
}
