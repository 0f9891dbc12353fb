/* SPDX-License-Identifier: MIT */
#include "history-verdict.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "history-parts.h"

void history_clean(struct report *report)
{
	report->losses = (struct losses){};
	report->unattributed_drops = 0;
	report->opened = report->attributed + report->unattributed;
	for (size_t i = 0; i < report->n_hooks; i++) {
		report->hooks[i].missed = 0;
		report->hooks[i].recursion_misses = 0;
	}
}

int64_t history_start(const struct history_window *window)
{
	return window->start * MINUTE_NS;
}

/* --- what callers did --- */

struct counting {
	struct traffic traffic;
	bool uncertain; /* of somebody who is not left out anyway */
};

static void take_row(const struct history_row *row, void *arg)
{
	struct counting *counting = arg;
	struct tally *part = traffic_part(&counting->traffic, row->class, row->ignored);
	struct tally tally = history_tally(row);

	tally_add(part, &tally);
	if (part == &counting->traffic.callers)
		counting->uncertain |= row->uncertain;
}

/* --- what stands against it --- */

static const char *time_text(int64_t ns, char *buf, size_t size)
{
	time_t seconds = ns / 1000000000;
	struct tm tm;

	if (!gmtime_r(&seconds, &tm) || !strftime(buf, size, "%Y-%m-%dT%H:%M:%SZ", &tm))
		snprintf(buf, size, "an unknown time");
	return buf;
}

/* The first time that has a cause, and the last. */
struct looking {
	uint64_t causes;
	struct span first, last;
	int64_t until;
};

static void look_at(struct looking *looking, struct span span)
{
	bool any = looking->first.since < looking->first.until;

	if (!any || span.since < looking->first.since)
		looking->first = span;
	if (!any || span.until > looking->last.until)
		looking->last = span;
}

static void look(struct span span, uint64_t causes, void *arg)
{
	struct looking *looking = arg;

	if (looking->causes & HISTORY_GAP && span.since > looking->until)
		look_at(looking, (struct span){looking->until, span.since});
	if (causes & looking->causes)
		look_at(looking, span);
	looking->until = span.until;
}

static struct looking find_cause(const struct history *history, const struct history_target *target,
				 struct span window, uint64_t causes)
{
	struct looking looking = {.causes = causes, .until = window.since};

	history_spans(history, target, window, look, &looking);
	if (causes & HISTORY_GAP && looking.until < window.until)
		look_at(&looking, (struct span){looking.until, window.until});
	looking.causes &= ~HISTORY_GAP;
	history_causes(history, target, window, look, &looking);
	return looking;
}

/* A window begins with a minute. */
static int64_t next_minute(int64_t ns)
{
	return (ns + MINUTE_NS - 1) / MINUTE_NS * MINUTE_NS;
}

static void add(struct verdict *verdict, enum reason_is is, const char *what,
		const struct looking *where)
{
	struct reason reason = {.is = is, .verdict = VERDICT_UNPROVEN};
	char since[64], until[64];

	if (where->first.since >= where->first.until) {
		snprintf(reason.text, sizeof(reason.text), "In a part of the window, %s.", what);
		snprintf(reason.next, sizeof(reason.next), "Ask for a window that begins later.");
	} else {
		snprintf(reason.text, sizeof(reason.text), "From %s to %s%s, %s.",
			 time_text(where->first.since, since, sizeof(since)),
			 time_text(where->first.until, until, sizeof(until)),
			 where->last.until > where->first.until ? ", and again later" : "", what);
		snprintf(reason.next, sizeof(reason.next),
			 "Ask for a window that begins after it: at %s or later.",
			 time_text(next_minute(where->last.until), since, sizeof(since)));
	}
	verdict_add(verdict, &reason);
}

/* Nobody may be told of a time in which he may have been missed. */
static void add_causes(struct verdict *verdict, const struct history *history,
		       const struct history_target *target, const struct history_window *window,
		       struct span span)
{
	const char *gap = "the target was not watched, or it is not known";
	struct looking where;

	for (int is = REASON_ENDED_EARLY; is < REASONS; is++) {
		uint64_t cause = UINT64_C(1) << is;

		if (!(window->causes & cause) || verdict_has(verdict, is))
			continue;
		where = find_cause(history, target, span, cause);
		add(verdict, is, reason_brief(is), &where);
	}
	if (window->causes & HISTORY_CLOCK_SET) {
		where = find_cause(history, target, span, HISTORY_CLOCK_SET);
		add(verdict, REASON_GAP, "the clock was set", &where);
	}
	if (window->causes & HISTORY_GAP || !window->complete) {
		where = find_cause(history, target, span, HISTORY_GAP);
		add(verdict, REASON_GAP, gap, &where);
	}
	/* whatever else makes it so */
	if (!window->covered && verdict->is == VERDICT_QUIET)
		add(verdict, REASON_GAP, gap, &(struct looking){});
}

void history_decide(const struct history *history, const struct history_target *target,
		    uint32_t since, int64_t until, struct coverage *coverage,
		    struct traffic *traffic, struct verdict *verdict)
{
	const struct verdict_options options = {};
	struct counting counting = {};
	struct history_window window;

	history_window(history, target, since, until, &window);
	history_since(history, target, since, take_row, &counting);
	*traffic = counting.traffic;
	traffic->dropped = window.dropped;
	coverage->window = (struct span){history_start(&window), until};
	coverage->drops_unknown = window.drops_unknown;
	verdict_decide(verdict, traffic, coverage, &options);
	add_causes(verdict, history, target, &window, coverage->window);
	if (counting.uncertain)
		add(verdict, REASON_MISCOUNTED,
		    "attempts moved, or a count went down, so that something may not be counted",
		    &(struct looking){});
}
