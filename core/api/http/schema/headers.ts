// The request headers that the API gives a meaning to. (S2 v1 API, section 1.3.)

import { z } from 'zod';
import { ENCRYPTION_KEY_CHARS_MAX, REQUEST_TOKEN_BYTES_MAX } from '../../../model/limits.ts';

const ENCODER = new TextEncoder();

/** By lower-case name. Values were trimmed where the rule says so. */
export const HEADERS = {
  's2-basin': z.string().describe('The basin, unless the host names it'),
  's2-request-token': z
    .string()
    .refine((text) => ENCODER.encode(text).length <= REQUEST_TOKEN_BYTES_MAX, `expected at most ${REQUEST_TOKEN_BYTES_MAX} bytes`)
    .describe('Repeats of one creation carry the same')
    .meta({ maxLength: REQUEST_TOKEN_BYTES_MAX }),
  's2-format': z
    .enum(['raw', 'base64', 'json', 'json-binsafe'], 'expected raw or base64')
    .describe('How bytes stand in JSON: raw (as UTF-8 text, the default) or base64'),
  's2-encryption-key': z
    .string()
    .min(1, `expected 1 to ${ENCRYPTION_KEY_CHARS_MAX} characters`)
    .max(ENCRYPTION_KEY_CHARS_MAX, `expected 1 to ${ENCRYPTION_KEY_CHARS_MAX} characters`)
    .describe('The 32-byte key of an encrypted stream, in base64'),
  's2-stream-config': z.string().describe('A StreamConfig in JSON, for a stream that this request creates'),
  'last-event-id': z.string().describe('Where an event source stopped: <sequence number>,<records>,<bytes>'),
} as const;

export type HeaderName = keyof typeof HEADERS;
