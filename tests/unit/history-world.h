/* SPDX-License-Identifier: MIT */
/* A small world for the tests of the history: a target with callers, whose counts the tests set as
 * a ledger would have them. Each caller has one row. */
#ifndef UNIT_HISTORY_WORLD_H
#define UNIT_HISTORY_WORLD_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../user/callers/history-verdict.h"
#include "../../user/callers/history.h"

#define WORLD_CALLERS 12
#define MINUTE INT64_C(60000000000)
#define SECOND INT64_C(1000000000)
#define M0 29700000U /* a multiple of 60 */

struct world_caller {
	enum caller_class class;
	struct pod_name pod;
	char name[32];
	bool ignored;
	struct row row;
	const struct row *rows[1];
};

struct world {
	struct history *history;
	struct history_target target;
	struct world_caller callers[WORLD_CALLERS];
	size_t n;
	struct report report;
};

static inline void world_init(struct world *w, const struct history_limits *limits)
{
	memset(w, 0, sizeof(*w));
	w->history = history_new(limits);
	w->target = (struct history_target){"buffer", "session", "uid-1"};
	w->report.start_ns = 1000;
	w->report.n_hooks = REPORT_HOOKS;
	w->report.hooks[0] = (struct hook){.program = "tcp_accept", .hook = "sockops"};
	for (int i = 1; i < REPORT_HOOKS; i++)
		w->report.hooks[i] = (struct hook){.program = "other", .hook = "hook"};
}

static inline void world_deinit(struct world *w)
{
	history_free(w->history);
}

/* Another caller; its counts. */
static inline struct world_caller *world_add(struct world *w, enum caller_class class,
					     const char *name)
{
	struct world_caller *c = &w->callers[w->n];

	c->class = class;
	snprintf(c->name, sizeof(c->name), "%s", name);
	c->pod = (struct pod_name){.namespace = "core", .kind = "Deployment", .workload = c->name};
	c->row.made = 1;
	c->row.key.netns = (uint32_t)++w->n;
	c->rows[0] = &c->row;
	return c;
}

static inline bool world_counts(const struct row *row)
{
	return row->counts.opened || row->counts.old || row->counts.closed || row->counts.refused ||
	       row->counts.stray || row->counts.pending || row->open.open;
}

/* As report_group() leaves out rows that count nothing. */
static inline int world_take(struct world *w, uint32_t minute)
{
	struct caller callers[WORLD_CALLERS] = {};

	w->report.n_callers = 0;
	for (size_t i = 0; i < w->n; i++) {
		struct world_caller *from = &w->callers[i];
		struct caller *to = &callers[w->report.n_callers];

		if (!world_counts(&from->row))
			continue;
		to->class = from->class;
		to->ignored = from->ignored;
		to->pod = from->class == CLASS_WORKLOAD ? &from->pod : NULL;
		if (from->class == CLASS_PROCESS)
			memcpy(to->process, from->name, COMM_SIZE - 1);
		to->counts = from->row.counts;
		to->open = from->row.open;
		to->last_seen = from->row.counts.last;
		to->rows = from->rows;
		to->n_rows = 1;
		w->report.n_callers++;
	}
	w->report.callers = callers;
	return history_take(w->history, &w->target, &w->report, minute);
}

/* Covers these minutes, and the seconds after the first one's beginning. */
static inline int world_cover(struct world *w, int64_t since, int64_t until)
{
	return history_covered(w->history, &w->target, (struct span){since, until}, 0);
}

static inline int64_t at(uint32_t minute)
{
	return minute * MINUTE;
}

/* --- answers --- */

struct found {
	const char *name;
	struct history_row row;
	int n;
};

static inline void world_found(const struct history_row *row, void *arg)
{
	struct found *found = arg;

	if (strcmp(*row->name ? row->name : row->process, found->name))
		return;
	found->row = *row;
	found->n++;
}

/* What one caller did; all 0 if it is not among those that are told. */
static inline struct history_row world_row(const struct world *w, const char *name, uint32_t since)
{
	struct found found = {.name = name};

	history_since(w->history, &w->target, since, world_found, &found);
	return found.row;
}

static inline struct history_window world_window(const struct world *w, uint32_t since,
						 int64_t until)
{
	struct history_window window;

	history_window(w->history, &w->target, since, until, &window);
	return window;
}

/* As of now all is well: one endpoint, which was there all the time. */
struct world_coverage {
	struct coverage coverage;
	struct covered endpoint;
	struct span always;
};

static inline void world_well(struct world_coverage *well)
{
	well->always = (struct span){0, INT64_MAX};
	well->endpoint = (struct covered){.namespace = "buffer",
					  .pod = "session-0",
					  .uid = "uid-2",
					  .node = "node-a",
					  .port = 3000,
					  .existed = well->always,
					  .watched = &well->always,
					  .n_watched = 1,
					  .place = COVERED_HERE};
	well->coverage = (struct coverage){.node = "node-a",
					   .from = ENDPOINTS_FOLLOWED,
					   .endpoints = &well->endpoint,
					   .n_endpoints = 1,
					   .confirmed = true,
					   .witnesses_complete = true,
					   .intact = true,
					   .attempts_seen = true};
}

/* The verdict, as the agent makes it. */
static inline enum verdict_is world_verdict(const struct world *w, uint32_t since, int64_t until)
{
	struct world_coverage well;
	struct traffic traffic;
	struct verdict verdict;

	world_well(&well);
	history_decide(w->history, &w->target, since, until, &well.coverage, &traffic, &verdict);
	return verdict.is;
}

/* An agent that starts anew with the file of the last: nothing of its ledger is left. */
static inline int world_restart(struct world *w, const struct history_limits *limits)
{
	char *text = NULL, error[256];
	size_t size = 0;
	FILE *file = open_memstream(&text, &size);
	int r = history_write(w->history, file);

	fclose(file);
	history_free(w->history);
	w->history = history_new(limits);
	file = fmemopen(text, size, "r");
	r = r ? r : history_read(w->history, file, error, sizeof(error));
	fclose(file);
	free(text);
	for (size_t i = 0; i < w->n; i++) {
		memset(&w->callers[i].row.counts, 0, sizeof(struct caller_counts));
		memset(&w->callers[i].row.open, 0, sizeof(struct open_counts));
	}
	w->report.start_ns += 1000;
	return r;
}

#endif
