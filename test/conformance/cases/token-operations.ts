// What each operation lets a token do, alone and in its group. (Section 6.1.)

import { strict as assert } from 'node:assert';
import { append, type Case, checkTail, del, get, patch, post, put, type Request, read } from '../case.ts';
import type { CaseClient } from '../case-client.ts';
import { seconds } from '../helpers.ts';
import type { StatementId } from '../statements/all.ts';
import type { Feature } from '../target.ts';

type Level = 'account' | 'basin' | 'stream';
type Right = 'read' | 'write';

interface Operation {
  readonly name: string;
  /** The group that has it; undefined where the documents do not agree. */
  readonly group?: readonly [Level, Right];
  readonly needs?: readonly Feature[];
  /** Needs this operation, and no other one; made anew each time. */
  readonly request: (client: CaseClient, unique: string) => Request | Promise<Request>;
}

const metrics = (path: string, set: string) => () => get(`${path}?set=${set}&start=${seconds() - 60}&end=${seconds()}`);
const account = { read: ['account', 'read'], write: ['account', 'write'] } as const;
const ofBasin = { read: ['basin', 'read'], write: ['basin', 'write'] } as const;
const ofStream = { read: ['stream', 'read'], write: ['stream', 'write'] } as const;

const OPERATIONS: readonly Operation[] = [
  { name: 'list-basins', group: account.read, request: () => get('/basins?limit=1') },
  { name: 'list-access-tokens', group: account.read, request: () => get('/access-tokens?limit=1') },
  { name: 'account-metrics', group: account.read, needs: ['metrics'], request: metrics('/metrics', 'active-basins') },
  { name: 'list-locations', group: account.read, needs: ['locations'], request: () => get('/locations') },
  { name: 'get-default-location', group: account.read, needs: ['locations'], request: () => get('/locations/default') },
  { name: 'create-basin', group: account.write, request: (_, unique) => post('/basins', { basin: `{basin}-${unique}` }) },
  { name: 'delete-basin', group: account.write, request: () => del('/basins/{basin}-none') },
  { name: 'reconfigure-basin', group: account.write, request: () => patch('/basins/{basin}', {}) },
  {
    name: 'issue-access-token',
    group: account.write,
    // Whoever issues gives of his own: this one operation is what every issuer has.
    request: (_, unique) => post('/access-tokens', { id: `{basin}/issued-${unique}`, scope: { ops: ['issue-access-token'] } }),
  },
  { name: 'revoke-access-token', group: account.write, request: () => del('/access-tokens/{basin}%2Fnone') },
  {
    name: 'set-default-location',
    group: account.write,
    needs: ['locations'],
    request: async (client) => {
      const { json } = await client.call(get('/locations/default'));
      return put('/locations/default', (json as { name: string }).name);
    },
  },
  { name: 'get-basin-config', request: () => get('/basins/{basin}') },
  { name: 'list-streams', group: ofBasin.read, request: () => get('/streams') },
  { name: 'basin-metrics', group: ofBasin.read, needs: ['metrics'], request: metrics('/metrics/{basin}', 'append-ops') },
  { name: 'create-stream', group: ofBasin.write, request: (_, unique) => post('/streams', { stream: unique }) },
  { name: 'delete-stream', group: ofBasin.write, request: () => del('/streams/none') },
  { name: 'reconfigure-stream', group: ofBasin.write, request: () => patch('/streams/s', {}) },
  { name: 'get-stream-config', request: () => get('/streams/s') },
  { name: 'check-tail', group: ofStream.read, request: () => checkTail('s') },
  { name: 'read', group: ofStream.read, request: () => read('s', 'seq_num=0&wait=0&clamp=true') },
  { name: 'stream-metrics', group: ofStream.read, needs: ['metrics'], request: metrics('/metrics/{basin}/s', 'storage') },
  { name: 'append', group: ofStream.write, request: () => append('s', [{ body: 'x' }]) },
];
const COMMANDS = ['trim', 'fence'];
const SCOPE = { basins: { prefix: '' }, streams: { prefix: '' }, access_tokens: { prefix: '' } };

async function issue(client: CaseClient, name: string, rights: object): Promise<void> {
  const { json } = await client.expect(post('/access-tokens', { id: `{basin}/${name}`, scope: { ...SCOPE, ...rights } as never }), {
    status: 201,
  });
  client.scope.set(name, (json as { access_token: string }).access_token);
}

/** Whether the token may do it: what becomes of it afterwards is another question. */
async function may(client: CaseClient, operation: Operation, as: string): Promise<boolean> {
  const unique = `${operation.name}-${as}`.slice(-29).replace(/^-+/, '');
  const { status, json, text } = await client.call({ ...(await operation.request(client, unique)), as });
  if (status !== 403) {
    assert.ok(status < 500 && status !== 401, `${operation.name} is answered with ${status} ${text}`);
    return true;
  }
  assert.equal((json as { code: string }).code, 'permission_denied');
  return false;
}

const each: readonly Case[] = OPERATIONS.map((operation) => ({
  name: `${operation.name} is what its request needs, and all that it needs`,
  shows: [`6.1-op-${operation.name}` as StatementId, '6.1-op-denied', '6.1-ops-union'],
  needs: ['auth', ...(operation.needs ?? [])],
  streams: { s: {} },
  run: async (client) => {
    await issue(client, 'alone', { ops: [operation.name] });
    const others = [...OPERATIONS.map(({ name }) => name), ...COMMANDS].filter((name) => name !== operation.name);
    await issue(client, 'others', { ops: others });
    assert.ok(await may(client, operation, 'alone'), `${operation.name} alone is not enough`);
    assert.ok(!(await may(client, operation, 'others')), `all but ${operation.name} is enough`);
  },
}));

const groups: readonly Case[] = (['account', 'basin', 'stream'] as const).flatMap((level) =>
  (['read', 'write'] as const).map((right): Case => {
    const members = OPERATIONS.filter(({ group }) => group?.[0] === level && group[1] === right);
    const [first = 'append', ...rest] = members.map(({ name }) => name);
    return {
      name: `the group ${level} ${right} has its operations and no others`,
      shows: [`6.1-op-${first}` as StatementId, ...rest.map((name) => `6.1-op-${name}` as StatementId), '6.1-ops-union'],
      needs: ['auth', 'locations', 'metrics'],
      streams: { s: {} },
      run: async (client) => {
        await issue(client, 'group', { op_groups: { [level]: { [right]: true } } });
        for (const operation of OPERATIONS) {
          if (operation.group === undefined) continue;
          const expected = operation.group[0] === level && operation.group[1] === right;
          assert.equal(await may(client, operation, 'group'), expected, operation.name);
        }
        for (const command of COMMANDS) {
          const body = command === 'trim' ? '\0'.repeat(8) : 't';
          const { status } = await client.call(append('s', [{ headers: [['', command]], body }], { as: 'group' }));
          assert.equal(status === 200, level === 'stream' && right === 'write', command);
        }
      },
    };
  }),
);

export const TOKEN_OPERATIONS: readonly Case[] = [
  ...each,
  ...groups,
  {
    name: 'get-basin-config and get-stream-config are in a group of reading, or of writing one level above',
    shows: ['6.1-op-get-basin-config', '6.1-op-get-stream-config'],
    needs: ['auth'],
    streams: { s: {} },
    run: async (client) => {
      const [config, streamConfig] = ['get-basin-config', 'get-stream-config'].map((name) => OPERATIONS.find((one) => one.name === name));
      assert.ok(config !== undefined && streamConfig !== undefined);
      await issue(client, 'basin-read', { op_groups: { basin: { read: true } } });
      await issue(client, 'account-write', { op_groups: { account: { write: true } } });
      assert.ok((await may(client, config, 'basin-read')) || (await may(client, config, 'account-write')));
      await issue(client, 'stream-read', { op_groups: { stream: { read: true } } });
      await issue(client, 'basin-write', { op_groups: { basin: { write: true } } });
      assert.ok((await may(client, streamConfig, 'stream-read')) || (await may(client, streamConfig, 'basin-write')));
      await issue(client, 'stream-write', { op_groups: { stream: { write: true } } });
      assert.ok(!(await may(client, config, 'stream-write')) && !(await may(client, streamConfig, 'stream-write')));
    },
  },
  {
    name: 'ops and groups add up',
    shows: ['6.1-ops-union'],
    needs: ['auth'],
    streams: { s: {} },
    run: async (client) => {
      await issue(client, 'both', { ops: ['append'], op_groups: { stream: { read: true } } });
      const expected = new Map([
        ['append', true],
        ['read', true],
        ['check-tail', true],
        ['list-streams', false],
      ]);
      for (const operation of OPERATIONS) {
        const isExpected = expected.get(operation.name);
        if (isExpected !== undefined) assert.equal(await may(client, operation, 'both'), isExpected, operation.name);
      }
    },
  },
];
