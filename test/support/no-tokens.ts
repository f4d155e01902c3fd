// For a cell that checks no access: its tokens are never asked for.

import { refused } from '#core/model/errors.ts';
import type { TokenAuthority } from '#core/ports/token-authority.ts';

export const noTokens: TokenAuthority = {
  publicKey: { kty: 'OKP', crv: 'Ed25519', x: '' },
  sign: () => Promise.reject(refused('unavailable', 'this cell issues no access tokens')),
  verify: async () => undefined,
  isRoot: () => false,
};
