// The settings of tasks and functions, as the template gives them: nothing is set here that a deployed cell would not have.

import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { type FunctionName, JOB_NAMES } from '#stacks/bundle.ts';
import { STACK, type Template, type Values } from './template.ts';

type Environment = Readonly<Record<string, string>>;

interface ContainerJson {
  readonly Environment: readonly { readonly Name: string; readonly Value: unknown }[];
  readonly Secrets: readonly { readonly Name: string; readonly ValueFrom: unknown }[];
}

/** Of a channel task, with the secrets that ECS puts beside them. */
export function taskEnvironment(template: Template, values: Values): Environment {
  const [, { Properties }] = template.at('AWS::ECS::TaskDefinition', 'Channels/');
  const [container] = (Properties as { readonly ContainerDefinitions: readonly ContainerJson[] }).ContainerDefinitions;
  if (container === undefined) throw new Error('the task has no container');
  const plain = container.Environment.map(({ Name, Value }) => [Name, values.text(Value)]);
  const secret = container.Secrets.map(({ Name, ValueFrom }) => {
    const { Ref } = ValueFrom as { readonly Ref: string };
    return [Name, values.get(`${Ref}.SecretString`)];
  });
  return Object.fromEntries([...plain, ...secret]) as Environment;
}

/** What the image runs: its program, with the flags that its Dockerfile gives, from the folder that is copied into it. */
export async function taskCommand({ folder }: Template): Promise<readonly [string, ...string[]]> {
  const assets = JSON.parse(await readFile(path.join(folder, `${STACK}.assets.json`), 'utf8')) as {
    readonly dockerImages: Readonly<Record<string, { readonly source: { readonly directory: string } }>>;
  };
  const [image, ...others] = Object.values(assets.dockerImages);
  if (image === undefined || others.length > 0) throw new Error('the stack has not one image');
  const context = path.resolve(folder, image.source.directory);
  const said = /^CMD (\[.*\])$/m.exec(await readFile(path.join(context, 'Dockerfile'), 'utf8'))?.[1];
  const [, ...words] = JSON.parse(said ?? '[]') as string[];
  const program = words.pop();
  if (program === undefined) throw new Error('the Dockerfile says not what to run');
  return [process.execPath, ...words, path.join(context, program)];
}

export interface DeclaredFunction {
  readonly env: Environment;
  /** Holds what is deployed. */
  readonly folder: string;
  readonly timeoutMs: number;
}

export function declaredFunction(template: Template, values: Values, name: FunctionName): DeclaredFunction {
  const isJob = (JOB_NAMES as readonly string[]).includes(name);
  const [, { Properties, Metadata }] = template.at('AWS::Lambda::Function', isJob ? `Jobs/${name}/` : 'Api/');
  const { Environment, Timeout } = Properties as { readonly Environment: { readonly Variables: unknown }; readonly Timeout: number };
  return {
    env: values.resolve(Environment.Variables) as Environment,
    folder: path.join(template.folder, String(Metadata?.['aws:asset:path'])),
    timeoutMs: 1_000 * Timeout,
  };
}

/** The queue that feeds offload, with its dead letters, and how many of its messages go into one invocation. */
export function declaredQueue(
  template: Template,
  values: Values,
): { readonly url: string; readonly deadUrl: string; readonly batchMax: number } {
  const [, mapping] = template.at('AWS::Lambda::EventSourceMapping', 'Jobs/offload/');
  const { BatchSize } = mapping.Properties as { readonly BatchSize: number };
  const [queue] = template.at('AWS::SQS::Queue', 'Jobs/Hints/');
  const [dead] = template.at('AWS::SQS::Queue', 'Jobs/DeadLetters/');
  return { url: values.get(queue), deadUrl: values.get(dead), batchMax: BatchSize };
}
