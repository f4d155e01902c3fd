/* The zones: what stands in each cell, for all that anybody knows. */

#define U 0              /* nobody has looked */
#define D 1              /* the log's data chunk */
#define S 2              /* a seal */
#define T 3              /* bytes without a valid checksum; with BUG_RESUME: the chunk of the second writer */

int zone[3];
#define SHIFT(e, p)        (2 * (((e) - 1) * POS + (p)))
#define CELLS(e)           (((1 << (2 * POS)) - 1) << SHIFT(e, 0))
#define CELL(z, e, p)      ((zone[z] >> SHIFT(e, p)) & 3)
#define SET(z, e, p, v)    zone[z] = (zone[z] & ~(3 << SHIFT(e, p))) | ((v) << SHIFT(e, p))
#define IS_FAULTY(z)       ((zone[z] & FAULTY) != 0)
#define ANSWERED(e)        (1 << (2 * EPOCHS * POS + (e) - 1))
#define FAULTY             (1 << (2 * EPOCHS * POS + EPOCHS))
#define COUNT(e, p, v)     ((CELL(0, e, p) == (v)) + (CELL(1, e, p) == (v)) + (CELL(2, e, p) == (v)))
#define ANSWERS(e)         (((zone[0] & ANSWERED(e)) != 0) + ((zone[1] & ANSWERED(e)) != 0) + ((zone[2] & ANSWERED(e)) != 0))

/*
 * The zone that may fail is marked from the start, so that it is always the last one of the sorted words. Only what it took and
 * answered before it was wiped needs to land before it is looked at; and that its chunks are torn, a look decides.
 */
bit faulted;
byte before;             /* logs that were opened before the zone was wiped: they name an identity that is gone */
#if defined(WIPE) && !defined(BUG_WIPED_COUNTS)
#define LIVE(z, e)         (!(IS_FAULTY(z) && ((before >> (e)) & 1)))
#else
#define LIVE(z, e)         1
#endif
#define COPY(z, e, p)      (LIVE(z, e) && CELL(z, e, p) == D)
#define COPIES(e, p)       (COPY(0, e, p) + COPY(1, e, p) + COPY(2, e, p))

#define LAST(e)            ((e) == EPOCHS)
#ifdef TORN               /* the others must do without the damaged zone */
#define READABLE(e, p)     (LAST(e) || COPY(0, e, p) + COPY(1, e, p) > 0)
#else
#define READABLE(e, p)     (LAST(e) || COPIES(e, p) > 0)
#endif

/* A look at a cell may find data there. */
#ifdef EAGER
#define MAYBE(z, e, p)     (LIVE(z, e) && CELL(z, e, p) == D)
#else
#define MAYBE(z, e, p)     (LIVE(z, e) && (CELL(z, e, p) == D || (CELL(z, e, p) == U && (p) < next[e])))
#endif
