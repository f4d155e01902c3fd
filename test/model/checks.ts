// What is checked: configurations that must hold, situations that they must meet, and planted bugs that must be found.

import type { Model } from './spin.ts';

/** Promises of which each is broken by some change. */
export type Broken =
  | 'acknowledged_is_kept'
  | 'one_payload_for_a_place'
  | 'each_once_and_in_order'
  | 'what_M_names_is_readable'
  | 'at_most_a_window_is_adopted'
  | 'a_log_ends_beyond_what_is_offloaded'
  | 'statement_is_current'
  | 'statement_stays_true';

export interface Configuration extends Model {
  readonly name: string;
}

export interface Situation extends Model {
  readonly name: string;
}

export interface Variant {
  readonly name: string;
  /** The rules of docs/protocol.md without which it would be so. */
  readonly rules: string;
  /** The promise that it must break: no other one is looked at. */
  readonly breaks: Broken;
  /** The model that it is planted in; the second time with every landing as a step of its own. */
  readonly models: readonly Model[];
}

const chunkLog = (...defines: string[]): Model => ({ file: 'chunk-log.pml', defines });
const lease = (...defines: string[]): Model => ({ file: 'lease.pml', defines });

export const QUICK: Configuration = { name: 'two owners and a zombie, 3 positions', ...chunkLog() };

/** EPOCHS - 1 owners take over; the first owner, and each that was taken over, goes on putting at its epoch. */
export const CONFIGURATIONS: readonly Configuration[] = [
  QUICK,
  { name: 'the same, 4 positions', ...chunkLog('POS=4') },
  { name: 'the same, 4 positions, 3 in flight', ...chunkLog('POS=4', 'P=3') },
  { name: 'every landing a step, one owner and a zombie', ...chunkLog('EAGER', 'EPOCHS=2') },
  { name: 'every landing a step, two owners and a zombie, 2 positions', ...chunkLog('EAGER', 'POS=2') },
  { name: 'a zone is wiped', ...chunkLog('WIPE') },
  { name: 'a zone is wiped, every landing a step', ...chunkLog('WIPE', 'EAGER', 'EPOCHS=2') },
  { name: 'any chunks of a zone are torn', ...chunkLog('TORN') },
  { name: 'any chunks of a zone are torn, every landing a step', ...chunkLog('TORN', 'EAGER', 'EPOCHS=2') },
  { name: 'offload, gc, sweep', ...chunkLog('OFFLOAD') },
  { name: 'offload, gc, sweep of two streams', ...chunkLog('OFFLOAD', 'STREAMS=2', 'EPOCHS=2') },
  { name: 'offload, gc, sweep, every landing and deletion a step', ...chunkLog('OFFLOAD', 'EAGER', 'EPOCHS=2') },
  { name: 'offload, gc, sweep, and a zone is wiped', ...chunkLog('OFFLOAD', 'WIPE', 'EPOCHS=2') },
  { name: 'offload, gc, sweep, and chunks are torn', ...chunkLog('OFFLOAD', 'TORN', 'EPOCHS=2') },
  { name: 'answers by a barrier, 4 positions', ...chunkLog('STATEMENTS', 'EPOCHS=2', 'POS=4') },
  { name: 'leases of three owners', ...lease('APPENDS=2') },
];

const met = (reach: string, model: Model): Situation => ({
  name: reach.replaceAll('_', ' '),
  file: model.file,
  defines: [...model.defines, `REACH=${reach}`],
});

export const SITUATIONS: readonly Situation[] = [
  met('whole_window_adopted', chunkLog()),
  met('commit_point_raised', chunkLog()),
  met('adopted_after_a_takeover_that_died', chunkLog()),
  met('second_takeover', chunkLog()),
  met('zombie_acknowledges_what_was_adopted', chunkLog('EAGER', 'EPOCHS=2')),
  met('adopted_after_a_zone_was_wiped', chunkLog('WIPE')),
  met('torn_everywhere_else_sealed', chunkLog('TORN')),
  met('claim_while_an_offload_is_pending', chunkLog('OFFLOAD')),
  met('rows_added_while_recovering', chunkLog('OFFLOAD')),
  met('log_dropped', chunkLog('OFFLOAD')),
  met('zombie_answers_by_a_barrier', chunkLog('STATEMENTS', 'EPOCHS=2')),
  met('claimed_from_one_that_was_active', lease()),
  met('last_chunk_adopted', lease()),
  met('renewed_while_watched', lease()),
  met('zombie_acknowledges_what_was_adopted', lease()),
];

function planted(name: string, rules: string, breaks: Broken, bugs: readonly string[], ...more: string[]): Variant {
  const defines = ['BUG', ...bugs.map((bug) => `BUG_${bug}`), ...more];
  const positions = more.includes('OFFLOAD') ? ['POS=2'] : [];
  return { name, rules, breaks, models: [chunkLog(...defines), chunkLog(...defines, 'EAGER', 'EPOCHS=2', ...positions)] };
}

function plantedInLease(name: string, rules: string, breaks: Broken, bug: string): Variant {
  return { name, rules, breaks, models: [lease('BUG', `BUG_${bug}`)] };
}

export const VARIANTS: readonly Variant[] = [
  planted('R = 1', 'C7 C8 C9', 'acknowledged_is_kept', ['R1']),
  planted('W = 1', 'C1', 'acknowledged_is_kept', ['W1']),
  planted('a chunk is acknowledged before the one below it is committed', 'C1 C5 L4', 'acknowledged_is_kept', ['ACK_OUT_OF_ORDER']),
  planted('a late answer moves c: records are doubled', 'C8', 'each_once_and_in_order', ['LATE_ANSWER']),
  planted('a late answer moves c: records are lost', 'C8', 'acknowledged_is_kept', ['LATE_ANSWER', 'LATE_ANSWER_LOSES']),
  planted('a position is empty where R zones are, unsealed', 'C9', 'acknowledged_is_kept', ['ABSENT_IS_EMPTY']),
  planted('c is not raised to what adopted headers say', 'C11', 'at_most_a_window_is_adopted', ['NO_RAISE']),
  planted('a wiped zone counts', 'C7 Z4', 'acknowledged_is_kept', ['WIPED_COUNTS'], 'WIPE'),
  planted('torn is taken for absent', 'C10', 'acknowledged_is_kept', ['TORN_IS_ABSENT'], 'TORN'),
  planted('an epoch is resumed', 'C16 L7 M2', 'one_payload_for_a_place', ['RESUME'], 'EPOCHS=2'),
  planted('a barrier that was put before the request came', 'L5', 'statement_is_current', ['EARLIER_BARRIER'], 'STATEMENTS', 'EPOCHS=2'),
  planted(
    'a publish without the condition on the version',
    'M1 M3 M4 L9',
    'what_M_names_is_readable',
    ['PUBLISH_WITHOUT_VERSION'],
    'OFFLOAD',
  ),
  planted('replay after the publish', 'L8', 'one_payload_for_a_place', ['REPLAY_AFTER_PUBLISH'], 'OFFLOAD'),
  planted("a stale read of a stream's state", 'S4', 'one_payload_for_a_place', ['STALE_STATE'], 'OFFLOAD'),
  planted('an offload that does not start at base', 'O4 M6', 'acknowledged_is_kept', ['OFFLOAD_NOT_FROM_BASE'], 'OFFLOAD', 'STREAMS=2'),
  planted(
    'a takeover that does not heed the pending offload',
    'C8 M4',
    'a_log_ends_beyond_what_is_offloaded',
    ['FLOOR_WITHOUT_PENDING'],
    'OFFLOAD',
  ),
  planted('gc deletes the last seal', 'C13 G1', 'acknowledged_is_kept', ['SEAL_DELETED'], 'OFFLOAD'),
  planted('sweep deletes the last seal', 'C13 G9', 'acknowledged_is_kept', ['SWEEP_TAKES_SEALS'], 'OFFLOAD'),
  {
    name: 'sweep takes the log of a takeover under way for an orphan',
    rules: 'G9',
    breaks: 'acknowledged_is_kept',
    models: [
      chunkLog('BUG', 'BUG_SWEEP_TAKES_THE_NEWEST', 'OFFLOAD'),
      chunkLog('BUG', 'BUG_SWEEP_TAKES_THE_NEWEST', 'OFFLOAD', 'EAGER', 'POS=2', 'P=1'),
    ],
  },
  plantedInLease('a claim without the lease counter', 'L7 M1', 'statement_is_current', 'CLAIM_WITHOUT_COUNTER'),
  plantedInLease('a claim that does not wait', 'L2', 'statement_is_current', 'CLAIM_WITHOUT_WAITING'),
  plantedInLease('a lease that counts from the answer', 'L1', 'statement_is_current', 'LEASE_FROM_THE_ANSWER'),
  plantedInLease('a lease without a margin for clock rates', 'L1 L2', 'statement_is_current', 'NO_MARGIN'),
  plantedInLease('a renewal that arrives late brings back an old counter', 'M1', 'statement_is_current', 'LATE_RENEWAL'),
  plantedInLease('a machine that was suspended trusts its monotonic clock', 'L3', 'statement_is_current', 'TRUSTS_THE_MONOTONIC_CLOCK'),
  plantedInLease('a tail is stated without lease or barrier', 'L5', 'statement_is_current', 'STATES_WITHOUT_LEASE'),
  plantedInLease('a tail is stated that is not committed', 'L5', 'statement_stays_true', 'STATES_THE_ASSIGNED'),
  plantedInLease('an owner answers after its release', 'L6 L11', 'statement_is_current', 'ANSWERS_AFTER_RELEASE'),
];

/** Found within a second or two each, at least one a promise: what a test has time for. */
export const QUICK_VARIANTS: readonly string[] = [
  'R = 1',
  'W = 1',
  'a late answer moves c: records are doubled',
  'c is not raised to what adopted headers say',
  'an epoch is resumed',
  'a publish without the condition on the version',
  'a takeover that does not heed the pending offload',
  'gc deletes the last seal',
  'a claim without the lease counter',
  'a tail is stated that is not committed',
];
