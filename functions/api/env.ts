// The settings of the control plane as a function, from the environment. A bad one keeps it from starting, with what it must be.

import { needed, readStorageEnv, type StorageEnv, type Variables } from '#functions/aws/env.ts';
import { type LocalEnv, readEnv, SettingError } from '#functions/local/env.ts';

export interface ApiEnv extends StorageEnv, Pick<LocalEnv, 'config' | 'rootToken' | 'basinSuffixes'> {
  readonly signingSecret: string;
  /** Where the cell's tasks are reached: they answer what has to be in order with appends. */
  readonly cellUrl: string;
}

/** What is known before the secrets are read. */
export interface ApiSettings extends StorageEnv {
  readonly cellUrl: string;
  /** Names, or ARNs, of secrets. */
  readonly secretIds: { readonly rootToken: string; readonly signing: string };
}

const CELL_URL = /^https?:\/\/[^/?#\s@]+$/;
const SIGNING_CHARS_MIN = 32;
const SECRET_ID = /^\S{1,2048}$/;

/** @throws SettingError naming the variable, and what it must be */
export function readApiSettings(variables: Variables): ApiSettings {
  const secret = (name: string) => needed(variables, name, SECRET_ID, 'the name or ARN of a secret of Secrets Manager');
  const settings = {
    ...readStorageEnv(variables),
    cellUrl: needed(variables, 'MILLRACE_CELL_URL', CELL_URL, 'where the channel tasks are reached, such as https://millrace.example.com'),
    secretIds: { rootToken: secret('MILLRACE_ROOT_TOKEN_ID'), signing: secret('MILLRACE_SIGNING_SECRET_ID') },
  };
  // What else is set is checked at once, with secrets that pass.
  readApiEnv(settings, { rootToken: 'x'.repeat(64), signing: 'x'.repeat(64) }, variables);
  return settings;
}

/** @throws SettingError, which says nothing of what a secret is */
export function readApiEnv(
  settings: ApiSettings,
  secrets: Readonly<Record<'rootToken' | 'signing', string>>,
  variables: Variables,
): ApiEnv {
  const env = readEnv({ ...variables, MILLRACE_AUTH: 'required', MILLRACE_ROOT_TOKEN: secrets.rootToken });
  if (secrets.signing.length < SIGNING_CHARS_MIN) {
    throw new SettingError(
      `the secret that MILLRACE_SIGNING_SECRET_ID names must hold at least ${SIGNING_CHARS_MIN} characters that nobody can guess`,
    );
  }
  const { config, rootToken, basinSuffixes } = env;
  const { channelsPerClass } = settings;
  return { ...settings, config: { ...config, channelsPerClass }, rootToken, basinSuffixes, signingSecret: secrets.signing };
}
