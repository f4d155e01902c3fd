// `cdk deploy` against moto: that the environment bootstraps, the assets go up, and CloudFormation takes the template. moto makes no
// host, and knows neither every type nor every right, so this says nothing of whether the deployed cell works; what it leaves out is
// told.

import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { startMoto, TEST_REGION } from '#test/support/aws/emulators.ts';
import { startFront } from '#test/support/aws/front.ts';
import { Ledger } from './ledger.ts';
import type { Report } from './report.ts';
import { environmentOf } from './services.ts';
import { ACCOUNT, type Resource, runCdk, STACK, type Template, type TemplateJson } from './template.ts';

/** Types that moto fails at, with what it says; those that it passes over it names itself. */
const LEFT_OUT: Readonly<Record<string, string>> = {
  'AWS::DynamoDB::GlobalTable': 'moto knows no global table',
  'AWS::S3Express::DirectoryBucket': 'moto knows no directory bucket',
  'AWS::ElasticLoadBalancingV2::Listener': 'moto listens for HTTP alone, and not for TCP',
  'AWS::Lambda::Url': 'moto knows no URL of a function, and an output names it',
  'AWS::CloudWatch::Dashboard': 'moto knows neither alarms nor the full name of a target group, which it shows',
};
const CUSTOM = /^Custom::|^AWS::CloudFormation::CustomResource$/;
/** Undefined: moto takes it, or says that it passes over it. */
function whyLeftOut(type: string): string | undefined {
  return CUSTOM.test(type) ? 'moto runs no function' : LEFT_OUT[type];
}

/** CloudFormation is asked for a bucket's template by this name: an address would be taken for a bucket. */
const NAMED_HOST = 'localhost';
const SAID_CHARS_MAX = 4_000;
const PASSED_OVER = /No Moto CloudFormation support for (\S+)/g;
/** Asked by a deployment. */
const SERVICES = ['cloudformation', 's3', 'sts', 'ssm'] as const;

export async function smokeDeploy(template: Template, report: Report): Promise<void> {
  const folder = await mkdtemp(path.join(tmpdir(), 'millrace-deploy-'));
  const moto = await startMoto();
  const front = await startFront(moto.endpoint);
  const ledger = new Ledger();
  front.onRequest = (request) => ledger.add(request);
  const env = {
    ...environmentOf(TEST_REGION),
    AWS_ENDPOINT_URL: front.endpoint,
    AWS_ENDPOINT_URL_S3_FOR_CLOUDFORMATION: `http://${NAMED_HOST}:${new URL(front.endpoint).port}`,
  };
  try {
    await runCdk(['bootstrap', `aws://${ACCOUNT}/${TEST_REGION}`, '--no-notices'], env, folder);
    report.check('an empty account is bootstrapped', true);
    const app = path.join(folder, 'app');
    const { leftOut, assets } = await withoutUnknown(template.folder, app);
    for (const [type, count] of leftOut) report.note(`left out: ${type} (${count}), as ${whyLeftOut(type)}`);
    report.note('left out: the image, which takes Docker; its task definition names it all the same');
    const outputs = path.join(folder, 'outputs.json');
    const before = ledger.of('S3', 'PutObject');
    const flags = ['--app', app, '--method=direct', '--require-approval=never', '--no-notices'];
    await runCdk(['deploy', STACK, ...flags, '--outputs-file', outputs], env, folder);
    const passedOver = new Set([...moto.said().matchAll(PASSED_OVER)].map(([, type = '']) => type));
    report.note(`passed over by moto: ${[...passedOver].toSorted().join(', ') || 'nothing'}`);
    const uploads = ledger.of('S3', 'PutObject') - before;
    report.check('every asset is uploaded', uploads >= assets, `${uploads} uploads of ${assets} assets`);
    const told = Object.keys((JSON.parse(await readFile(outputs, 'utf8')) as Record<string, object>)[STACK] ?? {});
    const missing = Object.keys(template.json.Outputs ?? {}).filter((name) => !told.includes(name));
    if (missing.length > 0) report.note(`outputs that name what moto passed over: ${missing.join(', ')}`);
    report.check('the stack says where it is', told.includes('Endpoint'), told.toSorted().join(', '));
    // moto deletes a network before what lies in it, and refuses.
    report.note('left out: cdk destroy, which moto cannot do in the order that it takes');
    for (const service of SERVICES) {
      const name = service === 's3' ? 'S3' : service;
      report.check(`${service} was asked`, ledger.total(name) > 0, `${ledger.total(name)} requests`);
    }
  } catch (error) {
    report.note(`moto said:\n${moto.said().slice(-SAID_CHARS_MAX)}`);
    throw error;
  } finally {
    await front.stop();
    await moto.stop();
    await rm(folder, { recursive: true, force: true });
  }
}

interface AssetsJson {
  readonly files: Readonly<Record<string, unknown>>;
  dockerImages: Readonly<Record<string, unknown>>;
}

/** Copies an assembly without what moto cannot make. */
async function withoutUnknown(from: string, to: string): Promise<{ leftOut: ReadonlyMap<string, number>; assets: number }> {
  await cp(from, to, { recursive: true });
  const templateFile = path.join(to, `${STACK}.template.json`);
  const { json, leftOut } = reduced(JSON.parse(await readFile(templateFile, 'utf8')) as TemplateJson);
  await writeFile(templateFile, JSON.stringify(json));
  const assetsFile = path.join(to, `${STACK}.assets.json`);
  const assets = JSON.parse(await readFile(assetsFile, 'utf8')) as AssetsJson;
  assets.dockerImages = {};
  await writeFile(assetsFile, JSON.stringify(assets));
  return { leftOut, assets: Object.keys(assets.files).length };
}

function reduced(template: TemplateJson): { readonly json: object; readonly leftOut: ReadonlyMap<string, number> } {
  const gone = new Set(Object.keys(template.Resources).filter((id) => whyLeftOut(template.Resources[id]?.Type ?? '') !== undefined));
  const leftOut = new Map<string, number>();
  for (const id of gone) {
    const { Type = '' } = template.Resources[id] ?? {};
    leftOut.set(Type, (leftOut.get(Type) ?? 0) + 1);
  }
  const kept = Object.entries(template.Resources).filter(([id]) => !gone.has(id));
  const Resources = Object.fromEntries(kept.map(([id, resource]) => [id, renamed(withoutDependencies(resource, gone), gone)]));
  // A direct update fails at moto where the rule of the bootstrap version is in the template.
  const { Rules: _rules, Parameters: { BootstrapVersion: _version, ...Parameters } = {}, Outputs, ...rest } = template;
  return { json: { ...rest, Parameters, Resources, Outputs: renamed(Outputs, gone) }, leftOut };
}

function withoutDependencies(resource: Resource, gone: ReadonlySet<string>): Resource {
  const { DependsOn, ...rest } = resource;
  if (DependsOn === undefined) return resource;
  const kept = (typeof DependsOn === 'string' ? [DependsOn] : DependsOn).filter((id) => !gone.has(id));
  return kept.length === 0 ? rest : { ...rest, DependsOn: kept };
}

/** What refers to something that is gone gets a name in its place, which can be taken apart as an ARN. */
function renamed(value: unknown, gone: ReadonlySet<string>): unknown {
  if (Array.isArray(value)) return value.map((each) => renamed(each, gone));
  if (typeof value !== 'object' || value === null) return value;
  const [[name, argument] = ['', undefined]] = Object.entries(value);
  const target = name === 'Ref' ? argument : name === 'Fn::GetAtt' ? (argument as readonly unknown[])[0] : undefined;
  if (typeof target === 'string' && gone.has(target)) return `arn:aws:none:${TEST_REGION}:${ACCOUNT}:none/none/none/none/${target}:none`;
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, renamed(each, gone)]));
}
