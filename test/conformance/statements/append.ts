// Section 2: appends.

import { statements } from './define.ts';

export const APPEND_LIMITS = statements({
  '2.1-records-range': 'A batch has 1 to 1000 records.',
  '2.1-batch-bytes-max': 'A batch has at most 1,048,576 metered bytes.',
  '2.1-record-bytes-max': 'A single record may be as large as a batch.',
  '2.1-metering': 'A record is metered at 8 bytes, 2 for each header, and the bytes of names, values and body.',
  '2.1-metering-commands': 'Command records are metered alike: a trim at 22 bytes, a fence at 15 and its token.',
  '2.1-atomic': 'A batch is appended whole, with contiguous sequence numbers, or not at all.',
  '2.1-headers-many': 'The number and the size of headers are bounded by the size of the batch only.',
  '2.1-header-empty-name': 'An empty header name beside other headers is 422.',
  '2.1-header-unknown-command': 'A sole header with an empty name whose value is no command is 422.',
  '2.1-headers-repeat': 'Header names may repeat, and their order is kept.',
  '2.1-headers-bytes': 'Header names and values are UTF-8 in raw JSON, and any bytes in protobuf.',
  '2.1-empty-body': 'A body may be empty.',
  '2.1-empty-record': 'A record may have neither headers nor a body; it is metered at 8 bytes.',
});

export const APPEND_REQUEST = statements(
  {
    '2.2-json': 'POST of records takes a JSON append.',
    '2.2-base64': 'With base64, names, values and bodies are standard base64 with padding, in requests and in answers.',
    '2.2-base64-invalid': 'Base64 that is not valid is 422.',
    '2.2-raw': 'With raw, text is stored as its UTF-8 bytes.',
    '2.2-proto': 'POST of records takes a protobuf append at the same path.',
    '2.2-accept-independent': 'The type of the answer is chosen by accept, whatever the type of the request.',
  },
  {
    '2.2-clients': 'Which client appends as JSON and which as protobuf.',
  },
);

export const APPEND_CHECKS = statements(
  {
    '2.3-form-first': 'The form of a request is checked before the stream is looked up.',
    '2.3-key-before-pending': 'The encryption key is checked before conditions.',
    '2.3-pending': 'An append to a stream that is being deleted is 409.',
    '2.3-fencing': 'A fencing token that is not the one of the stream is 412 with the one of the stream.',
    '2.3-match': 'A match_seq_num that is not the next sequence number is 412 with that one.',
    '2.3-fencing-before-match': 'If both conditions fail, the fencing token is reported.',
    '2.3-conditions-before-timestamps': 'Conditions are checked before timestamps.',
    '2.3-unfenced-is-empty': 'The token of a stream is empty until a fence is set.',
    '2.3-fencing-cooperative': 'An append without a token is never refused for fencing.',
    '2.3-empty-token-unfenced': 'An append with the empty token matches an unfenced stream only.',
    '2.3-match-counts-in-flight': 'match_seq_num counts what is sequenced and not durable yet.',
  },
  {},
  {
    '2.3-refusal-durable': [
      'A 412 is told only once the appends that it depends on are durable.',
      { file: 'test/core/channel/channel.test.ts', title: 'L5: a 412 is told only once what it depends on is committed' },
    ],
  },
);

export const TIMESTAMPS = statements({
  '2.4-client-prefer': 'client-prefer: the given timestamp, else the time of arrival.',
  '2.4-client-require': 'client-require: the given timestamp; a batch with a record that has none is 422, whole.',
  '2.4-arrival': 'arrival: the time of arrival, whatever is given.',
  '2.4-capped': 'A timestamp ahead of the time of arrival becomes that time.',
  '2.4-uncapped': 'With uncapped it stays.',
  '2.4-monotone': 'A timestamp below an earlier one of the stream or the batch becomes that one.',
  '2.4-one-now': 'All records of a batch that get the time of arrival get the same.',
  '2.4-opaque': 'With uncapped, timestamps are any 64-bit numbers, in whatever unit.',
});

export const APPEND_ACK = statements({
  '2.5-start': 'start is the first sequence number and timestamp of the batch.',
  '2.5-end': 'end is the last sequence number plus one, and the timestamp of the last record of the batch.',
  '2.5-tail': 'tail is the tail of the stream when it is acknowledged, at least end.',
  '2.5-durable': 'What is acknowledged survives a crash of the server.',
  '2.5-end-minus-start': 'end and start differ by the number of records.',
  '2.5-ends-grow': 'The ends of successive acknowledgements grow.',
});

export const COMMANDS = statements(
  {
    '2.6-command-form':
      'A record whose only header has an empty name is a command; the value of the header names it, the body is its argument.',
    '2.6-fence': 'fence sets the fencing token of the stream to its body, from that record on.',
    '2.6-fence-clear': 'fence with an empty body clears the token.',
    '2.6-trim': 'trim, with a big-endian 64-bit sequence number in 8 bytes, moves the trim point there.',
    '2.6-base64': 'In base64 the commands are ZmVuY2U= and dHJpbQ==.',
    '2.6-trim-length': 'A trim whose body is not 8 bytes is 422.',
    '2.6-fence-length': 'A fence whose token has more than 36 bytes is 422.',
    '2.6-fence-utf8': 'A fence whose token is not UTF-8 is 422.',
    '2.6-numbered': 'Commands get sequence numbers and are read back like any record.',
    '2.6-fence-read': 'A fence with an empty body is read without a body in JSON.',
    '2.6-trim-read-raw': 'The body of a trim in raw JSON is its 8 bytes, decoded with replacement characters.',
    '2.6-plaintext': 'Commands are never encrypted.',
    '2.6-mixed': 'A batch may hold commands, several too, and data.',
    '2.6-conditions-once': 'Conditions are checked once, before the batch; its commands apply in order behind that.',
    '2.6-trim-never-back': 'The trim point never moves back.',
    '2.6-trim-capped': 'A trim beyond its own record trims up to and with that record, not further.',
    '2.6-trimmed-start': 'Once trimmed, a read from an earlier sequence number begins at the first record that is left, without an error.',
    '2.6-ops': 'With access tokens, a fence needs the operation fence and a trim the operation trim, besides append.',
  },
  {
    '2.6-other-u64-max': 'The open-source server keeps the largest trim point for deletion.',
    '2.6-trim-eventual': 'Trimmed records may stay readable for a while.',
  },
);

export const AUTO_CREATE = statements({
  '2.7-append': 'An append creates the stream if the basin says create_stream_on_append.',
  '2.7-read': 'A read creates the stream if the basin says create_stream_on_read.',
  '2.7-check-tail': 'So does a check of the tail.',
  '2.7-defaults': 'The stream gets the default config and the cipher of the basin.',
  '2.7-stream-config': 's2-stream-config goes over that default config.',
  '2.7-race': 'Losing a race to create is no error: concurrent first appends all succeed.',
  '2.7-off': 'Otherwise 404 stream_not_found.',
  '2.7-no-basin': 'A missing basin is 404 basin_not_found.',
  '2.7-basin-deleting': 'A basin that is being deleted is 409 basin_deletion_pending.',
  '2.7-stream-deleting': 'A stream that is being deleted is 409, and does not come back.',
  '2.7-key-before-create': 'An encryption key that is missing or not valid is told before a stream is created.',
});

export const RATE_LIMITS = statements(
  {},
  {
    '2.8-cloud': 'Rates and quotas of the hosted service.',
  },
);
