/* SPDX-License-Identifier: MIT */
/* The history's coverage: when each target was watched, and what stood against that. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "history-parts.h"

/* What adjusting the clock makes of a minute: adjtime() slews by 500 parts of a million at most. */
#define SLEW_NS (INT64_C(100) * 1000000)

static struct covered_span *newest(const struct target_history *target)
{
	return target->n_spans ? &target->spans[target->n_spans - 1] : NULL;
}

/* The two oldest become one that covers nothing: also not what is between them. */
static void forget_oldest(struct target_history *target)
{
	struct covered_span *oldest = target->spans;

	// NOLINTNEXTLINE(clang-analyzer-core.NullDereference): there are SPANS_MAX
	oldest[1].span.since = oldest[0].span.since;
	oldest[1].causes |= oldest[0].causes | HISTORY_GAP;
	target->n_spans--;
	memmove(oldest, oldest + 1, target->n_spans * sizeof(*oldest));
}

static int make_room(struct target_history *target)
{
	size_t size = target->room_spans ? 2 * target->room_spans : 4;
	struct covered_span *spans;

	if (target->n_spans == SPANS_MAX)
		forget_oldest(target);
	if (target->n_spans < target->room_spans)
		return 0;
	spans = reallocarray(target->spans, size, sizeof(*spans));
	if (!spans)
		return -ENOMEM;
	target->spans = spans;
	target->room_spans = size;
	return 0;
}

static int append(struct target_history *target, struct span span, uint64_t causes)
{
	struct covered_span *last = newest(target);
	int r;

	if (last && last->causes == causes && span.since - last->span.until <= SLEW_NS) {
		last->span.until = span.until;
		return 0;
	}
	r = make_room(target);
	if (r)
		return r;
	/* the clock was adjusted a little */
	last = newest(target);
	if (last && span.since - last->span.until <= SLEW_NS)
		span.since = last->span.until;
	// NOLINTNEXTLINE(clang-analyzer-core.NullDereference): make_room() has made it
	target->spans[target->n_spans++] = (struct covered_span){span, causes};
	return 0;
}

/*
 * What was told of times from then on is forgotten, and the last moment before is made one that
 * nobody knows of, so that each window that begins before has it. That is what is left when the
 * clock was set back: what was before is no longer to be had by its time.
 */
static int break_at(struct target_history *target, int64_t time, uint64_t cause)
{
	while (target->n_spans && newest(target)->span.since >= time - 1)
		target->n_spans--;
	if (target->n_spans && newest(target)->span.until > time - 1)
		newest(target)->span.until = time - 1;
	return append(target, (struct span){time - 1, time}, cause);
}

static int spans_add(struct target_history *target, struct span span, uint64_t causes)
{
	const struct covered_span *last = newest(target);
	int64_t from = span.until < span.since ? span.until : span.since;
	int r = 0;

	if (span.until < span.since || (last && from < last->span.until))
		r = break_at(target, from, HISTORY_CLOCK_SET);
	/* however well it seems to go on: the clock may have been set while nobody looked */
	else if (last && target->restarted)
		r = break_at(target, from, HISTORY_GAP);
	target->restarted = r && target->restarted;
	if (r || span.until <= span.since)
		return r;
	return append(target, span, causes);
}

void spans_purge(struct target_history *target, uint32_t minute)
{
	int64_t since = minute * MINUTE_NS;
	size_t gone = 0;

	while (gone < target->n_spans && target->spans[gone].span.until <= since)
		gone++;
	target->n_spans -= gone;
	if (gone)
		memmove(target->spans, target->spans + gone,
			target->n_spans * sizeof(*target->spans));
}

int history_covered(struct history *history, const struct history_target *name, struct span span,
		    uint64_t causes)
{
	struct target_history *target;
	int r = target_get(history, name, &target);

	if (r)
		return r;
	/* what was before the clock was set has been told by history_clock() */
	if (history->stepped && history->stepped <= span.until &&
	    (span.since < history->stepped || span.since > span.until))
		span.since = history->stepped;
	return spans_add(target, span, causes);
}

void history_clock(struct history *history, int64_t now, uint64_t monotonic)
{
	int64_t expected = history->clock + (int64_t)(monotonic - history->monotonic);
	bool known = history->monotonic;

	history->clock = now;
	history->monotonic = monotonic;
	if (!known || (now - expected <= SLEW_NS && expected - now <= SLEW_NS))
		return;
	history->stepped = now;
	for (struct target_history *t = history->targets; t; t = t->hh.next) {
		const struct covered_span *last = newest(t);

		int r = 0;

		if (last && now > last->span.until)
			r = append(t, (struct span){last->span.until, now}, HISTORY_CLOCK_SET);
		else if (last)
			r = break_at(t, now, HISTORY_CLOCK_SET);
		/* no memory: then what was known is not */
		if (r)
			t->n_spans = 0;
	}
}

/* --- answers --- */

void history_spans(const struct history *history, const struct history_target *name,
		   struct span window, void (*take)(struct span span, uint64_t causes, void *arg),
		   void *arg)
{
	const struct target_history *target = target_find(history, name);

	for (size_t i = 0; target && i < target->n_spans; i++) {
		struct span span = target->spans[i].span;

		if (span.since < window.since)
			span.since = window.since;
		if (span.until > window.until)
			span.until = window.until;
		if (span.since < span.until)
			take(span, target->spans[i].causes, arg);
	}
}

struct looking {
	struct history_window *window;
	int64_t until; /* it is covered, or not, as far as there */
};

static void not_covered(struct history_window *window, struct span hole, uint64_t causes)
{
	if (window->hole.until <= window->hole.since || hole.since < window->hole.since)
		window->hole = hole;
	window->covered = false;
	window->causes |= causes;
}

static void look(struct span span, uint64_t causes, void *arg)
{
	struct looking *looking = arg;

	if (span.since - looking->until > SLEW_NS)
		not_covered(looking->window, (struct span){looking->until, span.since},
			    HISTORY_GAP);
	if (causes)
		not_covered(looking->window, span, causes);
	looking->until = span.until;
}

static void window_counts(const struct history *history, const struct target_history *target,
			  struct history_window *window)
{
	for (uint32_t i = target->self.head; i != NONE; i = history->records[i].next) {
		const struct record *record = &history->records[i];
		int64_t since = record->minute * MINUTE_NS;

		if (record->minute < window->start)
			break;
		window->dropped += record->count[0];
		window->drops_unknown += record->count[1];
		if (record->wide[0])
			not_covered(window, (struct span){since, since + MINUTE_NS},
				    record->wide[0]);
	}
}

int history_window(const struct history *history, const struct history_target *name, uint32_t since,
		   int64_t until, struct history_window *window)
{
	const struct target_history *target = target_find(history, name);
	uint32_t start = store_label(history, since < MINUTE_MAX ? since : MINUTE_MAX);
	struct span span = {start * MINUTE_NS, until};
	struct looking looking = {window, span.since};

	*window = (struct history_window){.start = start, .causes = HISTORY_GAP, .hole = span};
	if (!target)
		return -ENOENT;
	*window = (struct history_window){.start = start, .covered = until > span.since};
	window->complete = start >= history->cut && start >= target->complete_since;
	if (!window->complete)
		not_covered(window, (struct span){span.since, span.since + MINUTE_NS}, HISTORY_GAP);
	history_spans(history, name, span, look, &looking);
	if (until - looking.until > SLEW_NS || until <= span.since)
		not_covered(window, (struct span){looking.until, until}, HISTORY_GAP);
	window_counts(history, target, window);
	return 0;
}

uint32_t history_reaches(const struct history *history, const struct history_target *name)
{
	const struct target_history *target = target_find(history, name);
	uint32_t reaches = history->cut;
	int64_t first;

	if (!target || !target->n_spans)
		return UINT32_MAX;
	first = (target->spans[0].span.since + MINUTE_NS - 1) / MINUTE_NS;
	if (target->complete_since > reaches)
		reaches = target->complete_since;
	return first > reaches ? (uint32_t)first : reaches;
}
