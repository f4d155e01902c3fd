// What a function URL makes of a request: an event of payload version 2.

import type { APIGatewayProxyEventV2 } from 'aws-lambda';

export function eventOfRequest(
  method: string,
  target: string,
  headers: Readonly<Record<string, string>>,
  body?: string,
): APIGatewayProxyEventV2 {
  const [path = '/', query = ''] = target.split('?', 2);
  const lower = Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]);
  return {
    version: '2.0',
    routeKey: '$default',
    rawPath: path,
    rawQueryString: query,
    headers: { host: 'url.lambda', ...Object.fromEntries(lower) },
    requestContext: {
      accountId: 'anonymous',
      apiId: 'url',
      domainName: 'url.lambda',
      domainPrefix: 'url',
      http: { method, path, protocol: 'HTTP/1.1', sourceIp: '127.0.0.1', userAgent: 'test' },
      requestId: 'test',
      routeKey: '$default',
      stage: '$default',
      time: '29/Nov/2026:00:00:00 +0000',
      timeEpoch: 0,
    },
    ...(body === undefined ? {} : { body }),
    isBase64Encoded: false,
  };
}
