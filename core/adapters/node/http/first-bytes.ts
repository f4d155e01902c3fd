// Looks at the first bytes of a connection without taking them: they decide who serves it.
//
// A connection that says nothing, or too little to decide, is closed once its time is up.

import type { Socket } from 'node:net';

/**
 * Calls `decide` with all that came, each time more has come, until it says something; then gives the bytes back to the
 * socket and calls `then`. The socket is destroyed where it ends or stays silent before that.
 *
 * @param msMax from now to the decision.
 */
export function lookAtFirstBytes<T>(
  socket: Socket,
  msMax: number,
  decide: (seen: Buffer) => T | undefined,
  then: (decision: T) => void,
): void {
  let seen: Buffer = Buffer.alloc(0);
  const giveUp = (): void => {
    socket.destroy();
  };
  const timer = setTimeout(giveUp, msMax);
  const forget = (): void => {
    clearTimeout(timer);
    socket.off('readable', onReadable);
    socket.off('end', giveUp);
    socket.off('close', forget);
  };
  const onReadable = (): void => {
    for (let piece: Buffer | null = socket.read(); piece !== null; piece = socket.read()) {
      seen = seen.length === 0 ? piece : Buffer.concat([seen, piece]);
    }
    const decision = seen.length === 0 ? undefined : decide(seen);
    if (decision === undefined) return;
    forget();
    socket.unshift(seen);
    then(decision);
  };
  socket.on('readable', onReadable);
  socket.once('end', giveUp);
  socket.once('close', forget);
}

const HTTP2_PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
/** The content type of a TLS record that carries a handshake. */
const TLS_HANDSHAKE = 0x16;

/** Undefined while it may still become either. */
export function httpVersion(seen: Buffer): 'http/1.1' | 'h2' | undefined {
  const compared = Math.min(seen.length, HTTP2_PREFACE.length);
  if (seen.compare(HTTP2_PREFACE, 0, compared, 0, compared) !== 0) return 'http/1.1';
  return compared < HTTP2_PREFACE.length ? undefined : 'h2';
}

/** What a client of a TLS port speaks; `text` where it takes it for plaintext HTTP. */
export function isTls(seen: Buffer): 'tls' | 'text' {
  return seen[0] === TLS_HANDSHAKE ? 'tls' : 'text';
}
