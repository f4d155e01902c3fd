/* A promise that must hold here. With -DONLY=PROMISE_<name> the others are not looked at, so that a search shows which one breaks. */

#ifdef ONLY
#define PROMISE_acknowledged_is_kept 1
#define PROMISE_one_payload_for_a_place 2
#define PROMISE_each_once_and_in_order 3
#define PROMISE_what_M_names_is_readable 4
#define PROMISE_at_most_a_window_is_adopted 5
#define PROMISE_never_an_alarm 6
#define PROMISE_statement_is_current 7
#define PROMISE_statement_stays_true 8
#define PROMISE_offload_applies 9
#define PROMISE_a_log_ends_beyond_what_is_offloaded 10
#define PROMISE_only_the_owner_states 11
#define HOLDS(name) assert(ONLY != PROMISE_##name || name)
#else
#define HOLDS(name) assert(name)
#endif
