// Makes and checks the secrets of access tokens. What they say is opaque here; who may have one is decided in api/.

/** Checks tokens without a look-up: with a public key alone, so an edge can do it too. */
export interface TokenVerifier {
  /** What `sign` was given; undefined when the token is not ours, or was changed. It says nothing about expiry or revocation. */
  verify(token: string): Promise<string | undefined>;
}

/** What others check tokens by: an Ed25519 key as a JWK (RFC 8037). */
export interface PublicKey {
  readonly kty: 'OKP';
  readonly crv: 'Ed25519';
  /** 32 bytes in base64url. */
  readonly x: string;
}

export interface TokenAuthority extends TokenVerifier {
  readonly publicKey: PublicKey;
  /** @param claims text, at most 16 KiB. @returns a secret of visible ASCII, safe in a header. */
  sign(claims: string): Promise<string>;
  /** Whether `token` is the root token, in a time that does not depend on where they differ. */
  isRoot(token: string): boolean;
}
