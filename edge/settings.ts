// What the Worker is told: its variables and bindings, checked once an isolate. A bad one is named in every answer until it is mended.

/** As wrangler.jsonc has them. All are text, but for the binding. */
export interface Bindings {
  readonly MILLRACE_ORIGIN?: string;
  readonly MILLRACE_REGIONAL_URL?: string;
  readonly MILLRACE_OWNERS?: string;
  readonly MILLRACE_AUTH?: string;
  readonly MILLRACE_KEYS?: string;
  readonly MILLRACE_REVOCATION_SECS?: string;
  readonly MILLRACE_HISTORY_SECS?: string;
  readonly MILLRACE_BASIN_SUFFIX?: string;
  readonly MILLRACE_CORS_ORIGINS?: string;
  readonly MILLRACE_APPEND_SESSIONS?: string;
  readonly MILLRACE_RATE_PER_SEC?: string;
  readonly RATE_LIMITER?: RateLimit;
}

export interface Settings {
  /** Where requests go, without a path. */
  readonly origin: string;
  /** What clients are pointed to for what does not go through here. */
  readonly regionalUrl: string;
  /** Besides the origin, whom credentials may be sent to. */
  readonly owners: readonly OwnerPattern[];
  readonly auth: 'required' | 'off';
  /** A JWK set as JSON; undefined: the origin is asked. */
  readonly keys: string | undefined;
  readonly revocationMsMax: number;
  /** How long a stream is believed to be there, and not trimmed any further; 0: nothing is kept. */
  readonly historyMsMax: number;
  readonly basinSuffixes: readonly string[];
  /** `*`, or those that are named. */
  readonly corsOrigins: '*' | readonly string[];
  readonly takesAppendSessions: boolean;
  /** Of one client in one isolate, where no binding counts them; 0: no limit. */
  readonly ratePerSec: number;
  readonly rateLimiter: RateLimit | undefined;
}

/** `https://*.tasks.example.com`: the scheme, a host or all below it, and a port, `*` for any. */
export interface OwnerPattern {
  readonly protocol: string;
  readonly host: string;
  readonly isBelow: boolean;
  /** Empty: that of the scheme. */
  readonly port: string;
}

export class SettingError extends Error {
  override readonly name = 'SettingError';
}

/** @throws SettingError naming the variable, and what it must be */
export function readSettings(bindings: Bindings): Settings {
  const origin = baseUrl('MILLRACE_ORIGIN', bindings.MILLRACE_ORIGIN);
  const cors = list(bindings.MILLRACE_CORS_ORIGINS);
  return {
    origin,
    regionalUrl: bindings.MILLRACE_REGIONAL_URL ? baseUrl('MILLRACE_REGIONAL_URL', bindings.MILLRACE_REGIONAL_URL) : origin,
    owners: list(bindings.MILLRACE_OWNERS).map(ownerPattern),
    auth: oneOf('MILLRACE_AUTH', bindings.MILLRACE_AUTH, ['required', 'off']),
    keys: keySet(bindings.MILLRACE_KEYS),
    revocationMsMax: 1_000 * whole('MILLRACE_REVOCATION_SECS', bindings.MILLRACE_REVOCATION_SECS, 10),
    historyMsMax: 1_000 * whole('MILLRACE_HISTORY_SECS', bindings.MILLRACE_HISTORY_SECS, 10),
    basinSuffixes: list(bindings.MILLRACE_BASIN_SUFFIX).map((suffix) => suffix.toLowerCase().replace(/^\./, '')),
    corsOrigins: cors.length === 0 || cors.includes('*') ? '*' : cors,
    takesAppendSessions: oneOf('MILLRACE_APPEND_SESSIONS', bindings.MILLRACE_APPEND_SESSIONS, ['on', 'off']) === 'on',
    ratePerSec: whole('MILLRACE_RATE_PER_SEC', bindings.MILLRACE_RATE_PER_SEC, 0),
    rateLimiter: bindings.RATE_LIMITER,
  };
}

function list(text: string | undefined): readonly string[] {
  return (text ?? '')
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '');
}

function baseUrl(name: string, text: string | undefined): string {
  if (!text) throw new SettingError(`${name} is missing; it must be a URL without a path, such as https://streams.example.com`);
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const isBase = url !== undefined && /^https?:$/.test(url.protocol) && url.pathname === '/' && url.search === '' && url.username === '';
  if (!isBase) throw new SettingError(`${name} is "${text}"; it must be a URL without a path, such as https://streams.example.com`);
  return url.origin;
}

function oneOf<const T extends readonly [string, ...string[]]>(name: string, text: string | undefined, values: T): T[number] {
  const value = text === undefined || text === '' ? values[0] : text;
  if (values.includes(value)) return value;
  throw new SettingError(`${name} is "${value}"; it must be ${values.map((one) => `"${one}"`).join(' or ')}`);
}

function whole(name: string, text: string | undefined, otherwise: number): number {
  if (text === undefined || text === '') return otherwise;
  if (/^\d{1,6}$/.test(text)) return Number(text);
  throw new SettingError(`${name} is "${text}"; it must be a whole number from 0 to 999999`);
}

function keySet(text: string | undefined): string | undefined {
  if (text === undefined || text === '') return undefined;
  try {
    if (Array.isArray((JSON.parse(text) as { keys?: unknown }).keys)) return text;
  } catch {
    // Told below.
  }
  throw new SettingError('MILLRACE_KEYS must be a JWK set, as the origin publishes at /.well-known/jwks.json: {"keys":[…]}');
}

function ownerPattern(text: string): OwnerPattern {
  const [whole, scheme = '', below, host = '', port = ''] =
    /^(https?):\/\/(\*\.)?([a-z0-9.-]+|\[[0-9a-f:]+\])(?::(\d{1,5}|\*))?$/i.exec(text) ?? [];
  // A wildcard above a name without a dot would be a whole top-level domain.
  if (whole === undefined || (below !== undefined && !host.includes('.'))) {
    throw new SettingError(`MILLRACE_OWNERS names "${text}"; it must be like https://*.tasks.example.com, with commas between several`);
  }
  return { protocol: `${scheme.toLowerCase()}:`, host: host.toLowerCase(), isBelow: below !== undefined, port };
}
