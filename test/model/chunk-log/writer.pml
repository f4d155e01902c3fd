/* The writer of a log: puts, commits, acknowledges, and never stops. */

/*
 * Nobody takes the last owner's log over, so that nobody looks into its cells: there, anything sent may count as committed.
 * Nothing beyond the last seal of a closed log can be committed unless that position is, which is a violation by itself.
 */
#define LIMIT(e)           (LAST(e) -> LAST_POS : (CLOSED(e) && sealedAt[e] + 1 < POS -> sealedAt[e] + 1 : POS))
#if !defined(EAGER) && !defined(STATEMENTS)
#define RETIRES
#endif

#ifdef STATEMENTS
byte asked[EPOCHS + 1];                   /* a request for the tail: 1 + the tail that was acknowledged when it came */
byte barrier[EPOCHS + 1];                 /* 1 + the position of the barrier that answers it */
byte committedTail[EPOCHS + 1];
#endif

inline write(stream) {
  printf("owner %d puts chunk %d, which says that %d are committed: stream %d record %d\n", me, next[me], commit[me], stream, tail[me * STREAMS + stream]);
  content[AT(me, next[me])] = RECORD(me, stream, tail[me * STREAMS + stream]);
  recorded[AT(me, next[me])] = (CLOSED(me) || LAST(me) -> 0 : commit[me]);
  tail[me * STREAMS + stream]++;
  next[me]++
}

/* Zone z has the chunk, for all that the writer can be told. Torn bytes: they were torn after it had answered. */
#ifdef EAGER
#define HAS(z, e, p)       (CELL(z, e, p) == D || TORN_COPY(z, e, p))
#define LANDINGS(z) LAND(z, 0) LAND(z, 1) THIRD(LAND(z, 2)) FOURTH(LAND(z, 3))
#define LAND(z, p) \
  :: d_step { OPENED(me) && !LAST(me) && (p) < next[me] && LIVE(z, me) && CELL(z, me, p) == U -> SET(z, me, p, D); canon() }
#else
#define HAS(z, e, p)       (CELL(z, e, p) == D || TORN_COPY(z, e, p) || (CELL(z, e, p) == U && LIVE(z, e)))
#ifdef WIPE
#define LANDINGS(z) LAND(z, 0) LAND(z, 1) THIRD(LAND(z, 2)) FOURTH(LAND(z, 3))
#define LAND(z, p) \
  :: d_step { OPENED(me) && !LAST(me) && IS_FAULTY(z) && !faulted && (p) >= commit[me] && (p) < next[me] && CELL(z, me, p) == U -> \
       SET(z, me, p, D); canon() }
#else
#define LANDINGS(z)
#endif
#endif
#ifdef BUG_RESUME
#define TORN_COPY(z, e, p) 0
#else
#define TORN_COPY(z, e, p) (CELL(z, e, p) == T)
#endif
inline keep(z, e, p) { if :: CELL(z, e, p) == U || TORN_COPY(z, e, p) -> SET(z, e, p, D) :: else fi }

#define STORED(z1, z2, p)  (HAS(z1, me, p) && (W == 1 || HAS(z2, me, p)))
#define COMMIT(z1, z2) \
  :: d_step { OPENED(me) && !LAST(me) && commit[me] < next[me] && STORED(z1, z2, commit[me]) -> \
       keep(z1, me, commit[me]); if :: W == 2 -> keep(z2, me, commit[me]) :: else fi; \
       FORGET_SEALS(me, commit[me]); committed(); canon() }

/* What one who is overtaken saw, or what is decided: nobody relies on it any more, so that it may as well not have landed yet. */
#ifdef EAGER
#define FORGET_SEALS(e, p)
#define FORGET(e)
#else
#define FORGET_SEALS(e, p) forget_seals(e, p)
#define FORGET(e) forget(e)
#endif
inline forget_at(z, e, p) {
  if
  :: CELL(z, e, p) == S -> SET(z, e, p, U)
  :: TORN_COPY(z, e, p) -> SET(z, e, p, D)       /* and may be torn again */
  :: else
  fi
}
inline forget_seals(e, p) { forget_at(0, e, p); forget_at(1, e, p); forget_at(2, e, p) }
inline forget(e) {
  i = 0;
  do :: i < POS -> forget_seals(e, i); i++ :: else -> break od;
  i = 0;
  canon()
}

inline committed() {
  x = content[AT(me, commit[me])];
  printf("owner %d knows chunk %d to be committed\n", me, commit[me]);
  commit[me]++;
  if
  :: stage[me] == ACTIVE && BY(x) != 0 -> SITUATION(zombie_acknowledges_what_was_adopted, openLog > me); tell(x); CHECK()
  :: else
  fi;
#ifdef STATEMENTS
  if
  :: BY(content[AT(me, commit[me] - 1)]) != 0 -> committedTail[me] = SEQ(content[AT(me, commit[me] - 1)]) + 1
  :: else
  fi;
  if
  :: stage[me] == ACTIVE && barrier[me] != 0 && barrier[me] <= commit[me] ->
    printf("owner %d answers: the tail is %d\n", me, committedTail[me]);
    statement_is_current = (committedTail[me] >= asked[me] - 1);
    SITUATION(zombie_answers_by_a_barrier, openLog > me);
    HOLDS(statement_is_current);
    asked[me] = 255; barrier[me] = 0
  :: else
  fi;
#endif
  x = 0
}
