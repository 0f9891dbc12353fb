/* SPDX-License-Identifier: MIT */
/* What was watched, by what, and what was lost; of a verdict json-verdict.c adds the rest. */
#include "json-parts.h"

static json_t *json_hook(const struct hook *hook)
{
	json_t *json = json_pack("{s:o, s:o, s:o}", "program", json_text(hook->program), "hook",
				 json_name(hook->hook), "why", json_name(hook->why));
	json_t *counts;

	if (hook->hook)
		counts = json_pack("{s:I, s:I, s:I, s:I, s:I, s:I}", "seen", (json_int_t)hook->seen,
				   "missed", (json_int_t)hook->missed, "healed",
				   (json_int_t)hook->healed, "recursion_misses",
				   (json_int_t)hook->recursion_misses, "nmissed",
				   (json_int_t)hook->nmissed, "untold", (json_int_t)hook->untold);
	else
		counts = json_pack("{s:n, s:n, s:n, s:n, s:n, s:n}", "seen", "missed", "healed",
				   "recursion_misses", "nmissed", "untold");
	if (json_object_update(json, counts)) {
		json_decref(json);
		json = NULL;
	}
	json_decref(counts);
	return json;
}

json_t *json_hooks(const struct report *report)
{
	json_t *hooks = json_array();
	size_t i;
	int r = 0;

	for (i = 0; i < report->n_hooks && !r; i++)
		r = json_array_append_new(hooks, json_hook(&report->hooks[i]));
	if (!r)
		return hooks;
	json_decref(hooks);
	return NULL;
}

static json_t *json_listening(const struct report *report, size_t endpoint)
{
	json_t *all = json_array();
	int r = 0;

	for (size_t i = 0; i < report->n_listening && !r; i++) {
		const struct listening *one = &report->listening[i];

		if (one->endpoint == endpoint)
			r = json_array_append_new(
				all, json_pack("{s:o, s:i, s:I, s:b, s:I, s:I, s:o, s:o, s:I}",
					       "address", json_address(&one->address), "port",
					       (int)one->port, "netns", (json_int_t)one->netns,
					       "ended", one->ended, "queue", (json_int_t)one->queue,
					       "limit", (json_int_t)one->limit, "overflows",
					       json_counted(one->counted, one->overflows), "drops",
					       json_counted(one->counted, one->drops), "dropped",
					       (json_int_t)one->dropped));
	}
	if (!r)
		return all;
	json_decref(all);
	return NULL;
}

static json_t *json_serving(const struct report *report, size_t endpoint)
{
	json_t *all = json_array();
	int r = 0;

	for (size_t i = 0; i < report->n_serving && !r; i++) {
		const struct serving *one = &report->serving[i];

		if (one->endpoint == endpoint)
			r = json_array_append_new(all,
						  json_pack("{s:o, s:I, s:I, s:o, s:o}", "process",
							    json_text_max(one->process, COMM_SIZE),
							    "pid", (json_int_t)one->pid, "cgroup",
							    (json_int_t)one->cgroup, "cgroup_path",
							    json_name(one->cgroup_path), "pod_uid",
							    json_name(one->pod_uid)));
	}
	if (!r)
		return all;
	json_decref(all);
	return NULL;
}

static json_t *json_watched(const struct report *report)
{
	json_t *endpoints = json_array();
	size_t i;
	int r = 0;

	for (i = 0; i < report->target->n_endpoints && !r; i++) {
		const struct endpoint *watched = &report->target->endpoints[i];
		json_t *endpoint = json_endpoint(watched);
		uint64_t since = watched->since ? watched->since : report->start_ns;
		uint64_t until = watched->until ? watched->until : report->end_ns;

		if (until < since) /* it was gone before the window began */
			until = since;
		r = json_object_set_new(endpoint, "start", json_time(report, since));
		r = r ? r : json_object_set_new(endpoint, "end", json_time(report, until));
		r = r ? r : json_object_set_new(endpoint, "here", json_boolean(watched->here));
		r = r ? r : json_object_set_new(endpoint, "listening", json_listening(report, i));
		r = r ? r : json_object_set_new(endpoint, "serving", json_serving(report, i));
		if (r)
			json_decref(endpoint);
		else
			r = json_array_append_new(endpoints, endpoint);
	}
	if (!r)
		return endpoints;
	json_decref(endpoints);
	return NULL;
}

static json_t *json_notes(const struct report *report)
{
	json_t *notes = json_array();
	size_t i;
	int r = 0;

	for (i = 0; i < report->n_notes && !r; i++)
		r = json_array_append_new(notes, json_text(report->notes[i]));
	if (!r)
		return notes;
	json_decref(notes);
	return NULL;
}

static json_t *json_losses(const struct losses *losses)
{
	return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "events",
			 (json_int_t)losses->events, "untracked", (json_int_t)losses->untracked,
			 "ends", (json_int_t)losses->ends, "accepts", (json_int_t)losses->accepts,
			 "clients", (json_int_t)losses->clients, "namespaces",
			 (json_int_t)losses->namespaces, "listeners", (json_int_t)losses->listeners,
			 "times", (json_int_t)losses->times);
}

json_t *json_coverage(const struct report *report)
{
	json_t *coverage = json_pack("{s:o, s:o, s:[], s:o, s:o}", "hooks", json_hooks(report),
				     "endpoints", json_watched(report), "gaps", "lost",
				     json_losses(&report->losses), "notes", json_notes(report));

	if (coverage && report->coverage && json_add_proof(coverage, report)) {
		json_decref(coverage);
		coverage = NULL;
	}
	return coverage;
}
