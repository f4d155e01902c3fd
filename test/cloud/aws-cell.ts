// The cell in a real account: the app of `cdk.json` by the CDK's command line, and few calls to AWS.

import { type ChildProcess, spawn } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import {
  CloudFormationClient,
  CloudFormationServiceException,
  DescribeStacksCommand,
  paginateListStackResources,
} from '@aws-sdk/client-cloudformation';
import { ECSClient, ListTasksCommand, StopTaskCommand } from '@aws-sdk/client-ecs';
import { GetSecretValueCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import type { CloudCell, Outputs } from './cell.ts';
import type { Options } from './options.ts';

const ROOT = path.join(import.meta.dirname, '../..');
const CDK = path.join(ROOT, 'node_modules/.bin/cdk');

export class AwsCell implements CloudCell {
  readonly #stack: string;
  readonly #folder: string;
  readonly #context: readonly string[];
  readonly #formation: CloudFormationClient;
  readonly #ecs: ECSClient;
  readonly #secrets: SecretsManagerClient;
  /** Names the stack also once it is gone. */
  #stackId: string | undefined;

  /** @param folder for what the CDK writes */
  constructor(stack: string, folder: string, { region, zones = '' }: Options) {
    this.#stack = stack;
    this.#folder = folder;
    const context = { stack, region, zones, size: 'development', removal: 'destroy' };
    this.#context = Object.entries(context).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
    this.#formation = new CloudFormationClient({ region });
    this.#ecs = new ECSClient({ region });
    this.#secrets = new SecretsManagerClient({ region });
  }

  async deploy(signal: AbortSignal): Promise<Outputs> {
    const file = path.join(this.#folder, 'outputs.json');
    await this.#cdk(['deploy', this.#stack, '--require-approval', 'never', '--outputs-file', file], signal);
    const outputs = JSON.parse(await readFile(file, 'utf8')) as Readonly<Record<string, Outputs>>;
    const own = outputs[this.#stack];
    if (own === undefined) throw new Error(`cdk deploy wrote no outputs of ${this.#stack}`);
    return own;
  }

  async rootToken({ RootTokenSecret }: Outputs): Promise<string> {
    const { SecretString: secret } = await this.#secrets.send(new GetSecretValueCommand({ SecretId: RootTokenSecret }));
    if (secret === undefined || secret === '') throw new Error('the secret of the root token is empty');
    return secret;
  }

  async killTask({ Cluster: cluster }: Outputs): Promise<void> {
    // A development cell has one, and no chunk servers.
    const { taskArns: [task, ...others] = [] } = await this.#ecs.send(new ListTasksCommand({ cluster, desiredStatus: 'RUNNING' }));
    if (task === undefined || others.length > 0) throw new Error(`the cluster runs ${others.length + (task === undefined ? 0 : 1)} tasks`);
    await this.#ecs.send(new StopTaskCommand({ cluster, task, reason: 'npm run test:cloud' }));
  }

  async destroy(): Promise<void> {
    if (!(await this.#find())) return;
    await this.#cdk(['destroy', this.#stack, '--force']);
  }

  async leftovers(): Promise<readonly string[]> {
    if (!(await this.#find()) && this.#stackId === undefined) return [];
    const left: string[] = [];
    // By its id a stack can be asked about for 90 days after its end.
    for await (const { StackResourceSummaries: resources = [] } of paginateListStackResources(
      { client: this.#formation },
      { StackName: this.#stackId ?? this.#stack },
    )) {
      for (const { ResourceStatus: status, ResourceType: type, PhysicalResourceId: id, LogicalResourceId: logical } of resources) {
        if (status !== 'DELETE_COMPLETE') left.push(`${type} ${id ?? logical} (${status})`);
      }
    }
    const status = await this.#status();
    if (status !== 'DELETE_COMPLETE') left.unshift(`the stack ${this.#stack} (${status})`);
    return left;
  }

  /** Whether the stack is there, in whatever state. */
  async #find(): Promise<boolean> {
    try {
      const { Stacks: [stack] = [] } = await this.#formation.send(new DescribeStacksCommand({ StackName: this.#stack }));
      this.#stackId = stack?.StackId ?? this.#stackId;
      return stack !== undefined;
    } catch (error) {
      // By its name, a stack that is not there is a wrong request.
      if (error instanceof CloudFormationServiceException && error.name === 'ValidationError' && /does not exist/.test(error.message))
        return false;
      throw error;
    }
  }

  async #status(): Promise<string> {
    const { Stacks: [stack] = [] } = await this.#formation.send(new DescribeStacksCommand({ StackName: this.#stackId ?? this.#stack }));
    return stack?.StackStatus ?? 'unknown';
  }

  /** In a process group of its own: Ctrl-C at the terminal is for us, and must not end a teardown. */
  async #cdk(args: readonly string[], signal?: AbortSignal): Promise<void> {
    const all = [...args, ...this.#context, '--output', path.join(this.#folder, 'cdk.out'), '--no-notices'];
    const child = spawn(process.execPath, [CDK, ...all], { cwd: ROOT, stdio: ['ignore', 'inherit', 'inherit'], detached: true });
    const stop = (): void => endGroup(child);
    signal?.addEventListener('abort', stop);
    try {
      const code = await new Promise<number | null>((resolve, reject) => {
        child.once('error', reject);
        child.once('close', resolve);
      });
      if (code !== 0) throw new Error(`cdk ${args[0]} ended with ${code ?? 'a signal'}`);
    } finally {
      signal?.removeEventListener('abort', stop);
    }
  }
}

function endGroup({ pid }: ChildProcess): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, 'SIGTERM');
  } catch (error) {
    // It has just ended by itself.
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}
