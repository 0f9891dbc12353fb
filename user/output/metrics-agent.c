/* SPDX-License-Identifier: MIT */
#include "metrics-agent.h"

#include <string.h>

static const struct family build = {"whocalls_build", "This program, and the kernel it runs on.",
				    NULL, FAMILY_INFO};
static const struct family hook_info = {
	"whocalls_hook", "The hook that each program of the kernel side is attached to, or none.",
	NULL, FAMILY_INFO};
static const struct family hook_seen = {
	"whocalls_hook_seen", "Connections that the hook saw; of attempts and requests, those.",
	NULL, FAMILY_COUNTER};
static const struct family hook_missed = {"whocalls_hook_missed",
					  "Likewise, that it missed and another witness saw.", NULL,
					  FAMILY_COUNTER};
static const struct family hook_skipped = {
	"whocalls_hook_skipped_runs",
	"Runs that the kernel skipped, of any connection: recursion, or no instance was left.",
	NULL, FAMILY_COUNTER};
static const struct family lost = {"whocalls_lost", "What was lost, by what it was.", NULL,
				   FAMILY_COUNTER};
static const struct family unattributed = {
	"whocalls_unattributed",
	"Connections of all targets whose caller found no room in a table.", NULL, FAMILY_COUNTER};

static const struct family target_families[] = {
	{"whocalls_last_call_timestamp_seconds", "When anybody but a probe last called.", "seconds",
	 FAMILY_GAUGE},
	{"whocalls_callers", "Callers seen since the agent began, without probes.", NULL,
	 FAMILY_GAUGE},
	{"whocalls_callers_in_other",
	 "Callers without a series of their own: added up in the class other.", NULL, FAMILY_GAUGE},
	{"whocalls_endpoints_watched", "Endpoints on this node that are watched now.", NULL,
	 FAMILY_GAUGE},
	{"whocalls_coverage_seconds", "How long all endpoints on this node were watched.",
	 "seconds", FAMILY_COUNTER},
	{"whocalls_handshakes_dropped",
	 "Handshakes that the target's listeners dropped, each try of them.", NULL, FAMILY_COUNTER},
	{"whocalls_connections_unattributed",
	 "Connections whose caller found no room in a table: they are in the class other, too.",
	 NULL, FAMILY_COUNTER},
};
enum target_family {
	TARGET_LAST_CALL,
	TARGET_CALLERS,
	TARGET_IN_OTHER,
	TARGET_ENDPOINTS,
	TARGET_COVERAGE,
	TARGET_DROPPED,
	TARGET_UNATTRIBUTED,
	TARGET_FAMILIES,
};

static int write_build(struct metrics_text *text, const struct metrics *metrics)
{
	struct labels labels = {};
	int r = labels_add(&labels, "version", metrics->version, SIZE_MAX);

	if (!r)
		r = labels_add(&labels, "kernel", metrics->kernel, SIZE_MAX);
	if (!r) {
		text_family(text, &build);
		text_number(text, labels.text, NULL, 1);
	}
	labels_deinit(&labels);
	return r;
}

static int write_hook_info(struct metrics_text *text, const struct report *capture)
{
	struct labels labels = {};
	int r = 0;

	text_family(text, &hook_info);
	for (size_t i = 0; i < capture->n_hooks && !r; i++) {
		const struct hook *hook = &capture->hooks[i];

		labels_clear(&labels);
		r = labels_add(&labels, "program", hook->program, SIZE_MAX);
		if (!r)
			r = labels_add(&labels, "hook", hook->hook ? hook->hook : "none", SIZE_MAX);
		if (!r)
			r = labels_add(&labels, "why", hook->why, SIZE_MAX);
		if (!r)
			text_number(text, labels.text, NULL, 1);
	}
	labels_deinit(&labels);
	return r;
}

/* One of the numbers of each hook that is attached; `family` is begun. */
static int write_hook_numbers(struct metrics_text *text, const struct metrics_memory *memory,
			      const struct report *capture, size_t which, const char *more)
{
	struct labels labels = {};
	int r = 0;

	for (size_t i = 0; i < capture->n_hooks && !r; i++) {
		if (!capture->hooks[i].hook)
			continue;
		labels_clear(&labels);
		r = labels_add(&labels, "program", capture->hooks[i].program, SIZE_MAX);
		/* two hooks have the same program */
		if (!r)
			r = labels_add(&labels, "hook", capture->hooks[i].hook, SIZE_MAX);
		if (!r)
			text_number(text, labels.text, more, memory->hooks[i][which]);
	}
	labels_deinit(&labels);
	return r;
}

static int write_hooks(struct metrics_text *text, struct metrics_memory *memory,
		       const struct report *capture)
{
	int r = write_hook_info(text, capture);

	/* what a hook missed is found out late: it can be less again */
	for (size_t i = 0; i < capture->n_hooks; i++) {
		const struct hook *hook = &capture->hooks[i];

		series_grow(&memory->hooks[i][0], hook->seen);
		series_grow(&memory->hooks[i][1], hook->missed);
		series_grow(&memory->hooks[i][2], hook->recursion_misses);
		series_grow(&memory->hooks[i][3], hook->nmissed);
	}
	text_family(text, &hook_seen);
	if (!r)
		r = write_hook_numbers(text, memory, capture, 0, NULL);
	text_family(text, &hook_missed);
	if (!r)
		r = write_hook_numbers(text, memory, capture, 1, NULL);
	text_family(text, &hook_skipped);
	if (!r)
		r = write_hook_numbers(text, memory, capture, 2, "cause=\"recursion\"");
	if (!r)
		r = write_hook_numbers(text, memory, capture, 3, "cause=\"instances\"");
	return r;
}

static void write_losses(struct metrics_text *text, const struct report *capture)
{
	const struct losses *losses = &capture->losses;

	text_family(text, &lost);
	text_number(text, NULL, "what=\"events\"", losses->events);
	text_number(text, NULL, "what=\"untracked\"", losses->untracked);
	text_number(text, NULL, "what=\"ends\"", losses->ends);
	text_number(text, NULL, "what=\"accepts\"", losses->accepts);
	text_number(text, NULL, "what=\"clients\"", losses->clients);
	text_number(text, NULL, "what=\"namespaces\"", losses->namespaces);
	text_number(text, NULL, "what=\"listeners\"", losses->listeners);
	text_number(text, NULL, "what=\"times\"", losses->times);
	text_family(text, &unattributed);
	text_number(text, NULL, NULL, capture->unattributed);
}

/* Of values of one name after the other. */
static int write_values(struct metrics_text *text, const struct metrics *metrics)
{
	struct labels labels = {};
	struct family family;
	int r = 0;

	for (size_t i = 0; i < metrics->n_values && !r; i++) {
		const struct metrics_value *v = &metrics->values[i];

		if (!i || strcmp(v->name, v[-1].name) != 0) {
			family = (struct family){v->name, v->help, v->unit,
						 v->counter ? FAMILY_COUNTER : FAMILY_GAUGE};
			text_family(text, &family);
		}
		labels_clear(&labels);
		if (v->label)
			r = labels_add(&labels, v->label, v->label_value, SIZE_MAX);
		if (!r && v->unit && !strcmp(v->unit, "seconds"))
			text_seconds(text, labels.text, NULL, (int64_t)v->value);
		else if (!r)
			text_number(text, labels.text, NULL, v->value);
	}
	labels_deinit(&labels);
	return r;
}

static uint64_t last_call(const struct target_series *target)
{
	uint64_t last = target->other.gauges.last_seen;

	for (const struct series *s = target->first; s; s = s->next) {
		if (s->class != CLASS_PROBE)
			series_grow(&last, s->gauges.last_seen);
	}
	return last;
}

static void write_target(struct metrics_text *text, const struct target_series *t,
			 enum target_family which)
{
	const struct report *report = t->target->report;
	uint64_t last;

	switch (which) {
	case TARGET_LAST_CALL:
		last = last_call(t);
		if (last)
			text_seconds(text, t->labels, NULL,
				     (int64_t)last + report->realtime_offset);
		break;
	case TARGET_CALLERS:
		text_number(text, t->labels, NULL, report_no_probes(report));
		break;
	case TARGET_IN_OTHER:
		text_number(text, t->labels, NULL, t->in_other);
		break;
	case TARGET_ENDPOINTS:
		text_number(text, t->labels, NULL, t->target->endpoints);
		break;
	case TARGET_COVERAGE:
		text_seconds(text, t->labels, NULL, (int64_t)t->target->watched_ns);
		break;
	case TARGET_DROPPED:
		text_number(text, t->labels, NULL, t->dropped);
		break;
	default:
		text_number(text, t->labels, NULL, t->unattributed);
	}
}

int agent_write(struct metrics_text *text, struct metrics_memory *memory,
		const struct metrics *metrics)
{
	int r = write_build(text, metrics);

	if (!r)
		r = write_hooks(text, memory, metrics->capture);
	if (r)
		return r;
	write_losses(text, metrics->capture);
	for (int i = 0; i < TARGET_FAMILIES; i++) {
		text_family(text, &target_families[i]);
		for (const struct target_series *t = memory->targets; t; t = t->next)
			write_target(text, t, (enum target_family)i);
	}
	return write_values(text, metrics);
}
