// Where the owner of a channel is reached, as it says itself at its claim.

/** Base URLs without a path or a slash at the end, such as `http://10.0.1.7:8080`. */
export interface OwnerAddress {
  /** For tasks and functions of the same deployment. */
  readonly peer: string;
  /** For anybody, where the deployment has such. */
  readonly edge?: string;
}
