// Makes and checks the secrets of access tokens. What they say is opaque here; who may have one is decided in api/.

/** Checks tokens without a look-up: with a public key alone, so an edge can do it too. */
export interface TokenVerifier {
  /** What `sign` was given; undefined when the token is not ours, or was changed. It says nothing about expiry or revocation. */
  verify(token: string): Promise<string | undefined>;
}

export interface TokenAuthority extends TokenVerifier {
  /** @param claims text, at most 16 KiB. @returns a secret of visible ASCII, safe in a header. */
  sign(claims: string): Promise<string>;
  /** Whether `token` is the root token, in a time that does not depend on where they differ. */
  isRoot(token: string): boolean;
}
