// Section 5: configuration, encryption, lifecycles.

import { statements } from './define.ts';

export const CONFIG_FIELDS = statements(
  {
    '5.1-storage-class-default': 'The storage class is express by default.',
    '5.1-storage-class': 'A storage class that is set is given back.',
    '5.1-retention-default': 'Retention is 604800 s by default.',
    '5.1-retention-shapes': 'Retention is written as {"age": n} or {"infinite": {}}, exactly.',
    '5.1-retention-trims': 'Records older than the age, by their arrival, go away.',
    '5.1-mode-default': 'The timestamping mode is client-prefer by default.',
    '5.1-uncapped-default': 'uncapped is false by default.',
    '5.1-delete-on-empty-default': 'min_age_secs is 0 by default, which turns it off.',
  },
  {
    '5.1-storage-class-latency': 'What latency the hosted service gives a storage class, and when a change takes effect there.',
    '5.1-other-retention': 'In the open-source server a changed retention concerns later appends only.',
  },
);

export const RESOLUTION = statements({
  '5.2-field-by-field': 'At creation each field is that of the request, else of the basin, else of the system.',
  '5.2-nested': 'That holds inside timestamping and delete_on_empty too.',
  '5.2-later-basin-changes': 'Later changes of the basin do not touch a stream that exists.',
});

export const PATCH = statements(
  {
    '5.3-absent': 'A field that is absent stays.',
    '5.3-value': 'A field with a value is set.',
    '5.3-stream-null': 'null in a stream: the field is resolved anew, from the basin as it is now, else from the system.',
    '5.3-stream-nested': 'Nested objects are merged: setting uncapped keeps the mode.',
    '5.3-stream-nested-null': 'null for a nested object clears all of it.',
    '5.3-basin-null': 'null in a basin: the field is not set any more.',
    '5.3-basin-default-null': 'default_stream_config: null clears all of it; an object is merged.',
    '5.3-flags-null': 'null for a create_stream_on_ flag changes nothing.',
    '5.3-cipher': 'stream_cipher of a basin may be set and cleared; it counts for streams created later.',
    '5.3-empty': '{} changes nothing and answers 200 with the config.',
    '5.3-response': 'The answer is the whole resulting config, of a stream resolved.',
    '5.3-age-zero': 'A retention age of 0 is 422.',
    '5.3-missing': 'A resource that is missing is 404.',
    '5.3-deleting': 'One that is being deleted is 409.',
    '5.3-body-before-existence': 'The body is checked before that.',
    '5.3-next-append': 'The new config holds for the next append, in sessions that are open too.',
  },
  {
    '5.3-other-flags-null': 'The open-source server refuses null for the flags.',
  },
);

export const ENCRYPTION = statements(
  {
    '5.4-ciphers': 'The cipher of a basin is aegis-256 or aes-256-gcm.',
    '5.4-copied': 'It is the immutable cipher of each new stream.',
    '5.4-key-each-time': 'A key of 32 bytes, in base64, comes with every append and read, in each transport.',
    '5.4-tail-without-key': 'A check of the tail needs no key.',
    '5.4-aegis-round-trip': 'Records under aegis-256 are read back.',
    '5.4-aes-round-trip': 'Records under aes-256-gcm are read back.',
    '5.4-key-missing': 'A missing key is 400 bad_header, and the message names the cipher.',
    '5.4-key-not-base64': 'A key that is no base64 is 400 bad_header.',
    '5.4-key-wrong-length': 'A key of another length is 400 bad_header.',
    '5.4-key-before-create': 'All that is told before a stream is created.',
    '5.4-wrong-key-append': 'An append under another key succeeds: a stream may hold records under several.',
    '5.4-wrong-key-unary': 'A unary read of records under another key is 400 decryption_failed.',
    '5.4-wrong-key-events': 'With server-sent events it is an error event.',
    '5.4-wrong-key-session': 'In a session it is a terminal frame.',
    '5.4-key-without-cipher': 'A key for a stream without a cipher does not matter.',
    '5.4-commands-plain': 'Command records are not encrypted: they take effect, and are read under any key.',
    '5.4-metered-plain': 'Metered is the plaintext.',
  },
  {
    '5.4-other-format': 'How the open-source server lays out encrypted records.',
    '5.4-libraries': 'Which libraries have AEGIS-256.',
    '5.4-suites': 'Which suites of clients exercise it.',
  },
  {
    '5.4-never-stored': [
      'The key is never stored or logged.',
      { file: 'test/e2e/encryption.test.ts', title: 'E5: neither a key nor a plain record is ever on disk or in what the process prints' },
    ],
    '5.4-nonces': [
      'aes-256-gcm: encrypted records end at sequence number 2^32 − 1; commands do not.',
      { file: 'test/core/channel/sequencer.test.ts', title: 'E6: under aes-256-gcm no record but commands gets a number above 2^32 − 1' },
    ],
  },
);

export const DELETE_ON_EMPTY = statements(
  {
    '5.5-deletes': 'A stream without records that was not written for min_age_secs is deleted, if retention is an age.',
    '5.5-off': 'With min_age_secs of 0 it is not.',
    '5.5-infinite': 'With infinite retention it is not.',
    '5.5-not-empty': 'One with records is not.',
  },
  {
    '5.5-other-deadline': 'When the open-source server looks.',
  },
);

export const STREAM_LIFECYCLE = statements({
  '5.6-accepted': 'DELETE of a stream is 202, and no append is acknowledged from then on.',
  '5.6-pending-listed': 'While it is being deleted it is listed with deleted_at.',
  '5.6-pending-refused': 'Config, append, read, tail, POST and PUT are then 409 stream_deletion_pending.',
  '5.6-pending-delete': 'A repeated DELETE is 202.',
  '5.6-removed': 'Later data and name are gone: DELETE and GET are 404, and the name is free.',
  '5.6-open-reads': 'Open read sessions end with an error.',
  '5.6-anew': 'A stream created again starts at 0, without a fencing token.',
});

export const BASIN_LIFECYCLE = statements(
  {
    '5.7-accepted': 'DELETE of a basin is 202, also repeated.',
    '5.7-streams-first': 'Its streams are deleted, then its name is free.',
    '5.7-pending-listed': 'While it is being deleted it is listed with deleted_at and state deleting.',
    '5.7-pending-refused': 'POST, PUT and PATCH of it, and creating and changing streams, are then 409 basin_deletion_pending.',
    '5.7-pending-auto-create': 'So are appends and reads that would create a stream.',
    '5.7-pending-config': 'GET of its config is 200 or 404.',
    '5.7-ready-at-once': 'A basin that was just created serves at once.',
  },
  {
    '5.7-cloud-warm-up': 'The hosted service may need some time for a new basin.',
  },
);
