// Reads the Trace port and M's changes for the situations that a run came through.

import type { ChannelState } from '#core/metadata/schema.ts';
import type { Audit } from './audit.ts';
import type { Process } from './process.ts';
import type { Situation, Situations } from './situations.ts';

type TraceFields = Readonly<Record<string, string | number | boolean | undefined>>;

const BY_NAME: Readonly<Record<string, Situation>> = {
  'takeover.publish.ambiguous': 'publish with an ambiguous answer',
  'chunk.writer.deposed': 'owner deposed by a seal or a foreign chunk',
  'chunk.torn.sealed': 'torn bytes sealed over',
  'chunk.read.elsewhere': 'read from another zone',
  'chunk.zone.lagging': 'zone lagging, chunks skipped',
  'chunk.delete.unanswered': 'chunks deleted in some zones only',
  'offload.named': 'offload named',
  'offload.overtaken': 'offload overtaken',
  'gc.log.dropped': 'log dropped',
  'sweep.object.deleted': 'orphan object swept',
  'trim.stream.removed': 'stream removed',
  'trim.stream.empty': 'stream deleted itself',
  'trim.deletion.completed': 'deletion completed by another',
  'channel.lease.over': 'owner whose lease ran out',
  'channel.repair': 'owner repairs its zones',
};

export class Observer {
  readonly #situations: Situations;
  /** Who claimed the epoch that M is in. */
  #claimer: Process | undefined;
  readonly #recovering = new Set<Process>();
  /** Channels that were published once. */
  readonly #owned = new Set<string>();
  #pendingNamedBy: Process | undefined;
  /** The newest epoch that is known to be published. */
  epoch = 0;
  takeovers = 0;
  nonEmptyWindows = 0;
  adoptedChunks = 0;

  constructor(audit: Audit, situations: Situations) {
    this.#situations = situations;
    audit.onChannel.push((before, now) => this.#channel(before, now));
  }

  traced(process: Process, name: string, fields: TraceFields): void {
    const situation = BY_NAME[name];
    if (situation !== undefined) this.#situations.count(situation);
    switch (name) {
      case 'takeover.claimed':
        if ([...this.#recovering].some((other) => other !== process && other.isUp)) this.#situations.count('two takeovers at once');
        this.#recovering.add(process);
        this.#claimer = process;
        return;
      case 'takeover.published':
        this.#recovering.delete(process);
        process.epoch = Number(fields['epoch'] ?? 0);
        this.#published(String(fields['channel']), Number(fields['adopted'] ?? 0));
        this.epoch = Math.max(this.epoch, process.epoch);
        return;
      case 'channel.error':
        if (this.#recovering.delete(process)) this.#situations.count('takeover given up and begun again');
        return;
      case 'chunk.writer.stalled':
        if (fields['code'] !== 'none') this.#situations.count('writer stalled');
        return;
      case 'offload.named':
        this.#pendingNamedBy = process;
        return;
      case 'compact.joined':
        if (fields['isJoined'] === true) this.#situations.count('segments joined');
        return;
      default:
    }
  }

  /** Whoever is the first to own a channel takes it over from nobody. */
  #published(channel: string, adopted: number): void {
    if (!this.#owned.has(channel)) {
      this.#owned.add(channel);
      return;
    }
    this.takeovers += 1;
    this.#situations.count('takeover');
    if (adopted === 0) return;
    this.nonEmptyWindows += 1;
    this.adoptedChunks += adopted;
    this.#situations.count('takeover with a non-empty window');
    this.#situations.count('adopted chunk', adopted);
  }

  #channel(before: ChannelState | undefined, now: ChannelState): void {
    if (before === undefined) return;
    if (before.pending !== undefined && now.pending === undefined && this.#pendingNamedBy !== undefined) {
      if (!this.#pendingNamedBy.isUp || this.#pendingNamedBy !== this.#claimer)
        this.#situations.count('pending offload finished by another');
    }
    if (now.epoch > before.epoch) {
      if (before.state === 'released' && before.epoch > 0) this.#situations.count('takeover of a released channel');
      if (before.state === 'recovering' && this.#claimer?.isUp === false) this.#situations.count('killed while recovering');
    }
  }
}
