/* SPDX-License-Identifier: MIT */
/*
 * The ledger: who called, how often, since when. Pure: no I/O, no clock, no root.
 *
 * The kernel's counts are absolute and only grow; the ledger is handed each caller's counts again
 * and again and keeps the newest. A caller whose identity changes (its address went to another pod)
 * gets a new row with the first count that is new under it; the old row keeps what was counted
 * until then. So the rows of a key always add up to the kernel's counts of it.
 *
 *	ledger_begin_refresh()
 *	ledger_update() for each entry of the kernel's map, ledger_set_unattributed()
 *	ledger_end_refresh()
 *	ledger_clear_open(), ledger_add_open() for each open connection
 *	ledger_begin_times(), ledger_set_times() for each of the kernel's histograms
 *
 * Callers that are no more can be forgotten: their counts go to a row that stands for all such of
 * the same workload, process, node or class. So what a workload has in all stays what it was.
 *
 *	ledger_forget() for each of them
 *	ledger_end_forget()
 */
#ifndef CALLERS_LEDGER_H
#define CALLERS_LEDGER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../../bpf/whocalls.h"
#include "who.h"

#include <uthash.h>

/* What stands open for one caller, as of the last sweep. */
struct open_counts {
	uint64_t open;           /* connections, older ones too */
	uint64_t idle;           /* of those: no data in the window */
	uint64_t waiting;        /* of those: in the accept queue */
	uint64_t waiting_since;  /* oldest of those opened, or found; 0: none */
	uint64_t old;            /* of those: open before the trace */
	uint64_t old_active;     /* of `old`: data came since */
	uint64_t bytes_received; /* payload in the window */
	uint64_t bytes_sent;
	/* payload, both ways, that old connections had carried before the window */
	uint64_t old_bytes;
	uint64_t last_data; /* newest time of data; 0: none known */
	/* oldest time since which an idle one is idle: its last data, or its opening; 0: none */
	uint64_t quiet_since;
	uint64_t requests; /* in the window, and what tells that they are none: see struct turn */
	uint64_t overlaps;
};

struct row {
	struct caller_key key;
	struct who who;
	struct caller_counts counts; /* of this row alone */
	struct open_counts open;
	struct histograms *times; /* of this row alone, as of the last pass; NULL: all zero */
	bool sum; /* stands for rows that were forgotten: of key and who it has what they share */
	/* private: */
	bool forgotten;                /* until ledger_end_forget() */
	bool wanted;                   /* of a sum: a row is of the same caller */
	bool superseded;               /* has another identity now that found no room */
	bool times_begun;              /* times_base is set */
	uint32_t made;                 /* number of the refresh */
	struct caller_counts *base;    /* kernel's counts when this row began; NULL: all zero */
	struct histograms *times_base; /* kernel's histograms then; NULL: all zero */
	struct row *older;             /* row of the same key with the identity before */
	struct row *next;              /* in the order in which they were made */
	uint64_t caller_hash;          /* of a sum */
	UT_hash_handle hh;
};

struct ledger;

/* Makes a ledger of at most `limit` rows; what comes beyond is added up in ledger_others(). NULL:
 * no memory. */
struct ledger *ledger_new(size_t limit);
void ledger_free(struct ledger *ledger);

/*
 * Brackets one pass over all of the kernel's counts. Nothing is remembered of a key beyond the
 * limit, so what they have in all is added up anew in each pass, and shown by ledger_others() from
 * the end of it on. Each key may come once in a pass.
 */
void ledger_begin_refresh(struct ledger *ledger);
void ledger_end_refresh(struct ledger *ledger);

/*
 * Takes the kernel's counts of one caller, and who it is now. Returns 1 if this made a new row, 0
 * if not, -ENOSPC if the ledger is full (the counts go to the others), -ENOMEM (likewise). Outside
 * of a pass (a single event) rows are made and updated too, but what finds no row waits for the
 * next pass. `counts` NULL: not known yet, only makes sure of the row.
 *
 * That the pod of a process (same cgroup) got known, or is no longer, is no change of identity: the
 * row takes the name, and keeps it. Nor is it one that an address turns out to have been a pod's
 * all the time.
 */
int ledger_update(struct ledger *ledger, const struct caller_key *key,
		  const struct caller_counts *counts, const struct who *who);

/* The row of a key (its newest), or NULL. Valid until ledger_free(). */
struct row *ledger_find(struct ledger *ledger, const struct caller_key *key);

/* Forgets what stands open, before a sweep's results are added with ledger_add_open(). */
void ledger_clear_open(struct ledger *ledger);
/*
 * Adds one open connection to its caller, under the identity that it was counted under. `began`:
 * when the window began. Records that only wait for their accept (CONNECTION_CLOSED) are ignored.
 * -ENOENT: no such caller (goes to others).
 */
int ledger_add_open(struct ledger *ledger, const struct connection *connection, uint64_t began);

/*
 * Begins the taking of times after a refresh, and may be left out: who shows none needn't pay for
 * it. But after a refresh that has made a row with another identity it is due, so that each gets
 * its own. What came since the last taking belongs to the new identity if that followed the refresh
 * before, else to the old one.
 */
bool ledger_times_due(const struct ledger *ledger);
void ledger_begin_times(struct ledger *ledger);
/* Takes the kernel's histograms of one caller. 0, -ENOENT: it has no row, -ENOMEM. */
int ledger_set_times(struct ledger *ledger, const struct caller_key *key,
		     const struct histograms *times);

/*
 * Forgets a caller without an open connection: these are the last counts and times of it (NULL:
 * none), and should it come again they begin anew. What its rows had goes to sums, as `merged` is
 * told for each, what had no row stays with the others; those rows stay until ledger_end_forget(),
 * which must follow. 0 or -ENOMEM.
 */
typedef void ledger_merged(const struct row *into, const struct row *from, void *arg);
int ledger_forget(struct ledger *ledger, const struct caller_key *key,
		  const struct caller_counts *counts, const struct histograms *times,
		  ledger_merged *merged, void *arg);
/* Forgets those sums, too, that nothing came to since `before` and whose caller has no other row:
 * `dropped` is told of each. Before ledger_end_forget(). */
typedef void ledger_dropped(const struct row *row, void *arg);
void ledger_drop_sums(struct ledger *ledger, uint64_t before, ledger_dropped *dropped, void *arg);
void ledger_end_forget(struct ledger *ledger);

/* The kernel's counts of connections whose caller found no place in its map. */
void ledger_set_unattributed(struct ledger *ledger, const struct caller_counts *counts);

/* All that has no row: what the kernel could not attribute and what found no room here. */
struct row ledger_others(const struct ledger *ledger);

/* Walks all rows, in the order in which they were made. Start with NULL. */
const struct row *ledger_next(const struct ledger *ledger, const struct row *row);
size_t ledger_rows(const struct ledger *ledger);

/* Adds up: numbers are added, `first` is the oldest, `last` the newest, with its pid. */
void ledger_sum_counts(struct caller_counts *sum, const struct caller_counts *more);
/* When it last opened, closed or attempted anything. */
uint64_t ledger_last(const struct caller_counts *counts);
/* Whether any attempts were counted: refused, stray or pending. */
bool ledger_attempted(const struct caller_counts *counts);
void ledger_sum_open(struct open_counts *sum, const struct open_counts *more);

#endif
