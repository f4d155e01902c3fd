// A cell that comes and goes: what a run needs of the account. The real one asks AWS; the tests of the run have one of their own.

export interface Outputs {
  readonly Endpoint: string;
  readonly RootTokenSecret: string;
  readonly Cluster: string;
}

export interface CloudCell {
  /** Resolves once the stack stands. Aborted, it may be left half-way. */
  deploy(signal: AbortSignal): Promise<Outputs>;
  rootToken(outputs: Outputs): Promise<string>;
  /** Ends the task that serves. */
  killTask(outputs: Outputs): Promise<void>;
  /** Removes what `deploy` made, whole or half. Nothing made: does nothing. */
  destroy(): Promise<void>;
  /** What is still there of it. */
  leftovers(): Promise<readonly string[]>;
}
