/* SPDX-License-Identifier: MIT */
#include "metrics-counts.h"

#include <errno.h>
#include <stdlib.h>

static void add_counts(struct series_counts *raw, const struct caller_counts *counts,
		       const struct open_counts *open)
{
	raw->n[COUNT_CONNECTIONS] += counts->opened;
	raw->n[COUNT_REQUESTS] += counts->requests + open->requests;
	raw->n[COUNT_OVERLAPS] += counts->overlaps + open->overlaps;
	raw->n[COUNT_RECEIVED] += counts->bytes_received + open->bytes_received;
	raw->n[COUNT_SENT] += counts->bytes_sent + open->bytes_sent;
	raw->n[COUNT_REFUSED] += counts->refused;
	raw->n[COUNT_STRAY] += counts->stray;
}

void series_counts_add_caller(struct series_counts *raw, const struct metrics_memory *memory,
			      const struct caller *caller)
{
	add_counts(raw, &caller->counts, &caller->open);
	if (!caller->times)
		return;
	fold_add(&memory->service, caller->times->bucket[SERVICE_TIME], &raw->n[COUNT_SERVICE],
		 &raw->n[COUNT_SERVICE_SUM]);
	fold_add(&memory->open, caller->times->bucket[OPEN_TIME], &raw->n[COUNT_OPEN],
		 &raw->n[COUNT_OPEN_SUM]);
}

void series_counts_add_others(struct series_counts *raw, const struct row *others)
{
	add_counts(raw, &others->counts, &others->open);
}

void series_counts_add(struct series_counts *sum, const struct series_counts *more)
{
	for (size_t i = 0; more && i < SERIES_COUNTS; i++)
		sum->n[i] += more->n[i];
}

void series_counts_grow(struct series_counts *counts, const struct series_counts *now)
{
	for (size_t i = 0; i < SERIES_COUNTS; i++)
		series_grow(&counts->n[i], now->n[i]);
}

static uint64_t before(const struct series *series, size_t i)
{
	return series->own.n[i] + (series->other ? series->other->n[i] : 0);
}

/* The kernel's buckets wrap: cells go on. So does the sum, but for what it lost then: that can't be
 * told, and is left out from the round in which it happened. */
static void unwrap(struct series *series, enum duration of, size_t first, size_t n)
{
	struct series_counts *raw = &series->raw;
	uint64_t laps = 0;

	if (series->fresh)
		return;
	for (size_t i = first; i < first + n; i++) {
		uint64_t now = fold_unwrap(before(series, i), raw->n[i]);

		laps += now - raw->n[i];
		raw->n[i] = now;
	}
	if (laps != series->laps[of])
		series->sum_lost[of] = before(series, first + n) - raw->n[first + n];
	series->laps[of] = laps;
	raw->n[first + n] += series->sum_lost[of];
}

int series_counts_advance(struct series *series)
{
	struct series_counts *into = &series->own;
	const struct series_counts *rest = series->other;

	bool own = series->shown || series->stale;

	if (!own && !series->other) {
		series->other = calloc(1, sizeof(*series->other));
		if (!series->other)
			return -ENOMEM;
	}
	unwrap(series, SERVICE_TIME, COUNT_SERVICE, SERVICE_CELLS);
	unwrap(series, OPEN_TIME, COUNT_OPEN, OPEN_CELLS);
	if (!own) {
		into = series->other;
		rest = &series->own;
	}
	for (size_t i = 0; i < SERIES_COUNTS; i++) {
		uint64_t part = rest ? rest->n[i] : 0;

		if (series->raw.n[i] > part)
			series_grow(&into->n[i], series->raw.n[i] - part);
	}
	return 0;
}
