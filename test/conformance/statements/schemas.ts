// Sections 1.7 to 1.9: JSON schemas, names, listing, idempotent creation.

import { statements } from './define.ts';

export const SCHEMAS = statements(
  {
    '1.7-basin-info':
      'A basin answers name, location, created_at, deleted_at (null while it is not deleted) and state (active or deleting).',
    '1.7-stream-info': 'A stream answers name, created_at, deleted_at (null while it is not deleted) and cipher (null without one).',
    '1.7-storage-class': 'storage_class is standard or express.',
    '1.7-retention': 'retention_policy is {"age": seconds above 0} or {"infinite": {}}.',
    '1.7-timestamping': 'timestamping has a mode (client-prefer, client-require, arrival) and uncapped (a boolean), both optional.',
    '1.7-delete-on-empty': 'delete_on_empty has min_age_secs, 0 if left out.',
    '1.7-config-fields-checked': 'A config field with a value outside of its type is refused with bad_json.',
    '1.7-basin-config': 'A basin config has default_stream_config, stream_cipher and the two create_stream_on_ flags.',
    '1.7-basin-config-defaults': 'Without values the flags are false and the cipher is null.',
    '1.7-stream-reconfiguration': 'Each field of a stream reconfiguration may be absent, null or a value.',
    '1.7-basin-reconfiguration':
      'default_stream_config and stream_cipher of a basin reconfiguration may be absent, null or a value; the flags are values.',
    '1.7-stream-position': 'A position has seq_num and timestamp.',
    '1.7-header': 'A header in JSON is an array of name and value.',
    '1.7-append-record': 'timestamp, headers and body of a record to append may be absent; the body is then empty.',
    '1.7-append-input': 'match_seq_num and fencing_token of an append may be absent; records may not.',
    '1.7-append-ack': 'An acknowledgement has start, end and tail.',
    '1.7-sequenced-record': 'A record that is read has seq_num and timestamp; headers and body are left out where empty.',
    '1.7-read-batch': 'A batch has records, and a tail or none.',
    '1.7-tail-response': 'A tail is wrapped in an object.',
    '1.7-error-info': 'code and message of a failure are strings.',
    '1.7-location-info': 'A location has name and is_private.',
    '1.7-stream-config-complete': 'GET of a stream config gives all four fields concrete values.',
    '1.7-basin-config-set-only':
      'GET of a basin config gives what was set: timestamping and delete_on_empty are null where nothing in them was.',
    '1.7-basin-config-storage-class': 'The storage class in a basin config is resolved: express, if it was not set.',
    '1.7-times': 'Times are RFC 3339 in UTC.',
    '1.7-basin-name-length': 'A basin name has 8 to 48 bytes.',
    '1.7-basin-name-characters': 'A basin name has small letters, digits and inner hyphens.',
    '1.7-basin-prefix': 'A prefix or start_after of basins has at most 48 bytes of the same characters, and does not start with a hyphen.',
    '1.7-stream-name-length': 'A stream name has 1 to 512 bytes.',
    '1.7-stream-name-characters': 'A stream name is any UTF-8 but `.`, `..` and what holds NUL.',
    '1.7-stream-prefix': 'A prefix or start_after of streams has at most 512 bytes of any UTF-8.',
    '1.7-token-id-length': 'The id of an access token has 1 to 96 bytes.',
    '1.7-token-id-characters': 'The id of an access token is any UTF-8 but `.`, `..` and what holds NUL.',
    '1.7-location-name': 'A location name has 1 to 64 letters, digits, colons, points and hyphens.',
    '1.7-request-token': 'A request token has 0 to 36 bytes.',
    '1.7-fencing-token': 'A fencing token is UTF-8 of 0 to 36 bytes.',
  },
  {
    '1.7-clients-parse-times': 'Clients take any precision below the second.',
  },
);

export const LISTING = statements(
  {
    '1.8-prefix': 'prefix, empty by default, selects the names that start with it.',
    '1.8-start-after': 'start_after, empty by default, selects the names strictly behind it.',
    '1.8-limit': 'limit bounds a page.',
    '1.8-limit-default': 'A limit that is absent, 0 or above 1000 means 1000.',
    '1.8-limit-not-a-number': 'A limit that is no number is refused with bad_query.',
    '1.8-order': 'Names come in the order of their UTF-8 bytes.',
    '1.8-start-after-below-prefix': 'A start_after below the range of the prefix has no effect.',
    '1.8-start-after-above-prefix': 'A start_after above the range of the prefix gives an empty page.',
    '1.8-has-more': 'has_more says whether at least one more name matches.',
    '1.8-empty-page': 'An empty page says has_more: false.',
    '1.8-deleted-included': 'What is being deleted is listed, with deleted_at.',
    '1.8-unknown-basin': 'Listing the streams of an unknown basin is 404.',
    '1.8-after-create': 'A list that starts after a creation was answered has it.',
    '1.8-after-delete': 'A list that starts after a deletion was answered shows it deleted, or not at all.',
  },
  {
    '1.8-clients-filter': 'Client libraries leave out what is deleted by themselves.',
    '1.8-other-unknown-basin': 'The open-source server lists the streams of an unknown basin as none.',
  },
);

export const IDEMPOTENCE = statements(
  {
    '1.9-same-token-same-config':
      'POST of a name that exists, with the same request token and config, changes nothing and answers the resource as it is.',
    '1.9-other-token': 'POST of a name that exists with another token, or none, is 409 resource_already_exists.',
    '1.9-other-config': 'POST of a name that exists with the same token and another config is 409 resource_already_exists.',
    '1.9-deleting': 'POST of a name that is being deleted is 409 deletion pending, with the same token too.',
    '1.9-key-is-requested-config': 'For streams the config that counts is the one in the request, before basin defaults.',
    '1.9-key-lives-with-resource': 'The token counts as long as the resource lives: not for its successor of the same name.',
    '1.9-exists-is-durable': 'What a creation is told to exist already is there after a crash too.',
    '1.9-key-durable': 'The token is stored with the resource: a repeat after a restart is recognised.',
    '1.9-put-no-token': 'PUT needs no token.',
    '1.9-put-compares-stream': 'PUT of a stream compares the request, merged with basin and system defaults, with what is stored.',
    '1.9-put-compares-basin': 'PUT of a basin takes the request as a whole: what it leaves out is the default.',
    '1.9-put-noop': 'PUT of what is stored answers 200 and noop.',
    '1.9-put-updated': 'PUT of something else replaces the stored config and answers 200 and updated.',
    '1.9-put-created': 'PUT of what is absent creates it and answers 201 and created.',
    '1.9-put-keeps-cipher': 'PUT of a stream never changes its cipher.',
    '1.9-put-other-location': 'PUT of a basin with another location than it has is 422.',
  },
  {
    '1.9-clients-token': 'Client libraries draw a token for each creation and keep it over their retries.',
  },
);
