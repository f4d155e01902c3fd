// Reads a secret where it is kept, so that it stands in no setting of a function.

import { GetSecretValueCommand, type SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { type AttemptPolicy, withAttempts } from '#core/adapters/aws/attempts.ts';
import { StoreError } from '#core/model/errors.ts';

/** @throws StoreError that names the secret, and never what it is */
export async function readSecret(client: Pick<SecretsManagerClient, 'send'>, id: string, attempts: AttemptPolicy): Promise<string> {
  const { SecretString: secret } = await withAttempts(`secret ${id}: get`, attempts, (abortSignal) =>
    client.send(new GetSecretValueCommand({ SecretId: id }), { abortSignal }),
  );
  if (secret === undefined || secret === '') throw new StoreError('storage', 'none', `secret ${id} is empty`);
  return secret;
}
