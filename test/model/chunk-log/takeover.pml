/* A takeover, from the claim to the publish; and all that an owner does. */

/*
 * Whoever was claiming is overtaken, and can do nothing any more that somebody might see: its publish fails, its log is in no M,
 * and a seal of it that lands late is as good as one of the new claimant's, or as a put that never lands. (-DEAGER lets it go on.)
 */
inline overtake(e) {
  if
  :: e >= 1 && stage[e] >= FIND && stage[e] <= REWRITE ->
#ifdef EAGER
    if :: stage[e] >= LOAD -> give_up(e) :: else fi
#else
    give_up(e);
    forget(openLog)
#endif
  :: else
  fi
}

inline claim() {
  printf("owner %d claims; it takes over log %d from %d on\n", me, openLog, base[openLog]);
  SITUATION(claim_while_an_offload_is_pending, pendingLog != 0);
  overtake(me - 1);
  epoch = me; isActive = 0;
  changed();
  unchanged[me] = 1;
  from[me] = openLog;
  c[me] = base[openLog];
#ifndef BUG_FLOOR_WITHOUT_PENDING
  if :: pendingLog == openLog && pendingTo > c[me] -> c[me] = pendingTo :: else fi;
#endif
#ifdef BUG_PUBLISH_WITHOUT_VERSION
  claimedBase[me] = base[openLog]; claimedListed[me] = listed;
#endif
  stage[me] = FIND
}

/* Zone z says how far it knows the log to be committed: what the header of its last chunk says, which may be that at k, or none. */
#ifdef BUG_LATE_ANSWER
#define ASKS (stage[me] >= FIND && stage[me] <= REWRITE)
#else
#define ASKS (stage[me] == FIND)
#endif
#define ANSWER_AT(z, k) \
  :: d_step { ASKS && LIVE(z, from[me]) && !(zone[z] & ANSWERED(me)) && MAYBE(z, from[me], k) && !HIGHER_DATA(z, k) -> \
       FOUND(z, from[me], k); answer(z, recorded[AT(from[me], k)]) }
#define ANSWER_NONE(z) \
  :: d_step { ASKS && LIVE(z, from[me]) && !(zone[z] & ANSWERED(me)) && !DATA(z, 0) && !HIGHER_DATA(z, 0) -> answer(z, 0) }
#ifdef TORN               /* any header in the damaged zone may be unreadable */
#define DATA(z, k) ((k) < POS && CELL(z, from[me], k) == D && (FOUND_TEARS || !IS_FAULTY(z)))
#else
#define DATA(z, k) ((k) < POS && CELL(z, from[me], k) == D)
#endif
#ifdef EAGER
#define FOUND_TEARS 1
#define FOUND(z, e, p) SET(z, e, p, D)
#else
#define FOUND_TEARS 0
#define FOUND(z, e, p) skip
#endif
#define HIGHER_DATA(z, k) (DATA(z, (k) + 1) || DATA(z, (k) + 2) || DATA(z, (k) + 3))
#define ANSWERS_OF(z) ANSWER_NONE(z) ANSWER_AT(z, 0) ANSWER_AT(z, 1) THIRD(ANSWER_AT(z, 2)) FOURTH(ANSWER_AT(z, 3))

inline give_up(e) {
  stage[e] = GONE; c[e] = 0; at[e] = 0; adopted[e] = 0; from[e] = 0; next[e] = 0; commit[e] = 0;
  i = 0;
  do :: i < POS -> content[AT(e, i)] = 0; recorded[AT(e, i)] = 0; i++ :: else -> break od;
  i = 0;
  do :: i < STREAMS -> tail[(e) * STREAMS + i] = 0; i++ :: else -> break od;
  i = 0;
  do :: i < 3 -> zone[i] = zone[i] & ~ANSWERED(e) & ~CELLS(e); i++ :: else -> break od;
  i = 0;
  canon()
}

inline answer(z, known) {
  printf("owner %d hears from a zone: log %d is committed up to %d\n", me, from[me], known);
  zone[z] = zone[z] | ANSWERED(me);
  if :: known > c[me] -> c[me] = known :: else fi;
  if
  :: stage[me] == FIND && ANSWERS(me) >= R ->
    stage[me] = SEAL;
    at[me] = c[me];
#ifndef BUG_LATE_ANSWER
    zone[0] = zone[0] & ~ANSWERED(me); zone[1] = zone[1] & ~ANSWERED(me); zone[2] = zone[2] & ~ANSWERED(me)
#endif
  :: else
  fi;
  canon()
}

inline adopt(z, record) {
  printf("owner %d finds chunk %d of log %d, whose header says %d\n", me, at[me], from[me], recorded[AT(from[me], at[me])]);
  FORGET_SEALS(from[me], at[me]);
  record;
  if
  :: recorded[AT(from[me], at[me])] > c[me] ->
    SITUATION(commit_point_raised, 1);
#ifndef BUG_NO_RAISE
    c[me] = recorded[AT(from[me], at[me])]
#endif
  :: else
  fi;
  at[me]++;
  canon()
}

#define DECIDES (stage[me] == SEAL && at[me] < POS)
#define DECIDE(z) \
  :: d_step { DECIDES && MAYBE(z, from[me], at[me]) -> adopt(z, skip) } \
  :: d_step { DECIDES && SEALABLE(CELL(z, from[me], at[me])) -> \
       printf("owner %d seals position %d of log %d in a zone\n", me, at[me], from[me]); SET(z, from[me], at[me], S); canon() }
#ifdef BUG_TORN_IS_ABSENT
#define SEALABLE(v) ((v) == U || (v) == T)
#else
#define SEALABLE(v) ((v) == U)
#endif
#ifdef BUG_ABSENT_IS_EMPTY
#define EMPTY (MISSES(0) + MISSES(1) + MISSES(2) >= R)
#define MISSES(z) (LIVE(z, from[me]) && CELL(z, from[me], at[me]) != D)
#else
#define EMPTY (COUNT(from[me], at[me], S) >= R)
#endif

/* All zones answered, and none has a valid copy: torn bytes give way. */
#ifndef TORN
#define TORN_ONLY 0
#else
#define TORN_ONLY (DECIDES && LIVE(0, from[me]) && LIVE(1, from[me]) && LIVE(2, from[me]) && COUNT(from[me], at[me], T) > 0 && \
  COUNT(from[me], at[me], T) + COUNT(from[me], at[me], S) == 3)
#endif
inline seal_torn() {
  printf("owner %d seals position %d of log %d over torn bytes\n", me, at[me], from[me]);
  SITUATION(torn_everywhere_else_sealed, 1);
  if :: CELL(0, from[me], at[me]) == T -> SET(0, from[me], at[me], S) :: else fi;
  if :: CELL(1, from[me], at[me]) == T -> SET(1, from[me], at[me], S) :: else fi;
  if :: CELL(2, from[me], at[me]) == T -> SET(2, from[me], at[me], S) :: else fi;
  canon()
}

/* One log of the replay; what was adopted (from `held` on) is in memory. A record that is known is skipped; a gap, or no copy, is an alarm: never, unless M has moved on. */
inline replay_log(e, first, upTo, held) {
  i = first;
  do
  :: i < upTo && stage[me] != GONE ->
    x = content[AT(e, i)];
    s = STREAM(x); n = SEQ(x);
    if
    :: i < held && !READABLE(e, i) -> ALARM()
    :: (i >= held || READABLE(e, i)) && BY(x) != 0 && n == tail[me * STREAMS + s] -> tail[me * STREAMS + s]++
    :: (i >= held || READABLE(e, i)) && BY(x) != 0 && n > tail[me * STREAMS + s] -> ALARM()
    :: else
    fi;
    i++
  :: else -> break
  od
}

inline replay() {
  j = 1;
  do
  :: j <= EPOCHS && stage[me] != GONE ->
    if
    :: CLOSED(j) -> replay_log(j, base[j], end[j], end[j])
    :: LISTED(j) && openLog == j && j == me -> replay_log(j, base[j], commit[j], commit[j])
    :: LISTED(j) && openLog == j && j != me -> replay_log(j, base[j], at[me], c[me])
    :: else
    fi;
    j++
  :: else -> break
  od;
  i = 0; j = 0; x = 0; s = 0; n = 0
}

#ifdef BUG_RESUME
/* The process that wrote log 1 was started again, and writes on at position `resumedAt` - 1, with a payload of its own. */
#define SECOND RECORD(4, 0, resumedAt - 1)
byte resumedAt;
bit isSecond;            /* its chunk was adopted there, and not the first one's */
#define ADOPTED(p) (from[me] == 1 && isSecond && (p) + 1 == resumedAt -> SECOND : content[AT(from[me], p)])
#define FIND_SECOND(z) \
  :: d_step { DECIDES && at[me] + 1 == resumedAt && (CELL(z, 1, at[me]) == T || CELL(z, 1, at[me]) == U) -> \
       printf("owner %d finds the chunk of the second writer at %d\n", me, at[me]); isSecond = 1; at[me]++ }
#define RESUME_AT(p) \
  :: d_step { resumedAt == 0 && epoch == 1 && (p) <= next[1] && (p) >= commit[1] -> \
       printf("owner 1 is started again, finds its chunks below %d, and puts another there\n", p); resumedAt = (p) + 1 }
#define SECOND_HAS(z) (CELL(z, 1, resumedAt - 1) == T || CELL(z, 1, resumedAt - 1) == U)
#define COMMIT_SECOND(z1, z2) \
  :: d_step { resumedAt != 0 && told[resumedAt - 1] == 0 && SECOND_HAS(z1) && SECOND_HAS(z2) -> \
       printf("it knows its chunk to be committed\n"); \
       SET(z1, 1, resumedAt - 1, T); SET(z2, 1, resumedAt - 1, T); canon(); tell(SECOND); x = 0 }
proctype Resumed() {
  do
  RESUME_AT(0) RESUME_AT(1) THIRD(RESUME_AT(2))
  COMMIT_SECOND(0, 1) COMMIT_SECOND(0, 2) COMMIT_SECOND(1, 2)
  od
}
#else
#define ADOPTED(p) content[AT(from[me], p)]
#endif

/* The adopted payloads are put again, as the first chunks of the new log. */
inline rewrite() {
  printf("owner %d has replayed: log %d ends at %d, its last seal is at %d\n", me, from[me], c[me], at[me]);
  adopted[me] = at[me] - c[me];
  at_most_a_window_is_adopted = (adopted[me] <= P);
  HOLDS(at_most_a_window_is_adopted);
  SITUATION(whole_window_adopted, adopted[me] == P);
  SITUATION(adopted_after_a_takeover_that_died, me == 3 && from[me] == 1 && adopted[me] > 0);
  i = 0;
  do
  :: i < adopted[me] -> content[AT(me, i)] = ADOPTED(c[me] + i); recorded[AT(me, i)] = 0; i++
  :: else -> break
  od;
  next[me] = adopted[me];
  i = 0
}

/*
 * The writer of a log that was closed just now may still acknowledge what was adopted from it, up to the last seal: readers were
 * told of all that already. It is taken to have done so, and to have sent the chunk that the seal keeps out: all that it can
 * do after that is to store that chunk. And what need not be known any more of its log is forgotten: a U may be data
 * as well as a seal, so that to forget adds behaviour, and takes none away.
 */
inline retire(e) {
  i = 0;
  do
  :: i < POS ->
    j = 0;
    do
    :: j < 3 ->
      if
      :: i < end[e] && CELL(j, e, i) != D -> SET(j, e, i, U)
      :: i >= end[e] && i < sealedAt[e] -> SET(j, e, i, U)
      :: i > sealedAt[e] -> SET(j, e, i, U)
      :: else
      fi;
      j++
    :: else -> break
    od;
    recorded[AT(e, i)] = 0;
    if :: i > sealedAt[e] -> content[AT(e, i)] = 0 :: else fi;
    i++
  :: else -> break
  od;
  commit[e] = sealedAt[e];
  if
  :: next[e] <= sealedAt[e] && sealedAt[e] < POS -> content[AT(e, sealedAt[e])] = RECORD(e, 0, tail[(e) * STREAMS])
  :: else
  fi;
  next[e] = (sealedAt[e] < POS -> sealedAt[e] + 1 : POS);
  i = 0;
  do :: i < STREAMS -> tail[(e) * STREAMS + i] = 0; i++ :: else -> break od;
  i = 0; j = 0;
  canon()
}

inline publish() {
  printf("owner %d publishes\n", me);
  end[from[me]] = c[me];
#ifdef BUG_LATE_ANSWER_LOSES
  end[from[me]] = noted[me];
#endif
  sealedAt[from[me]] = at[me];
  a_log_ends_beyond_what_is_offloaded = (end[from[me]] >= base[from[me]] && (pendingLog != from[me] || end[from[me]] >= pendingTo));
  HOLDS(a_log_ends_beyond_what_is_offloaded);
  openLog = me;
  listed = listed | (1 << me);
  isActive = 1;
  changed();
  /* They are committed: readers see them from here on. */
  j = 0;
  do :: j < adopted[me] && BY(content[AT(me, j)]) != 0 -> tell(content[AT(me, j)]); j++
     :: j < adopted[me] && BY(content[AT(me, j)]) == 0 -> j++
     :: else -> break od;
#ifdef STATEMENTS
  committedTail[me] = tail[me * STREAMS];
#endif
  SITUATION(second_takeover, from[me] == 2);
  SITUATION(adopted_after_a_zone_was_wiped, faulted && from[me] == 1 && adopted[me] > 0);
  check();
#ifdef RETIRES
  retire(from[me]);
#endif
  c[me] = 0; at[me] = 0; adopted[me] = 0;
#ifdef BUG_REPLAY_AFTER_PUBLISH
  stage[me] = PUBLISHED
#else
  stage[me] = ACTIVE
#endif
}


inline load() {
  printf("owner %d reads the state of the streams\n", me);
  s = 0;
#ifdef BUG_STALE_STATE
  do :: s < STREAMS -> tail[me * STREAMS + s] = 0; s++ :: else -> break od;
#else
  do :: s < STREAMS -> tail[me * STREAMS + s] = offloaded[s]; s++ :: else -> break od;
#endif
  s = 0
}

proctype Owner(byte me) {
  do
  /* Sequencing: only the owner that published. */
  :: d_step { stage[me] == ACTIVE && next[me] - commit[me] < P && next[me] < LIMIT(me) -> write(0) }
#if STREAMS > 1
  :: d_step { stage[me] == ACTIVE && next[me] - commit[me] < P && next[me] < LIMIT(me) -> write(1) }
#endif
  LANDINGS(0) LANDINGS(1) LANDINGS(2)
  COMMIT(0, 1) COMMIT(0, 2) COMMIT(1, 2)
#ifdef BUG_W1
  COMMIT(2, 2)
#endif
  :: d_step { OPENED(me) && LAST(me) && commit[me] < next[me] -> committed() }
#ifdef BUG_ACK_OUT_OF_ORDER
  :: d_step { stage[me] == ACTIVE && commit[me] + 1 < next[me] && STORED(1, 2, commit[me] + 1) ->
       keep(1, me, commit[me] + 1); keep(2, me, commit[me] + 1); canon(); tell(content[AT(me, commit[me] + 1)]); x = 0 }
#endif
#ifdef STATEMENTS
  /* A request for the tail, and the barrier: an empty chunk that is put after the request came. */
  :: d_step { stage[me] == ACTIVE && asked[me] == 0 ->
       n = 0;
       do :: n < SEQS && told[n] != 0 -> n++ :: else -> break od;
       asked[me] = n + 1;
       printf("owner %d is asked for the tail, when %d are acknowledged\n", me, n);
#ifdef BUG_EARLIER_BARRIER
       if :: next[me] > commit[me] -> barrier[me] = next[me] :: else fi;
#endif
       n = 0 }
  :: d_step { stage[me] == ACTIVE && asked[me] != 0 && asked[me] != 255 && barrier[me] == 0 && next[me] - commit[me] < P && next[me] < POS ->
       printf("owner %d puts chunk %d, a barrier\n", me, next[me]);
       content[AT(me, next[me])] = 0; recorded[AT(me, next[me])] = commit[me]; next[me]++; barrier[me] = next[me] }
#endif

  /* Takeover. */
  :: d_step { stage[me] == IDLE && epoch == me - 1 -> claim() }
  ANSWERS_OF(0) ANSWERS_OF(1) ANSWERS_OF(2)
  DECIDE(0) DECIDE(1) DECIDE(2)
#ifdef BUG_RESUME
  FIND_SECOND(0) FIND_SECOND(1) FIND_SECOND(2)
#endif
  :: d_step { TORN_ONLY -> seal_torn() }
  :: d_step { stage[me] == SEAL && (at[me] == POS || EMPTY) ->
#ifdef BUG_LATE_ANSWER_LOSES
       noted[me] = c[me];
#endif
#ifdef BUG_REPLAY_AFTER_PUBLISH
       rewrite(); stage[me] = REWRITE }
  :: d_step { stage[me] == PUBLISHED -> load(); stage[me] = RELOAD }
  :: d_step { stage[me] == RELOAD -> stage[me] = ACTIVE; replay() }
#else
       stage[me] = LOAD }
  :: d_step { stage[me] == LOAD && CURRENT(me) -> load(); stage[me] = REPLAY }
  :: d_step { stage[me] == REPLAY && CURRENT(me) ->
       replay();
       if :: stage[me] != GONE -> rewrite(); stage[me] = REWRITE :: else fi }
#endif
  :: d_step { stage[me] == REWRITE && commit[me] == adopted[me] && epoch == me && unchanged[me] -> publish() }
#ifdef BUG_PUBLISH_WITHOUT_VERSION
  /* The same publish once more: its answer was lost, or it was slow. */
  :: d_step { stage[me] == ACTIVE && epoch == me ->
       printf("the publish of owner %d arrives once more\n", me);
       base[from[me]] = claimedBase[me]; base[me] = 0; listed = claimedListed[me] | (1 << me); pendingLog = 0; isActive = 1; changed(); check() }
#endif
#ifdef EAGER
  :: d_step { (stage[me] == LOAD || stage[me] == REPLAY || stage[me] == REWRITE) && !CURRENT(me) -> give_up(me) }
#endif
  od
}
