/* What was told to appenders and readers, and what must hold of it. */

byte told[STREAMS * SEQS];                /* who sequenced the record at this place, once anybody was told of it */

/* Scratch of single steps: nothing of it outlives a d_step. */
hidden byte i, j, x, s, n;
hidden int w;
hidden byte view[2];
hidden byte acknowledged_is_kept, one_payload_for_a_place, each_once_and_in_order, what_M_names_is_readable;
hidden byte at_most_a_window_is_adopted, never_an_alarm, statement_is_current, offload_applies, a_log_ends_beyond_what_is_offloaded;

inline canon() {
  if :: zone[0] > zone[1] -> w = zone[0]; zone[0] = zone[1]; zone[1] = w :: else fi;
  if :: zone[1] > zone[2] -> w = zone[1]; zone[1] = zone[2]; zone[2] = w :: else fi;
  if :: zone[0] > zone[1] -> w = zone[0]; zone[0] = zone[1]; zone[1] = w :: else fi;
  w = 0
}

/* Somebody is told that record x stands at its place: from now on no other may. */
inline tell(record) {
  x = record;
  one_payload_for_a_place = (told[STREAM(x) * SEQS + SEQ(x)] == 0 || told[STREAM(x) * SEQS + SEQ(x)] == BY(x));
  HOLDS(one_payload_for_a_place);
  told[STREAM(x) * SEQS + SEQ(x)] = BY(x)
}

inline view_log(e, upTo) {
  i = base[e];
  do
  :: i < upTo ->
    what_M_names_is_readable = READABLE(e, i);
    HOLDS(what_M_names_is_readable);
    x = content[AT(e, i)];
    s = STREAM(x); n = SEQ(x);
    if
    :: BY(x) == 0                /* holds no record */
    :: BY(x) != 0 && n < offloaded[s] -> one_payload_for_a_place = (told[s * SEQS + n] == BY(x)); HOLDS(one_payload_for_a_place)
    :: BY(x) != 0 && n >= offloaded[s] ->
      each_once_and_in_order = (n == view[s]);
      HOLDS(each_once_and_in_order);
      acknowledged_is_kept = (told[s * SEQS + n] == 0 || told[s * SEQS + n] == BY(x));
      HOLDS(acknowledged_is_kept);
      view[s] = n + 1
    fi;
    i++
  :: else -> break
  od
}

/*
 * What a reader finds in segments and then in the logs that M names, in their order. Of the open log all that its writer knows to
 * be committed counts. Everything that anybody was told of must be there, once, in order, and have a copy.
 */
inline check() {
  s = 0;
  do :: s < STREAMS -> view[s] = offloaded[s]; s++ :: else -> break od;
  j = 1;
  do
  :: j <= EPOCHS ->
    if
    :: CLOSED(j) -> view_log(j, end[j])
    :: LISTED(j) && openLog == j -> view_log(j, commit[j])
    :: else
    fi;
    j++
  :: else -> break
  od;
  s = 0;
  do
  :: s < STREAMS ->
    n = view[s];
    do
    :: n < SEQS -> acknowledged_is_kept = (told[s * SEQS + n] == 0); HOLDS(acknowledged_is_kept); n++
    :: else -> break
    od;
    s++
  :: else -> break
  od;
  i = 0; j = 0; x = 0; s = 0; n = 0; view[0] = 0; view[1] = 0
}

#ifdef BUG_RESUME
#define CHECK()
#else
#define CHECK() check()
#endif

/* M was changed: every condition on an earlier version fails from now on. */
inline changed() { i = 0; do :: i <= EPOCHS -> unchanged[i] = 0; i++ :: else -> break od; i = 0 }

/* Situations that a check must have met, or it has shown nothing: -DREACH=<name> fails where one is met. */
#ifdef REACH
#define whole_window_adopted 1
#define commit_point_raised 2
#define adopted_after_a_takeover_that_died 3
#define zombie_acknowledges_what_was_adopted 4
#define claim_while_an_offload_is_pending 5
#define second_takeover 6
#define adopted_after_a_zone_was_wiped 7
#define torn_everywhere_else_sealed 8
#define zombie_answers_by_a_barrier 9
#define rows_added_while_recovering 10
#define log_dropped 11
#define SITUATION(name, condition) assert(!(REACH == name && (condition)))
#else
#define SITUATION(number, condition) skip
#endif

/* With a planted bug an alarm halts, and does not count: only a broken promise does. */
#ifdef BUG
#define ALARM() stage[me] = GONE
#define REFUSED() skip
#else
#define REFUSED() offload_applies = 0; HOLDS(offload_applies)
#define ALARM() never_an_alarm = 0; HOLDS(never_an_alarm)
#endif
