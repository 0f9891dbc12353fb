/* SPDX-License-Identifier: MIT */
/* What the ledger is made of: not for others. */
#ifndef CALLERS_LEDGER_PARTS_H
#define CALLERS_LEDGER_PARTS_H

#include "ledger.h"

struct ledger {
	size_t limit;
	size_t n_rows;
	struct row *newest; /* hash: the row of each key that counts now */
	struct row *sums;   /* hash: by who they are, those that stand for forgotten ones */
	struct row *first;  /* list: all rows */
	struct row *last;
	struct caller_counts unattributed; /* by the kernel */
	struct caller_counts beyond;       /* without a row, as of the last complete pass */
	struct caller_counts pending;      /* likewise, of the pass that runs */
	struct caller_counts forgotten;    /* likewise, of callers that were forgotten */
	struct open_counts others_open;
	bool refreshing;
	bool full;             /* there is somebody without a row, or was in the last pass */
	uint64_t seen;         /* newest time that was counted, as of the last complete pass */
	uint64_t seen_next;    /* likewise, of the pass that runs */
	uint32_t refresh;      /* number of the one that runs, or ran last */
	uint32_t times;        /* number of the refresh that the last taking of times followed */
	uint32_t times_before; /* ... and the one before that */
	bool times_due;
};

/* What the kernel had counted when the row was last updated. */
struct caller_counts row_total(const struct row *row);
void row_set_counts(struct row *row, const struct caller_counts *counts);
void row_free(struct row *row);
/* At the list's end. */
void ledger_append(struct ledger *ledger, struct row *row);

/* Of two times the older one; 0: there is none. */
uint64_t older_time(uint64_t a, uint64_t b);
/* a - b, but not below 0. */
uint64_t less(uint64_t a, uint64_t b);

/* What was counted since `base`; NULL: all of it. */
struct caller_counts counts_since(const struct caller_counts *counts,
				  const struct caller_counts *base);
bool counts_any(const struct caller_counts *counts);

/*
 * Sets what the kernel's histograms were when the row began, which has an older one: as of the last
 * taking of times if `exact`. Else they were not looked at when they should have been: all until
 * now is taken for the older row's. 0 or -ENOMEM.
 */
int row_begin_times(struct row *row, const struct histograms *times, bool exact);
/* Takes the kernel's histograms of now. 0 or -ENOMEM. */
int row_set_times(struct row *row, const struct histograms *times);
/* Adds another row's. 0 or -ENOMEM. */
int row_add_times(struct row *row, const struct row *more);

#endif
