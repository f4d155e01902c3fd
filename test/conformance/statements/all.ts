// Every statement of sections 1 to 6 of the S2 v1 API, and the titles of the sections.

import { LOCATIONS, METRICS, TOKENS } from './account.ts';
import { APPEND_ACK, APPEND_CHECKS, APPEND_LIMITS, APPEND_REQUEST, AUTO_CREATE, COMMANDS, RATE_LIMITS, TIMESTAMPS } from './append.ts';
import { BODIES, ERRORS } from './bodies-and-errors.ts';
import { BASIN_LIFECYCLE, CONFIG_FIELDS, DELETE_ON_EMPTY, ENCRYPTION, PATCH, RESOLUTION, STREAM_LIFECYCLE } from './configuration.ts';
import type { Elsewhere, StatementList } from './define.ts';
import { ENDPOINTS } from './endpoints.ts';
import { ADDRESSING, HEADERS, MODEL } from './model.ts';
import { CONSISTENCY, READ_COMMANDS, READ_EVENTS, READ_LIMITS, READ_PARAMETERS, READ_START, READ_STREAMING, READ_UNARY } from './read.ts';
import { IDEMPOTENCE, LISTING, SCHEMAS } from './schemas.ts';
import {
  APPEND_SESSION,
  CLIENT_DEFAULTS,
  DRAINING,
  ENDPOINT_FORMS,
  FRAMES,
  PROTOBUF,
  READ_SESSION,
  SESSION_SELECTION,
  TRANSPORTS,
} from './sessions.ts';

const LISTS = {
  ...{ MODEL, ADDRESSING, HEADERS, BODIES, ERRORS, ENDPOINTS, SCHEMAS, LISTING, IDEMPOTENCE },
  ...{ APPEND_LIMITS, APPEND_REQUEST, APPEND_CHECKS, TIMESTAMPS, APPEND_ACK, COMMANDS, AUTO_CREATE, RATE_LIMITS },
  ...{ READ_PARAMETERS, READ_START, READ_LIMITS, READ_UNARY, READ_STREAMING, READ_EVENTS, READ_COMMANDS, CONSISTENCY },
  ...{ SESSION_SELECTION, FRAMES, PROTOBUF, APPEND_SESSION, READ_SESSION, DRAINING, TRANSPORTS, ENDPOINT_FORMS, CLIENT_DEFAULTS },
  ...{ CONFIG_FIELDS, RESOLUTION, PATCH, ENCRYPTION, DELETE_ON_EMPTY, STREAM_LIFECYCLE, BASIN_LIFECYCLE },
  ...{ TOKENS, LOCATIONS, METRICS },
} as const;

type List = (typeof LISTS)[keyof typeof LISTS];
type IdsOf<L> = L extends { readonly server: infer S } ? keyof S & string : never;

/** What a case may show: the id of a statement about the server. */
export type StatementId = IdsOf<List>;

export interface Statement {
  readonly id: string;
  /** Such as 1.4. */
  readonly section: string;
  readonly text: string;
  readonly about: 'server' | 'client';
  /** The test that shows what no client can bring about. */
  readonly elsewhere?: Elsewhere;
}

export const SECTIONS: Readonly<Record<string, string>> = {
  '1.1': 'Model',
  '1.2': 'Addressing',
  '1.3': 'Headers',
  '1.4': 'Bodies and compression',
  '1.5': 'Errors',
  '1.6': 'Endpoints',
  '1.7': 'Schemas and names',
  '1.8': 'Listing',
  '1.9': 'Idempotent creation',
  '2.1': 'Append: limits and metering',
  '2.2': 'Append: request',
  '2.3': 'Append: order of checks',
  '2.4': 'Append: timestamps',
  '2.5': 'Append: acknowledgement',
  '2.6': 'Command records',
  '2.7': 'Creation on demand',
  '2.8': 'Rate limits of the hosted service',
  '3.1': 'Read: parameters',
  '3.2': 'Read: start',
  '3.3': 'Read: limits',
  '3.4': 'Read: unary',
  '3.5': 'Read: streaming',
  '3.6': 'Read: server-sent events',
  '3.7': 'Read: command records',
  '3.8': 'Consistency',
  '4.1': 'Sessions: selection',
  '4.2': 'Sessions: frames',
  '4.3': 'Protobuf and golden frames',
  '4.4': 'Append sessions',
  '4.5': 'Read sessions',
  '4.6': 'Draining',
  '4.7': 'Transports',
  '4.8': 'Endpoints of clients',
  '4.9': 'Defaults of clients',
  '5.1': 'Config fields',
  '5.2': 'Config resolution',
  '5.3': 'PATCH',
  '5.4': 'Encryption',
  '5.5': 'Delete on empty',
  '5.6': 'Stream lifecycle',
  '5.7': 'Basin lifecycle',
  '6.1': 'Access tokens',
  '6.2': 'Locations',
  '6.3': 'Metrics',
};

export const STATEMENTS: readonly Statement[] = Object.values(LISTS)
  .flatMap((list: StatementList) => [
    ...Object.entries(list.server).map(([id, text]) => statement(id, text, 'server')),
    ...Object.entries(list.client).map(([id, text]) => statement(id, text, 'client')),
    ...Object.entries(list.elsewhere).map(([id, [text, test]]) => ({ ...statement(id, text, 'server'), elsewhere: test })),
  ])
  .sort((a, b) => a.section.localeCompare(b.section, 'en', { numeric: true }));

function statement(id: string, text: string, about: Statement['about']): Statement {
  return { id, section: id.slice(0, id.indexOf('-')), text, about };
}
