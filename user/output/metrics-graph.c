/* SPDX-License-Identifier: MIT */
/* uthash ends the program when there is no memory, unless it is told what to do instead. */
#define HASH_NONFATAL_OOM 1
#define uthash_nonfatal_oom(edge) (hash_failed = true)

#include "metrics-graph.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "metrics-counts.h"

/* Series with the same client and server: they can differ in the kind of the workload. */
struct edge {
	const char *labels;
	struct series_counts sum; /* of all of them: one that is not shown is not taken away */
	bool shown;               /* any is */
	struct edge *next;
	UT_hash_handle hh;
};

struct graph {
	struct edge *by_labels;
	struct edge *first, **end;
};

static const struct family requests = {"traces_service_graph_request",
				       "Requests from client to server, seen by the server's node.",
				       NULL, FAMILY_COUNTER};
static const struct family failed = {"traces_service_graph_request_failed",
				     "Those of them that were refused: nobody listened.", NULL,
				     FAMILY_COUNTER};
static const struct family duration = {
	"traces_service_graph_request_server_seconds",
	"Time from reading a request to the first write of its answer.", "seconds",
	FAMILY_HISTOGRAM};

static struct edge *edge_find(struct graph *graph, const char *labels)
{
	struct edge *edge = NULL;
	bool hash_failed = false;

	HASH_FIND(hh, graph->by_labels, labels, strlen(labels), edge);
	if (edge)
		return edge;
	edge = calloc(1, sizeof(*edge));
	if (!edge)
		return NULL;
	edge->labels = labels;
	HASH_ADD_KEYPTR(hh, graph->by_labels, labels, strlen(labels), edge);
	if (hash_failed) {
		free(edge);
		return NULL;
	}
	*graph->end = edge;
	graph->end = &edge->next;
	return edge;
}

static int graph_add(struct graph *graph, const struct series *series)
{
	struct edge *edge;

	if (!series->edge)
		return 0;
	edge = edge_find(graph, series->edge);
	if (!edge)
		return -ENOMEM;
	series_counts_add(&edge->sum, &series->own);
	edge->shown |= series->shown;
	return 0;
}

static int graph_make(struct graph *graph, const struct metrics_memory *memory)
{
	int r = 0;

	graph->end = &graph->first;
	for (const struct target_series *t = memory->targets; t && !r; t = t->next) {
		for (const struct series *s = t->first; s && !r; s = s->next)
			r = graph_add(graph, s);
		r = r ? r : graph_add(graph, &t->other);
	}
	return r;
}

static void graph_free(struct graph *graph)
{
	struct edge *edge, *next;

	HASH_CLEAR(hh, graph->by_labels);
	for (edge = graph->first; edge; edge = next) {
		next = edge->next;
		free(edge);
	}
}

int graph_write(struct metrics_text *text, const struct metrics_memory *memory,
		const struct metrics *metrics)
{
	bool known = report_requests_known(metrics->capture);
	struct graph graph = {};
	int r = graph_make(&graph, memory);

	if (r)
		goto out;
	text_family(text, &requests);
	for (const struct edge *e = graph.first; e; e = e->next) {
		uint64_t n = e->sum.n[known ? COUNT_REQUESTS : COUNT_CONNECTIONS];

		if (e->shown)
			text_number(text, e->labels, NULL, n + e->sum.n[COUNT_REFUSED]);
	}
	text_family(text, &failed);
	for (const struct edge *e = graph.first; e; e = e->next) {
		if (e->shown && report_refused_known(metrics->capture))
			text_number(text, e->labels, NULL, e->sum.n[COUNT_REFUSED]);
	}
	text_family(text, &duration);
	for (const struct edge *e = graph.first; e; e = e->next) {
		if (e->shown)
			text_histogram(text, e->labels, service_bounds, &e->sum.n[COUNT_SERVICE],
				       SERVICE_CELLS, e->sum.n[COUNT_SERVICE_SUM]);
	}
out:
	graph_free(&graph);
	return r;
}
