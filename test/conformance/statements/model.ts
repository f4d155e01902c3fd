// Sections 1.1 to 1.3: what there is, how it is addressed, and which headers say what.

import { statements } from './define.ts';

export const MODEL = statements(
  {
    '1.1-basin-name-once': 'Of one name there is at most one basin in a deployment.',
    '1.1-stream-name-once': 'Of one name there is at most one stream in a basin; the same name in another basin is another stream.',
    '1.1-token-id-once': 'Of one id there is at most one access token in the account.',
    '1.1-one-default-location': 'Exactly one location of the account is the default.',
    '1.1-basin-config': 'A basin carries a default stream config, a stream cipher and two flags for creating streams on demand.',
    '1.1-stream-config-resolved': 'The config of a stream is resolved when the stream is created.',
    '1.1-stream-cipher-captured': 'The cipher of a stream is taken from its basin when the stream is created, and never changes.',
    '1.1-seq-nums-dense': 'Sequence numbers of a stream start at 0 and have no gaps.',
    '1.1-timestamps-never-fall': 'Timestamps of a stream never fall from one record to the next.',
    '1.1-record-parts': 'A record has a sequence number, a timestamp, headers in order (bytes for name and value), and a body of bytes.',
    '1.1-tail': 'The tail is the sequence number that the next record will get, with the timestamp of the last record.',
    '1.1-tail-unwritten': 'The tail of a stream that was never written is (0, 0).',
  },
  {
    '1.1-basin-name-global': 'In the hosted service a basin name is unique over all accounts.',
  },
);

export const ADDRESSING = statements(
  {
    '1.2-base-path': 'Every route of the API lies below /v1.',
    '1.2-one-origin': 'Account routes (basins, tokens, locations, metrics) and basin routes (streams, records) are served by one origin.',
    '1.2-basin-by-header': 'The header s2-basin selects the basin of a request for /streams.',
    '1.2-basin-missing': 'A request for /streams that names no basin is refused with 400 bad_header, and the message names s2-basin.',
    '1.2-basin-by-host': 'Without the header, the label before the configured suffix of the host selects the basin.',
    '1.2-basin-header-and-host-agree': 'Header and host may both name the basin if they name the same one (some clients send both).',
    '1.2-basin-header-and-host-differ': 'A header and a host that name different basins are refused with 400 bad_header.',
    '1.2-basin-header-beats-other-hosts': 'The header selects the basin whatever a host without the configured suffix is called.',
    '1.2-stream-one-segment':
      'A stream name is one percent-encoded path segment: it is decoded after the path is split, so %2F is part of the name.',
    '1.2-bad-percent': 'A path segment whose percent-encoding is broken is refused with 400 bad_path.',
    '1.2-bad-utf8': 'A path segment that does not decode to UTF-8 is refused with 400 bad_path.',
    '1.2-bad-name-in-path': 'A path segment that is no valid name of a stream or a basin is refused with 400 bad_path.',
  },
  {
    '1.2-cloud-urls': 'The hosted service has one host for the account and one for each basin.',
    '1.2-other-header-mandatory': 'The open-source server routes by the header alone, and requires it.',
    '1.2-clients-header':
      'The TypeScript and Go clients send s2-basin whenever a basin endpoint is set; others only without a placeholder in it.',
  },
);

export const HEADERS = statements(
  {
    '1.3-authorization-everywhere': 'Where authentication is on, every route below /v1 asks for a bearer token.',
    '1.3-authorization-missing': 'A request without a bearer token is refused with 401 authn.',
    '1.3-authorization-invalid': 'A request with a bearer token that is not valid is refused with 401 authn.',
    '1.3-basin-header-streams-only': 'Account routes take no account of s2-basin.',
    '1.3-request-token-max': 's2-request-token may have 36 bytes on POST /basins and POST /streams.',
    '1.3-request-token-long': 'A longer s2-request-token is refused with 400 bad_header.',
    '1.3-format-raw-default': 'Without s2-format, names, values and bodies in JSON are text (`raw`).',
    '1.3-format-base64': 'With s2-format: base64 they are base64, in unary appends and reads and in server-sent events.',
    '1.3-format-aliases': '`json` means raw, and `json-binsafe` means base64.',
    '1.3-format-unknown': 'Any other s2-format is refused with 400 bad_header.',
    '1.3-format-trimmed': 'Blanks around the value of s2-format do not count.',
    '1.3-format-not-for-proto': 's2-format does not matter where records travel as protobuf, unary or in sessions.',
    '1.3-key-length': 's2-encryption-key has 1 to 44 characters without blanks around it; otherwise 400 bad_header, whatever the stream.',
    '1.3-key-trimmed': 'Blanks around s2-encryption-key do not count.',
    '1.3-key-decoded-if-cipher': 's2-encryption-key is decoded only for a stream that has a cipher.',
    '1.3-stream-config-created':
      's2-stream-config holds a stream config in JSON; it goes over the defaults of the basin if the request creates the stream.',
    '1.3-stream-config-exists': 's2-stream-config does not touch a stream that exists.',
    '1.3-stream-config-where': 's2-stream-config works on appends and reads: unary, as server-sent events, and in sessions.',
    '1.3-stream-config-malformed': 'An s2-stream-config that is no stream config is refused with 400 bad_header.',
    '1.3-stream-config-invalid': 'An s2-stream-config with a retention age of 0 is refused with 422 invalid.',
    '1.3-content-type-session': 'content-type: s2s/proto on GET or POST of records selects a session.',
    '1.3-content-type-json': 'application/json, and any application/*+json, is a JSON body.',
    '1.3-content-type-proto': 'application/protobuf and application/x-protobuf are protobuf bodies.',
    '1.3-accept-first': 'Of several media types in accept only the first counts.',
    '1.3-accept-events': 'accept: text/event-stream on GET of records selects server-sent events.',
    '1.3-accept-proto': 'accept with protobuf selects a protobuf answer, for appends and for reads.',
    '1.3-accept-else-json': 'Any other accept, or none, selects JSON.',
    '1.3-last-event-id-malformed': 'A last-event-id that is not three numbers is refused with 400 bad_header.',
    '1.3-bad-header-bytes': 'A header whose bytes are no text is refused with 400 bad_header.',
    '1.3-provision-result-created': 'POST and PUT of basins and streams that create answer s2-provision-result: created.',
    '1.3-provision-result-updated': 'A PUT that changes something answers s2-provision-result: updated.',
    '1.3-provision-result-noop': 'A PUT that changes nothing, and a repeated POST, answer s2-provision-result: noop.',
    '1.3-streaming-no-cache': 'Server-sent events and sessions carry cache-control: no-cache, no-transform and x-accel-buffering: no.',
    '1.3-content-type-answers': 'Answers say what they are: application/json, application/protobuf, text/event-stream or s2s/proto.',
  },
  {
    '1.3-other-ignores-authorization': 'The open-source server takes no account of authorization.',
    '1.3-clients-send-token': 'Client libraries always send a bearer token.',
    '1.3-stream-config-new': 's2-stream-config is sent by the newest clients only.',
    '1.3-retry-after': 'Some clients wait at least retry-after-ms, which any error may carry.',
  },
);
