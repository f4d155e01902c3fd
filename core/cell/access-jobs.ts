// What keeps access tokens current in the background: revocations are brought up to date, what expired long ago is forgotten.

import type { Access } from '../api/access/access.ts';
import type { Revocation } from '../metadata/access-tokens.ts';
import type { Repository } from '../metadata/repository.ts';
import type { CellConfig } from './config.ts';
import type { Job } from './jobs.ts';

const PURGE_EVERY_MS = 600_000;
const PURGE_PAGE = 100;

/** None where access is not checked. */
export function accessJobs(access: Access, { access: settings }: CellConfig, repository: Repository): readonly Job[] {
  if (settings.mode === 'off') return [];
  let token: string | undefined;
  let revocation: Revocation | undefined;
  return [
    {
      name: 'revocations',
      // A look that fails has another try within the bound.
      everyMs: settings.revocationMsMax / 3,
      firstMs: 0,
      run: () => access.revocations.refresh(),
    },
    {
      name: 'purge access tokens',
      everyMs: PURGE_EVERY_MS,
      // Each run takes a page, and goes on where the last one stopped.
      async run() {
        token = await repository.accessTokens.purge(PURGE_PAGE, token);
        revocation = await repository.accessTokens.purgeRevocations(PURGE_PAGE, revocation);
      },
    },
  ];
}
