// DELETE /access-tokens/{id}. (Sections 1.6 and 6.1.)

import { type Case, del, eventually, get, ok, post, refusal } from '../case.ts';
import { absent, including, savedAs, someText } from '../expect.ts';

const READER = { basins: { prefix: '' }, streams: { prefix: '' }, ops: ['list-streams'] };
const issue = (id: string, name: string, scope: object = READER) =>
  [post('/access-tokens', { id, scope: scope as never }), { status: 201, json: { access_token: savedAs(name, someText) } }] as const;
/** Revocation is known everywhere within a bounded time, and where it was asked for sooner. */
const REVOKED_MS_MAX = 10_000;

export const TOKENS_REVOKE: readonly Case[] = [
  {
    name: 'a revoked token is refused, and gone from the list',
    shows: ['1.6-revoke-token', '6.1-revoke', '1.5-code-authn'],
    needs: ['auth'],
    timeoutMs: 25_000,
    steps: [
      issue('{basin}/é', 't'),
      issue('{basin}/other', 'other'),
      [get('/streams', { as: 't' }), { status: 200 }],
      [del('/access-tokens/{basin}%2F%C3%A9'), { status: 204, text: '', headers: { 'content-type': absent } }],
      [get('/streams', { as: 't' }), eventually(refusal(401, 'authn'), REVOKED_MS_MAX)],
      [get('/streams', { as: 'other' }), { status: 200 }],
      [get('/access-tokens?prefix={basin}'), ok(including({ access_tokens: [including({ id: '{basin}/other' })] }))],
    ],
  },
  {
    name: 'an id that is unknown, or revoked already, is not found',
    shows: ['1.6-revoke-token-missing', '6.1-revoke-unknown', '1.5-code-access-token-not-found'],
    needs: ['auth'],
    basin: null,
    steps: [
      [del('/access-tokens/{basin}%2Fnone'), refusal(404, 'access_token_not_found')],
      issue('{basin}/t', 't'),
      [del('/access-tokens/{basin}%2Ft'), { status: 204 }],
      [del('/access-tokens/{basin}%2Ft'), refusal(404, 'access_token_not_found')],
    ],
  },
  {
    name: 'an id is free again once it is revoked, and the old secret stays revoked',
    shows: ['6.1-revoke', '6.1-duplicate'],
    needs: ['auth'],
    timeoutMs: 25_000,
    steps: [
      issue('{basin}/t', 'old'),
      [del('/access-tokens/{basin}%2Ft'), { status: 204 }],
      issue('{basin}/t', 'new'),
      [get('/streams', { as: 'new' }), { status: 200 }],
      [get('/streams', { as: 'old' }), eventually(refusal(401, 'authn'), REVOKED_MS_MAX)],
      [get('/streams', { as: 'new' }), { status: 200 }],
    ],
  },
  {
    name: 'an id outside of the scope cannot be revoked',
    shows: ['6.1-revoke-out-of-scope', '1.5-code-permission-denied'],
    needs: ['auth'],
    basin: null,
    steps: [
      issue('{basin}/revoker', 'revoker', { access_tokens: { prefix: '{basin}/sub/' }, ops: ['revoke-access-token'] }),
      issue('{basin}/sub/a', 'a'),
      issue('{basin}/b', 'b'),
      [del('/access-tokens/{basin}%2Fb', { as: 'revoker' }), refusal(403, 'permission_denied')],
      [del('/access-tokens/{basin}%2Fsub%2Fa', { as: 'revoker' }), { status: 204 }],
      [del('/access-tokens/{basin}%2Fsub%2Fnone', { as: 'revoker' }), refusal(404, 'access_token_not_found')],
    ],
  },
];
