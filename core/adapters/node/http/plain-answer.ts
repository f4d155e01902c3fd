// An answer below any HTTP machinery, for requests that it never gets to see: JSON here too.

import type { Duplex } from 'node:stream';

interface PlainAnswer {
  readonly status: 400 | 405 | 408 | 431;
  readonly code: string;
  readonly message: string;
}

const REASONS: Readonly<Record<PlainAnswer['status'], string>> = {
  400: 'Bad Request',
  405: 'Method Not Allowed',
  408: 'Request Timeout',
  431: 'Request Header Fields Too Large',
};

/** Answers, and closes the connection. */
export function answerPlainly(socket: Duplex, { status, code, message }: PlainAnswer): void {
  const body = JSON.stringify({ code, message });
  const head = [
    `HTTP/1.1 ${status} ${REASONS[status]}`,
    'connection: close',
    'content-type: application/json',
    `content-length: ${body.length}`,
  ];
  socket.end(`${head.join('\r\n')}\r\n\r\n${body}`, () => socket.destroy());
}
