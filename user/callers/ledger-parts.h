/* SPDX-License-Identifier: MIT */
/* What the ledger is made of: not for others. */
#ifndef CALLERS_LEDGER_PARTS_H
#define CALLERS_LEDGER_PARTS_H

#include "ledger.h"

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

#endif
