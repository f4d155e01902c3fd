// Sections 1.4 and 1.5: bodies, their compression and numbers, and what a failure looks like.

import { type Elsewhere, statements } from './define.ts';

const CODES: Elsewhere = {
  file: 'test/core/wire/error-answer.test.ts',
  title: 'what no client can bring about has the code and status that S2 gives it',
};

/** Changes at the same time may meet it, and the server may as well carry all of them out: no client brings it about for sure. */
export const CONFLICT: Elsewhere = {
  file: 'test/core/api/unary.test.ts',
  title: 'that others keep coming before are told as a conflict, and change nothing',
};

export const BODIES = statements(
  {
    '1.4-request-gzip': 'A request body may come with content-encoding: gzip.',
    '1.4-request-zstd': 'A request body may come with content-encoding: zstd.',
    '1.4-response-gzip': 'An answer of more than 1024 bytes is compressed with gzip for a client that accepts it.',
    '1.4-response-zstd': 'An answer of more than 1024 bytes is compressed with zstd for a client that accepts it.',
    '1.4-response-small': 'An answer of at most 1024 bytes is not compressed.',
    '1.4-response-not-streams': 'Server-sent events and sessions carry no content-encoding.',
    '1.4-response-unasked': 'A client that does not accept compression gets none.',
    '1.4-body-max': 'A body of up to 8 MiB is taken, so that a full batch in raw JSON may escape every byte.',
    '1.4-full-batch-base64': 'A batch of 1 MiB is taken as base64 JSON.',
    '1.4-json-type-missing': 'A JSON body without a content-type is refused with 400 bad_json; the message asks for application/json.',
    '1.4-json-type-other': 'A JSON body under another content-type is refused with 400 bad_json.',
    '1.4-optional-body': 'PUT of a basin or a stream takes no content-type and no body, or an empty one.',
    '1.4-u64-parsed': 'Whole numbers of 64 bits in JSON are taken without loss.',
    '1.4-u64-printed': 'Whole numbers of 64 bits are printed in JSON without loss.',
    '1.4-unknown-fields': 'Fields that are not known in a JSON body do not matter.',
    '1.4-null-is-absent': 'null for a field is as good as leaving it out, but for PATCH.',
    '1.4-accepted-is-empty': 'A 202 has content-length 0, no body, and no JSON content-type.',
  },
  {
    '1.4-clients-plain': 'Clients do not compress unless told to.',
    '1.4-other-body-max': 'The open-source server takes bodies of up to 2 MiB.',
    '1.4-clients-parse-json': 'The generated TypeScript client parses whatever claims to be JSON and is not empty.',
  },
);

export const ERRORS = statements(
  {
    '1.5-shape': 'A failure answers JSON with a code and a message, and says content-type: application/json.',
    '1.5-seq-num-mismatch': 'A failed match_seq_num answers 412 with the sequence number that would be next, and nothing else.',
    '1.5-fencing-token-mismatch': 'A failed fencing token answers 412 with the token that is on the stream, and nothing else.',
    '1.5-unwritten': 'A read of an unwritten position answers 416 with the tail, and nothing else.',
    '1.5-code-access-token-not-found': '404 access_token_not_found: an unknown token was to be revoked.',
    '1.5-code-authn': '401 authn: the bearer token is missing, not valid, or expired.',
    '1.5-code-bad-frame': '400 bad_frame: a frame does not decode, or a client sent a terminal one.',
    '1.5-code-bad-header': '400 bad_header: a header is missing or not valid, which covers the encryption key of an encrypted stream.',
    '1.5-code-bad-json': '400 bad_json: JSON has bad syntax or does not fit, has no content-type, or holds a bad name or token.',
    '1.5-code-bad-path': '400 bad_path: a path segment is not valid.',
    '1.5-code-bad-proto': '400 bad_proto: protobuf does not decode.',
    '1.5-code-bad-query': '400 bad_query: a query parameter has the wrong type, breaks the rule for names, or is not a known word.',
    '1.5-code-basin-deletion-pending': '409 basin_deletion_pending: the basin is being deleted.',
    '1.5-code-basin-not-found': '404 basin_not_found: there is no such basin.',
    '1.5-code-decryption-failed': '400 decryption_failed: the encryption key is another one.',
    '1.5-code-invalid': '422 invalid: well formed, and not allowed.',
    '1.5-code-permission-denied': '403 permission_denied: the scope or the operations of the token do not reach so far.',
    '1.5-code-resource-already-exists': '409 resource_already_exists: a basin, stream or token of the name exists.',
    '1.5-code-server-draining': '503 server_draining: the server is shutting down.',
    '1.5-code-stream-deletion-pending': '409 stream_deletion_pending: the stream is being deleted.',
    '1.5-code-stream-not-found': '404 stream_not_found: there is no such stream.',
    '1.5-refused-means-nothing-happened': 'After a refusal that promises no side effect nothing has changed.',
    '1.5-json-on-every-error': 'Every failure is JSON with code and message: unknown routes, wrong methods and oversized bodies too.',
    '1.5-one-chunk': 'The body of a failure comes in one piece: one DATA frame on HTTP/2.',
    '1.5-json-fencing-token-long': 'A fencing token of 37 bytes in JSON is bad_json.',
    '1.5-json-match-negative': 'A negative match_seq_num is bad_json.',
    '1.5-json-stream-name-empty': 'An empty stream name in POST /streams is bad_json.',
    '1.5-json-basin-name-capitals': 'A basin name with capitals in POST /basins is bad_json.',
    '1.5-proto-fencing-token-long': 'A fencing token of 37 bytes in protobuf is 422 invalid.',
    '1.5-invalid-empty-batch': '422 for a batch without records.',
    '1.5-invalid-too-many-records': '422 for more than 1000 records.',
    '1.5-invalid-too-large': '422 for more than 1 MiB metered.',
    '1.5-invalid-command': '422 for a command record that is none.',
    '1.5-invalid-base64': '422 for base64 that is none.',
    '1.5-invalid-age': '422 for a retention age of 0.',
    '1.5-invalid-two-starts': '422 for two of seq_num, timestamp and tail_offset.',
    '1.5-invalid-start-until': '422 for a start timestamp that is not below until.',
    '1.5-invalid-no-timestamp': '422 for a record without a timestamp where the mode is client-require.',
    '1.5-invalid-location': '422 for a PUT that names another location than the basin has.',
    '1.5-invalid-metrics-range': '422 for a range of metrics that is not allowed.',
    '1.5-form-before-existence': 'Header, path, query and body are checked before the resource is looked up: 400 and 422 come before 404.',
    '1.5-form-before-creation': 'A read that is refused for its form creates no stream.',
  },
  {
    '1.5-clients-retry': 'The TypeScript client tries again after 408, 429, 500, 502, 503, 504, and a 409 that is a transaction conflict.',
    '1.5-clients-need-json': 'The Rust client takes an error that is not JSON as fatal, and a code that it does not know by its status.',
    '1.5-clients-first-chunk': 'The TypeScript client reads an error from the first piece of the body.',
    '1.5-clients-side-effects': 'Whether something may have happened matters to clients with the policy noSideEffects only.',
    '1.5-code-not-implemented': '501 not_implemented: what the open-source server has no code for. Nothing is left out here.',
    '1.5-code-quota-exhausted': '403 quota_exhausted: the account of the hosted service is at a limit. Here is no such limit.',
    '1.5-code-upstream-timeout': '504 upstream_timeout: something between client and server gave up.',
  },
  {
    '1.5-code-client-hangup': ['499 client_hangup: nobody is there any more to hear it.', CODES],
    '1.5-code-hot-server': [
      '502 hot_server: no room now, and nothing was written.',
      { file: 'test/e2e/disk-full.test.ts', title: 'of segments: appends are refused once the backlog is at its bound' },
    ],
    '1.5-code-other': ['500 other: an unexpected failure.', CODES],
    '1.5-code-rate-limited': [
      '429 rate_limited: more than is served now, and nothing was written.',
      { file: 'test/core/api/memory.test.ts', title: 'beyond the budget they get 429 with Retry-After, and nothing of them is written' },
    ],
    '1.5-code-request-timeout': [
      '408 request_timeout: a body did not come in time.',
      { file: 'test/core/api/patience.test.ts', title: 'that stalls gets 408' },
    ],
    '1.5-code-storage': ['500 storage: a store failed.', CODES],
    '1.5-code-transaction-conflict': ['409 transaction_conflict: the control plane was changed at the same time; try again.', CONFLICT],
    '1.5-code-unavailable': ['503 unavailable: cannot serve now, and something may have happened.', CODES],
    '1.5-invalid-nonces': [
      '422 for an encrypted record beyond the nonces of aes-256-gcm (sequence number 2^32 − 1).',
      { file: 'test/core/channel/sequencer.test.ts', title: 'E6: under aes-256-gcm no record but commands gets a number above 2^32 − 1' },
    ],
  },
);
