/* SPDX-License-Identifier: MIT */
#include "verdict.h"

#include <inttypes.h>
#include <string.h>

#include "../callers/coverage.h"
#include "../callers/duration.h"
#include "../callers/verdict.h"
#include "caller-name.h"
#include "footer.h"
#include "format.h"
#include "say.h"

#define LINE 1024

/* --- the statement --- */

static const char *window_text(const struct coverage *coverage, char buf[DURATION_TEXT])
{
	return duration_format(coverage->window.until - coverage->window.since, buf);
}

static void append_target(const struct report *report, char *buf, size_t size)
{
	format_append(buf, size, "%s%s", report->target->text,
		      report->coverage->from == ENDPOINTS_NAMED ? " on this node" : "");
}

static void append_count(char *buf, size_t size, uint64_t n, const char *one, const char *many)
{
	if (n)
		format_append(buf, size, "%s%" PRIu64 " %s", *buf ? ", " : "", n,
			      say_plural(n, one, many));
}

/* "17 connections opened, 1 older one held idle for 2h5m" into an empty buf. `until`: the window's
 * end. */
static void describe(const struct tally *tally, int64_t until, char *buf, size_t size)
{
	char age[DURATION_TEXT];

	append_count(buf, size, tally->opened, "connection opened", "connections opened");
	append_count(buf, size, tally->active, "older one carried data", "older ones carried data");
	append_count(buf, size, tally->held, "older one held idle", "older ones held idle");
	if (tally->held && tally->held_since && tally->held_since < until)
		format_append(buf, size, " for %s%s", tally->held > 1 ? "up to " : "",
			      duration_format(until - tally->held_since, age));
	append_count(buf, size, tally->refused, "attempt refused", "attempts refused");
	append_count(buf, size, tally->pending, "handshake not completed",
		     "handshakes not completed");
	append_count(buf, size, tally->stray, "stray segment", "stray segments");
}

/* What counts, by the options. */
static struct tally counting(const struct verdict *verdict, struct tally tally)
{
	if (verdict->options.allow_idle)
		tally.held = 0;
	return tally;
}

static bool only_opened(const struct tally *tally)
{
	return tally->opened && !tally->active && !tally->held && !tally->refused &&
	       !tally->pending && !tally->stray;
}

static void append_traffic(const struct report *report, char *buf, size_t size)
{
	struct tally counted = counting(report->verdict, report->verdict->counted);
	uint64_t dropped = report->traffic->dropped;
	char what[LINE] = "", window[DURATION_TEXT];

	window_text(report->coverage, window);
	append_target(report, buf, size);
	if (!dropped && only_opened(&counted)) {
		format_append(buf, size, ": %" PRIu64 " %s opened %" PRIu64 " %s in %s",
			      counted.callers, say_plural(counted.callers, "caller", "callers"),
			      counted.opened,
			      say_plural(counted.opened, "connection", "connections"), window);
		return;
	}
	describe(&counted, report->coverage->window.until, what, sizeof(what));
	append_count(what, sizeof(what), dropped, "handshake dropped", "handshakes dropped");
	if (counted.callers)
		format_append(buf, size, ": %" PRIu64 " %s", counted.callers,
			      say_plural(counted.callers, "caller", "callers"));
	format_append(buf, size, "%s in %s: %s", counted.callers ? "" : ":", window, what);
}

static bool probes_left_out(const struct report *report)
{
	return report->traffic->probes.callers && !report->verdict->options.count_probes;
}

static void append_nobody(const struct report *report, char *buf, size_t size)
{
	uint64_t ignored = report->traffic->ignored.callers;
	bool probes = probes_left_out(report);
	char window[DURATION_TEXT];

	format_append(buf, size, "nobody%s", probes ? " but the kubelet" : "");
	if (ignored)
		format_append(buf, size, "%s %" PRIu64 " ignored %s", probes ? " and" : " but",
			      ignored, say_plural(ignored, "caller", "callers"));
	format_append(buf, size, " called ");
	append_target(report, buf, size);
	format_append(buf, size, " in %s", window_text(report->coverage, window));
}

const char *verdict_statement(const struct report *report, char *buf, size_t size)
{
	const struct verdict *verdict = report->verdict;

	format_append(buf, size, "%s: ", verdict_name(verdict->is));
	if (verdict->is == VERDICT_TRAFFIC) {
		append_traffic(report, buf, size);
		return buf;
	}
	append_nobody(report, buf, size);
	if (verdict->n_reasons)
		format_append(buf, size, ", but %s", reason_brief(verdict->reasons[0].is));
	if (verdict->n_reasons > 1)
		format_append(buf, size, " (and %zu more %s)", verdict->n_reasons - 1,
			      say_plural(verdict->n_reasons - 1, "reason", "reasons"));
	return buf;
}

/* --- lines --- */

static void say_escaped(FILE *file, const struct table_options *options, const char *colour,
			const char *before, const char *text)
{
	char line[SAY_MAX] = "";

	format_append(line, sizeof(line), "%s", before);
	format_append_safe(line, sizeof(line), text, SIZE_MAX);
	say_text(file, options, colour, line);
}

static void print_statement(FILE *file, const struct report *report,
			    const struct table_options *options)
{
	static const char *const colours[] = {[VERDICT_QUIET] = SAY_GREEN,
					      [VERDICT_TRAFFIC] = SAY_RED,
					      [VERDICT_UNPROVEN] = SAY_YELLOW};
	char text[SAY_MAX] = "";

	verdict_statement(report, text, sizeof(text));
	say_escaped(file, options, colours[report->verdict->is], "", text);
}

static void print_heading(FILE *file, const struct table_options *options, const char *heading)
{
	fputs("\n", file);
	say(file, options, false, "%s", heading);
}

static void print_reasons(FILE *file, const struct report *report,
			  const struct table_options *options, enum verdict_is of,
			  const char *heading)
{
	const struct verdict *verdict = report->verdict;
	char code[64];
	bool any = false;

	for (size_t i = 0; i < verdict->n_reasons; i++) {
		const struct reason *reason = &verdict->reasons[i];

		if (reason->verdict != of)
			continue;
		if (!any)
			print_heading(file, options, heading);
		any = true;
		snprintf(code, sizeof(code), "  %s: ", reason_code(reason->is));
		say_escaped(file, options, of == VERDICT_UNPROVEN ? SAY_YELLOW : "", code,
			    reason->text);
	}
}

static void print_more(FILE *file, const struct table_options *options, size_t n, const char *what)
{
	if (n > VERDICT_LINES)
		say(file, options, false, "  ... and %zu more %s; -o json has all of them",
		    n - VERDICT_LINES, what);
}

/* --- what it rests on --- */

static void print_window(FILE *file, const struct report *report,
			 const struct table_options *options)
{
	const struct coverage *coverage = report->coverage;
	char length[DURATION_TEXT], wanted[DURATION_TEXT], start[FORMAT_TEXT], end[FORMAT_TEXT];
	char of[DURATION_TEXT + 8] = "";

	if (coverage->wanted)
		snprintf(of, sizeof(of), " of %s", duration_format(coverage->wanted, wanted));
	say(file, options, false, "  window: %s%s, %s to %s", window_text(coverage, length), of,
	    format_time(coverage->window.since, start), format_time(coverage->window.until, end));
}

static void append_endpoint(const struct covered *endpoint, char *buf, size_t size)
{
	char address[ADDRESS_TEXT];

	if (*endpoint->pod) {
		format_append_safe(buf, size, endpoint->namespace, SIZE_MAX);
		format_append(buf, size, "/");
		format_append_safe(buf, size, endpoint->pod, SIZE_MAX);
		format_append(buf, size, ", ");
	}
	format_append(buf, size, "%s port %u",
		      address_is_any(&endpoint->address)
			      ? "any address"
			      : address_format(&endpoint->address, address),
		      endpoint->port);
	if (*endpoint->uid) {
		format_append(buf, size, ", UID ");
		format_append_safe(buf, size, endpoint->uid, SIZE_MAX);
	}
	if (*endpoint->node) {
		format_append(buf, size, ", on ");
		format_append_safe(buf, size, endpoint->node, SIZE_MAX);
	}
}

static const char *not_watched(enum covered_place place)
{
	switch (place) {
	case COVERED_NO_ROOM:
		return "not watched: no room in the kernel's table";
	case COVERED_ABSENT:
		return "not watched: its address was not found";
	case COVERED_ELSEWHERE:
		return "not watched: on another node";
	default:
		return "not watched";
	}
}

/* Times are those since the window began. */
static void append_watched(const struct coverage *coverage, const struct covered *endpoint,
			   char *buf, size_t size)
{
	struct span existed = coverage_within(coverage, endpoint->existed), hole;
	char since[DURATION_TEXT], until[DURATION_TEXT];

	if (existed.since > coverage->window.since || existed.until < coverage->window.until)
		format_append(buf, size, "there from %s to %s, ",
			      duration_format(existed.since - coverage->window.since, since),
			      duration_format(existed.until - coverage->window.since, until));
	if (!coverage_hole(coverage, endpoint, &hole))
		format_append(buf, size, "watched all the time");
	else if (!endpoint->n_watched)
		format_append(buf, size, "%s", not_watched(endpoint->place));
	else
		format_append(buf, size, "not watched from %s to %s",
			      duration_format(hole.since - coverage->window.since, since),
			      duration_format(hole.until - coverage->window.since, until));
}

static void print_endpoints(FILE *file, const struct report *report,
			    const struct table_options *options)
{
	const struct coverage *coverage = report->coverage;
	size_t shown = 0;

	for (size_t i = 0; i < coverage->n_endpoints; i++) {
		const struct covered *endpoint = &coverage->endpoints[i];
		struct span existed = coverage_within(coverage, endpoint->existed), hole;
		char text[LINE] = "";

		if (existed.since >= existed.until || shown++ >= VERDICT_LINES)
			continue;
		append_endpoint(endpoint, text, sizeof(text));
		format_append(text, sizeof(text), ": ");
		append_watched(coverage, endpoint, text, sizeof(text));
		say(file, options, coverage_hole(coverage, endpoint, &hole), "  endpoint %s", text);
	}
	print_more(file, options, shown, "endpoints");
}

static void print_source(FILE *file, const struct report *report,
			 const struct table_options *options)
{
	const struct coverage *coverage = report->coverage;

	if (coverage->from == ENDPOINTS_NAMED)
		say(file, options, false,
		    "  this speaks of this node only: what arrives at another node is not seen");
	else if (coverage->from == ENDPOINTS_FILE)
		say(file, options, true, "  endpoints: from a list of pods, read once");
	else
		say(file, options, !coverage->confirmed, "  endpoints: followed in the API%s",
		    coverage->confirmed ? ", which confirmed them at the end"
					: ", which did not confirm them at the end");
	/* how far that goes */
	if (coverage->from == ENDPOINTS_FOLLOWED && coverage->confirmed && coverage->unconfirmed[0])
		say_escaped(file, options, "", "  ", coverage->unconfirmed);
}

static void print_gaps(FILE *file, const struct report *report, const struct table_options *options)
{
	const struct coverage *coverage = report->coverage;
	char length[DURATION_TEXT], start[FORMAT_TEXT];
	size_t n = coverage->more_gaps;

	for (size_t i = 0; i < coverage->n_gaps; i++) {
		const struct gap *gap = &coverage->gaps[i];
		bool proven = coverage_gap_proven(coverage, gap);

		if (!coverage_touches(coverage, gap->span) || n++ >= VERDICT_LINES)
			continue;
		say(file, options, !proven, "  gap: %s for %s from %s on: %s",
		    gap->cause == GAP_STOPPED ? "whocalls did not run"
					      : "the machine was suspended",
		    duration_format(gap->span.until - gap->span.since, length),
		    format_time(gap->span.since, start),
		    proven                      ? "the kernel counted on, so what happened is known"
		    : gap->cause == GAP_STOPPED ? "what happened is not proven"
						: "nobody could call");
	}
	if (n)
		print_more(file, options, n, "gaps");
	else
		say(file, options, false, "  no gap: whocalls ran all the time");
}

static void print_blind(FILE *file, const struct report *report,
			const struct table_options *options)
{
	const struct coverage *coverage = report->coverage;
	char length[DURATION_TEXT], start[FORMAT_TEXT], text[LINE];
	size_t n = coverage->more_blind;

	for (size_t i = 0; i < coverage->n_blind; i++) {
		const struct blind *blind = &coverage->blind[i];

		if (!coverage_touches(coverage, blind->span) || n++ >= VERDICT_LINES)
			continue;
		text[0] = '\0';
		format_append_safe(text, sizeof(text), blind->text, SIZE_MAX);
		say(file, options, !blind->bridged,
		    "  the API did not tell for %s from %s on%s%s: what happened %s",
		    duration_format(blind->span.until - blind->span.since, length),
		    format_time(blind->span.since, start), *text ? ", " : "", text,
		    blind->bridged ? "was told afterwards" : "is not known");
	}
	print_more(file, options, n, "such times");
}

static void append_open(const struct report *report, const struct open_counts *open, char *buf,
			size_t size)
{
	char age[FORMAT_TEXT];

	format_append(buf, size, ": %" PRIu64 " open", open->open);
	if (open->old)
		format_append(buf, size, ", %" PRIu64 " from before", open->old);
	if (!open->idle)
		return;
	format_append(buf, size, ", %" PRIu64 " idle", open->idle);
	if (open->quiet_since && open->quiet_since < report->end_ns)
		format_append(buf, size, " for %s%s", open->idle > 1 ? "up to " : "",
			      format_age(report->end_ns - open->quiet_since, age));
}

static void print_open(FILE *file, const struct report *report, const struct table_options *options)
{
	struct caller others = caller_of_others(report);
	char name[CALLER_NAME_SIZE], text[LINE];
	size_t n = 0;

	for (size_t i = 0; i <= report->n_callers; i++) {
		const struct caller *caller = i < report->n_callers ? &report->callers[i] : &others;

		if (!caller->open.open || n++ >= VERDICT_LINES)
			continue;
		text[0] = '\0';
		append_open(report, &caller->open, text, sizeof(text));
		say(file, options, false, "  open: %s%s", caller_name(caller, name), text);
	}
	if (n)
		print_more(file, options, n, "callers with open connections");
	else
		say(file, options, false, "  no connection stands open");
}

static void print_probes(FILE *file, const struct report *report,
			 const struct table_options *options)
{
	const struct traffic *traffic = report->traffic;
	char text[LINE] = "";

	if (!traffic->probes.callers) {
		say(file, options, false, "  no probe of the kubelet came");
		return;
	}
	describe(&traffic->probes, report->coverage->window.until, text, sizeof(text));
	say(file, options, false, "  probes of the kubelet%s: %s",
	    probes_left_out(report) ? ", which are no traffic" : ", which count", text);
}

static void print_ignored(FILE *file, const struct report *report,
			  const struct table_options *options)
{
	char name[CALLER_NAME_SIZE], text[LINE];
	size_t n = 0;

	for (size_t i = 0; i < report->n_callers; i++) {
		const struct caller *caller = &report->callers[i];
		struct tally tally = tally_of(report, caller);

		if (!caller->ignored || n++ >= VERDICT_LINES)
			continue;
		text[0] = '\0';
		describe(&tally, report->coverage->window.until, text, sizeof(text));
		say(file, options, false, "  ignored by --ignore number %u: %s: %s",
		    caller->ignored, caller_name(caller, name), *text ? text : "nothing");
	}
	print_more(file, options, n, "ignored callers");
}

static void print_bound(FILE *file, const struct report *report,
			const struct table_options *options)
{
	const struct verdict *verdict = report->verdict;
	char rarer[DURATION_TEXT], window[DURATION_TEXT];

	if (verdict->is == VERDICT_TRAFFIC || verdict->rate_below <= 0)
		return;
	say(file, options, false,
	    "  %swhoever calls at random comes less often than every %s (95 %%); who calls by a "
	    "schedule may call right after these %s: a monthly job is invisible in a day",
	    verdict->is == VERDICT_UNPROVEN ? "as far as all was watched, " : "",
	    duration_format((int64_t)(1e9 / verdict->rate_below), rarer),
	    window_text(report->coverage, window));
}

static void print_basis(FILE *file, const struct report *report,
			const struct table_options *options)
{
	print_heading(file, options, "What this rests on:");
	print_window(file, report, options);
	print_endpoints(file, report, options);
	print_source(file, report, options);
	footer_print_hooks(file, report, options);
	print_gaps(file, report, options);
	print_blind(file, report, options);
	print_open(file, report, options);
	print_probes(file, report, options);
	print_ignored(file, report, options);
	print_bound(file, report, options);
}

/* --- what to do next --- */

static bool counts(const struct report *report, const struct caller *caller)
{
	struct tally tally = counting(report->verdict, tally_of(report, caller));

	return !caller->ignored && tally_any(&tally) &&
	       (caller->class != CLASS_PROBE || report->verdict->options.count_probes);
}

/* Whether `a` comes before `b`: the most recent first; of the same time in the report's order. */
static bool is_before(const struct caller *a, const struct caller *b)
{
	return a->last_seen != b->last_seen ? a->last_seen > b->last_seen : a < b;
}

/* The one that comes next after `after` (NULL: the first) among those that count; NULL: none. */
static const struct caller *next_caller(const struct report *report, const struct caller *after)
{
	const struct caller *found = NULL;

	for (size_t i = 0; i < report->n_callers; i++) {
		const struct caller *caller = &report->callers[i];

		if (after && !is_before(after, caller))
			continue;
		if (counts(report, caller) && (!found || is_before(caller, found)))
			found = caller;
	}
	return found;
}

static void print_caller(FILE *file, const struct report *report, const struct caller *caller,
			 const struct table_options *options)
{
	struct tally tally = counting(report->verdict, tally_of(report, caller));
	char name[CALLER_NAME_SIZE], what[LINE] = "", last[64] = ", no data in the window";
	char age[FORMAT_TEXT];

	describe(&tally, report->coverage->window.until, what, sizeof(what));
	if (report_requests_known(report))
		append_count(what, sizeof(what), caller->requests,
			     caller->overlaps ? "turn" : "request",
			     caller->overlaps ? "turns" : "requests");
	if (caller->last_seen)
		snprintf(last, sizeof(last), ", last %s ago",
			 format_age(report->end_ns > caller->last_seen
					    ? report->end_ns - caller->last_seen
					    : 0,
				    age));
	say(file, options, false, "  %s (%s): %s%s", caller_name(caller, name),
	    who_class_name(caller->class), what, last);
}

static void print_callers(FILE *file, const struct report *report,
			  const struct table_options *options)
{
	const struct caller *caller = NULL;
	struct caller others = caller_of_others(report);
	size_t n = 0, shown = 0;

	for (size_t i = 0; i < report->n_callers; i++)
		n += counts(report, &report->callers[i]);
	print_heading(file, options, "Who called, the most recent first:");
	while (shown++ < VERDICT_LINES && (caller = next_caller(report, caller)))
		print_caller(file, report, caller, options);
	print_more(file, options, n, "callers");
	if (counts(report, &others))
		print_caller(file, report, &others, options);
}

static void print_next(FILE *file, const struct report *report, const struct table_options *options)
{
	const struct verdict *verdict = report->verdict;

	print_heading(file, options, "What to do next:");
	for (size_t i = 0; i < verdict->n_reasons; i++) {
		if (verdict->reasons[i].next[0] && verdict->reasons[i].verdict == verdict->is)
			say_escaped(file, options, "", "  ", verdict->reasons[i].next);
	}
	if (verdict->is == VERDICT_QUIET)
		say(file, options, false,
		    "  Think of what calls by a schedule, then scale down in steps: to one pod, and "
		    "verify again, then to none.");
}

void verdict_print(FILE *file, const struct report *report, const struct table_options *options)
{
	bool traffic = report->verdict->is == VERDICT_TRAFFIC;

	print_statement(file, report, options);
	print_reasons(file, report, options, VERDICT_TRAFFIC, "Why:");
	print_reasons(file, report, options, VERDICT_UNPROVEN,
		      traffic ? "Not covered, besides:" : "Why it is not proven:");
	print_basis(file, report, options);
	if (traffic && report->verdict->counted.callers)
		print_callers(file, report, options);
	print_next(file, report, options);
}
