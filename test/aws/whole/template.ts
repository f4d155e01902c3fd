// The template that is deployed, as `cdk synth` makes it, and the values of its intrinsic functions once its resources are there.

import { spawn } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import path from 'node:path';

export const ACCOUNT = '123456789012';
export const STACK = 'Millrace';
const ROOT = path.join(import.meta.dirname, '../../..');

export interface Resource {
  readonly Type: string;
  readonly Properties?: Readonly<Record<string, unknown>>;
  readonly DependsOn?: string | readonly string[];
  readonly Metadata?: Readonly<Record<string, unknown>>;
}

export interface TemplateJson {
  readonly Resources: Readonly<Record<string, Resource>>;
  readonly Outputs?: Readonly<Record<string, { readonly Value: unknown }>>;
  readonly Parameters?: Readonly<Record<string, unknown>>;
  readonly Rules?: Readonly<Record<string, unknown>>;
}

/** @param context of the app, such as `controlPlane=yes` @returns the milliseconds it took */
export async function synthesise(folder: string, context: readonly string[]): Promise<number> {
  const begun = performance.now();
  const args = ['synth', '--quiet', '--no-notices', '--no-lookups', '-o', folder];
  for (const each of context) args.push('-c', each);
  // The zones of an account that is known would be looked up there.
  await runCdk(args, { CDK_DEFAULT_ACCOUNT: undefined, AWS_EC2_METADATA_DISABLED: 'true' });
  return performance.now() - begun;
}

/** @param cwd where it looks for an app, and keeps what it looked up @throws Error with what it said @returns what it said */
export async function runCdk(
  args: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
  cwd: string = ROOT,
): Promise<string> {
  const bin = path.join(ROOT, 'node_modules/.bin');
  const child = spawn(path.join(bin, 'cdk'), args, {
    cwd,
    env: {
      ...process.env,
      PATH: `${bin}${path.delimiter}${process.env['PATH'] ?? ''}`,
      CDK_DISABLE_CLI_TELEMETRY: 'true',
      CI: 'true',
      ...env,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let said = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      said += text;
    });
  }
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  if (code !== 0) throw new Error(`cdk ${args.slice(0, 2).join(' ')} ended with ${code}:\n${said.slice(-4_000)}`);
  return said;
}

export class Template {
  /** Where `cdk synth` left it, with its assets. */
  readonly folder: string;
  readonly json: TemplateJson;

  constructor(folder: string, json: TemplateJson) {
    this.folder = folder;
    this.json = json;
  }

  static async read(folder: string): Promise<Template> {
    return new Template(folder, JSON.parse(await readFile(path.join(folder, `${STACK}.template.json`), 'utf8')) as TemplateJson);
  }

  ofType(type: string): readonly (readonly [id: string, resource: Resource])[] {
    return Object.entries(this.json.Resources).filter(([, { Type }]) => Type === type);
  }

  /** By its path in the tree of constructs, below the stack. */
  at(type: string, below: string): readonly [id: string, resource: Resource] {
    const found = this.ofType(type).filter(([, { Metadata }]) => String(Metadata?.['aws:cdk:path']).startsWith(`${STACK}/Cell/${below}`));
    const [first, ...others] = found;
    if (first === undefined || others.length > 0) throw new Error(`the template has ${found.length} of ${type} at ${below}, and not one`);
    return first;
  }
}

/** What resources are called once they are there: by logical id for Ref, and `id.Attribute` for Fn::GetAtt. */
export class Values {
  readonly #known = new Map<string, string>();

  set(name: string, value: string): void {
    this.#known.set(name, value);
  }

  get(name: string): string {
    const value = this.#known.get(name);
    if (value === undefined) throw new Error(`the template asks for ${name}, which nothing here has made`);
    return value;
  }

  /** A property of the template as CloudFormation would give it. */
  resolve(value: unknown): unknown {
    if (Array.isArray(value)) return value.map((each) => this.resolve(each));
    if (typeof value !== 'object' || value === null) return value;
    const [[name, argument] = ['', undefined], ...others] = Object.entries(value);
    if (others.length === 0) {
      if (name === 'Ref') return this.get(String(argument));
      if (name.startsWith('Fn::')) return this.#call(name, argument);
    }
    return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, this.resolve(each)]));
  }

  text(value: unknown): string {
    return String(this.resolve(value));
  }

  #call(name: string, argument: unknown): unknown {
    const list = Array.isArray(argument) ? argument.map((each) => this.resolve(each)) : [];
    switch (name) {
      case 'Fn::GetAtt':
        return this.get(list.join('.'));
      case 'Fn::Join':
        return (list[1] as readonly unknown[]).join(String(list[0]));
      case 'Fn::Split':
        return String(list[1]).split(String(list[0]));
      case 'Fn::Select':
        return (list[1] as readonly unknown[])[Number(list[0])];
      case 'Fn::Sub':
        return String(argument).replaceAll(/\$\{([^}]+)\}/g, (_, each: string) => this.get(each));
      default:
        throw new Error(`${name} is not known here`);
    }
  }
}
