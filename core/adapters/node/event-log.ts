// The log of a process: JSON lines on standard error (pino), with those events that an operator should read.

import { type Logger, pino } from 'pino';

/** Events that an operator should read; the others are at most counted. */
const LOGGED = /^(takeover|channel|zone|job|server)\./;
const WARNINGS = /(error|stalled|damaged|corrupt|failed|halted|lagging)$/;

export function createLog(): Logger {
  return pino({ base: null, timestamp: pino.stdTimeFunctions.isoTime }, pino.destination({ fd: 2, sync: true }));
}

export function logEvent(log: Logger, name: string, fields: Readonly<Record<string, unknown>> | undefined): void {
  if (!LOGGED.test(name)) return;
  if (WARNINGS.test(name)) log.warn({ event: name, ...fields });
  else log.info({ event: name, ...fields });
}
