/* SPDX-License-Identifier: MIT */
/* What callers did, summed up by what it means for the verdict. */
#include "verdict.h"

bool tally_any(const struct tally *tally)
{
	return tally->opened || tally->refused || tally->stray || tally->pending || tally->active ||
	       tally->held;
}

static int64_t older_time(int64_t a, int64_t b)
{
	return a && (!b || a < b) ? a : b;
}

void tally_add(struct tally *sum, const struct tally *more)
{
	sum->callers += more->callers;
	sum->opened += more->opened;
	sum->refused += more->refused;
	sum->stray += more->stray;
	sum->pending += more->pending;
	sum->active += more->active;
	sum->held += more->held;
	sum->held_since = older_time(sum->held_since, more->held_since);
	if (more->last > sum->last)
		sum->last = more->last;
}

static int64_t real_time(const struct report *report, uint64_t ns)
{
	return ns ? (int64_t)ns + report->realtime_offset : 0;
}

struct tally tally_of(const struct report *report, const struct caller *caller)
{
	const struct caller_counts *counts = &caller->counts;
	const struct open_counts *open = &caller->open;
	uint64_t active = open->old_active + counts->old_active;
	struct tally tally = {
		.opened = counts->opened,
		.refused = counts->refused,
		.stray = counts->stray,
		.pending = counts->pending,
		.active = active,
		.held = counts->old > active ? counts->old - active : 0,
		.last = real_time(report, caller->last_seen),
	};

	if (tally.held)
		tally.held_since = real_time(report, open->quiet_since);
	tally.callers = tally_any(&tally);
	return tally;
}

struct tally *traffic_part(struct traffic *traffic, enum caller_class class, bool ignored)
{
	if (ignored)
		return &traffic->ignored;
	return class == CLASS_PROBE ? &traffic->probes : &traffic->callers;
}

void traffic_make(struct traffic *traffic, const struct report *report)
{
	const struct caller others = {
		.counts = report->others.counts,
		.open = report->others.open,
		.last_seen = report->others.counts.last,
	};

	*traffic = (struct traffic){
		.callers = tally_of(report, &others),
		.dropped = report_dropped(report),
	};
	for (size_t i = 0; i < report->n_callers; i++) {
		const struct caller *caller = &report->callers[i];
		struct tally tally = tally_of(report, caller);

		tally_add(traffic_part(traffic, caller->class, caller->ignored), &tally);
	}
}

void traffic_merge(struct traffic *into, const struct traffic *more)
{
	tally_add(&into->callers, &more->callers);
	tally_add(&into->probes, &more->probes);
	tally_add(&into->ignored, &more->ignored);
	into->dropped += more->dropped;
}
