/* SPDX-License-Identifier: MIT */
#include "json-targets.h"

#include <errno.h>
#include <string.h>

#include "json-parts.h"

static json_t *json_endpoints(const struct watched *watched)
{
	json_int_t here = 0, elsewhere = 0, ended = 0;

	for (size_t i = 0; i < watched->target.n_endpoints; i++) {
		const struct endpoint *endpoint = &watched->target.endpoints[i];

		ended += endpoint->until != 0;
		here += !endpoint->until && endpoint->here;
		elsewhere += !endpoint->until && !endpoint->here;
	}
	return json_pack("{s:I, s:I, s:I}", "watched", here, "elsewhere", elsewhere, "ended",
			 ended);
}

static uint64_t last_call(const struct report *report)
{
	size_t n = report_no_probes(report);
	uint64_t last = 0;

	for (size_t i = 0; i < n; i++)
		if (report->callers[i].last_seen > last)
			last = report->callers[i].last_seen;
	return last;
}

static json_t *json_watched(const struct watched *watched)
{
	const struct report *report = &watched->report;

	return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:I, s:I, s:I, s:o, s:o, s:o}", "target",
			 json_sprintf("%s/%s", watched->namespace, watched->name), "namespace",
			 json_text(watched->namespace), "name", json_text(watched->name), "uid",
			 json_name(watched->uid), "since", json_time(report, report->start_ns),
			 "endpoints", json_endpoints(watched), "callers",
			 (json_int_t)report_no_probes(report), "opened", (json_int_t)report->opened,
			 "open", (json_int_t)report->open, "requests",
			 json_counted(report_requests_known(report), report->requests), "last_call",
			 json_time(report, last_call(report)), "not_watched",
			 json_text(watched->not_watched));
}

int json_targets(FILE *file, const struct watch_pool *pool, const struct report *capture,
		 const char *node)
{
	json_t *targets = json_array(), *document;
	int r = targets ? 0 : -ENOMEM;

	for (const struct watched *w = pool->first; w && !r; w = w->next)
		if (json_array_append_new(targets, json_watched(w)))
			r = -ENOMEM;
	if (r) {
		json_decref(targets);
		return r;
	}
	document =
		json_pack("{s:s, s:o, s:o, s:o}", "schema", "whocalls/v1", "node", json_name(node),
			  "time", json_time(capture, capture->end_ns), "targets", targets);
	return json_write(file, document);
}
