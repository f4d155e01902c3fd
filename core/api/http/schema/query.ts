// The query parameters of every route that takes some. All of them are text that stands for something. (S2 v1 API, sections 1.8 and 3.1.)

import { z } from 'zod';
import { BASIN_NAME_BYTES_MAX, LIST_LIMIT_MAX, STREAM_NAME_BYTES_MAX } from '../../../model/limits.ts';
import { accessTokenIdPart, basinNamePart, streamNamePart } from '../../names.ts';
import { textBy, U64_JSON } from './parse.ts';

const U64_MAX = 0xffff_ffff_ffff_ffffn;
const U32_MAX = 0xffff_ffffn;

function digits(max: bigint, bits: number) {
  return z
    .string()
    .regex(/^[0-9]{1,20}$/, 'expected a whole number')
    .transform(BigInt)
    .refine((value) => value <= max, `expected a number of at most ${bits} bits`);
}

const u64 = digits(U64_MAX, 64).meta(U64_JSON);
export const u32Query = digits(U32_MAX, 32).meta({ type: 'integer', format: 'uint32', minimum: 0 });
const flag = z
  .enum(['true', 'false'], 'expected true or false')
  .transform((text) => text === 'true')
  .meta({ type: 'boolean' });

const limit = u64.optional().describe(`At most this many; none, 0 or more than ${LIST_LIMIT_MAX}: ${LIST_LIMIT_MAX}`);

function page(name: z.ZodString, bytesMax: number) {
  return z.object({
    prefix: name.optional().describe('Only names that begin with this').meta({ maxLength: bytesMax }),
    start_after: name.optional().describe('Only names behind this one').meta({ maxLength: bytesMax }),
    limit,
  });
}

export const basinPageQuery = page(textBy(basinNamePart), BASIN_NAME_BYTES_MAX);
export const streamPageQuery = page(textBy(streamNamePart), STREAM_NAME_BYTES_MAX);
export const tokenPageQuery = page(textBy(accessTokenIdPart), 96);
export type PageQuery = z.output<typeof streamPageQuery>;

export const readQuery = z.object({
  seq_num: u64.optional().describe('Start at this sequence number'),
  timestamp: u64.optional().describe('Start at the first record with this timestamp or a later one'),
  tail_offset: u64.optional().describe('Start this many records before the tail; 0 if no start is given'),
  clamp: flag.optional().describe('Start at the tail where the start lies behind it'),
  count: u64.optional().describe('At most this many records'),
  bytes: u64.optional().describe('At most this many metered bytes'),
  until: u64.optional().describe('Stop before the first record with this timestamp or a later one'),
  wait: u32Query.optional().describe('Seconds to wait for records at the tail'),
});
