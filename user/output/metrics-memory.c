/* SPDX-License-Identifier: MIT */
/* uthash ends the program when there is no memory, unless it is told what to do instead. */
#define HASH_NONFATAL_OOM 1
#define uthash_nonfatal_oom(item) (hash_failed = true)

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "metrics-counts.h"
#include "metrics-memory.h"

struct metrics_memory *metrics_memory_new(void)
{
	struct metrics_memory *memory = calloc(1, sizeof(*memory));

	if (!memory)
		return NULL;
	memory->end = &memory->targets;
	fold_init_service(&memory->service);
	fold_init_open(&memory->open);
	return memory;
}

static void series_free(struct series *series)
{
	if (!series)
		return;
	free(series->labels);
	free(series->edge);
	free(series->other);
	free(series->written);
	free(series);
}

static void target_free(struct target_series *target)
{
	if (!target)
		return;
	free(target->labels);
	free(target->other.labels);
	free(target->other.edge);
	for (size_t i = 0; i < CLASSES; i++)
		free(target->gone[i]);
	free(target);
}

static void target_remove(struct metrics_memory *memory, struct target_series *target)
{
	struct series *series, *next;

	for (series = target->first; series; series = next) {
		next = series->next;
		// NOLINTNEXTLINE(clang-analyzer-core.NullDereference)
		HASH_DELETE(hh, memory->by_labels, series);
		series_free(series);
	}
	// NOLINTNEXTLINE(clang-analyzer-core.NullDereference)
	HASH_DELETE(hh, memory->targets_by_labels, target);
	target_free(target);
}

void metrics_memory_free(struct metrics_memory *memory)
{
	struct target_series *target, *next;

	if (!memory)
		return;
	for (target = memory->targets; target; target = next) {
		next = target->next;
		target_remove(memory, target);
	}
	free(memory);
}

/* What is kept of a series whose caller the report doesn't have any more. Of one that was forgotten
 * nothing tells what it had that was not written. 0 or -ENOMEM. */
static int keep_gone(struct target_series *target, const struct series *series, bool forgotten)
{
	struct series_counts **gone = &target->gone[series->class];

	if (!*gone)
		*gone = calloc(1, sizeof(**gone));
	if (!*gone)
		return -ENOMEM;
	series_counts_add(*gone, &series->own);
	series_counts_add(*gone, series->other);
	series_counts_add(&target->gone_other, series->other);
	if (forgotten && series->written) {
		for (size_t i = 0; i < SERIES_COUNTS; i++)
			target->gone_other.n[i] += series->own.n[i] - series->written->n[i];
	}
	return 0;
}

int memory_remove_gone_series(struct metrics_memory *memory, struct target_series *target,
			      bool forgotten)
{
	struct series **at = &target->first, *series;

	while ((series = *at)) {
		if (series->round == memory->round) {
			at = &series->next;
			continue;
		}
		if (keep_gone(target, series, forgotten))
			return -ENOMEM;
		*at = series->next;
		// NOLINTNEXTLINE(clang-analyzer-core.NullDereference)
		HASH_DELETE(hh, memory->by_labels, series);
		series_free(series);
	}
	target->end = at;
	return 0;
}

void memory_remove_gone_targets(struct metrics_memory *memory)
{
	struct target_series **at = &memory->targets, *target;

	while ((target = *at)) {
		if (target->round == memory->round) {
			at = &target->next;
			continue;
		}
		*at = target->next;
		target_remove(memory, target);
	}
	memory->end = at;
}

/* Takes the text over. */
static char *take_text(struct labels *labels)
{
	char *text = labels->text ? strdup(labels->text) : NULL;

	labels_clear(labels);
	return text;
}

static int target_other_init(struct target_series *target, const struct metrics *metrics,
			     struct labels *scratch)
{
	int r = labels_add(scratch, "namespace", target->target->namespace, SIZE_MAX);

	if (!r)
		r = labels_add(scratch, "service", target->target->service, SIZE_MAX);
	if (!r)
		r = series_other_labels(scratch);
	if (r)
		return r;
	target->other.labels = take_text(scratch);
	if (!target->other.labels)
		return -ENOMEM;
	if (!metrics->service_graph)
		return 0;
	r = series_other_edge_labels(scratch, target->target);
	target->other.edge = r ? NULL : take_text(scratch);
	return target->other.edge ? 0 : -ENOMEM;
}

static struct target_series *target_make(struct metrics_memory *memory,
					 const struct metrics *metrics,
					 const struct metrics_target *given, struct labels *scratch)
{
	struct target_series *target = calloc(1, sizeof(*target));
	bool hash_failed = false;

	if (!target)
		return NULL;
	target->target = given;
	target->end = &target->first;
	target->labels = take_text(scratch);
	if (!target->labels || target_other_init(target, metrics, scratch))
		goto failed;
	HASH_ADD_KEYPTR(hh, memory->targets_by_labels, target->labels, strlen(target->labels),
			target);
	if (hash_failed)
		goto failed;
	*memory->end = target;
	memory->end = &target->next;
	return target;
failed:
	target_free(target);
	return NULL;
}

struct target_series *memory_target(struct metrics_memory *memory, const struct metrics *metrics,
				    const struct metrics_target *given, struct labels *scratch)
{
	struct target_series *target = NULL;

	labels_clear(scratch);
	if (labels_add(scratch, "namespace", given->namespace, SIZE_MAX) ||
	    labels_add(scratch, "service", given->service, SIZE_MAX))
		return NULL;
	HASH_FIND(hh, memory->targets_by_labels, scratch->text, scratch->length, target);
	return target ? target : target_make(memory, metrics, given, scratch);
}

static struct series *series_make(struct metrics_memory *memory, const struct metrics *metrics,
				  struct target_series *target, const struct caller *caller,
				  struct labels *scratch)
{
	struct series *series = calloc(1, sizeof(*series));
	bool hash_failed = false;

	if (!series)
		return NULL;
	series->class = caller->class;
	series->labels = take_text(scratch);
	if (!series->labels)
		goto failed;
	if (metrics->by_address) {
		series->written = calloc(1, sizeof(*series->written));
		if (!series->written)
			goto failed;
	}
	if (metrics->service_graph && caller->class != CLASS_PROBE) {
		if (series_edge_labels(scratch, target->target, caller, metrics->by_address))
			goto failed;
		series->edge = take_text(scratch);
		if (!series->edge)
			goto failed;
	}
	HASH_ADD_KEYPTR(hh, memory->by_labels, series->labels, strlen(series->labels), series);
	if (hash_failed)
		goto failed;
	*target->end = series;
	target->end = &series->next;
	series->fresh = true;
	return series;
failed:
	series_free(series);
	return NULL;
}

struct series *memory_series(struct metrics_memory *memory, const struct metrics *metrics,
			     struct target_series *target, const struct caller *caller,
			     struct labels *scratch)
{
	struct series *series = NULL;

	labels_clear(scratch);
	if (labels_add(scratch, "namespace", target->target->namespace, SIZE_MAX) ||
	    labels_add(scratch, "service", target->target->service, SIZE_MAX) ||
	    series_caller_labels(scratch, caller, metrics->by_address))
		return NULL;
	HASH_FIND(hh, memory->by_labels, scratch->text, scratch->length, series);
	return series ? series : series_make(memory, metrics, target, caller, scratch);
}
