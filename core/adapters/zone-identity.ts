// A zone's identity at rest, and how a new one is drawn. A store that was wiped or replaced has another.
//
//   identity := text 'millrace-zone 1 <identity> <crc, 8 hex digits>\n', crc is CRC-32 over everything before its space

import { toHex } from '../base/bytes.ts';
import { invariant } from '../base/invariant.ts';
import { type ZoneId, zoneId } from '../model/ids.ts';
import type { Checksum } from '../ports/checksum.ts';
import type { Random } from '../ports/random.ts';

const LINE = /^(millrace-zone 1 ([a-z0-9-]{1,64})) ([0-9a-f]{8})\n$/;
const NAME = /^[a-z0-9-]{1,31}$/;

/** A new identity that nobody ever had; `name` is there for people. */
export function drawZoneId(name: string, random: Random): ZoneId {
  invariant(NAME.test(name), `a zone's name is 1 to 31 characters of a-z, 0-9 and -, not "${name}"`);
  return zoneId(`${name}-${toHex(random.bytes(16))}`);
}

export function encodeZoneId(zone: ZoneId, checksum: Checksum): Uint8Array {
  const text = `millrace-zone 1 ${zone}`;
  return new TextEncoder().encode(`${text} ${hexCrc(text, checksum)}\n`);
}

/** The identity, or undefined when the bytes are not whole and valid. */
export function decodeZoneId(bytes: Uint8Array, checksum: Checksum): ZoneId | undefined {
  const [, text, zone, crc] = LINE.exec(new TextDecoder().decode(bytes)) ?? [];
  if (text === undefined || zone === undefined || hexCrc(text, checksum) !== crc) return undefined;
  return zoneId(zone);
}

function hexCrc(text: string, checksum: Checksum): string {
  return checksum.crc32(new TextEncoder().encode(text)).toString(16).padStart(8, '0');
}
