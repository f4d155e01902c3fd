/* What else there is: logs as their writers made them, M, the streams' state, owners. */

/* Logs, as their writers made them. */
byte next[EPOCHS + 1];                    /* the position of the next chunk */
byte commit[EPOCHS + 1];                  /* the commit point that the writer knows */
byte content[EPOCHS * POS];               /* who sequenced it, stream, sequence number */
byte recorded[EPOCHS * POS];              /* the commit point in its header */
byte tail[(EPOCHS + 1) * STREAMS];        /* the next sequence number, for the owner */
#define AT(e, p)           (((e) - 1) * POS + (p))
#define RECORD(by, s, n)   ((by) | ((s) << 3) | ((n) << 4))
#define BY(x)              ((x) & 7)
#define STREAM(x)          (((x) >> 3) & 1)
#define SEQ(x)             ((x) >> 4)

/* M, the channel's metadata item, and the streams' state. */
byte epoch = 1;
bit isActive = 1;
byte openLog = 1;
byte listed = 2;                          /* the logs in M, as bits */
byte base[EPOCHS + 1];
byte end[EPOCHS + 1];
byte sealedAt[EPOCHS + 1];
byte pendingLog, pendingFrom, pendingTo;
byte offloaded[STREAMS];                  /* what lies below is in segments */
#define LISTED(e)          ((listed >> (e)) & 1)
#define CLOSED(e)          (LISTED(e) && openLog != (e))
#define FULLY_OFFLOADED(e) (CLOSED(e) && base[e] == end[e] && pendingLog != (e))

/* Owners. */
#define IDLE 0
#define FIND 1
#define SEAL 2
#define LOAD 3
#define REPLAY 4
#define REWRITE 5
#define PUBLISHED 6      /* only with BUG_REPLAY_AFTER_PUBLISH */
#define RELOAD 7
#define ACTIVE 8
#define GONE 9
byte stage[EPOCHS + 1];
bit unchanged[EPOCHS + 1];                /* M is as the claim left it: the condition on its version holds */
byte from[EPOCHS + 1];                    /* the log that is taken over */
byte c[EPOCHS + 1];
byte at[EPOCHS + 1];                      /* the position to decide; once decided, the first empty one */
byte adopted[EPOCHS + 1];
#ifdef BUG_LATE_ANSWER_LOSES
byte noted[EPOCHS + 1];
#endif
#ifdef BUG_PUBLISH_WITHOUT_VERSION
byte claimedBase[EPOCHS + 1], claimedListed[EPOCHS + 1];
#endif
#define OPENED(e)          (stage[e] >= REWRITE && stage[e] != GONE)
#define CURRENT(e)         (epoch == (e) && !isActive)
