// Other processes of the deployment, as one that does not own a channel passes requests on to its owner.
//
// A call is one HTTP exchange that streams both ways. Whoever opens it closes it, however it ends.

/** By name, in lower case. */
export type PeerHeaders = Readonly<Record<string, string | readonly string[]>>;

export interface PeerRequest {
  readonly method: string;
  /** Path and query, as they came. */
  readonly target: string;
  /** Without those that belong to one connection. */
  readonly headers: PeerHeaders;
}

export interface PeerAnswer {
  readonly status: number;
  readonly headers: PeerHeaders;
  /**
   * The next bytes of its body, or `end` once it is whole. Only what is asked for is read.
   *
   * @throws StoreError `unavailable` (effect unknown) when it broke off.
   */
  next(): Promise<Uint8Array | 'end'>;
}

export interface PeerCall {
  /**
   * The answer's head, perhaps before the request's body is sent.
   *
   * @throws StoreError `unavailable`: effect none where nothing can have reached the peer, else unknown.
   */
  readonly answer: Promise<PeerAnswer>;
  /** Sends more of the request's body. Undefined while the peer keeps up; else resolves once it has, or the call is over. */
  write(bytes: Uint8Array): Promise<void> | undefined;
  /** The body is whole. */
  end(): void;
  /** Lets go of the exchange, and ends it where it is not over. Again: nothing. */
  close(): void;
}

export interface ChannelPeers {
  /** @param base URL of the peer, without a path. */
  open(base: string, request: PeerRequest): PeerCall;
  /** Closes idle connections; those in use end with their calls. */
  close(): void;
}
