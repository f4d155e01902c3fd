// What the real cell asks of AWS besides the CDK, over the wire of each service: which task it ends, and what it finds left behind.
// (moto forgets what became of the resources of a stack that is gone, and runs no tasks without a network of its own.)

import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { temporaryFolder } from '#test/support/temporary-folder.ts';
import { AwsCell } from './aws-cell.ts';
import { ZONES_EXAMPLE } from './options.ts';

const STACK_ID = 'arn:aws:cloudformation:us-east-1:123456789012:stack/Cell/1';
const OUTPUTS = { Endpoint: '', RootTokenSecret: 'secret-of-root', Cluster: 'cluster-of-cell' };

interface Resource {
  readonly type: string;
  readonly id: string;
  readonly status: string;
}

/** The account: by name a stack is found only while it is there, by its id always. */
const account = { stack: 'none', resources: [] as Resource[], tasks: [] as string[], secret: '' };
let asked: string[] = [];

function formation(body: URLSearchParams): [number, string] {
  const action = body.get('Action') ?? '';
  asked.push(`${action} ${body.get('StackName')}`);
  const isFound = account.stack !== 'none' && (account.stack !== 'DELETE_COMPLETE' || body.get('StackName') === STACK_ID);
  if (!isFound) {
    const message = `Stack with id ${body.get('StackName')} does not exist`;
    return [
      400,
      `<ErrorResponse><Error><Type>Sender</Type><Code>ValidationError</Code><Message>${message}</Message></Error></ErrorResponse>`,
    ];
  }
  const result =
    action === 'DescribeStacks'
      ? `<Stacks><member><StackName>Cell</StackName><StackId>${STACK_ID}</StackId><StackStatus>${account.stack}</StackStatus></member></Stacks>`
      : `<StackResourceSummaries>${account.resources.map(member).join('')}</StackResourceSummaries>`;
  return [200, `<${action}Response><${action}Result>${result}</${action}Result></${action}Response>`];
}

function member({ type, id, status }: Resource): string {
  const fields = { LogicalResourceId: `L${id}`, PhysicalResourceId: id, ResourceType: type, ResourceStatus: status };
  return `<member>${Object.entries(fields)
    .map(([name, value]) => `<${name}>${value}</${name}>`)
    .join('')}</member>`;
}

function json(target: string, body: string): object {
  asked.push(`${target.split('.').at(-1)} ${body}`);
  if (target.endsWith('.ListTasks')) return { taskArns: account.tasks };
  if (target.endsWith('.StopTask')) return { task: {} };
  return { SecretString: account.secret };
}

const server = http.createServer((request, response) => {
  let body = '';
  request.setEncoding('utf8').on('data', (text: string) => (body += text));
  request.on('end', () => {
    const [target] = [request.headers['x-amz-target']].flat();
    const [status, text] = target === undefined ? formation(new URLSearchParams(body)) : [200, JSON.stringify(json(target, body))];
    response.writeHead(status, { 'content-type': target === undefined ? 'text/xml' : 'application/x-amz-json-1.1' }).end(text);
  });
});

let cell: AwsCell;

beforeAll(async () => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  vi.stubEnv('AWS_ENDPOINT_URL', `http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  vi.stubEnv('AWS_ACCESS_KEY_ID', 'test');
  vi.stubEnv('AWS_SECRET_ACCESS_KEY', 'test');
});
afterAll(() => {
  vi.unstubAllEnvs();
  server.closeAllConnections();
  server.close();
});
beforeEach(async () => {
  Object.assign(account, { stack: 'none', resources: [], tasks: [], secret: '' });
  asked = [];
  cell = new AwsCell('Cell', await temporaryFolder(), {
    profile: undefined,
    region: 'us-east-1',
    zones: ZONES_EXAMPLE,
    appends: 1,
    isAgreed: true,
  });
});

describe('what is left of a cell', () => {
  const bucket = { type: 'AWS::S3::Bucket', id: 'bucket-1' };

  test('that was never made is nothing, and the CDK is not asked to destroy it', async () => {
    await cell.destroy();
    expect(await cell.leftovers()).toEqual([]);
    expect(new Set(asked)).toEqual(new Set(['DescribeStacks Cell']));
  });

  test('that stands is the stack and everything in it', async () => {
    account.stack = 'DELETE_FAILED';
    account.resources = [
      { ...bucket, status: 'DELETE_FAILED' },
      { type: 'AWS::DynamoDB::Table', id: 'table-1', status: 'DELETE_COMPLETE' },
    ];
    expect(await cell.leftovers()).toEqual(['the stack Cell (DELETE_FAILED)', 'AWS::S3::Bucket bucket-1 (DELETE_FAILED)']);
  });

  test('that is gone is looked for by its id: what was kept is named, what was deleted is not', async () => {
    account.stack = 'CREATE_COMPLETE';
    account.resources = [{ ...bucket, status: 'CREATE_COMPLETE' }];
    expect(await cell.leftovers()).toHaveLength(2);
    account.stack = 'DELETE_COMPLETE';
    account.resources = [{ ...bucket, status: 'DELETE_SKIPPED' }];
    expect(await cell.leftovers()).toEqual(['AWS::S3::Bucket bucket-1 (DELETE_SKIPPED)']);
    account.resources = [{ ...bucket, status: 'DELETE_COMPLETE' }];
    expect(await cell.leftovers()).toEqual([]);
    expect(asked.at(-1)).toBe(`DescribeStacks ${STACK_ID}`);
  });
});

test('the root token is read where it is kept, and is not empty', async () => {
  await expect(cell.rootToken(OUTPUTS)).rejects.toThrow('is empty');
  account.secret = 'the token';
  expect(await cell.rootToken(OUTPUTS)).toBe('the token');
  expect(asked.at(-1)).toBe('GetSecretValue {"SecretId":"secret-of-root"}');
});

test('the one task that there is is ended, and none where it is not sure which', async () => {
  await expect(cell.killTask(OUTPUTS)).rejects.toThrow('the cluster runs 0 tasks');
  account.tasks = ['task-1', 'task-2'];
  await expect(cell.killTask(OUTPUTS)).rejects.toThrow('the cluster runs 2 tasks');
  expect(asked.some((one) => one.startsWith('StopTask'))).toBe(false);
  account.tasks = ['task-1'];
  await cell.killTask(OUTPUTS);
  expect(JSON.parse(asked.at(-1)?.replace('StopTask ', '') ?? '')).toMatchObject({ cluster: 'cluster-of-cell', task: 'task-1' });
});
