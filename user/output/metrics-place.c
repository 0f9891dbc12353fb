/* SPDX-License-Identifier: MIT */
#include "metrics-place.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Those that have no place and want one. */
struct waiting {
	struct series **series;
	size_t n;
	size_t room;
};

static bool is_stale(const struct series *series, const struct report *report,
		     const struct metrics *metrics)
{
	uint64_t seen = series->gauges.last_seen;

	/* what was there when the agent came has no time of its own */
	if (seen < report->start_ns)
		seen = report->start_ns;
	return metrics->stale_ns && !series->gauges.open && metrics->now_ns > seen &&
	       metrics->now_ns - seen > metrics->stale_ns;
}

static int compare(const void *a, const void *b)
{
	const struct series *p = *(struct series *const *)a, *q = *(struct series *const *)b;
	uint64_t p_opened = p->raw.n[COUNT_CONNECTIONS], q_opened = q->raw.n[COUNT_CONNECTIONS];

	if (p_opened != q_opened)
		return p_opened < q_opened ? 1 : -1;
	if (p->gauges.last_seen != q->gauges.last_seen)
		return p->gauges.last_seen < q->gauges.last_seen ? 1 : -1;
	return strcmp(p->labels, q->labels);
}

static int add_waiting(struct waiting *waiting, struct series *series)
{
	if (waiting->n == waiting->room) {
		size_t room = waiting->room ? 2 * waiting->room : 64;
		void *more = reallocarray(waiting->series, room, sizeof(*waiting->series));

		if (!more)
			return -ENOMEM;
		waiting->series = more;
		waiting->room = room;
	}
	waiting->series[waiting->n++] = series;
	return 0;
}

/* Takes the place of a stale one, counts one that has a place, notes one that waits. There is one
 * probe for each target at most: those are not counted. */
static int look_at(struct series *series, struct waiting *waiting, size_t *places)
{
	bool probe = series->class == CLASS_PROBE;

	series->shown = !series->stale && (series->shown || probe);
	if (series->stale || probe)
		return 0;
	if (series->shown) {
		++*places;
		return 0;
	}
	return add_waiting(waiting, series);
}

int series_place(struct metrics_memory *memory, const struct metrics *metrics)
{
	struct waiting waiting = {};
	size_t places = 0, free_places;
	int r = 0;

	for (struct target_series *t = memory->targets; t && !r; t = t->next) {
		for (struct series *s = t->first; s && !r; s = s->next) {
			s->stale = is_stale(s, t->target->report, metrics);
			r = look_at(s, &waiting, &places);
		}
	}
	if (r)
		goto out;
	free_places = metrics->max_callers > places ? metrics->max_callers - places : 0;
	if (waiting.n > free_places && free_places)
		qsort(waiting.series, waiting.n, sizeof(*waiting.series), compare);
	for (size_t i = 0; i < waiting.n && i < free_places; i++)
		waiting.series[i]->shown = true;
out:
	free(waiting.series);
	return r;
}
