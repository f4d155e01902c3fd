// Section 3: reads.

import { statements } from './define.ts';

export const READ_PARAMETERS = statements({
  '3.1-seq-num': 'seq_num starts at that sequence number.',
  '3.1-timestamp': 'timestamp starts at the first record with that timestamp or a later one.',
  '3.1-tail-offset': 'tail_offset starts that many records before the tail, at the beginning if there are not as many.',
  '3.1-start-default': 'Without a start, the read starts at the tail.',
  '3.1-clamp': 'clamp, false by default, takes the tail for a start beyond it.',
  '3.1-count': 'count bounds the records of the whole read.',
  '3.1-bytes': 'bytes bounds the metered bytes of the whole read.',
  '3.1-until': 'until ends the read before the first record with that timestamp or a later one.',
  '3.1-wait': 'wait is how many seconds to wait at the tail.',
  '3.1-two-starts': 'Two of seq_num, timestamp and tail_offset are 422.',
  '3.1-start-not-below-until': 'A timestamp to start at that is not below until is 422.',
  '3.1-booleans': 'Booleans are true or false; anything else is bad_query.',
  '3.1-numbers': 'Numbers are whole and not negative: 64 bits, 32 for wait; anything else is bad_query.',
  '3.1-follow-wait': 'With wait a read follows the tail if wait is above 0.',
  '3.1-follow-unbounded': 'Without wait a read follows the tail if it has no count, bytes or until.',
});

export const READ_START = statements({
  '3.2-beyond-seq-num': 'A sequence number beyond the tail is 416.',
  '3.2-beyond-timestamp': 'A timestamp beyond that of the tail is 416.',
  '3.2-clamped': 'With clamp it is the tail, if the read may wait there.',
  '3.2-at-tail': 'A start at the tail is 416 if the read does not follow.',
  '3.2-default-unary': 'A unary read without parameters is 416.',
  '3.2-empty-stream': 'So is one from 0 on an empty stream.',
  '3.2-clamp-no-rescue': 'clamp does not rescue a read at the tail that does not wait.',
  '3.2-clamp-long-poll': 'clamp with wait is a long poll from the tail.',
  '3.2-timestamp-at-tail': 'A timestamp equal to that of the tail gives the first record that has it.',
  '3.2-timestamp-empty-stream': 'timestamp=0 on an empty stream is 200 without records.',
  '3.2-trimmed-start': 'A start that was trimmed gives the first record that is left at or behind it.',
  '3.2-all-trimmed': 'If nothing is left, a start below the tail is 200 without records, or follows.',
});

export const READ_LIMITS = statements({
  '3.3-whole-records': 'A record is given only if it keeps within count, bytes and until.',
  '3.3-zero': 'count=0 or bytes=0 from a written start is 200 without records.',
  '3.3-bytes-below-first': 'bytes smaller than the first record gives no record.',
  '3.3-batch-max': 'One batch has at most 1000 records and 1 MiB metered.',
});

export const READ_UNARY = statements(
  {
    '3.4-bounded': 'A unary read gives at most 1000 records and 1 MiB, whatever is asked for.',
    '3.4-follows-if-wait': 'A unary read waits only if wait is above 0.',
    '3.4-wait-capped': 'It waits at most 60 s.',
    '3.4-at-once': 'What is there is given at once, without waiting for more.',
    '3.4-long-poll': 'With wait, at the tail, the first batch that comes is given, within the limits.',
    '3.4-wait-expires': 'When the wait is over the answer is 200 without records.',
    '3.4-accept': 'The answer is a JSON or a protobuf batch, by accept.',
    '3.4-raw-lossy': 'raw gives bytes that are no UTF-8 as replacement characters.',
    '3.4-base64-exact': 'base64 is exact.',
  },
  {
    '3.4-tail-optional': 'Clients take the tail of a unary batch as optional.',
  },
);

export const READ_STREAMING = statements(
  {
    '3.5-preflight': 'What is wrong at the start is an ordinary HTTP error before any byte of the stream.',
    '3.5-catch-up': 'Catching up gives batches without a tail, of at most 1000 records and 1 MiB.',
    '3.5-ends-at-tail': 'A read that does not follow ends at the tail, cleanly.',
    '3.5-heartbeat-at-tail': 'A read that follows gets a heartbeat with the tail at once when it has caught up.',
    '3.5-live': 'Live batches come as they are written, with a tail.',
    '3.5-heartbeat-idle': 'While idle a heartbeat comes every 5 to 15 s.',
    '3.5-wait-between-records': 'wait runs from the tail, anew after each batch, not after heartbeats; then the read ends cleanly.',
    '3.5-limit-ends': 'count, bytes or until end the read cleanly, in the middle of a batch too.',
    '3.5-lagging': 'A follower that lags catches up without gap or repeat, and is told the tail again.',
    '3.5-unbounded-forever': 'Without wait and limits the read goes on.',
    '3.5-bounded-no-wait': 'With a limit and without wait the read does not wait.',
  },
  {},
  {
    '3.5-durable-only': [
      'Nothing is visible that is not durable.',
      { file: 'test/core/channel/channel.test.ts', title: 'T1: a follower is woken by the commit, and sees nothing before it' },
    ],
  },
);

export const READ_EVENTS = statements(
  {
    '3.6-request': 'accept: text/event-stream is answered with 200 and text/event-stream.',
    '3.6-batch': 'A batch event has a batch in JSON in the requested format.',
    '3.6-batch-id': 'Its id is the last sequence number, the records and the metered bytes so far.',
    '3.6-ping': 'A ping event has the time of the server and the tail.',
    '3.6-ping-no-id': 'A ping has no id.',
    '3.6-done': 'Without an error, data of [DONE] without an event name comes last.',
    '3.6-resume': 'last-event-id goes on behind its sequence number, whatever the start in the query.',
    '3.6-resume-limits': 'last-event-id takes its records and bytes off count and bytes, not below 0.',
    '3.6-resume-seeded': 'Ids go on from the records and bytes of last-event-id, so that a second resume counts them too.',
    '3.6-error': 'An error event has the JSON of the failure, and ends the stream without [DONE].',
  },
  {
    '3.6-other-resume': 'The open-source server counts ids anew on each connection.',
    '3.6-clients-error': 'The TypeScript client takes an error event as worth another try, and waits 25 s between events.',
  },
);

export const READ_COMMANDS = statements(
  {
    '3.7-no-parameter': 'Command records are read by everyone: no parameter of the server leaves them out.',
  },
  {
    '3.7-client-side': 'ignore_command_records is a filter of the clients.',
  },
);

export const CONSISTENCY = statements(
  {
    '3.8-read-after-ack': 'A read that starts after an append was acknowledged sees it.',
    '3.8-tail-after-ack': 'A tail that is asked for after an append was acknowledged is not below it.',
  },
  {},
  {
    '3.8-linearizable': [
      'Appends, reads and tails are linearizable.',
      { file: 'test/sim/sim.test.ts', title: 'the history is linearizable, nothing is lost' },
    ],
  },
);
