// An event of a function URL (or of an HTTP API: payload version 2) as an HTTP request, and an HTTP answer as what Lambda gives back.

import type { IncomingHttpHeaders, OutgoingHttpHeaders } from 'node:http';
import type { APIGatewayProxyEventV2, APIGatewayProxyStructuredResultV2 } from 'aws-lambda';

export interface EventRequest {
  readonly method: string;
  /** Path and query, percent-encoded. */
  readonly target: string;
  readonly headers: OutgoingHttpHeaders;
  readonly body: Buffer;
}

/** Of one connection, or told by Lambda anew. */
const DROPPED = new Set(['connection', 'keep-alive', 'transfer-encoding', 'expect', 'upgrade', 'te', 'trailer', 'content-length']);
/** What is text travels as it is; Lambda wants all else in base64, which is a third longer. */
const TEXT = /^(application\/(json|.*\+json)|text\/)/;

export function requestOf({
  rawPath,
  rawQueryString,
  headers,
  requestContext,
  body,
  isBase64Encoded,
}: APIGatewayProxyEventV2): EventRequest {
  const bytes = Buffer.from(body ?? '', isBase64Encoded ? 'base64' : 'utf8');
  const kept = Object.entries(headers).filter(([name, value]) => value !== undefined && !DROPPED.has(name.toLowerCase()));
  const { method } = requestContext.http;
  const hasBody = bytes.length > 0 || (method !== 'GET' && method !== 'HEAD');
  return {
    method,
    target: rawQueryString === '' ? rawPath : `${rawPath}?${rawQueryString}`,
    headers: { ...Object.fromEntries(kept), ...(hasBody ? { 'content-length': bytes.length } : {}) },
    body: bytes,
  };
}

export function answerOf(status: number, headers: IncomingHttpHeaders, body: Buffer): APIGatewayProxyStructuredResultV2 {
  const kept = Object.entries(headers).flatMap(([name, value]): [string, string][] =>
    value === undefined || DROPPED.has(name) ? [] : [[name, String(value)]],
  );
  const isText = headers['content-encoding'] === undefined && TEXT.test(headers['content-type'] ?? 'text/');
  return {
    statusCode: status,
    headers: Object.fromEntries(kept),
    body: body.toString(isText ? 'utf8' : 'base64'),
    isBase64Encoded: !isText,
  };
}
