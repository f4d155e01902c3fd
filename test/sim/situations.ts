// What a run came through, counted: a run of many seeds says which of these it never reached, as what was never reached was
// never tested.

export const SITUATIONS = [
  // Owners.
  'takeover',
  'takeover with a non-empty window',
  'adopted chunk',
  'takeover given up and begun again',
  'takeover of a released channel',
  'two takeovers at once',
  'publish with an ambiguous answer',
  'owner deposed by a seal or a foreign chunk',
  'owner whose lease ran out',
  'owner repairs its zones',
  'writer stalled',
  'killed while recovering',
  'killed while active',
  'ambushed',
  'owner cut off behind a renewal',
  'frozen while active, thawed after a takeover',
  'a zombie acknowledged nothing',
  'a zombie stated nothing',
  'a zombie gave records, and no tail',
  'suspended while active',
  'released by a deploy',
  // Zones.
  'zone wiped',
  'zone torn',
  'torn write',
  'chunk flipped',
  'chunk cut short',
  'chunk with zeros at its end',
  'torn bytes sealed over',
  'read from another zone',
  'zone lagging, chunks skipped',
  'disk full',
  'chunks deleted in some zones only',
  // Network and metadata.
  'applied, but the caller saw an error',
  'request duplicated',
  'lost request applied late',
  'stale read served',
  'stale read of more than one change ago',
  'read throttled',
  'segment read with a flipped byte',
  'flipped segment refused',
  'metadata dark',
  'object store dark',
  // Jobs.
  'offload named',
  'offload overtaken',
  'pending offload finished by another',
  'log dropped',
  'orphan object swept',
  'log swept',
  'deletion completed by another',
  'deletion dawdles behind its seal',
  'segments joined',
  'stream removed',
  'stream deleted itself',
  'append met a stream that deleted itself',
  'stream written in time, before it deleted itself',
  'trimmed by retention',
  'object deleted',
  'usage written over',
  // Configurations and keys.
  'configuration changed',
  'basin configuration changed',
  'configuration change ended unknown',
  'append refused by a changed configuration',
  'timestamp beyond the clock kept',
  'timestamp beyond the clock capped',
  'encrypted record read',
  'wrong key refused',
  'missing key refused',
  // Bounds.
  'bound met: bytes that wait for offload',
  'bound met: bytes in flight',
  'half a bound met: appends that wait',
  'append refused for want of room to wait',
  'bound met: chunks that a zone has yet to store',
  'half a bound met: bytes that readers hold',
  'read refused for want of room',
  'bound met: minutes of usage',
  // Clients.
  'append held back',
  'condition refused',
  'client read while segments were fetched',
  'follower woken',
  'pipelined append',
  'append session poisoned',
  'stream deleted and made again',
  'append ended unknown',
] as const;

export type Situation = (typeof SITUATIONS)[number];

export class Situations {
  readonly counts = new Map<Situation, number>();

  count(situation: Situation, times = 1): void {
    this.counts.set(situation, (this.counts.get(situation) ?? 0) + times);
  }
}
