// Section 4: sessions, their frames, and what transports must bear.

import { statements } from './define.ts';

export const SESSION_SELECTION = statements({
  '4.1-append': 'POST of records with content-type s2s/proto is an append session: 200 and frames of the same type.',
  '4.1-read': 'GET of records with content-type s2s/proto is a read session, with the parameters of a read.',
  '4.1-by-request-type': 'The content-type of the request selects a session, on GET too; accept does not matter.',
  '4.1-headers-apply': 's2-basin, authorization, s2-encryption-key, s2-stream-config and accept-encoding apply to sessions.',
  '4.1-head-at-once': 'The head of the answer comes at once, before any input and any output.',
  '4.1-preflight': 'What can be told beforehand is an ordinary HTTP answer in JSON.',
});

export const FRAMES = statements(
  {
    '4.2-length': 'A frame is a 24-bit length, a flag byte, and the payload; the length counts flag and payload.',
    '4.2-length-zero': 'A frame of length 0 is bad_frame.',
    '4.2-length-max': 'A frame of more than 2 MiB is bad_frame.',
    '4.2-unpacked-max': 'A payload of more than 2,097,151 bytes once decompressed is bad_frame.',
    '4.2-incomplete': 'An incomplete frame at the end is an error.',
    '4.2-reserved-bits': 'The reserved flag bits are ignored in what comes, and 0 in what is sent.',
    '4.2-codec-invalid': 'Both compression bits set is bad_frame.',
    '4.2-payloads': 'Payloads are AppendInput towards the server, AppendAck and ReadBatch from it.',
    '4.2-input-compressed': 'Input frames with zstd or gzip are taken, announced or not.',
    '4.2-output-min': 'Payloads below 1024 bytes are sent uncompressed.',
    '4.2-output-codec':
      'accept-encoding is read from left to right: zstd if it is listed, else gzip if it is, else none; weights do not count.',
    '4.2-output-unasked': 'A client that did not ask gets no compressed frame.',
    '4.2-terminal': 'A terminal frame has flag 0x80, a 16-bit status and the JSON of the failure; it is not compressed, and the last.',
    '4.2-clean-end': 'A clean end has no terminal frame.',
    '4.2-terminal-from-client': 'A terminal frame from a client is answered with 400 bad_frame.',
    '4.2-reconnect-bit': 'The bit for reconnect advice is set on regular frames from the server only.',
  },
  {
    '4.2-clients-terminal-ok': 'The TypeScript client takes a terminal frame with a status below 400 as a clean end.',
    '4.2-node-zstd': 'Old versions of Node have no zstd of their own.',
  },
);

export const PROTOBUF = statements({
  '4.3-messages': 'The messages have the field numbers and types of s2.v1.',
  '4.3-match-zero': 'match_seq_num of 0 counts when present, and does not when absent.',
  '4.3-token-empty': 'A fencing_token of "" counts when present, and does not when absent.',
  '4.3-tail-zero': 'A tail of (0, 0) is sent.',
  '4.3-golden-one-record': 'The golden frame of one record appends it.',
  '4.3-golden-conditions': 'The golden frame with timestamp, header, match_seq_num 0 and token "" appends that.',
  '4.3-golden-fence': 'The golden frame of a fence sets the token.',
  '4.3-golden-trim': 'The golden frame of a trim is a trim.',
  '4.3-golden-ack': 'An acknowledgement is the golden frame, byte for byte.',
  '4.3-golden-heartbeat': 'A heartbeat is the golden frame, byte for byte.',
  '4.3-golden-heartbeat-empty': 'A heartbeat of an empty stream is the golden frame, byte for byte.',
  '4.3-golden-batch': 'A batch of one record is the golden frame, byte for byte.',
  '4.3-golden-terminal': 'A terminal 412 is the golden frame, byte for byte.',
});

export const APPEND_SESSION = statements(
  {
    '4.4-pipelined': 'Inputs may be sent without waiting, and are sequenced in the order in which they come.',
    '4.4-one-ack-each': 'Each input gets exactly one acknowledgement, in order, and nothing else is sent.',
    '4.4-half-close': 'After the end of the input the remaining acknowledgements come, then the answer ends.',
    '4.4-failure': 'When an input fails, those before it are acknowledged, then one terminal frame comes, then the end.',
    '4.4-poisoned': 'Inputs behind one that failed have no effect.',
    '4.4-input-errors': 'A frame or a batch that is not valid: pending acknowledgements first, then a terminal 400 or 422.',
    '4.4-back-pressure': 'A client that sends more than is taken is slowed, and everything is acknowledged in the end.',
    '4.4-idle': 'A session without input stays open, and gets no frames.',
  },
  {
    '4.4-clients-timeouts': 'How long clients wait for acknowledgements and how much they keep in flight.',
  },
);

export const READ_SESSION = statements(
  {
    '4.5-flow': 'Batches without a tail while catching up, then a heartbeat, then batches with a tail.',
    '4.5-heartbeat': 'A heartbeat is a batch without records and with a tail; a batch without both is never sent.',
    '4.5-end': 'A session ends with the end of the answer.',
    '4.5-error': 'An error in the middle of a session is a terminal frame.',
    '4.5-frame-gap': 'At least every 20 s a frame comes.',
    '4.5-tail-true': 'Every tail that is told is at or behind the last record given.',
  },
  {
    '4.5-clients-reconnect': 'What clients ask for when they connect anew.',
    '4.5-clients-tail-timeout': 'Clients give up after 20 s without a frame.',
  },
  {
    '4.5-frame-gap-slow': [
      'Where storage is slow, smaller batches keep to that while catching up.',
      { file: 'test/core/reader/read.test.ts', title: 'gives what it has every 5 s where storage is slow, in smaller batches' },
    ],
  },
);

export const DRAINING = statements(
  {
    '4.6-advice': 'A server about to stop sets the bit for reconnect advice on the frames that it sends.',
    '4.6-terminal': 'It ends sessions with 503 server_draining, and answers requests that wait with the same.',
    '4.6-acks-first': 'Before that everything that it took is acknowledged.',
  },
  {
    '4.6-clients-obey': 'What clients do when advised to reconnect.',
    '4.6-other-exit': 'The open-source server waits up to 10 s and exits.',
  },
);

export const TRANSPORTS = statements(
  {
    '4.7-h1-and-h2c': 'HTTP/1.1 and HTTP/2 with prior knowledge are served on one plaintext port.',
    '4.7-unary-h2c': 'Unary calls work over HTTP/2.',
    '4.7-h1-full-duplex': 'An append session works over HTTP/1.1: a chunked body still open while the answer comes.',
    '4.7-sessions-h2c': 'Append and read sessions work over HTTP/2.',
    '4.7-tls-h2': 'With TLS, ALPN offers h2.',
    '4.7-tls-h1': 'With TLS, ALPN offers http/1.1 too.',
    '4.7-max-streams': 'At least 100 streams may be open on a connection.',
    '4.7-windows': 'The windows of streams and connections are large: 3 MiB may be in flight at once.',
    '4.7-settings-first': 'The server sends SETTINGS before any request.',
    '4.7-preface-in-pieces': 'A preface that comes in pieces is recognised.',
  },
  {
    '4.7-clients': 'Which client speaks which version of HTTP, and pools connections how.',
    '4.7-aws': 'Which load balancers keep sessions whole.',
  },
  {
    '4.7-no-delay': [
      'Small acknowledgements are not delayed by the transport.',
      { file: 'test/core/adapters/http-server.test.ts', title: 'sends small pieces at once' },
    ],
  },
);

export const ENDPOINT_FORMS = statements(
  {
    '4.8-one-origin-for-clients':
      'A plain http://host:port for account and basins, with the basin in the header, serves the official client.',
  },
  {
    '4.8-clients': 'How clients are told their endpoints.',
  },
);

export const CLIENT_DEFAULTS = statements(
  {},
  {
    '4.9-clients': 'Attempts, delays and timeouts of clients, and that TypeScript takes no number above 2^53 − 1.',
  },
);
