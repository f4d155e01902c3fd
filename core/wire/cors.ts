// What pages of other origins may send and see. The origin says it to anybody; an edge, to the origins of its settings.

export const CORS_METHODS = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'] as const;
export const CORS_REQUEST_HEADERS = [
  'authorization',
  'content-type',
  'content-encoding',
  'accept',
  'last-event-id',
  's2-basin',
  's2-format',
  's2-request-token',
  's2-encryption-key',
  's2-stream-config',
] as const;
export const CORS_ANSWER_HEADERS = ['s2-provision-result', 'retry-after-ms'] as const;
export const CORS_AGE_SECS = 86_400;
