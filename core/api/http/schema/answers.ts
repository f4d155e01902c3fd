// What requests with records say and what answers say, as JSON. (S2 v1 API, section 1.7.) Records themselves go through wire/, which
// reads and writes the same shapes in place; a test holds both against each other.

import { z } from 'zod';
import { BATCH_RECORDS_MAX, FENCING_TOKEN_BYTES_MAX } from '../../../model/limits.ts';
import { storageClass } from './config.ts';
import { U64_JSON, u64In } from './parse.ts';

const ENCODER = new TextEncoder();
const u64 = z.number().meta(U64_JSON);
const time = z.string().meta({ format: 'date-time' });

const streamPosition = z.object({ seq_num: u64, timestamp: u64 });
const header = z.tuple([z.string(), z.string()]).describe('Name and value');

export const appendInput = z.object({
  records: z
    .array(z.object({ timestamp: u64In.nullish(), headers: z.array(header).nullish(), body: z.string().nullish() }))
    .min(1)
    .max(BATCH_RECORDS_MAX),
  match_seq_num: u64In.nullish().describe('Append only if this is the next sequence number'),
  fencing_token: z
    .string()
    .refine((text) => ENCODER.encode(text).length <= FENCING_TOKEN_BYTES_MAX)
    .nullish()
    .describe('Append only if the stream carries this token')
    .meta({ maxLength: FENCING_TOKEN_BYTES_MAX }),
});
export const appendAck = z.object({ start: streamPosition, end: streamPosition, tail: streamPosition });
export const readBatch = z.object({
  records: z.array(z.object({ seq_num: u64, timestamp: u64, headers: z.array(header).optional(), body: z.string().optional() })),
  tail: streamPosition.optional(),
});
export const tailAnswer = z.object({ tail: streamPosition });

export const errorInfo = z.object({ code: z.string(), message: z.string() });
export const conditionFailed = z.union([z.object({ seq_num_mismatch: u64 }), z.object({ fencing_token_mismatch: z.string() })]);

export const basinInfo = z.object({
  name: z.string(),
  location: z.string().nullable(),
  created_at: time,
  deleted_at: time.nullable(),
  state: z.enum(['active', 'deleting']),
});
export const streamInfo = z.object({
  name: z.string(),
  created_at: time,
  deleted_at: time.nullable(),
  cipher: z.enum(['aegis-256', 'aes-256-gcm']).nullable(),
});
export const streamStatus = z.object({
  ...streamInfo.shape,
  storage_class: z.object({
    configured: storageClass.describe('Of the configuration'),
    serving: storageClass.nullable().describe('In which appends are stored now; null: in none that is here'),
  }),
});
export const basinList = z.object({ basins: z.array(basinInfo), has_more: z.boolean() });
export const streamList = z.object({ streams: z.array(streamInfo), has_more: z.boolean() });
