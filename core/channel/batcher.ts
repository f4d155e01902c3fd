// When the open chunk leaves, given now. Pure: the channel asks after every change, and sets a timer for `wait`.
//
// With nothing in flight a chunk leaves at the end of the turn, so a lone append never lingers; under load chunks fill while
// earlier ones are in flight, and the fuller the pipeline, the larger they grow. (Group commit, as in Delos and BookKeeper.)

export interface BatchingConfig {
  readonly chunkBytesTarget: number;
  readonly chunkBytesMax: number;
  readonly lingerMs: number;
}

export type BatchingDecision = { readonly kind: 'close' } | { readonly kind: 'wait'; readonly ms: number } | { readonly kind: 'blocked' };

/**
 * @param openBytes bytes of the frames that wait; more than 0.
 * @param openForMs since the first of them came.
 * @param inFlightCount chunks beyond the commit point.
 */
export function decideBatch(
  config: BatchingConfig,
  openBytes: number,
  openForMs: number,
  inFlightCount: number,
  hasRoom: boolean,
): BatchingDecision {
  if (!hasRoom) return { kind: 'blocked' };
  if (inFlightCount === 0) return { kind: 'close' };
  const target = Math.min(config.chunkBytesMax, config.chunkBytesTarget * inFlightCount);
  if (openBytes >= target || openForMs >= config.lingerMs) return { kind: 'close' };
  return { kind: 'wait', ms: config.lingerMs - openForMs };
}
