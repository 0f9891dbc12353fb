/* SPDX-License-Identifier: MIT */
#include "metrics.h"

#include <errno.h>
#include <string.h>

#include "metrics-agent.h"
#include "metrics-graph.h"
#include "metrics-series.h"
#include "metrics-text.h"

/* A counter of a caller, one of struct series_counts. */
struct counter {
	struct family family;
	enum series_count of;
	bool (*known)(const struct report *capture); /* NULL: always */
	bool zero;                                   /* written when it is 0, too */
};

static const struct counter counters[] = {
	{{"whocalls_connections", "Connections opened, by caller.", NULL, FAMILY_COUNTER},
	 COUNT_CONNECTIONS,
	 NULL,
	 true},
	{{"whocalls_requests", "Requests: turns of reading and then writing on a connection.", NULL,
	  FAMILY_COUNTER},
	 COUNT_REQUESTS,
	 report_requests_known,
	 true},
	{{"whocalls_request_overlaps",
	  "Reads and writes that overlapped: where there are any, whocalls_requests_total counts "
	  "turns of any number of requests.",
	  NULL, FAMILY_COUNTER},
	 COUNT_OVERLAPS,
	 report_requests_known,
	 false},
	{{"whocalls_received_bytes", "Payload that the target received from the caller.", "bytes",
	  FAMILY_COUNTER},
	 COUNT_RECEIVED,
	 NULL,
	 true},
	{{"whocalls_sent_bytes", "Payload that the target sent to the caller.", "bytes",
	  FAMILY_COUNTER},
	 COUNT_SENT,
	 NULL,
	 true},
};

static const struct family attempts = {
	"whocalls_attempts",
	"Attempts that came to nothing: refused (nobody listened), stray (data for a connection "
	"that was no longer there).",
	NULL, FAMILY_COUNTER};
static const struct family pending = {"whocalls_attempts_pending",
				      "Handshakes that were begun and not completed.", NULL,
				      FAMILY_GAUGE};
static const struct family open_now = {"whocalls_connections_open", "Connections open now.", NULL,
				       FAMILY_GAUGE};
static const struct family idle = {"whocalls_connections_idle",
				   "Connections open now without data since the agent began.", NULL,
				   FAMILY_GAUGE};
static const struct family last_seen = {
	"whocalls_last_seen_timestamp_seconds",
	"When the caller last opened or closed a connection, sent or got data, or tried to.",
	"seconds", FAMILY_GAUGE};
static const struct family service_time = {
	"whocalls_request_duration_seconds",
	"Time from reading a request to the first write of its answer.", "seconds",
	FAMILY_HISTOGRAM};
static const struct family open_time = {"whocalls_connection_duration_seconds",
					"How long connections that have ended were open.",
					"seconds", FAMILY_HISTOGRAM};

// NOLINTBEGIN(bugprone-macro-parentheses): a variable that is declared takes none
#define FOR_EACH_TARGET(t, memory)                                                                 \
	for (const struct target_series *t = (memory)->targets; t; t = t->next)
#define FOR_EACH_SERIES(s, t)                                                                      \
	for (const struct series *s = series_next(t, NULL); s; s = series_next(t, s))
// NOLINTEND(bugprone-macro-parentheses)

static void write_counters(struct metrics_text *text, const struct metrics_memory *memory,
			   const struct report *capture)
{
	for (size_t i = 0; i < sizeof(counters) / sizeof(*counters); i++) {
		const struct counter *counter = &counters[i];

		if (counter->known && !counter->known(capture))
			continue;
		text_family(text, &counter->family);
		FOR_EACH_TARGET(t, memory)
		{
			FOR_EACH_SERIES(s, t)
			{
				if (counter->zero || s->own.n[counter->of])
					text_number(text, s->labels, NULL, s->own.n[counter->of]);
			}
		}
	}
}

/* All at 0, too: the first one must be seen as one more. */
static void write_attempts(struct metrics_text *text, const struct metrics_memory *memory,
			   const struct report *capture)
{
	text_family(text, &attempts);
	if (!report_refused_known(capture))
		return;
	FOR_EACH_TARGET(t, memory)
	{
		FOR_EACH_SERIES(s, t)
		{
			text_number(text, s->labels, "result=\"refused\"", s->own.n[COUNT_REFUSED]);
			text_number(text, s->labels, "result=\"stray\"", s->own.n[COUNT_STRAY]);
		}
	}
}

static uint64_t gauge(const struct series *series, const struct family *family)
{
	return family == &pending ? series->gauges.pending
	       : family == &idle  ? series->gauges.idle
				  : series->gauges.open;
}

static void write_gauges(struct metrics_text *text, const struct metrics_memory *memory)
{
	static const struct family *const families[] = {&open_now, &idle, &pending};

	for (size_t i = 0; i < sizeof(families) / sizeof(*families); i++) {
		text_family(text, families[i]);
		FOR_EACH_TARGET(t, memory)
		{
			FOR_EACH_SERIES(s, t)
			text_number(text, s->labels, NULL, gauge(s, families[i]));
		}
	}
}

static void write_last_seen(struct metrics_text *text, const struct metrics_memory *memory)
{
	text_family(text, &last_seen);
	FOR_EACH_TARGET(t, memory)
	{
		int64_t offset = t->target->report->realtime_offset;

		FOR_EACH_SERIES(s, t)
		{
			if (s->gauges.last_seen)
				text_seconds(text, s->labels, NULL,
					     (int64_t)s->gauges.last_seen + offset);
		}
	}
}

static bool any(const uint64_t *cells, size_t n)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < n; i++)
		sum |= cells[i];
	return sum;
}

static void write_service_times(struct metrics_text *text, const struct metrics_memory *memory)
{
	text_family(text, &service_time);
	FOR_EACH_TARGET(t, memory)
	{
		FOR_EACH_SERIES(s, t)
		{
			const uint64_t *cells = &s->own.n[COUNT_SERVICE];

			if (any(cells, SERVICE_CELLS))
				text_histogram(text, s->labels, service_bounds, cells,
					       SERVICE_CELLS, s->own.n[COUNT_SERVICE_SUM]);
		}
	}
}

static int write_open_times_of(struct metrics_text *text, const struct target_series *target,
			       struct labels *labels)
{
	uint64_t sum[OPEN_CELLS + 1];

	for (size_t i = 0; i < CLASSES; i++) {
		const char *class = who_class_name((enum caller_class)i);

		series_open_times(target, (enum caller_class)i, sum);
		if (!any(sum, OPEN_CELLS))
			continue;
		labels_clear(labels);
		if (labels_add(labels, "namespace", target->target->namespace, SIZE_MAX) ||
		    labels_add(labels, "service", target->target->service, SIZE_MAX) ||
		    labels_add(labels, "caller_class", class, SIZE_MAX))
			return -ENOMEM;
		text_histogram(text, labels->text, open_bounds, sum, OPEN_CELLS, sum[OPEN_CELLS]);
	}
	return 0;
}

static int write_open_times(struct metrics_text *text, const struct metrics_memory *memory)
{
	struct labels labels = {};
	int r = 0;

	text_family(text, &open_time);
	for (const struct target_series *t = memory->targets; t && !r; t = t->next)
		r = write_open_times_of(text, t, &labels);
	labels_deinit(&labels);
	return r;
}

static int write_all(struct metrics_text *text, struct metrics_memory *memory,
		     const struct metrics *metrics)
{
	int r;

	r = agent_write(text, memory, metrics);
	if (r)
		return r;
	write_counters(text, memory, metrics->capture);
	write_attempts(text, memory, metrics->capture);
	write_gauges(text, memory);
	write_last_seen(text, memory);
	if (report_requests_known(metrics->capture))
		write_service_times(text, memory);
	r = write_open_times(text, memory);
	if (!r && metrics->service_graph)
		r = graph_write(text, memory, metrics);
	return r;
}

int metrics_take(const struct metrics *metrics)
{
	return series_update(metrics->memory, metrics);
}

static void note_written(struct metrics_memory *memory)
{
	for (const struct target_series *t = memory->targets; t; t = t->next)
		for (const struct series *s = t->first; s; s = s->next)
			if (s->shown && s->written)
				*s->written = s->own;
}

int metrics_write(FILE *out, const struct metrics *metrics, enum metrics_format format)
{
	struct metrics_memory *own = metrics->memory ? NULL : metrics_memory_new();
	struct metrics_memory *memory = own ? own : metrics->memory;
	struct metrics_text text = {.file = out, .format = format};
	int r;

	if (!memory)
		return -ENOMEM;
	r = series_update(memory, metrics);
	if (!r)
		r = write_all(&text, memory, metrics);
	if (!r)
		r = text_end(&text);
	if (!r)
		note_written(memory);
	metrics_memory_free(own);
	return r;
}
