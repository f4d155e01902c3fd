/* Faults: one, in one zone. */

#if defined(WIPE) || defined(TORN)
#ifdef BUG_WIPED_COUNTS
#define WIPED(z) FAULTY
#else
#define WIPED(z) zone[z]
#endif
inline wipe() {
  printf("a zone is wiped\n");
  faulted = 1;
  zone[2] = WIPED(2);
  i = 1;
  do :: i <= EPOCHS -> if :: OPENED(i) -> before = before | (1 << i) :: else fi; i++ :: else -> break od;
  i = 0;
  canon();
  CHECK()
}

/* A takeover is about to look here, and finds bytes that were torn as they were put, or later. In any number of places. */
#define ANYBODY(condition, e, p) (condition(2, e, p) || (EPOCHS > 2 && condition(EPOCHS, e, p)))
#define DECIDES_AT(x, e, p) (stage[x] == SEAL && from[x] == (e) && at[x] == (p))
#ifdef EAGER
#define TEARS(e, p) (OPENED(e) && (p) < next[e] && (CELL(2, e, p) == U || CELL(2, e, p) == D))
#else
#define TEARS(e, p) ((CELL(2, e, p) == U || CELL(2, e, p) == D) && (p) < next[e] && ANYBODY(DECIDES_AT, e, p))
#endif
#define TEAR_AT(e, p) :: d_step { TEARS(e, p) -> printf("chunk %d of log %d is torn in a zone\n", p, e); SET(2, e, p, T) }
#define TEAR_IN(e) TEAR_AT(e, 0) TEAR_AT(e, 1) THIRD(TEAR_AT(e, 2)) FOURTH(TEAR_AT(e, 3))

proctype Fault() {
  do
#ifdef WIPE
  :: d_step { !faulted -> wipe() }
#else
  TEAR_IN(1) TEAR_IN(2)
#endif
  od
}
#endif
