// Where each stream of a run lies, and the key that its records need: in a share of runs some streams have a cipher.

import { CustomerKey } from '#core/api/customer-key.ts';
import type { StreamTarget } from '#core/api/streams.ts';
import type { StreamCipher } from '#core/model/stream-config.ts';
import type { Dice } from './random.ts';

export const BASIN = 'the-basin';
/** Its defaults change. */
export const MOODS = 'the-moods';
/** Its streams have a cipher. */
const VAULT = 'the-vault';

const KEY_BYTES = 32;

/** The streams whose records are encrypted, and how; absent: none. */
export interface Secrecy {
  readonly cipher: StreamCipher;
  readonly streams: readonly string[];
}

export function drawSecrecy(dice: Dice, choices: readonly (readonly string[])[]): Secrecy | undefined {
  const cipher = dice.pick(['aegis-256', 'aes-256-gcm'] as const);
  const streams = dice.pick(choices);
  return dice.chance(0.35) ? { cipher, streams } : undefined;
}

export interface NewBasin {
  readonly name: string;
  readonly streamCipher?: StreamCipher;
}

export class Catalog {
  readonly #secrecy: Secrecy | undefined;
  readonly #key: CustomerKey;
  /** Opens nothing that anybody wrote. */
  readonly #wrongKey: CustomerKey;

  constructor(dice: Dice, secrecy: Secrecy | undefined) {
    this.#secrecy = secrecy;
    this.#key = drawKey(dice);
    this.#wrongKey = drawKey(dice);
  }

  /** What is to be made before anything else. */
  get basins(): readonly NewBasin[] {
    const cipher = this.#secrecy?.cipher;
    return [{ name: BASIN }, { name: MOODS }, ...(cipher === undefined ? [] : [{ name: VAULT, streamCipher: cipher }])];
  }

  isSecret(stream: string): boolean {
    return this.#secrecy?.streams.includes(stream) ?? false;
  }

  basinOf(stream: string): string {
    return this.isSecret(stream) ? VAULT : BASIN;
  }

  /** As who may read it names it; or with a key that is not the stream's, or without any. */
  target(stream: string, key: 'right' | 'wrong' | 'none' = 'right'): StreamTarget {
    const target = { basin: this.basinOf(stream), stream, request: {} };
    if (key === 'none' || !this.isSecret(stream)) return target;
    return { ...target, key: key === 'right' ? this.#key : this.#wrongKey };
  }
}

function drawKey(dice: Dice): CustomerKey {
  return new CustomerKey(Buffer.from(dice.port().bytes(KEY_BYTES)).toString('base64'));
}
