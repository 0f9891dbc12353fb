/* SPDX-License-Identifier: MIT */
#include "metrics-series.h"

#include <errno.h>
#include <string.h>

#include "metrics-counts.h"
#include "metrics-memory.h"
#include "metrics-place.h"

static void series_begin_round(struct series *series, uint64_t round)
{
	if (series->round == round)
		return;
	series->round = round;
	series->raw = (struct series_counts){};
	series->gauges = (struct gauges){};
}

static void gauges_add(struct gauges *sum, const struct gauges *more)
{
	sum->open += more->open;
	sum->idle += more->idle;
	sum->pending += more->pending;
	series_grow(&sum->last_seen, more->last_seen);
}

static struct gauges gauges_of(const struct caller_counts *counts, const struct open_counts *open,
			       uint64_t last_seen)
{
	return (struct gauges){
		.open = open->open,
		.idle = open->idle,
		.pending = counts->pending,
		.last_seen = last_seen,
	};
}

/* What stands for callers that were forgotten was in the series of their addresses, which have
 * ended with it. */
static bool was_counted(const struct metrics *metrics, const struct caller *caller)
{
	return metrics->by_address && !caller->n_addresses &&
	       (caller->class == CLASS_EXTERNAL || caller->class == CLASS_UNKNOWN);
}

static int take_callers(struct metrics_memory *memory, const struct metrics *metrics,
			struct target_series *target, struct labels *scratch)
{
	const struct report *report = target->target->report;

	for (size_t i = 0; i < report->n_callers; i++) {
		const struct caller *caller = &report->callers[i];
		struct gauges gauges = gauges_of(&caller->counts, &caller->open, caller->last_seen);
		struct series *series;

		if (was_counted(metrics, caller))
			continue;
		series = memory_series(memory, metrics, target, caller, scratch);
		if (!series)
			return -ENOMEM;
		series_begin_round(series, memory->round);
		series_counts_add_caller(&series->raw, memory, caller);
		gauges_add(&series->gauges, &gauges);
	}
	return memory_remove_gone_series(memory, target, metrics->forgotten);
}

/* Adds up what has no series of its own. */
static void other_sum(struct target_series *target)
{
	const struct row *others = &target->target->report->others;
	struct series *other = &target->other;
	struct series_counts rest = {};

	series_counts_add_others(&rest, others);
	series_counts_grow(&target->rest, &rest);
	other->own = target->rest;
	series_counts_add(&other->own, &target->gone_other);
	other->gauges = gauges_of(&others->counts, &others->open, others->counts.last);
	if (others->counts.pending || others->counts.refused || others->counts.stray)
		series_grow(&other->gauges.last_seen, others->counts.last_attempt);
	target->in_other = 0;
	for (const struct series *series = target->first; series; series = series->next) {
		series_counts_add(&other->own, series->other);
		if (series->shown || series->stale)
			continue;
		target->in_other++;
		gauges_add(&other->gauges, &series->gauges);
	}
	other->shown |= target->in_other || other->own.n[COUNT_CONNECTIONS] || other->gauges.open ||
			other->gauges.last_seen;
}

static int target_advance(struct target_series *target)
{
	const struct report *report = target->target->report;
	int r = 0;

	for (struct series *series = target->first; series && !r; series = series->next) {
		r = series_counts_advance(series);
		series->fresh = r && series->fresh;
	}
	series_grow(&target->unattributed, report->unattributed);
	series_grow(&target->dropped, report_dropped(report));
	if (!r)
		other_sum(target);
	return r;
}

int series_update(struct metrics_memory *memory, const struct metrics *metrics)
{
	struct labels scratch = {};
	int r = 0;

	memory->round++;
	for (size_t i = 0; i < metrics->n_targets && !r; i++) {
		const struct metrics_target *given = &metrics->targets[i];
		struct target_series *target = memory_target(memory, metrics, given, &scratch);

		if (!target) {
			r = -ENOMEM;
			break;
		}
		target->target = given;
		target->round = memory->round;
		r = take_callers(memory, metrics, target, &scratch);
	}
	labels_deinit(&scratch);
	if (r)
		return r;
	memory_remove_gone_targets(memory);
	r = series_place(memory, metrics);
	for (struct target_series *t = memory->targets; t && !r; t = t->next)
		r = target_advance(t);
	return r;
}

const struct series *series_next(const struct target_series *target, const struct series *series)
{
	if (series == &target->other)
		return NULL;
	series = series ? series->next : target->first;
	while (series && !series->shown)
		series = series->next;
	if (series)
		return series;
	return target->other.shown ? &target->other : NULL;
}

void series_open_times(const struct target_series *target, enum caller_class class,
		       uint64_t sum[OPEN_CELLS + 1])
{
	struct series_counts all = {};

	if (target->gone[class])
		all = *target->gone[class];
	for (const struct series *series = target->first; series; series = series->next) {
		if (series->class != class)
			continue;
		series_counts_add(&all, &series->own);
		series_counts_add(&all, series->other);
	}
	memcpy(sum, &all.n[COUNT_OPEN], (OPEN_CELLS + 1) * sizeof(*sum));
}
