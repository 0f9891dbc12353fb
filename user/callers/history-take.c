/* SPDX-License-Identifier: MIT */
/* Taking: what a report counts beyond what was taken before, row by row. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "history-parts.h"

/* One take of one target. */
struct taking {
	struct history *history;
	struct target_history *target;
	const struct report *report;
	uint32_t minute;
	int error; /* the first */
};

/* Nothing of what was before `minute` is known any more. */
static void start_anew(struct history *history, uint32_t minute)
{
	store_clear(history);
	history->fine_since = history->tens_since = 0;
	history->cut = minute;
	for (struct target_history *t = history->targets; t; t = t->hh.next)
		t->n_spans = 0;
}

/* --- differences --- */

/* Of what grows only, as long as it is the same counter. */
static uint64_t grown(uint64_t *mark, uint64_t now, bool *doubt)
{
	uint64_t base = *mark;

	*mark = now;
	if (now >= base)
		return now - base;
	*doubt = true; /* it began anew */
	return now;
}

/* Of what can go to another caller, or turn out to be none: modulo 2^64. */
static uint64_t moved(uint64_t *mark, uint64_t now, bool *doubt)
{
	uint64_t difference = now - *mark;

	*doubt |= now < *mark;
	*mark = now;
	return difference;
}

/*
 * Of what connections have that are open and that are closed, which are not read at one time: one
 * that ends between is in neither until the next take. So what is less than before is waited for,
 * and nothing is certain meanwhile.
 */
static uint64_t carried(uint64_t *mark, uint64_t now, bool give_up, bool *below)
{
	uint64_t base = *mark;

	if (now >= base || give_up)
		*mark = now;
	if (now >= base)
		return now - base;
	*below = true;
	return 0;
}

/* *use and *attempts are all zero. */
static void difference(struct marks *marks, const struct caller_counts *counts,
		       const struct open_counts *open, struct amount *use, struct amount *attempts)
{
	bool give_up = marks->below, below = false;

	use->count[0] = grown(&marks->opened, counts->opened, &use->doubt);
	use->count[1] = grown(&marks->accepted, counts->accepted, &use->doubt);
	use->count[2] = grown(&marks->closed, counts->closed, &use->doubt);
	use->count[3] =
		carried(&marks->requests, counts->requests + open->requests, give_up, &below);
	use->wide[0] = carried(&marks->received, counts->bytes_received + open->bytes_received,
			       give_up, &below);
	use->wide[1] =
		carried(&marks->sent, counts->bytes_sent + open->bytes_sent, give_up, &below);
	use->doubt |= below;
	marks->below = below && !give_up;
	attempts->kind = RECORD_ATTEMPTS;
	attempts->count[0] = grown(&marks->stray, counts->stray, &attempts->doubt);
	attempts->wide[0] = moved(&marks->refused, counts->refused, &attempts->doubt);
	attempts->wide[1] = moved(&marks->pending, counts->pending, &attempts->doubt);
	/* One that stands since before, or that came while another went elsewhere. */
	if (counts->last_attempt > marks->attempted && !attempts->count[0] && !attempts->wide[0] &&
	    !attempts->wide[1])
		attempts->doubt = true;
	if (counts->last_attempt > marks->attempted)
		marks->attempted = counts->last_attempt;
}

static void add(struct taking *taking, struct pair *pair, struct amount *amount)
{
	if (!amount_any(amount))
		return;
	amount->held = amount->kind == RECORD_USE && pair->was_open;
	store_add(taking->history, pair, taking->minute, amount);
}

/* --- rows --- */

static uint64_t row_check(const struct row *row)
{
	const unsigned char *bytes = (const unsigned char *)&row->key;
	uint64_t hash = 0xcbf29ce484222325ULL ^ row->made;

	for (size_t i = 0; i < sizeof(row->key); i++)
		hash = (hash ^ bytes[i]) * 0x100000001b3ULL;
	return hash;
}

static struct row_key key_of(const struct row *row)
{
	return (struct row_key){.row = row, .check = row_check(row)};
}

/* NULL: nothing was taken of it. */
static struct row_base *base_find(const struct target_history *target, const struct row *row)
{
	struct row_key key = key_of(row);
	struct row_base *base;

	// NOLINTNEXTLINE(clang-analyzer-core.UndefinedBinaryOperatorResult): it has no padding
	HASH_FIND(hh, target->rows, &key, sizeof(key), base);
	return base;
}

/* What was taken of a row before. NULL: there is no room, and taking->error says so. */
static struct row_base *base_get(struct taking *taking, const struct row *row)
{
	struct history *history = taking->history;
	struct row_base *base = base_find(taking->target, row);
	int r = -ENOSPC;

	if (base)
		return base;
	if (history->n_rows < history->limits.rows) {
		base = calloc(1, sizeof(*base));
		r = -ENOMEM;
	}
	if (!base) {
		taking->error = taking->error ? taking->error : r;
		return NULL;
	}
	base->key = key_of(row);
	HASH_ADD(hh, taking->target->rows, key, sizeof(base->key), base);
	history->n_rows++;
	return base;
}

/* A row that gets a name counts for that from now on. */
static void base_belongs(struct row_base *base, struct pair *pair)
{
	if (base->pair)
		base->pair->rows--;
	pair->rows++;
	base->pair = pair;
}

static void take_row(struct taking *taking, struct pair *pair, const struct row *row)
{
	struct row_base *base = base_get(taking, row);
	struct amount use = {}, attempts = {};

	if (!base)
		return;
	base_belongs(base, pair);
	base->taken = taking->target->takes;
	difference(&base->marks, &row->counts, &row->open, &use, &attempts);
	add(taking, pair, &use);
	add(taking, pair, &attempts);
}

/* Rows that are no longer in the report: those whose attempts went to another caller, and had
 * nothing else. */
static void take_gone(struct taking *taking)
{
	struct row_base *base, *next;

	HASH_ITER (hh, taking->target->rows, base, next) {
		struct amount attempts = {.kind = RECORD_ATTEMPTS};

		if (base->taken == taking->target->takes)
			continue;
		attempts.wide[0] = moved(&base->marks.refused, 0, &attempts.doubt);
		attempts.wide[1] = moved(&base->marks.pending, 0, &attempts.doubt);
		add(taking, base->pair, &attempts);
		target_forget_row(taking->history, taking->target, base);
	}
}

/* --- callers --- */

/* What tells one caller from another: as report_group() does. `address` has room for a name that
 * is made here. */
static struct identity identity_of(const struct caller *caller, uint32_t rules,
				   char address[ADDRESS_TEXT])
{
	struct identity is = {.class = caller->class,
			      .ignored = caller->ignored,
			      .rules = caller->ignored ? rules : 0};
	const struct pod_name *pod = caller->pod;

	if (pod) {
		is.kind = pod->kind;
		is.namespace = pod->namespace;
		is.name = pod->workload;
	}
	switch (caller->class) {
	case CLASS_WORKLOAD:
		if (!pod)
			is.name = caller->pod_uid;
		break;
	case CLASS_PROCESS:
	case CLASS_LOOPBACK:
		is.process = caller->process;
		break;
	case CLASS_NODE:
		is.node = caller->node;
		break;
	case CLASS_PROBE:
		break;
	default:
		if (caller->n_addresses)
			is.name = address_format(&caller->addresses[0], address);
		break;
	}
	return is;
}

static void set_last_seen(const struct taking *taking, struct pair *pair, uint64_t last)
{
	int64_t seen = last ? (int64_t)last + taking->report->realtime_offset : 0;

	if (seen > pair->last_seen)
		pair->last_seen = seen;
}

static void take_caller(struct taking *taking, const struct caller *caller)
{
	char address[ADDRESS_TEXT];
	struct identity is = identity_of(caller, taking->history->limits.ignoring, address);
	struct pair *pair = pair_get(taking->history, taking->target, &is);

	pair->open += caller->open.open;
	set_last_seen(taking, pair, caller->last_seen);
	for (size_t i = 0; i < caller->n_rows; i++)
		take_row(taking, pair, caller->rows[i]);
}

static void take_others(struct taking *taking)
{
	struct target_history *target = taking->target;
	const struct row *others = &taking->report->others;
	struct amount use = {}, attempts = {};

	target->others.open += others->open.open;
	set_last_seen(taking, &target->others, others->counts.last);
	set_last_seen(taking, &target->others, others->counts.last_attempt);
	difference(&target->others_marks, &others->counts, &others->open, &use, &attempts);
	add(taking, &target->others, &use);
	add(taking, &target->others, &attempts);
}

/* --- connections that are open --- */

static void begin_open(struct pair *pair)
{
	pair->was_open = pair->open;
	pair->open = 0;
}

/* One that is gone was there in this minute, whether its end is counted already or not. */
static void end_open(struct taking *taking, struct pair *pair)
{
	struct amount held = {.kind = RECORD_USE, .held = true};

	if (pair->open < pair->was_open)
		store_add(taking->history, pair, taking->minute, &held);
}

static void begin_all_open(struct target_history *target)
{
	begin_open(&target->others);
	for (struct pair *pair = target->pairs; pair; pair = pair->hh.next)
		begin_open(pair);
}

static void end_all_open(struct taking *taking)
{
	end_open(taking, &taking->target->others);
	for (struct pair *pair = taking->target->pairs; pair; pair = pair->hh.next)
		end_open(taking, pair);
}

/* --- the whole --- */

static void take_target(struct taking *taking)
{
	struct amount amount = {.kind = RECORD_TARGET};

	causes_since(taking->target, taking->report, &amount);
	add(taking, &taking->target->self, &amount);
}

static bool has_rows(const struct report *report)
{
	for (size_t i = 0; i < report->n_callers; i++)
		if (!report->callers[i].n_rows)
			return false;
	return true;
}

/* Once an hour. What is older than asked for goes, by whole hours. */
static void expire(struct history *history, uint32_t minute)
{
	uint32_t hour = minute / 60, since;

	if (hour == history->purged)
		return;
	history->purged = hour;
	since = minute > history->limits.minutes ? minute - history->limits.minutes : 0;
	since -= since % 60;
	if (since > history->cut)
		history->cut = since;
	store_purge(history);
	for (struct target_history *t = history->targets; t; t = t->hh.next)
		spans_purge(t, history->cut);
	names_purge(history);
}

static void count_all(struct taking *taking)
{
	struct target_history *target = taking->target;

	target->takes++;
	begin_all_open(target);
	for (size_t i = 0; i < taking->report->n_callers; i++)
		take_caller(taking, &taking->report->callers[i]);
	take_others(taking);
	take_gone(taking);
	end_all_open(taking);
	take_target(taking);
}

int history_take(struct history *history, const struct history_target *name,
		 const struct report *report, uint32_t minute)
{
	struct taking taking = {.history = history, .report = report, .minute = minute};
	int r;

	if (!minute || minute >= MINUTE_MAX || !has_rows(report))
		return -EINVAL;
	/* The clock was set back by more than all that is left. This minute's beginning was counted
	 * under what is thrown away. */
	if (minute + 60 < history->cut)
		start_anew(history, minute + 1);
	expire(history, minute);
	r = target_get(history, name, &taking.target);
	if (r)
		return r;
	if (taking.target->ledger_start != report->start_ns + 1) {
		target_forget_rows(history, taking.target);
		taking.target->ledger_start = report->start_ns + 1;
	}
	count_all(&taking);
	if (taking.error && taking.target->complete_since <= minute)
		taking.target->complete_since = minute + 1;
	return taking.error;
}

static void marks_sum(struct marks *sum, const struct marks *more)
{
	sum->opened += more->opened;
	sum->accepted += more->accepted;
	sum->closed += more->closed;
	sum->stray += more->stray;
	sum->refused += more->refused;
	sum->pending += more->pending;
	sum->requests += more->requests;
	sum->received += more->received;
	sum->sent += more->sent;
	if (more->attempted > sum->attempted)
		sum->attempted = more->attempted;
	if (more->below > sum->below)
		sum->below = more->below;
}

void history_merged(struct history *history, const struct history_target *name,
		    const struct row *into, const struct row *from)
{
	struct target_history *target = target_find(history, name);
	struct row_base *base = target ? base_find(target, from) : NULL, *sum;

	if (!base) {
		/* it found no room: what it had is told as if it came now */
		if (target && (from->counts.opened || ledger_attempted(&from->counts)))
			target->complete_since = history_minute(history->clock) + 2;
		return;
	}
	sum = base_find(target, into);
	if (sum) {
		marks_sum(&sum->marks, &base->marks);
		target_forget_row(history, target, base);
		return;
	}
	// NOLINTNEXTLINE(clang-analyzer-core.NullDereference)
	HASH_DEL(target->rows, base);
	base->key = key_of(into);
	HASH_ADD(hh, target->rows, key, sizeof(base->key), base);
}

void history_dropped(struct history *history, const struct history_target *name,
		     const struct row *row)
{
	struct target_history *target = target_find(history, name);
	struct row_base *base = target ? base_find(target, row) : NULL;

	if (base)
		target_forget_row(history, target, base);
}

void history_ended(struct history *history, const struct history_target *name, uint32_t minute)
{
	struct target_history *target = target_find(history, name);
	struct taking taking = {.history = history, .target = target, .minute = minute};

	if (!target)
		return;
	begin_all_open(target);
	end_all_open(&taking);
	target_forget_rows(history, target);
}
