/*
 * The chunk log of one channel: writers, takeovers, zombies, a lost or a damaged zone, offload, deletion and sweep.
 *
 * Written from the rules (docs/protocol.md), not from the code: core/chunk, core/channel and core/jobs refine it. checks.ts says
 * which configurations are checked, and which planted bug breaks which rule. Three zones, a write quorum of two.
 *
 * What is left out of the state, and why no behaviour is lost by it:
 *
 *  1. A put is a message that lands at any moment after it was sent, or never, be its writer dead or deposed. Whether it has landed
 *     matters only to who looks, so that a cell is U (not known) until somebody's conclusion depends on it. A U that is found to be
 *     data landed at some moment since it was sent; one that is found empty lands later, or never.
 *  2. A put's answer may be late, lost or repeated: a writer may count a zone from the moment at which its cell is data, and need
 *     never do so. A writer never stops: being deposed only spares it work, which a step that is not taken does as well. A crash is
 *     a process that takes no more steps.
 *  3. To forget what stands in a cell (to make it U again) adds behaviour, as a U may turn out to be anything. So what nobody's
 *     conclusion rests on any more is forgotten: the seals of one who was overtaken, and seals beside a chunk that was found.
 *     To know less of a committed chunk than two copies would be seen as a loss; those are kept.
 *  4. A seal lands at any moment. One at which its sender did not look only keeps a put from landing, which may fail to land
 *     anyhow. Hence positions are decided one by one here; that 2P are sealed at once is for liveness.
 *  5. What a chunk holds follows from (epoch, position), as an epoch has one writer and a retry puts the same bytes.
 *  6. A commit on M conditional on its version succeeds only if M was not changed since it was read: read and commit are one step,
 *     and who was overtaken reads again. Only a takeover keeps what it read over several steps, with the bit `unchanged`.
 *  7. Zones are alike: all that is known of a zone is in one word, and the words are kept sorted.
 *  8. Nobody looks into the log of the last owner.
 *
 * With -DEAGER nothing of 1, 3 and 4 is done: each landing is a step of its own, nothing is forgotten, jobs delete cell by cell, and
 * who is overtaken goes on. That is checked too, at smaller bounds, and each planted bug is found in both forms.
 * Whoever waits may wait for ever: leases, which only make successors wait, are in lease.pml.
 */

#ifndef EPOCHS
#define EPOCHS 3
#endif
#ifndef POS
#define POS 3            /* positions of a log */
#endif
#ifndef LAST_POS
#define LAST_POS POS     /* positions that the last owner writes */
#endif
#ifndef P
#define P 2              /* chunks in flight beyond the commit point */
#endif
#ifndef STREAMS
#define STREAMS 1
#endif
#define SEQS (EPOCHS * POS + 1)           /* sequence numbers of a stream, at most */

#if POS > 2
#define THIRD(x) x
#else
#define THIRD(x)
#endif
#if POS > 3
#define FOURTH(x) x
#else
#define FOURTH(x)
#endif

#ifdef BUG_W1
#define W 1
#else
#define W 2
#endif
#ifdef BUG_R1
#define R 1
#else
#define R 2
#endif

#include "holds.pml"
#include "chunk-log/zones.pml"
#include "chunk-log/state.pml"
#include "chunk-log/promises.pml"
#include "chunk-log/writer.pml"
#include "chunk-log/takeover.pml"
#include "chunk-log/jobs.pml"
#include "chunk-log/faults.pml"

init {
  atomic {
    stage[1] = ACTIVE;
#if defined(WIPE) || defined(TORN)
    zone[2] = FAULTY;
#endif
    run Owner(1);
    run Owner(2);
#if EPOCHS > 2
    run Owner(3);
#endif
#ifdef BUG_RESUME
    run Resumed();
#endif
#ifdef OFFLOAD
    run Jobs();
#endif
#if defined(WIPE) || defined(TORN)
    run Fault();
#endif
  }
}
