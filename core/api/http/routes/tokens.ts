// Access tokens over HTTP: issue, list, revoke. (S2 v1 API, section 6.1.)

import { narrowed } from '../../../model/access-scope.ts';
import { authorize } from '../../../model/principal.ts';
import { type Answer, bodyJson, type Call } from '../call.ts';
import { pathToken } from '../names-in.ts';
import { pageOf, parseQueryWith } from '../request.ts';
import { json, type Route, route } from '../route.ts';
import { tokenPageQuery } from '../schema/query.ts';
import { parseIssueToken, tokenInfoJson } from '../schema/tokens.ts';

export const TOKEN_ROUTES: readonly Route[] = [
  route('GET /v1/access-tokens', { summary: 'List access tokens', query: tokenPageQuery, answers: { 200: 'AccessTokenList' } }, list),
  route(
    'POST /v1/access-tokens',
    {
      summary: 'Issue an access token',
      body: { schema: 'IssueAccessTokenRequest' },
      answers: { 201: 'IssueAccessTokenResponse' },
      errors: [409],
    },
    issue,
  ),
  route('DELETE /v1/access-tokens/:id', { summary: 'Revoke an access token', answers: { 204: undefined }, errors: [404] }, async (call) => {
    await call.tokens.revoke(pathToken(call));
    return { status: 204 };
  }),
];

async function list({ tokens, query, principal }: Call): Promise<Answer> {
  const page = pageOf(parseQueryWith(tokenPageQuery, query));
  const shown = narrowed(page.prefix, principal.scope.accessTokens);
  if (shown === undefined) return json(200, { access_tokens: [], has_more: false });
  const { items, hasMore } = await tokens.list({ ...page, prefix: shown.prefix, ...(shown.isExact ? { limit: 1 } : {}) });
  const covered = shown.isExact ? items.filter(({ id }) => id === shown.prefix) : items;
  return json(200, { access_tokens: covered.map(tokenInfoJson), has_more: hasMore && !shown.isExact });
}

async function issue(call: Call): Promise<Answer> {
  const request = parseIssueToken(bodyJson(call));
  authorize(call.principal, 'issue-access-token', { accessToken: request.id });
  // A secret is for one reader: nothing on its way may keep it.
  return json(201, { access_token: await call.tokens.issue(call.principal, request) }, { 'cache-control': 'no-store' });
}
