/* SPDX-License-Identifier: MIT */
/*
 * What the agent remembers: per target, caller and minute, for a day, in bounded memory. Pure: no
 * clock, no I/O but the FILE of history_write() and history_read().
 *
 * A minute is a number: minutes since 1970, UTC. All windows reach from a minute until now, and
 * are rounded outward: what may have been in the window counts as in it.
 *
 *	history_clock()     before each round of takes: sees a clock that was set
 *	history_take()      for each target, once a minute and before each question
 *	history_covered()   for each target, after it
 *	history_window(), history_since()   the answer
 *
 * QUIET can be said of a window only if history_window() says covered and counts nothing dropped,
 * and no caller in it that would be traffic has anything, or is uncertain.
 *
 * What is kept in how much detail: each minute for itself, as long as there is room. When all
 * records are taken, what is older than an hour is summed up by hours, then what is older than 10
 * minutes by 10 minutes, then the oldest hour of all goes, and history_reaches() moves. 5,000
 * callers that all call in every minute thus keep the last 10 to 40 minutes by minutes, the last
 * two hours by 10 minutes and a day by hours; 190 callers keep a day by minutes.
 */
#ifndef CALLERS_HISTORY_H
#define CALLERS_HISTORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "coverage.h"
#include "report.h"
#include "verdict.h"

struct history;

/*
 * 0: the default. A record takes 40 bytes: what one caller did in one minute, hour or 10 minutes;
 * its attempts take another, as does what was dropped or lost of a target. A caller of a target
 * takes about 300 bytes with its names, 1.4 KiB if all names are as long as can be. A row of a
 * ledger takes 170. A target takes 300, and up to 6 KiB if its coverage is torn. By default that is
 * 11 MB of records, and in all 16 MiB at 5,000 callers of 500 targets in 15,000 rows.
 */
struct history_limits {
	size_t records;   /* default 280,000 */
	size_t callers;   /* of all targets, a caller of two counts twice: 10,000 */
	size_t targets;   /* 1,000 */
	size_t rows;      /* of all ledgers: 65,536 */
	uint32_t minutes; /* how far it reaches at most: 1,440 */
	/* A number for the rules by which callers are ignored (a hash of the options). Who was
	 * ignored under others is not ignored, which matters with a file of another run. */
	uint32_t ignoring;
};

/* A Service, by name and UID: one that was made anew is another target. Strings are copied, and cut
 * at 255 bytes. NULL is "". */
struct history_target {
	const char *namespace;
	const char *service;
	const char *uid;
};

/* NULL: no memory. `limits` may be NULL. */
struct history *history_new(const struct history_limits *limits);
void history_free(struct history *history);

/* The minute that a time is in, as ns since 1970, UTC; 0 for times before. */
uint32_t history_minute(int64_t ns);

/*
 * The clock of the day and CLOCK_MONOTONIC, both now, in ns. Where they went apart since the last
 * call, the clock was set (or the machine slept): that time is covered for no target
 * (HISTORY_CLOCK_SET). Less than 100 ms in a call is what adjusting a clock does. Times that are
 * told afterwards are of the new clock.
 */
void history_clock(struct history *history, int64_t now, uint64_t monotonic);

/*
 * Takes what a target's report (made by report_group(), whose ledger is this target's still) counts
 * beyond what was taken before. `minute` is the one in which the counts were read, never an earlier
 * one: then what came in a minute never counts as older. What came since the last take counts as of
 * this minute, so counts are exact by the minute if one take is just before each minute's end.
 *
 * Takes by rows of the ledger, so that a row that gets a name, or another, is counted once. What
 * the report tells of losses since the last take (enum reason_is) stands against this minute.
 *
 * 0; -EINVAL: a report without its ledger's rows, or no such minute; -ENOSPC: too many targets, or
 * rows; -ENOMEM. After an error of a known target its history is complete from the next minute on
 * only.
 */
int history_take(struct history *history, const struct history_target *target,
		 const struct report *report, uint32_t minute);

/* What was counted in one row of the ledger is in another now (ledger_forget()): that of it which
 * was taken already is not taken again. */
void history_merged(struct history *history, const struct history_target *target,
		    const struct row *into, const struct row *from);
/* The ledger has it no more; what was taken of it stays. */
void history_dropped(struct history *history, const struct history_target *target,
		     const struct row *row);

/*
 * The target was watched as a whole in that span (ns since 1970). `causes`: what stands against
 * QUIET in it all the same, bits of 1 << enum reason_is; 0: nothing. Each call goes on where the
 * last one ended, but after a gap; one that begins before is taken for a clock that was set back,
 * and one that ends before it begins likewise. 0, -ENOSPC or -ENOMEM.
 */
int history_covered(struct history *history, const struct history_target *target, struct span span,
		    uint64_t causes);

/*
 * The target is watched no more, and its ledger about to be freed. What is remembered stays for a
 * day. Needed also before another ledger counts for the same target.
 */
void history_ended(struct history *history, const struct history_target *target, uint32_t minute);

/* --- answers --- */

#define HISTORY_GAP (UINT64_C(1) << 63)       /* it was not watched, or nobody knows */
#define HISTORY_CLOCK_SET (UINT64_C(1) << 62) /* the clock was set */

struct history_window {
	uint32_t start; /* the minute at which it really begins, the one asked for or before */
	bool complete;  /* nothing that was counted in it is gone */
	bool covered;   /* it is complete, all of it was watched, and nothing stands against that */
	uint64_t causes;        /* what does: bits of 1 << enum reason_is, and the two above */
	struct span hole;       /* covered is false: the first time that is not; else empty */
	uint64_t dropped;       /* handshakes that listeners of the target dropped */
	uint64_t drops_unknown; /* likewise, of one that has ended */
};

/* The window from a minute until `until` (ns since 1970: the end of what was told to be covered).
 * -ENOENT, with *window neither complete nor covered: nothing is known of this target. */
int history_window(const struct history *history, const struct history_target *target,
		   uint32_t since, int64_t until, struct history_window *window);

/* The times that were covered in it, by cause, oldest first; between them are gaps. */
void history_spans(const struct history *history, const struct history_target *target,
		   struct span window, void (*take)(struct span span, uint64_t causes, void *arg),
		   void *arg);

/* The minutes, or what stands for several, of which a take told causes; newest first. */
void history_causes(const struct history *history, const struct history_target *target,
		    struct span window, void (*take)(struct span span, uint64_t causes, void *arg),
		    void *arg);

/* What one caller did since the window's start. Strings are "" where not known, and valid until the
 * history changes. */
struct history_row {
	enum caller_class class;
	bool ignored;
	/* of the workload, or name: the UID of an unknown pod, an address, "(others)" for those
	 * that found no room */
	const char *kind;
	const char *namespace;
	const char *name;
	const char *process; /* CLASS_PROCESS and CLASS_LOOPBACK */
	const char *node;    /* CLASS_NODE */
	uint64_t opened;
	uint64_t accepted;
	uint64_t closed;
	uint64_t requests;
	uint64_t bytes_received;
	uint64_t bytes_sent;
	uint64_t refused;
	uint64_t stray;
	uint64_t pending;
	uint64_t open;   /* now, as of the last take */
	uint64_t before; /* connections from before the window that were open in it; at least 1 if
			  * there was any */
	/* A counter went down: something may have come that is not counted here. */
	bool uncertain;
	uint32_t first;    /* minute of the first activity that is left; UINT32_MAX: none */
	uint32_t last;     /* of the last */
	int64_t last_seen; /* ns since 1970, as struct caller's; 0: not in the window */
};

/* Calls `take` for each caller of the target with activity since that minute, or open connections
 * now, in no certain order. */
void history_since(const struct history *history, const struct history_target *target,
		   uint32_t since, void (*take)(const struct history_row *row, void *arg),
		   void *arg);

/* What that means for the verdict. Of connections from before it is known whether any carried
 * data, not how many: at least one is told to. */
struct tally history_tally(const struct history_row *row);

/* The first minute since which all is known of a target that was counted. UINT32_MAX: none. */
uint32_t history_reaches(const struct history *history, const struct history_target *target);

/* All targets, in no certain order. */
void history_targets(const struct history *history,
		     void (*take)(const struct history_target *target, void *arg), void *arg);

struct history_room {
	size_t records; /* in use */
	size_t callers;
	size_t targets;
	size_t rows;
	uint32_t minutes_since; /* each minute for itself since then */
	uint32_t tens_since;    /* by 10 minutes at least since then; before that, by hours */
};

/* For metrics and for people. */
void history_room(const struct history *history, struct history_room *room);

/* --- the state --- */

/*
 * Writes all but what is open and what ledgers had counted: an agent that starts anew begins to
 * count anew. 0 or -EIO (see ferror()); the caller flushes.
 */
int history_write(const struct history *history, FILE *file);

/*
 * Reads it into a history that nothing was taken into yet. 0, or with the history empty and a
 * sentence: -EBADMSG: damaged, or of another version; -EFBIG: more than the limits; -EIO; -ENOMEM.
 */
int history_read(struct history *history, FILE *file, char *error, size_t error_size);

#endif
