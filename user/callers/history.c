/* SPDX-License-Identifier: MIT */
#include "history.h"

#include <stdlib.h>

#include "history-parts.h"

static const struct history_limits defaults = {
	.records = 280000,
	.callers = 10000,
	.targets = 1000,
	.rows = 65536,
	.minutes = 1440,
};

/* Each pass over the records is to leave some. */
#define RECORDS_MIN 16

static void set_limits(struct history_limits *limits, const struct history_limits *wanted)
{
	*limits = defaults;
	if (!wanted)
		return;
	limits->ignoring = wanted->ignoring;
	if (wanted->records)
		limits->records = wanted->records < RECORDS_MIN ? RECORDS_MIN : wanted->records;
	if (limits->records >= NONE)
		limits->records = NONE - 1;
	if (wanted->callers)
		limits->callers = wanted->callers;
	if (wanted->targets)
		limits->targets = wanted->targets;
	if (wanted->rows)
		limits->rows = wanted->rows;
	if (wanted->minutes)
		limits->minutes = wanted->minutes;
}

struct history *history_new(const struct history_limits *limits)
{
	struct history *history = calloc(1, sizeof(*history));

	if (!history)
		return NULL;
	set_limits(&history->limits, limits);
	history->free = NONE;
	/* what is not in use takes no memory yet */
	history->records = malloc(history->limits.records * sizeof(*history->records));
	if (!history->records) {
		free(history);
		return NULL;
	}
	return history;
}

void history_free(struct history *history)
{
	if (!history)
		return;
	names_clear(history);
	free(history->records);
	free(history);
}

uint32_t history_minute(int64_t ns)
{
	int64_t minute = ns / MINUTE_NS;

	if (ns < 0)
		return 0;
	return minute > MINUTE_MAX ? MINUTE_MAX : (uint32_t)minute;
}

void history_room(const struct history *history, struct history_room *room)
{
	*room = (struct history_room){
		.records = history->n_records,
		.callers = history->n_pairs,
		.targets = HASH_COUNT(history->targets),
		.rows = history->n_rows,
		.minutes_since = history->fine_since,
		.tens_since = history->tens_since,
	};
}

void history_targets(const struct history *history,
		     void (*take)(const struct history_target *target, void *arg), void *arg)
{
	for (struct target_history *t = history->targets; t; t = t->hh.next)
		take(&t->name, arg);
}

/* --- since --- */

static void add_use(struct history_row *row, const struct record *record)
{
	row->opened += record->count[0];
	row->accepted += record->count[1];
	row->closed += record->count[2];
	row->requests += record->count[3];
	row->bytes_received += record->wide[0];
	row->bytes_sent += record->wide[1];
}

static void add_attempts(struct history_row *row, const struct record *record)
{
	row->stray += record->count[0];
	row->refused += record->wide[0];
	row->pending += record->wide[1];
}

/* How far a record's minutes reach. */
static uint32_t record_end(const struct history *history, uint32_t minute)
{
	if (minute < history->tens_since)
		return minute + 59;
	return minute < history->fine_since ? minute + 9 : minute;
}

void history_causes(const struct history *history, const struct history_target *name,
		    struct span window, void (*take)(struct span span, uint64_t causes, void *arg),
		    void *arg)
{
	const struct target_history *target = target_find(history, name);

	for (uint32_t i = target ? target->self.head : NONE; i != NONE;
	     i = history->records[i].next) {
		const struct record *record = &history->records[i];
		struct span span = {record->minute * MINUTE_NS,
				    (record_end(history, record->minute) + 1) * MINUTE_NS};

		if (span.since < window.since)
			break;
		if (record->wide[0])
			take(span, record->wide[0], arg);
	}
}

static void add_record(const struct history *history, struct history_row *row,
		       const struct record *record)
{
	if (record->kind == RECORD_USE)
		add_use(row, record);
	else
		add_attempts(row, record);
	row->uncertain |= record->doubt;
	row->first = record->minute;
	if (!row->last)
		row->last = record_end(history, record->minute);
}

/* What went to another caller can be more than what came here in the window. */
static uint64_t not_below_zero(uint64_t difference)
{
	return difference > INT64_MAX ? 0 : difference;
}

/* All connections that have been there, less those of the window. */
static uint64_t from_before(const struct history_row *row, bool held)
{
	uint64_t all = row->open + row->closed;

	if (all > row->opened)
		return all - row->opened;
	return held && !row->opened;
}

static void row_names(struct history_row *row, const struct identity *identity, uint32_t rules)
{
	row->class = identity->class;
	row->ignored = identity->ignored && identity->rules == rules;
	row->kind = identity->kind;
	row->namespace = identity->namespace;
	row->name = identity->name;
	row->process = identity->process;
	row->node = identity->node;
}

/* False: nothing. */
static bool row_since(const struct history *history, const struct pair *pair, uint32_t start,
		      struct history_row *row)
{
	bool held = false;

	*row = (struct history_row){.open = pair->open, .first = UINT32_MAX};
	for (uint32_t i = pair->head; i != NONE; i = history->records[i].next) {
		const struct record *record = &history->records[i];

		if (record->minute < start)
			break;
		add_record(history, row, record);
		held |= record->held;
	}
	if (row->first == UINT32_MAX && !row->open)
		return false;
	row->refused = not_below_zero(row->refused);
	row->pending = not_below_zero(row->pending);
	row->before = from_before(row, held);
	if (pair->last_seen >= start * MINUTE_NS)
		row->last_seen = pair->last_seen;
	row_names(row, pair->identity, history->limits.ignoring);
	return true;
}

void history_since(const struct history *history, const struct history_target *name, uint32_t since,
		   void (*take)(const struct history_row *row, void *arg), void *arg)
{
	const struct target_history *target = target_find(history, name);
	uint32_t start = store_label(history, since < MINUTE_MAX ? since : MINUTE_MAX);
	struct history_row row;

	if (!target)
		return;
	for (const struct pair *pair = target->pairs; pair; pair = pair->hh.next)
		if (row_since(history, pair, start, &row))
			take(&row, arg);
	if (row_since(history, &target->others, start, &row))
		take(&row, arg);
}

struct tally history_tally(const struct history_row *row)
{
	bool data = row->bytes_received || row->bytes_sent || row->requests;
	struct tally tally = {
		.opened = row->opened,
		.refused = row->refused,
		.stray = row->stray,
		.pending = row->pending,
		.last = row->last_seen,
	};

	/* data without a connection of the window is of one from before */
	if (data && !row->opened)
		tally.active = 1;
	tally.held = row->before > tally.active ? row->before - tally.active : 0;
	tally.callers = tally_any(&tally);
	return tally;
}
