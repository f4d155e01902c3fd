// What a function cannot answer: sessions that stay open, and events that come as they happen. Their clients are told where to go.

import type { APIGatewayProxyStructuredResultV2 } from 'aws-lambda';
import type { EventRequest } from './event.ts';

const SESSION = /^\s*s2s\/proto\b/i;
const EVENTS = /\btext\/event-stream\b/i;

/** Undefined for a request that one answer ends. */
export function refusedSession({ headers }: EventRequest, cellUrl: string): APIGatewayProxyStructuredResultV2 | undefined {
  const isSession = SESSION.test(String(headers['content-type'] ?? ''));
  if (!isSession && !EVENTS.test(String(headers['accept'] ?? ''))) return undefined;
  const message = `${isSession ? 'sessions' : 'events'} are served at ${cellUrl}, not here`;
  return {
    statusCode: 421,
    headers: { 'content-type': 'application/json', 'millrace-owner': cellUrl, 'access-control-allow-origin': '*' },
    body: JSON.stringify({ code: 'moved', message }),
  };
}
