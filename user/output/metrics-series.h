/* SPDX-License-Identifier: MIT */
/*
 * The series of callers, and what is remembered of them from scrape to scrape.
 *
 * Each caller's counters are in two parts: what is shown in its own series, and what in `other` of
 * its target. What comes is added to the part that is shown when it comes. Both only grow.
 */
#ifndef OUTPUT_METRICS_SERIES_H
#define OUTPUT_METRICS_SERIES_H

#include "metrics-histogram.h"
#include "metrics-text.h"

#include <uthash.h>

/* The counters of a caller. */
enum series_count {
	COUNT_CONNECTIONS,
	COUNT_REQUESTS,
	COUNT_OVERLAPS,
	COUNT_RECEIVED,
	COUNT_SENT,
	COUNT_REFUSED,
	COUNT_STRAY,
	COUNT_NUMBERS,
	/* a histogram: its cells, then its sum in ns */
	COUNT_SERVICE = COUNT_NUMBERS,
	COUNT_SERVICE_SUM = COUNT_SERVICE + SERVICE_CELLS,
	COUNT_OPEN,
	COUNT_OPEN_SUM = COUNT_OPEN + OPEN_CELLS,
	SERIES_COUNTS,
};

struct series_counts {
	uint64_t n[SERIES_COUNTS];
};

/* What can go down, as of the last report. */
struct gauges {
	uint64_t open;
	uint64_t idle;
	uint64_t pending;
	uint64_t last_seen; /* CLOCK_MONOTONIC; 0: never */
};

struct series {
	char *labels; /* of the target and the caller, as they are written */
	char *edge;   /* its labels in the service graph; NULL: it is not in it */
	enum caller_class class;
	bool shown; /* has a place: counters that come are its own, and it is written */
	struct series_counts own;
	struct series_counts *other; /* the part in `other`; NULL: none */
	struct gauges gauges;
	/* private: */
	struct series_counts raw;     /* as the report has it */
	uint64_t laps[DURATIONS];     /* what wrapped kernel buckets are short of, all together */
	uint64_t sum_lost[DURATIONS]; /* likewise of the sum, in ns */
	uint64_t round;               /* the last in which it was in the report */
	bool fresh;                   /* that was the first */
	bool stale;
	struct series_counts *written; /* of `own`; only where addresses have series */
	struct series *next;           /* of the target, in the order in which they came */
	UT_hash_handle hh;
};

struct target_series {
	char *labels;
	const struct metrics_target *target; /* of the round that runs */
	struct series *first, **end;
	struct series other;       /* shown: there is, or was, anything in it */
	size_t in_other;           /* callers */
	struct series_counts rest; /* what the report has of callers without a row */
	uint64_t unattributed;
	uint64_t dropped;
	/* of series whose caller has left the report: their part in `other`, and all, by class */
	struct series_counts gone_other;
	struct series_counts *gone[CLASSES];
	uint64_t round;
	struct target_series *next;
	UT_hash_handle hh;
};

struct metrics_memory {
	struct series *by_labels;
	struct target_series *targets_by_labels;
	struct target_series *targets, **end; /* in the order in which they came */
	uint64_t round;
	struct fold service; /* see metrics-histogram.h */
	struct fold open;
	/* the highest that were shown: seen, missed, and both kinds of skipped runs */
	uint64_t hooks[REPORT_HOOKS][4];
};

/* Labels of a caller, behind those that are there, and of its edge in the service graph. 0 or
 * -ENOMEM. */
int series_caller_labels(struct labels *labels, const struct caller *caller, bool by_address);
int series_other_labels(struct labels *labels);
int series_edge_labels(struct labels *labels, const struct metrics_target *target,
		       const struct caller *caller, bool by_address);
int series_other_edge_labels(struct labels *labels, const struct metrics_target *target);

/* Takes the reports: after it, `shown`, `own` and `gauges` are what is to be written. 0 or -ENOMEM.
 */
int series_update(struct metrics_memory *memory, const struct metrics *metrics);

/* The series of a target that are written, `other` last. Start with NULL. */
const struct series *series_next(const struct target_series *target, const struct series *series);

/* How long connections were open, of all callers of one class: sum[0] to sum[OPEN_CELLS - 1] are
 * the cells, sum[OPEN_CELLS] the sum in ns. */
void series_open_times(const struct target_series *target, enum caller_class class,
		       uint64_t sum[OPEN_CELLS + 1]);

/* Never below what it was. */
static inline uint64_t series_grow(uint64_t *shown, uint64_t value)
{
	if (value > *shown)
		*shown = value;
	return *shown;
}

#endif
