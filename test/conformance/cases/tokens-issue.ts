// POST /access-tokens. (Sections 1.6, 1.7 and 6.1.)

import { strict as assert } from 'node:assert';
import { type Case, get, ok, post, refusal } from '../case.ts';
import { including, savedAs, someText } from '../expect.ts';
import { x } from '../helpers.ts';
import type { Json } from '../json.ts';

const EVERYTHING = { basins: { prefix: '' }, streams: { prefix: '' }, access_tokens: { prefix: '' } };
const READER = { basins: { prefix: '' }, streams: { prefix: '' }, ops: ['read', 'list-streams'] };
const issue = (id: string, scope: Json, more: { readonly [key: string]: Json } = {}, as?: string) =>
  post('/access-tokens', { id, scope, ...more }, as === undefined ? {} : { as });
const secret = (name: string) => ({ status: 201, json: { access_token: savedAs(name, someText) } });
const inSeconds = (from: number): string => new Date(Date.now() + from * 1_000).toISOString();

export const TOKENS_ISSUE: readonly Case[] = [
  {
    name: 'a token is issued once, and works at once',
    shows: ['6.1-issue', '1.6-issue-token', '6.1-secret-once'],
    needs: ['auth'],
    streams: { s: {} },
    steps: [
      [issue('{basin}/reader', READER), secret('reader')],
      [get('/streams', { as: 'reader' }), ok(including({ has_more: false }))],
    ],
    run: async (client) => {
      const { text } = await client.call(get('/access-tokens?prefix={basin}'));
      assert.ok(!text.includes(String(client.scope.get('reader'))), 'the list has the secret');
    },
  },
  {
    name: 'an id is taken once',
    shows: ['6.1-duplicate', '1.1-token-id-once', '1.6-issue-token-exists', '1.5-code-resource-already-exists'],
    needs: ['auth'],
    basin: null,
    steps: [
      [issue('{basin}/t', READER), secret('first')],
      [issue('{basin}/t', READER), refusal(409, 'resource_already_exists')],
      [issue('{basin}/t', { ...READER, ops: ['append'] }), refusal(409, 'resource_already_exists')],
    ],
  },
  {
    name: 'an id has 1 to 96 bytes of UTF-8, and is neither `.` nor `..`, nor holds NUL',
    shows: ['1.7-token-id-length', '1.7-token-id-characters'],
    needs: ['auth'],
    basin: null,
    steps: [
      ...['', '.', '..', 'a\u0000b', x(97), `${x(95)}é`].map((id) => [issue(id, READER), refusal(400, 'bad_json')] as const),
      ...['{basin}/é 😀', `{basin}${x(79)}`].map((id, at) => [issue(id, READER), secret(`t${at}`)] as const),
      [issue(`{basin}${x(80)}`, READER), refusal(400, 'bad_json')],
    ],
  },
  {
    name: 'a token that may do nothing is not valid',
    shows: ['6.1-ops-empty', '1.6-issue-token-invalid'],
    needs: ['auth'],
    basin: null,
    steps: [
      [issue('{basin}/t', {}), refusal(422, 'invalid')],
      [issue('{basin}/t', { ...EVERYTHING, ops: [] }), refusal(422, 'invalid')],
      [issue('{basin}/t', { ...EVERYTHING, op_groups: { account: { read: false } } }), refusal(422, 'invalid')],
      [get('/access-tokens?prefix={basin}'), ok({ access_tokens: [], has_more: false })],
    ],
  },
  {
    name: 'a body that does not fit is refused',
    shows: ['1.5-code-bad-json', '6.1-issue'],
    needs: ['auth'],
    basin: null,
    steps: [
      [post('/access-tokens', {}), refusal(400, 'bad_json')],
      [post('/access-tokens', { id: '{basin}/t' }), refusal(400, 'bad_json')],
      [issue('{basin}/t', { ...READER, ops: ['fly'] }), refusal(400, 'bad_json')],
      [issue('{basin}/t', { ...READER, basins: { suffix: 'x' } }), refusal(400, 'bad_json')],
      [issue('{basin}/t', READER, { expires_at: 'tomorrow' }), refusal(400, 'bad_json')],
    ],
  },
  {
    name: 'issuing needs its operation, and the id in scope',
    shows: ['6.1-issue-op', '6.1-issue-id-scope', '1.6-issue-token-denied', '1.5-code-permission-denied'],
    needs: ['auth'],
    basin: null,
    steps: [
      [issue('{basin}/reader', READER), secret('reader')],
      [
        issue('{basin}/issuer', { ...READER, access_tokens: { prefix: '{basin}/sub/' }, ops: ['read', 'issue-access-token'] }),
        secret('issuer'),
      ],
      [issue('{basin}/sub/a', { ...READER, ops: ['read'] }, {}, 'reader'), refusal(403, 'permission_denied')],
      [issue('{basin}/other', { ...READER, ops: ['read'] }, {}, 'issuer'), refusal(403, 'permission_denied')],
      [issue('{basin}/sub/a', { ...READER, ops: ['read'] }, {}, 'issuer'), secret('sub')],
    ],
  },
  {
    name: 'nobody gives what he does not have: operations, basins, streams, tokens',
    shows: ['6.1-issue-subset-ops', '6.1-issue-subset-resources', '1.6-issue-token-denied'],
    needs: ['auth'],
    basin: null,
    run: async (client) => {
      const scope = {
        basins: { prefix: '{basin}' },
        streams: { prefix: 'mine/' },
        access_tokens: { prefix: '{basin}/' },
        ops: ['read', 'append', 'issue-access-token'],
      };
      await client.expect(issue('{basin}/issuer', scope), secret('issuer'));
      const less = { basins: { exact: '{basin}-1' }, streams: { prefix: 'mine/own/' }, ops: ['read'] };
      const refused: Json[] = [
        { ...less, ops: ['read', 'trim'] },
        { ...less, op_groups: { stream: { read: true } } },
        { ...less, basins: { prefix: '' } },
        { ...less, basins: { exact: 'other-basin' } },
        { ...less, streams: { prefix: 'mine' } },
        { ...less, streams: { exact: 'yours' } },
        { ...less, access_tokens: { prefix: '' } },
      ];
      for (const one of refused) await client.expect(issue('{basin}/t', one, {}, 'issuer'), refusal(403, 'permission_denied'));
      await client.expect(issue('{basin}/t', { ...less, access_tokens: { exact: '{basin}/x' } }, {}, 'issuer'), secret('less'));
      await client.expect(issue('{basin}/same', scope, {}, 'issuer'), secret('same'));
    },
  },
  {
    name: 'who has one name gives that one alone, and no prefix of it, which would be more',
    shows: ['6.1-issue-subset-resources', '1.6-issue-token-denied'],
    needs: ['auth'],
    basin: null,
    run: async (client) => {
      const scope = {
        basins: { exact: '{basin}-1' },
        streams: { exact: 'mine' },
        access_tokens: { exact: '{basin}/t' },
        ops: ['read', 'issue-access-token'],
      };
      await client.expect(issue('{basin}/issuer', scope), secret('issuer'));
      const less = { basins: null, streams: null, access_tokens: null, ops: ['read'] };
      for (const one of [
        { ...less, basins: { prefix: '{basin}-1' } },
        { ...less, basins: { prefix: '{basin}-' } },
        { ...less, basins: { prefix: '' } },
        { ...less, basins: { exact: '{basin}-11' } },
        { ...less, streams: { prefix: 'mine' } },
        { ...less, streams: { prefix: 'mi' } },
        { ...less, streams: { prefix: '' } },
        { ...less, streams: { exact: 'mine/own' } },
        { ...less, access_tokens: { prefix: '{basin}/t' } },
        { ...less, access_tokens: { prefix: '' } },
        { ...less, access_tokens: { exact: '{basin}/issuer' } },
      ]) {
        await client.expect(issue('{basin}/t', one, {}, 'issuer'), refusal(403, 'permission_denied'));
      }
      await client.expect(issue('{basin}/t', scope, {}, 'issuer'), secret('same'));
    },
  },
  {
    name: 'without an expiry a token has that of its issuer, which is the latest',
    shows: ['6.1-expires-inherited', '6.1-expires-max'],
    needs: ['auth'],
    basin: null,
    run: async (client) => {
      const expires = inSeconds(3_600);
      const scope = { ...EVERYTHING, ops: ['read', 'issue-access-token'] };
      const expiryOf = async (id: string): Promise<number> => {
        const { json } = await client.call(get(`/access-tokens?prefix=${encodeURIComponent(`${client.basin}/${id}`)}`));
        return Date.parse((json as { access_tokens: { expires_at: string }[] }).access_tokens[0]?.expires_at ?? '');
      };
      await client.expect(issue('{basin}/issuer', scope, { expires_at: expires }), secret('issuer'));
      assert.ok(Math.abs((await expiryOf('issuer')) - Date.parse(expires)) < 1_000);
      await client.expect(issue('{basin}/heir', scope, {}, 'issuer'), secret('heir'));
      assert.equal(await expiryOf('heir'), await expiryOf('issuer'));
      await client.expect(issue('{basin}/earlier', scope, { expires_at: inSeconds(60) }, 'issuer'), secret('earlier'));
      assert.ok((await expiryOf('earlier')) < Date.parse(expires));
      const later = await client.call(issue('{basin}/later', scope, { expires_at: inSeconds(7_200) }, 'issuer'));
      if (later.status === 201) assert.equal(await expiryOf('later'), await expiryOf('issuer'));
      else assert.equal(later.status, 422, later.text);
      await client.expect(issue('{basin}/for-ever', scope), secret('for-ever'));
      await client.expect(
        get('/access-tokens?prefix={basin}/for-ever'),
        ok(including({ access_tokens: [including({ expires_at: null })] })),
      );
    },
  },
  {
    name: 'a token that has expired is refused',
    shows: ['6.1-expired', '1.5-code-authn'],
    needs: ['auth'],
    timeoutMs: 20_000,
    run: async (client) => {
      await client.expect(issue('{basin}/short', READER, { expires_at: inSeconds(3) }), secret('short'));
      await client.expect(get('/streams', { as: 'short' }), { status: 200 });
      await client.expect(get('/streams', { as: 'short' }), { ...refusal(401, 'authn'), withinMs: 10_000 });
    },
  },
  {
    name: 'auto_prefix_streams needs a prefix for streams',
    shows: ['6.1-auto-prefix-needs-prefix', '1.6-issue-token-invalid'],
    needs: ['auth'],
    basin: null,
    steps: [
      [issue('{basin}/t', { ...READER, streams: { exact: 's' } }, { auto_prefix_streams: true }), refusal(422, 'invalid')],
      [issue('{basin}/t', { basins: { prefix: '' }, ops: ['read'] }, { auto_prefix_streams: true }), refusal(422, 'invalid')],
      [issue('{basin}/t', { ...READER, streams: { prefix: 'p/' } }, { auto_prefix_streams: true }), secret('t')],
    ],
  },
];
