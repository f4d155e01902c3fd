/*
 * Leases: what an owner may say without committing anything (a tail, 412, the end of a read), and whom they keep waiting.
 *
 * The chunk log is one number here: how far it is committed, which a successor ends. That this is so is shown by chunk-log.pml.
 * Time is real time in ticks, of which nobody knows more than his own timers; a timer counts the ticks that are left. Any number
 * of ticks may pass between two steps. A lease of OWNED ticks is what L(1 - rate error) is at most on a clock that is slow, and a
 * watch of WATCHED ticks what L(1 + rate error) is at least on a fast one: the margin makes OWNED <= WATCHED.
 *
 * M's version and lease counter matter only by whether they are what somebody saw: a bit each, for each claimant.
 */

#include "holds.pml"

#ifndef OWNERS
#define OWNERS 3
#endif
#ifndef APPENDS
#define APPENDS 1                         /* by each owner */
#endif
#define WATCHED 2
#ifdef BUG_NO_MARGIN
#define OWNED 3
#else
#define OWNED 2
#endif

#define IDLE 0
#define WATCHING 1
#define RECOVERING 2
#define ACTIVE 3
#define STOPPED 4

byte stage[OWNERS + 1];
byte epoch = 1;
bit released;
byte openLog = 1;                         /* the log in M that is open: its owner's who published last */
bit sameVersion[OWNERS + 1], sameCounter[OWNERS + 1];    /* M is as the claimant saw it */

byte watch[OWNERS + 1];                   /* what is left of the watch */
byte lease[OWNERS + 1];                   /* what is left of the lease */
byte sent[OWNERS + 1];                    /* what will be left of the lease that the renewal under way gives */
byte renewal[OWNERS + 1];                 /* 0: none; 1: sent; 2: taken effect, not answered */
bit suspended[OWNERS + 1];

byte assigned[OWNERS + 1], commit[OWNERS + 1], appends[OWNERS + 1];
byte limit[OWNERS + 1];                   /* where the log ends, once it is sealed; 255 before */
byte acknowledged;                        /* the greatest tail that any appender was told */
byte stated;                              /* the greatest tail that anybody was told without a commit */

hidden byte i;
hidden byte statement_is_current, statement_stays_true, only_the_owner_states;

#ifdef REACH
#define claimed_from_one_that_was_active 1
#define last_chunk_adopted 2
#define renewed_while_watched 3
#define zombie_acknowledges_what_was_adopted 4
#define SITUATION(name, condition) assert(!(REACH == name && (condition)))
#else
#define SITUATION(number, condition) skip
#endif

inline changed() { i = 1; do :: i <= OWNERS -> sameVersion[i] = 0; i++ :: else -> break od; i = 0 }
inline renewed() { i = 1; do :: i <= OWNERS -> sameCounter[i] = 0; i++ :: else -> break od; i = 0 }

#define OWNER_IN_M (epoch == me && !released)
#define AWAKE (!suspended[me])
#ifdef BUG_STATES_WITHOUT_LEASE
#define MAY_STATE 1
#else
#define MAY_STATE (lease[me] > 0)
#endif
#ifdef BUG_STATES_THE_ASSIGNED
#define KNOWN assigned[me]
#else
#define KNOWN commit[me]
#endif
#ifdef BUG_CLAIM_WITHOUT_COUNTER
#define AS_SEEN sameVersion[me]
#else
#define AS_SEEN (sameVersion[me] && sameCounter[me])
#endif
#ifdef BUG_CLAIM_WITHOUT_WAITING
#define WAITED 1
#else
#define WAITED (watch[me] == 0 || released)
#endif

inline claim() {
  printf("owner %d claims\n", me);
  SITUATION(claimed_from_one_that_was_active, stage[me - 1] == ACTIVE);
  if
  :: stage[me - 1] == RECOVERING ->       /* it is overtaken: nothing that it does is seen any more */
    stage[me - 1] = STOPPED; lease[me - 1] = 0; sent[me - 1] = 0; renewal[me - 1] = 0; commit[me - 1] = 0; assigned[me - 1] = 0
  :: else
  fi;
  epoch = me; released = 0;
  limit[openLog] = 255;                   /* whoever was recovering is overtaken, and its seals may as well not have landed */
  stage[me] = RECOVERING;
  lease[me] = (me < OWNERS -> OWNED : 1);  /* sent just now; a late answer only makes it shorter, by ticks */
  watch[me] = 0;
  changed(); renewed()
}

/* Steps 2 to 5 of a takeover: the log of the last owner ends at its commit point, or beyond, where its last chunk is adopted. */
inline seal(end) {
  printf("owner %d seals the log at %d\n", me, end);
  SITUATION(last_chunk_adopted, end > commit[openLog]);
  limit[openLog] = end;
  commit[me] = end; assigned[me] = end;
  statement_stays_true = (end >= stated);
  HOLDS(statement_stays_true)
}

inline state() {
  printf("owner %d says that the tail is %d\n", me, KNOWN);
  statement_is_current = (KNOWN >= acknowledged);
  HOLDS(statement_is_current);
#ifndef BUG
  only_the_owner_states = (epoch == me);
  HOLDS(only_the_owner_states);
#endif
  if :: KNOWN > stated -> stated = KNOWN :: else fi
}

proctype Owner(byte me) {
  do
  /* An owner appends as long as its log is not sealed; for what was adopted the answers may come later. Never by its lease. */
  :: d_step { stage[me] == ACTIVE && AWAKE && appends[me] < APPENDS && assigned[me] == commit[me] -> assigned[me]++; appends[me]++ }
  :: d_step { stage[me] == ACTIVE && AWAKE && commit[me] < assigned[me] && commit[me] < limit[me] ->
       printf("owner %d acknowledges record %d\n", me, commit[me]);
       SITUATION(zombie_acknowledges_what_was_adopted, epoch > me);
       commit[me]++;
       if :: commit[me] > acknowledged -> acknowledged = commit[me] :: else fi }
  :: d_step { stage[me] == ACTIVE && AWAKE && MAY_STATE -> state() }

  /* Renewals: one at a time, conditional on the epoch. Nobody comes after the last owner: it needs none, and no sleep. */
  :: d_step { (stage[me] == RECOVERING || stage[me] == ACTIVE) && AWAKE && renewal[me] == 0 && epoch == me && me < OWNERS -> renewal[me] = 1; sent[me] = OWNED }
  :: d_step { renewal[me] == 1 && OWNER_IN_M -> printf("owner %d: a renewal takes effect\n", me); SITUATION(renewed_while_watched, stage[me + 1] == WATCHING); renewal[me] = 2; renewed() }
  :: d_step { renewal[me] == 1 && !OWNER_IN_M -> renewal[me] = 0; sent[me] = 0 }
  :: d_step { renewal[me] == 2 && AWAKE ->
       printf("owner %d: the renewal is answered\n", me);
#ifdef BUG_LEASE_FROM_THE_ANSWER
       lease[me] = OWNED;
#else
       if :: sent[me] > lease[me] -> lease[me] = sent[me] :: else fi;
#endif
       renewal[me] = 0; sent[me] = 0 }
#ifdef BUG_LATE_RENEWAL
  /* An old renewal arrives once more, and brings back the counter that a claimant had seen. */
  :: d_step { stage[me] == ACTIVE && OWNER_IN_M && me < OWNERS && stage[me + 1] == WATCHING && !sameCounter[me + 1] ->
       printf("an old renewal of owner %d arrives once more\n", me); sameCounter[me + 1] = 1 }
#endif

  /* A release: from its start on nothing is said any more. */
  :: d_step { stage[me] == ACTIVE && AWAKE && OWNER_IN_M && me < OWNERS && commit[me] == assigned[me] ->
       printf("owner %d releases\n", me);
#ifndef BUG_ANSWERS_AFTER_RELEASE
       stage[me] = STOPPED; lease[me] = 0; sent[me] = 0; renewal[me] = 0;
#endif
       released = 1; changed() }

  /* A machine sleeps: its monotonic clock stands still. When it wakes, wall and monotonic clock have parted: the lease is lost. */
  :: d_step { stage[me] == ACTIVE && AWAKE && me < OWNERS && (lease[me] > 0 || sent[me] > 0) -> printf("owner %d is suspended\n", me); suspended[me] = 1 }
  :: d_step { suspended[me] ->
       printf("owner %d wakes up\n", me);
       suspended[me] = 0;
#ifndef BUG_TRUSTS_THE_MONOTONIC_CLOCK
       lease[me] = 0; sent[me] = 0
#endif
     }

  /* The next owner watches the same M for the whole lease, and claims what it watched. */
  :: d_step { stage[me] == IDLE && epoch == me - 1 && stage[me - 1] >= RECOVERING ->
       printf("owner %d looks at M\n", me);
       stage[me] = WATCHING; watch[me] = WATCHED; sameVersion[me] = 1; sameCounter[me] = 1 }
  :: d_step { stage[me] == WATCHING && epoch == me - 1 && !AS_SEEN ->
       watch[me] = WATCHED; sameVersion[me] = 1; sameCounter[me] = 1 }
  :: d_step { stage[me] == WATCHING && epoch == me - 1 && WAITED && AS_SEEN -> claim() }
  :: d_step { stage[me] == RECOVERING && epoch == me && limit[openLog] == 255 -> seal(commit[openLog]) }
  :: d_step { stage[me] == RECOVERING && epoch == me && limit[openLog] == 255 && assigned[openLog] > commit[openLog] -> seal(assigned[openLog]) }
  :: d_step { stage[me] == RECOVERING && epoch == me && limit[openLog] != 255 ->
       printf("owner %d publishes\n", me);
       stage[me] = ACTIVE; openLog = me; changed() }
  od
}

proctype Time() {
  do
  :: d_step {
    i = 1;
    do
    :: i <= OWNERS ->
      if :: watch[i] > 0 -> watch[i]-- :: else fi;
      if :: lease[i] > 0 && i < OWNERS && !suspended[i] -> lease[i]-- :: else fi;
      if :: sent[i] > 0 && !suspended[i] -> sent[i]-- :: else fi;
      i++
    :: else -> break
    od;
    i = 0;
    printf("time passes\n")
  }
  od
}

init {
  atomic {
    stage[1] = ACTIVE;
    limit[1] = 255; limit[2] = 255; limit[OWNERS] = 255;
    run Owner(1);
    run Owner(2);
#if OWNERS > 2
    run Owner(3);
#endif
    run Time()
  }
}
