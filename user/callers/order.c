/* SPDX-License-Identifier: MIT */
#include "order.h"

#include <stdlib.h>
#include <string.h>

static int compare_numbers_down(uint64_t a, uint64_t b)
{
	return (a < b) - (a > b);
}

static int compare_names(const char *a, const char *b)
{
	return strcmp(a ? a : "", b ? b : "");
}

static int compare_workloads(const struct pod_name *a, const struct pod_name *b)
{
	int r = compare_names(a->namespace, b->namespace);

	if (!r)
		r = compare_names(a->workload, b->workload);
	return r ? r : compare_names(a->kind, b->kind);
}

/* Everything that tells callers apart. */
static int compare_identities(const struct caller *a, const struct caller *b)
{
	int r = (int)a->class - (int)b->class;

	if (!r && a->pod && b->pod)
		r = compare_workloads(a->pod, b->pod);
	if (!r)
		r = compare_names(a->node, b->node);
	if (!r)
		r = compare_names(a->process, b->process);
	if (!r)
		r = memcmp(&a->addresses[0], &b->addresses[0], sizeof(a->addresses[0]));
	if (!r)
		r = (int)a->ignored - (int)b->ignored;
	return r;
}

/* After the counts everything else, so that rows don't dance. */
static int compare_callers(const void *first, const void *second)
{
	const struct caller *a = first, *b = second;
	int r;

	r = (a->class == CLASS_PROBE) - (b->class == CLASS_PROBE);
	if (!r)
		r = compare_numbers_down(a->place, b->place);
	if (!r)
		r = compare_numbers_down(a->counts.opened, b->counts.opened);
	if (!r)
		r = compare_numbers_down(a->open.open, b->open.open);
	return r ? r : compare_identities(a, b);
}

/* Those that have a workload, by its name; then the others, each class by what its names are. */
static int compare_by_name(const void *first, const void *second)
{
	const struct caller *a = first, *b = second;
	int r;

	r = (a->class == CLASS_PROBE) - (b->class == CLASS_PROBE);
	if (!r)
		r = !a->pod - !b->pod;
	if (!r && a->pod && b->pod)
		r = compare_workloads(a->pod, b->pod);
	return r ? r : compare_identities(a, b);
}

static uint64_t place(const struct caller *caller, enum report_sort sort)
{
	struct times times = {};

	switch (sort) {
	case SORT_REQUESTS:
		return caller->requests;
	case SORT_P50:
		caller_times(caller, SERVICE_TIME, &times);
		return times.p50;
	case SORT_P99:
		caller_times(caller, SERVICE_TIME, &times);
		return times.p99;
	case SORT_OPEN:
		return caller->open.open;
	case SORT_LAST:
		return caller->last_seen;
	default:
		return 0;
	}
}

void order_callers(struct caller *callers, size_t n, enum report_sort sort)
{
	for (size_t i = 0; i < n; i++)
		callers[i].place = place(&callers[i], sort);
	qsort(callers, n, sizeof(*callers), sort == SORT_NAME ? compare_by_name : compare_callers);
}
