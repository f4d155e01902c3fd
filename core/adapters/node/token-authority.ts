// Signs access tokens with Ed25519, by a key that lies in the data folder, and knows the root token by its hash.
//
//   access/signing-key.json  := the private key as a JWK (RFC 8037); whoever has it can make tokens
//   access/root-token.sha256 := hexadecimal SHA-256 of the root token that was printed once
//
// A token is a JWS in compact form (RFC 7515) over the claims. The root token has 256 random bits, so a plain hash of it tells
// nobody anything.

import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  hkdfSync,
  type KeyObject,
  randomBytes,
  timingSafeEqual,
} from 'node:crypto';
import { link, mkdir, open, readFile, unlink } from 'node:fs/promises';
import path from 'node:path';
import { CompactSign, compactVerify, errors } from 'jose';
import { refused, StoreError } from '../../model/errors.ts';
import type { PublicKey, TokenAuthority } from '../../ports/token-authority.ts';

const ALGORITHM = 'EdDSA';
const TYPE = 'millrace-access';
const ROOT_TOKEN_BYTES = 32;
const ED25519_SEED_BYTES = 32;
/** What stands before the seed of an Ed25519 key. */
const PKCS8_ED25519 = Buffer.from('302e020100300506032b657004220420', 'hex');
/** Beyond this nothing of ours goes. */
const TOKEN_CHARS_MAX = 24 * 1024;
const ENCODER = new TextEncoder();
const DECODER = new TextDecoder();

export interface TokenAuthorityOptions {
  /** Made when it is not there. */
  readonly dir: string;
  /** The root token is the one in the folder: it is made when there is none. `undefined`: there is no root token. */
  readonly root: { readonly token: string } | 'kept' | undefined;
}

export interface OpenedAuthority {
  readonly authority: TokenAuthority;
  /** The root token that was made just now: it is told here, and never again. */
  readonly newRootToken?: string;
}

/** @throws StoreError `corrupt` for a key file that holds no key, `storage` when the folder cannot be used. */
export async function openTokenAuthority({ dir, root }: TokenAuthorityOptions): Promise<OpenedAuthority> {
  try {
    await mkdir(dir, { recursive: true, mode: 0o700 });
    const key = await signingKey(path.join(dir, 'signing-key.json'));
    if (root !== 'kept') return { authority: new JwsAuthority(key, root && hashOf(root.token)) };
    const kept = await rootToken(path.join(dir, 'root-token.sha256'));
    const authority = new JwsAuthority(key, kept.hash);
    return { authority, ...(kept.made === undefined ? {} : { newRootToken: kept.made }) };
  } catch (error) {
    if (error instanceof StoreError) throw error;
    throw new StoreError('storage', 'none', `the keys of access tokens in ${dir} cannot be read or made: ${String(error)}`, {
      cause: error,
    });
  }
}

/**
 * The same without a folder: whoever starts the process keeps a secret, and all that have it sign alike.
 *
 * @param secret at least 32 characters that nobody can guess; undefined where access is not checked: a key that nobody else has
 */
export function createTokenAuthority(secret: string | undefined, rootToken: string | undefined): TokenAuthority {
  const key = secret === undefined ? generateKeyPairSync('ed25519').privateKey : derivedKey(secret);
  return new JwsAuthority(key, rootToken === undefined ? undefined : hashOf(rootToken));
}

/** An Ed25519 private key is any 32 bytes (RFC 8032): here HKDF (RFC 5869) of the secret, in the form of PKCS #8 (RFC 8410). */
function derivedKey(secret: string): KeyObject {
  const seed = Buffer.from(hkdfSync('sha256', secret, '', 'millrace access tokens, signing key 1', ED25519_SEED_BYTES));
  return createPrivateKey({ key: Buffer.concat([PKCS8_ED25519, seed]), format: 'der', type: 'pkcs8' });
}

class JwsAuthority implements TokenAuthority {
  readonly publicKey: PublicKey;
  readonly #privateKey: KeyObject;
  readonly #publicKey: KeyObject;
  readonly #rootHash: Uint8Array | undefined;

  constructor(privateKey: KeyObject, rootHash: Uint8Array | undefined) {
    this.#privateKey = privateKey;
    this.#publicKey = createPublicKey(privateKey);
    this.publicKey = { kty: 'OKP', crv: 'Ed25519', x: this.#publicKey.export({ format: 'jwk' }).x ?? '' };
    this.#rootHash = rootHash;
  }

  sign(claims: string): Promise<string> {
    return new CompactSign(ENCODER.encode(claims)).setProtectedHeader({ alg: ALGORITHM, typ: TYPE }).sign(this.#privateKey);
  }

  async verify(token: string): Promise<string | undefined> {
    if (token.length > TOKEN_CHARS_MAX) return undefined;
    try {
      const { payload, protectedHeader } = await compactVerify(token, this.#publicKey, { algorithms: [ALGORITHM] });
      return protectedHeader.typ === TYPE ? DECODER.decode(payload) : undefined;
    } catch (error) {
      if (error instanceof errors.JOSEError) return undefined;
      throw error;
    }
  }

  isRoot(token: string): boolean {
    return this.#rootHash !== undefined && timingSafeEqual(hashOf(token), this.#rootHash);
  }
}

function hashOf(token: string): Uint8Array {
  return createHash('sha256').update(token).digest();
}

async function signingKey(file: string): Promise<KeyObject> {
  const text =
    (await textOf(file)) ??
    (await makeFile(file, `${JSON.stringify(generateKeyPairSync('ed25519').privateKey.export({ format: 'jwk' }))}\n`));
  try {
    const key = createPrivateKey({ key: JSON.parse(text), format: 'jwk' });
    if (key.asymmetricKeyType === 'ed25519') return key;
  } catch {
    // Told below, without what the file holds.
  }
  throw refused('corrupt', `${file} holds no Ed25519 key; put it back from a copy, or remove it to revoke every access token`);
}

async function rootToken(file: string): Promise<{ readonly hash: Uint8Array; readonly made?: string }> {
  const made = `millrace_root_${randomBytes(ROOT_TOKEN_BYTES).toString('base64url')}`;
  const kept = await textOf(file);
  const text = kept ?? (await makeFile(file, `${Buffer.from(hashOf(made)).toString('hex')}\n`));
  if (!/^[0-9a-f]{64}\n$/.test(text)) {
    throw refused('corrupt', `${file} holds no hash of a root token; put it back from a copy, or remove it to get a new root token`);
  }
  return { hash: Buffer.from(text.trim(), 'hex'), ...(kept === undefined ? { made } : {}) };
}

async function textOf(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    if ((error as { code?: string }).code === 'ENOENT') return undefined;
    throw error;
  }
}

/** Makes a file that is there whole, and durably, or not at all. @returns its text */
async function makeFile(file: string, text: string): Promise<string> {
  const draft = `${file}.${randomBytes(8).toString('hex')}`;
  const handle = await open(draft, 'wx', 0o600);
  try {
    await handle.writeFile(text);
    await handle.sync();
  } finally {
    await handle.close();
  }
  await link(draft, file);
  await unlink(draft);
  const folder = await open(path.dirname(file), 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
  return text;
}
