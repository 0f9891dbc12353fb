/* SPDX-License-Identifier: MIT */
/* What a verdict rests on, and the verdict. */
#include <errno.h>

#include "../callers/coverage.h"
#include "../callers/verdict.h"
#include "format.h"
#include "json-parts.h"
#include "verdict.h"

static json_t *json_span(struct span span)
{
	return json_pack("{s:o, s:o, s:f}", "start", json_real_time(span.since), "end",
			 json_real_time(span.until), "seconds", (span.until - span.since) / 1e9);
}

/* Adds the elements that make() gives, one for each of n. */
static json_t *json_all(const struct coverage *coverage, size_t n,
			json_t *(*make)(const struct coverage *coverage, size_t i))
{
	json_t *all = json_array();
	int r = 0;

	for (size_t i = 0; i < n && !r; i++)
		r = json_array_append_new(all, make(coverage, i));
	if (!r)
		return all;
	json_decref(all);
	return NULL;
}

static json_t *json_gap(const struct coverage *coverage, size_t i)
{
	const struct gap *gap = &coverage->gaps[i];
	json_t *json = json_span(gap->span);

	if (json_object_set_new(
		    json, "cause",
		    json_string(gap->cause == GAP_SUSPENDED ? "suspended" : "stopped")) ||
	    json_object_set_new(json, "proven", json_boolean(coverage_gap_proven(coverage, gap)))) {
		json_decref(json);
		return NULL;
	}
	return json;
}

static json_t *json_blind_time(const struct coverage *coverage, size_t i)
{
	const struct blind *blind = &coverage->blind[i];
	json_t *json = json_span(blind->span);

	if (json_object_set_new(json, "bridged", json_boolean(blind->bridged)) ||
	    json_object_set_new(json, "text", json_name(blind->text))) {
		json_decref(json);
		return NULL;
	}
	return json;
}

static const char *source_name(enum endpoints_from from)
{
	switch (from) {
	case ENDPOINTS_NAMED:
		return "named";
	case ENDPOINTS_FILE:
		return "file";
	default:
		return "api";
	}
}

/* null where the API was not asked for endpoints. */
static json_t *json_api(const struct coverage *coverage)
{
	bool followed = coverage->from == ENDPOINTS_FOLLOWED;

	return json_pack("{s:s, s:b, s:o, s:o, s:o, s:I}", "endpoints", source_name(coverage->from),
			 "followed", followed, "confirmed",
			 followed ? json_boolean(coverage->confirmed) : json_null(), "why",
			 json_name(coverage->unconfirmed), "blind",
			 json_all(coverage, coverage->n_blind, json_blind_time), "more_blind",
			 (json_int_t)coverage->more_blind);
}

static json_t *json_tally(const struct tally *tally)
{
	return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:o, s:o}", "callers",
			 (json_int_t)tally->callers, "opened", (json_int_t)tally->opened, "refused",
			 (json_int_t)tally->refused, "stray", (json_int_t)tally->stray, "pending",
			 (json_int_t)tally->pending, "active", (json_int_t)tally->active, "held",
			 (json_int_t)tally->held, "held_since", json_real_time(tally->held_since),
			 "last", json_real_time(tally->last));
}

static const char *place_name(enum covered_place place)
{
	switch (place) {
	case COVERED_HERE:
		return "here";
	case COVERED_NO_ROOM:
		return "no-room";
	case COVERED_ABSENT:
		return "not-found";
	default:
		return "other-node";
	}
}

static json_t *json_spans(const struct covered *endpoint)
{
	json_t *spans = json_array();
	int r = 0;

	for (size_t i = 0; i < endpoint->n_watched && !r; i++)
		r = json_array_append_new(spans, json_span(endpoint->watched[i]));
	if (!r)
		return spans;
	json_decref(spans);
	return NULL;
}

static json_t *json_hole(const struct coverage *coverage, const struct covered *endpoint)
{
	struct span hole;

	return coverage_hole(coverage, endpoint, &hole) ? json_span(hole) : json_null();
}

/* Those of one that was gone before the window are null. */
static int add_watched(json_t *json, const struct coverage *coverage,
		       const struct covered *endpoint)
{
	json_t *more;
	int r;

	if (!endpoint)
		more = json_pack("{s:n, s:[], s:n, s:n}", "existed", "watched", "place",
				 "unwatched");
	else
		more = json_pack("{s:o, s:o, s:s, s:o}", "existed",
				 json_span(coverage_within(coverage, endpoint->existed)), "watched",
				 json_spans(endpoint), "place", place_name(endpoint->place),
				 "unwatched", json_hole(coverage, endpoint));
	r = json_object_update(json, more);
	json_decref(more);
	return r;
}

/* The array has an element for each endpoint of the target. */
static int add_endpoints(json_t *endpoints, const struct report *report)
{
	const struct target *target = report->target;
	int r = 0;

	for (size_t i = 0; i < target->n_endpoints && !r; i++)
		r = add_watched(json_array_get(endpoints, i), report->coverage,
				coverage_find(report->coverage, &target->endpoints[i]));
	return r;
}

static json_t *json_covered_window(const struct coverage *coverage)
{
	json_t *window = json_span(coverage->window);
	json_t *wanted = coverage->wanted ? json_real(coverage->wanted / 1e9) : json_null();

	if (json_object_set_new(window, "wanted_seconds", wanted)) {
		json_decref(window);
		return NULL;
	}
	return window;
}

static json_t *json_flags(const struct coverage *coverage)
{
	return json_pack("{s:b, s:b, s:b, s:b, s:o, s:o, s:I, s:I, s:I}", "witnesses_complete",
			 coverage->witnesses_complete, "intact", coverage->intact,
			 "own_pid_namespace", coverage->own_pid_namespace, "attempts_seen",
			 coverage->attempts_seen, "attempts_why", json_name(coverage->attempts_why),
			 "not_watched", json_name(coverage->unwatched_text), "miscounted",
			 (json_int_t)coverage->miscounted, "drops_unknown",
			 (json_int_t)coverage->drops_unknown, "more_gaps",
			 (json_int_t)coverage->more_gaps);
}

static json_t *json_proof(const struct report *report)
{
	const struct coverage *coverage = report->coverage;

	return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o}", "node", json_name(coverage->node),
			 "window", json_covered_window(coverage), "gaps",
			 json_all(coverage, coverage->n_gaps, json_gap), "api", json_api(coverage),
			 "probes", json_tally(&report->traffic->probes), "ignored",
			 json_tally(&report->traffic->ignored));
}

int json_add_proof(json_t *json, const struct report *report)
{
	json_t *proof = json_proof(report), *flags = json_flags(report->coverage);
	int r = json_object_update(json, proof);

	r = r ? r : json_object_update(json, flags);
	r = r ? r : add_endpoints(json_object_get(json, "endpoints"), report);
	json_decref(proof);
	json_decref(flags);
	return r ? -ENOMEM : 0;
}

/* --- the verdict --- */

static json_t *json_reason(const struct reason *reason)
{
	return json_pack("{s:s, s:s, s:o, s:o}", "code", reason_code(reason->is), "verdict",
			 verdict_name(reason->verdict), "text", json_text(reason->text), "next",
			 json_name(reason->next));
}

static json_t *json_reasons(const struct verdict *verdict)
{
	json_t *reasons = json_array();
	int r = 0;

	for (size_t i = 0; i < verdict->n_reasons && !r; i++)
		r = json_array_append_new(reasons, json_reason(&verdict->reasons[i]));
	if (!r)
		return reasons;
	json_decref(reasons);
	return NULL;
}

/* Whoever makes it TRAFFIC. */
static json_t *json_traffic(const struct report *report)
{
	json_t *traffic = json_tally(&report->verdict->counted);

	if (json_object_set_new(traffic, "dropped",
				json_integer((json_int_t)report->traffic->dropped))) {
		json_decref(traffic);
		return NULL;
	}
	return traffic;
}

json_t *json_verdict(const struct report *report)
{
	const struct verdict *verdict = report->verdict;
	char statement[2048] = "";

	verdict_statement(report, statement, sizeof(statement));
	return json_pack("{s:s, s:o, s:o, s:o, s:o, s:b, s:b}", "verdict",
			 verdict_name(verdict->is), "statement", json_text(statement), "reasons",
			 json_reasons(verdict), "rate_below_per_second",
			 verdict->rate_below > 0 ? json_real(verdict->rate_below) : json_null(),
			 "traffic", json_traffic(report), "allow_idle", verdict->options.allow_idle,
			 "count_probes", verdict->options.count_probes);
}
