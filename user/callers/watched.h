/* SPDX-License-Identifier: MIT */
/*
 * Many targets at once. Each is counted in a ledger of its own and has a report of its own, as if
 * it alone were traced; below them lies one pool of endpoints, which is what the capture watches:
 * two Services over the same pods share theirs. Pure: no I/O, no clock, no root.
 *
 *	watch_begin_refresh()
 *	watch_update() for each caller of the capture's
 *	watch_end_refresh()
 *	watch_clear_open(), watch_add_open() for each open connection
 *	watch_begin_times(), watch_set_times() for each of the capture's histograms
 *	watch_reports()
 *
 * and now and then watch_forget(), watch_end_forget(), watch_reports().
 */
#ifndef CALLERS_WATCHED_H
#define CALLERS_WATCHED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ledger.h"
#include "pod-names.h"
#include "report.h"
#include "target.h"

#define WATCHED_NONE SIZE_MAX

/* A Service that is watched. */
struct watched {
	char *namespace;
	char *name;
	char *uid;
	struct target target; /* those on other nodes, too, which are not in the pool */
	struct report report; /* as of the last watch_reports() */
	char *not_watched;    /* what of it is not, a sentence; NULL: nothing */
	/* for those who watch, who set them: */
	uint32_t not_watched_codes;
	uint32_t not_watched_since; /* all those since it was remembered */
	int64_t remembered;         /* until when, ns since 1970; 0: not yet */
	uint64_t began;             /* watch_add(); no two of one Service are the same */
	/* private: */
	struct ledger *ledger;
	size_t *places; /* of each endpoint: its place in the pool, or WATCHED_NONE */
	struct listening *listening;
	struct serving *serving;
	struct watched *next;
};

struct watch_user; /* private */

/* Starts as all zero, but for max_callers. */
struct watch_pool {
	size_t max_callers; /* of each ledger */
	struct target
		target; /* the pool: what the capture watches; key.endpoint is a place in it */
	struct watched *first; /* all, in the order in which they came */
	size_t n;
	/* private: */
	struct watch_user **users; /* of each endpoint of the pool, a list */
	bool counting;             /* there was a refresh */
	size_t joined;
	struct pod_names *pods;
	struct watched *last;
};

void watch_deinit(struct watch_pool *pool);

/* One more; the pool's. Its report is empty, but can be looked at. `now`: CLOCK_MONOTONIC ns, and
 * so below. NULL: no memory. */
struct watched *watch_add(struct watch_pool *pool, const char *namespace, const char *name,
			  const char *uid, uint64_t now);
/* Its endpoints have gone down before. */
void watch_remove(struct watch_pool *pool, struct watched *watched);

/* What came up. */
struct watch_up {
	struct address address;
	uint16_t port;
	const struct pod_name *pod; /* NULL: not known; copied */
	int64_t existed;            /* as of struct endpoint */
	bool ours;                  /* it may be on this node */
};

/*
 * An endpoint has come. Its place in watched->target, or WATCHED_NONE: no memory, or no number
 * left. *fresh: the place in the pool that the capture is to watch now; WATCHED_NONE: it does
 * already, or it is not ours.
 *
 * Where it does already, since another target has it, what was counted there before is not this
 * one's: after watch_joined() the next refresh, which is due at once, tells how much that is.
 */
size_t watch_up(struct watch_pool *pool, struct watched *watched, const struct watch_up *up,
		uint64_t now, size_t *fresh);

/* Whether anything waits for that refresh. */
bool watch_joined(const struct watch_pool *pool);

/* It has gone, by its place in watched->target. Returns the place in the pool that nobody needs any
 * more, or WATCHED_NONE. */
size_t watch_down(struct watch_pool *pool, struct watched *watched, size_t place, uint64_t now);

/* The pool's endpoints are watched, from `since` on, and `here` as the capture has found. */
void watch_settle(struct watch_pool *pool);

/* As those of the ledger. 0 or -ENOMEM. */
void watch_begin_refresh(struct watch_pool *pool);
int watch_update(struct watch_pool *pool, const struct caller_key *key,
		 const struct caller_counts *counts, const struct who *who);
void watch_end_refresh(struct watch_pool *pool);
void watch_clear_open(struct watch_pool *pool);
void watch_add_open(struct watch_pool *pool, const struct connection *connection);
void watch_begin_times(struct watch_pool *pool);
int watch_set_times(struct watch_pool *pool, const struct caller_key *key,
		    const struct histograms *times);

/*
 * The capture has forgotten a caller: so do the targets, as ledger_forget() has it, and `merged` is
 * told of whose ledger it is. Not while watch_joined(). After all, watch_end_forget(); the reports
 * are to be made anew then, for their rows may be gone. 0 or -ENOMEM.
 */
typedef void watch_merged(const struct watched *watched, const struct row *into,
			  const struct row *from, void *arg);
int watch_forget(struct watch_pool *pool, const struct caller_key *key,
		 const struct caller_counts *counts, const struct histograms *times,
		 watch_merged *merged, void *arg);
/* As ledger_drop_sums(). */
typedef void watch_dropped(const struct watched *watched, const struct row *row, void *arg);
void watch_drop_sums(struct watch_pool *pool, uint64_t before, watch_dropped *dropped, void *arg);
void watch_end_forget(struct watch_pool *pool);

/* Calls `take` for each row of each ledger. */
void watch_rows(const struct watch_pool *pool, void (*take)(const struct row *row, void *arg),
		void *arg);

/*
 * Makes all reports anew. `capture`: the report of all together, without callers: hooks, losses,
 * times and listeners are taken from there. What the kernel counts for all targets alone (callers
 * without room) is in none of them. 0 or -ENOMEM.
 */
int watch_reports(struct watch_pool *pool, const struct report *capture);

/* By "NAMESPACE/NAME"; NULL: none. */
struct watched *watch_find(const struct watch_pool *pool, const char *text);

#endif
