// How long a client may take, by what it owes: bytes that it promised, or reading what it asked for.
//
// A session without anything half sent may be silent for as long as it likes; so may a reader with nothing to read.

export interface HttpPatience {
  /** From head to end of a unary body; at 8 MiB this asks for 140 KiB a second. */
  readonly bodyMs: number;
  /** Between two pieces of a unary body. */
  readonly bodySilenceMs: number;
  /** From the start to the end of a session's frame, about. Clients themselves wait 5 s for its acknowledgement. */
  readonly frameMs: number;
  /** Without taking a byte of what is sent to it. */
  readonly readMs: number;
}

export const HTTP_PATIENCE: HttpPatience = { bodyMs: 60_000, bodySilenceMs: 10_000, frameMs: 15_000, readMs: 60_000 };
