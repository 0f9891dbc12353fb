/* SPDX-License-Identifier: MIT */
/* How a series' counters go on from one report to the next. */
#ifndef OUTPUT_METRICS_COUNTS_H
#define OUTPUT_METRICS_COUNTS_H

#include "metrics-series.h"

/* Adds what a caller has counted to raw, the sum over all callers of one series. */
void series_counts_add_caller(struct series_counts *raw, const struct metrics_memory *memory,
			      const struct caller *caller);
/* The same of those without a row: they have no times. */
void series_counts_add_others(struct series_counts *raw, const struct row *others);

/* Adds all of `more`; NULL: nothing. */
void series_counts_add(struct series_counts *sum, const struct series_counts *more);

/* Each that is higher takes the place of what is there. */
void series_counts_grow(struct series_counts *counts, const struct series_counts *now);

/* What came since the round before goes to `own` if the series is shown, or stale: then it will be
 * when it comes back; else to `other`. 0 or -ENOMEM. */
int series_counts_advance(struct series *series);

#endif
