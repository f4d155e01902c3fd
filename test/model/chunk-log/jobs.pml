/* Offload, gc and sweep. */

#ifdef OFFLOAD
/* The first log that is not offloaded whole. */
#define DONE(e) (!LISTED(e) || (CLOSED(e) && base[e] == end[e]))
#define OLDEST(e) (LISTED(e) && !DONE(e) && ((e) < 2 || DONE(1)) && ((e) < 3 || DONE(2)))
#define COMMITTED(e) (CLOSED(e) -> end[e] : commit[e])

#ifdef BUG_OFFLOAD_NOT_FROM_BASE
#define FIRST(e, to) ((to) - 1)
#else
#define FIRST(e, to) base[e]
#endif
#define NAME(e, to) \
  :: d_step { isActive && pendingLog == 0 && OLDEST(e) && base[e] < (to) && (to) <= COMMITTED(e) -> \
       printf("an offload is named: log %d from %d to %d\n", e, FIRST(e, to), to); \
       pendingLog = e; pendingFrom = FIRST(e, to); pendingTo = to; changed() }
#define NAME_IN(e) NAME(e, 1) NAME(e, 2) THIRD(NAME(e, 3)) FOURTH(NAME(e, 4))

/* One stream's rows: what is past is skipped or clipped, a gap is refused. Anyone may, at any time, also while recovering. */
inline apply(stream) {
  printf("the rows of stream %d are added\n", stream);
  SITUATION(rows_added_while_recovering, !isActive);
  i = pendingFrom;
  do
  :: i < pendingTo ->
    x = content[AT(pendingLog, i)];
    n = SEQ(x);
    if
    :: BY(x) != 0 && STREAM(x) == stream && n == offloaded[stream] ->
      what_M_names_is_readable = READABLE(pendingLog, i); HOLDS(what_M_names_is_readable);
      x = content[AT(pendingLog, i)];
      tell(x); offloaded[stream] = n + 1
    :: BY(x) != 0 && STREAM(x) == stream && n > offloaded[stream] -> REFUSED()
    :: else
    fi;
    i++
  :: else -> break
  od;
  i = 0; x = 0; n = 0
}

/* Whether pending rows of the stream are missing. */
#define MISSING_AT(stream, p) ((p) >= pendingFrom && (p) < pendingTo && BY(content[AT(pendingLog, p)]) != 0 && \
  STREAM(content[AT(pendingLog, p)]) == (stream) && SEQ(content[AT(pendingLog, p)]) >= offloaded[stream])
#define MISSING(stream) (MISSING_AT(stream, 0) || MISSING_AT(stream, 1) || (POS > 2 && MISSING_AT(stream, 2)) || (POS > 3 && MISSING_AT(stream, 3)))

#if STREAMS > 1
#define MISSING_ANY (MISSING(0) || MISSING(1))
#else
#define MISSING_ANY MISSING(0)
#endif

/*
 * GC deletes what lies below base; of a log that is closed and offloaded, everything but the last seal. Nobody may look there any
 * more, so that it is deleted at once, which leaves a U: a late put can land there again. Sweep deletes everything but the seals
 * of logs that M does not list, of epochs below M's. A job that sleeps in between does no other harm: once true, this stays true.
 */
inline delete(z, e, p) { SET(z, e, p, U) }
#ifdef EAGER
#define GC_SOON(e, p)
#else
#define GC_SOON(e, p) delete(0, e, p); delete(1, e, p); delete(2, e, p)
#endif
inline finish() {
  printf("base of log %d moves to %d\n", pendingLog, pendingTo);
  i = base[pendingLog];
  do
  :: i < pendingTo -> content[AT(pendingLog, i)] = 0; recorded[AT(pendingLog, i)] = 0; GC_SOON(pendingLog, i); i++
  :: else -> break
  od;
  i = 0;
  base[pendingLog] = pendingTo;
  pendingLog = 0; pendingFrom = 0; pendingTo = 0;
  changed();
  canon();
  CHECK()
}

#ifdef BUG_SEAL_DELETED
#define KEPT(e, p) 0
#else
#define KEPT(e, p) ((p) == sealedAt[e])
#endif
#define GC_MAY(e, p) (LISTED(e) && ((p) < base[e] || (FULLY_OFFLOADED(e) && !KEPT(e, p))))
#ifdef BUG_SWEEP_TAKES_THE_NEWEST
#define ORPHAN(e) (!LISTED(e))
#else
#define ORPHAN(e) ((e) < epoch && !LISTED(e))
#endif
#ifdef BUG_SWEEP_TAKES_SEALS
#define SWEEP_MAY(z, e, p) (ORPHAN(e))
#else
#define SWEEP_MAY(z, e, p) (ORPHAN(e) && CELL(z, e, p) != S)
#endif
#define DELETE_AT(z, e, p) \
  :: d_step { CELL(z, e, p) != U && (GC_MAY(e, p) || SWEEP_MAY(z, e, p)) -> \
       printf("position %d of log %d is deleted in a zone\n", p, e); delete(z, e, p); canon(); CHECK() }
#define DELETE_POS(e, p) DELETE_AT(0, e, p) DELETE_AT(1, e, p) DELETE_AT(2, e, p)
#define DELETE_IN(e) DELETE_POS(e, 0) DELETE_POS(e, 1) THIRD(DELETE_POS(e, 2)) FOURTH(DELETE_POS(e, 3))

inline drop(e) {
  printf("gc drops log %d\n", e);
  SITUATION(log_dropped, 1);
  listed = listed & ~(1 << (e));
  base[e] = 0; end[e] = 0;
  i = 0;
  do :: i < sealedAt[e] -> content[AT(e, i)] = 0; i++ :: else -> break od;
  i = 0;
  changed();
  CHECK()
}
#define DROP(e) :: d_step { isActive && FULLY_OFFLOADED(e) -> drop(e) }

proctype Jobs() {
  do
  NAME_IN(1) NAME_IN(2) NAME_IN(3)
  :: d_step { pendingLog != 0 && MISSING(0) -> apply(0) }
#if STREAMS > 1
  :: d_step { pendingLog != 0 && MISSING(1) -> apply(1) }
#endif
  :: d_step { isActive && pendingLog != 0 && !MISSING_ANY -> finish() }
  DELETE_IN(1) DROP(1)
#if EPOCHS > 2
  DELETE_IN(2) DROP(2)
#endif
  od
}
#endif
