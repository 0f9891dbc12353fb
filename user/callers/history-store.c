/* SPDX-License-Identifier: MIT */
/* The records of the history: one array of a fixed size, a list of them for each pair. */
#include <stdlib.h>

#include "history-parts.h"

#define HOUR 60
#define TEN 10
/* What does not fit into that many records of one label is not to be believed. */
#define COUNT_MAX (UINT64_C(16) * UINT32_MAX)

uint32_t store_label(const struct history *history, uint32_t minute)
{
	if (minute < history->tens_since)
		return minute - minute % HOUR;
	return minute < history->fine_since ? minute - minute % TEN : minute;
}

static struct record *record_at(const struct history *history, uint32_t i)
{
	return &history->records[i];
}

static size_t room(const struct history *history)
{
	return history->limits.records - history->n_records;
}

uint32_t store_alloc(struct history *history)
{
	uint32_t i = history->free;

	if (!room(history))
		return NONE;
	if (i != NONE)
		history->free = record_at(history, i)->next;
	else
		i = history->fresh++;
	history->n_records++;
	*record_at(history, i) = (struct record){.next = NONE};
	return i;
}

void store_free(struct history *history, uint32_t record)
{
	record_at(history, record)->next = history->free;
	history->free = record;
	history->n_records--;
}

void store_free_pair(struct history *history, struct pair *pair)
{
	while (pair->head != NONE) {
		uint32_t i = pair->head;

		pair->head = record_at(history, i)->next;
		store_free(history, i);
	}
}

/* --- all pairs --- */

static void for_each_pair(struct history *history,
			  void (*visit)(struct history *history, struct pair *pair, void *arg),
			  void *arg)
{
	for (struct target_history *t = history->targets; t; t = t->hh.next) {
		visit(history, &t->self, arg);
		visit(history, &t->others, arg);
		for (struct pair *pair = t->pairs; pair; pair = pair->hh.next)
			visit(history, pair, arg);
	}
}

struct oldest {
	uint32_t since;
	uint32_t minute;
};

static void visit_oldest(struct history *history, struct pair *pair, void *arg)
{
	struct oldest *oldest = arg;

	for (uint32_t i = pair->head; i != NONE; i = record_at(history, i)->next) {
		uint32_t minute = record_at(history, i)->minute;

		if (minute < oldest->since)
			break;
		if (minute < oldest->minute)
			oldest->minute = minute;
	}
}

/* The oldest record's minute, of those since a minute; UINT32_MAX: none. */
static uint32_t oldest_since(struct history *history, uint32_t since)
{
	struct oldest oldest = {since, UINT32_MAX};

	for_each_pair(history, visit_oldest, &oldest);
	return oldest.minute;
}

/* --- adding up --- */

static uint64_t add_wide(uint64_t a, uint64_t b)
{
	return a + b < a ? UINT64_MAX : a + b;
}

static void sum_wide(enum record_kind kind, uint64_t into[2], const uint64_t more[2])
{
	for (int i = 0; i < 2; i++) {
		if (kind == RECORD_TARGET)
			into[i] |= more[i];
		else if (kind == RECORD_ATTEMPTS)
			into[i] += more[i];
		else
			into[i] = add_wide(into[i], more[i]);
	}
}

static bool merges(const struct record *a, const struct record *b)
{
	for (int i = 0; i < 4; i++)
		if (b->count[i] > UINT32_MAX - a->count[i])
			return false;
	return true;
}

static void merge(struct record *into, const struct record *more)
{
	for (int i = 0; i < 4; i++)
		into->count[i] += more->count[i];
	sum_wide(into->kind, into->wide, more->wide);
	into->held |= more->held;
	into->doubt |= more->doubt;
}

/* Sums up what has one label now. */
static void visit_relabel(struct history *history, struct pair *pair, void *arg)
{
	uint32_t last[RECORD_KINDS] = {NONE, NONE, NONE}, *link = &pair->head;

	(void)arg;
	while (*link != NONE) {
		uint32_t i = *link;
		struct record *record = record_at(history, i), *into;

		record->minute = store_label(history, record->minute);
		into = last[record->kind] == NONE ? NULL : record_at(history, last[record->kind]);
		if (into && into->minute == record->minute && merges(into, record)) {
			merge(into, record);
			*link = record->next;
			store_free(history, i);
		} else {
			last[record->kind] = i;
			link = &record->next;
		}
	}
}

/* --- making room --- */

static bool coarsen_hour(struct history *history, uint32_t now)
{
	uint32_t oldest = oldest_since(history, history->tens_since);
	uint32_t end = oldest - oldest % HOUR + HOUR;

	if (oldest == UINT32_MAX || end + HOUR > now)
		return false;
	history->tens_since = end;
	if (history->fine_since < end)
		history->fine_since = end;
	for_each_pair(history, visit_relabel, NULL);
	return true;
}

static bool coarsen_ten(struct history *history, uint32_t now)
{
	uint32_t oldest = oldest_since(history, history->fine_since);
	uint32_t end = oldest - oldest % TEN + TEN;

	if (oldest == UINT32_MAX || end + TEN > now)
		return false;
	history->fine_since = end;
	for_each_pair(history, visit_relabel, NULL);
	return true;
}

static void visit_purge(struct history *history, struct pair *pair, void *arg)
{
	uint32_t since = store_label(history, history->cut), *link = &pair->head;

	(void)arg;
	while (*link != NONE && record_at(history, *link)->minute >= since)
		link = &record_at(history, *link)->next;
	while (*link != NONE) {
		uint32_t i = *link;

		*link = record_at(history, i)->next;
		store_free(history, i);
	}
}

void store_purge(struct history *history)
{
	for_each_pair(history, visit_purge, NULL);
}

static void visit_clear(struct history *history, struct pair *pair, void *arg)
{
	(void)arg;
	store_free_pair(history, pair);
}

void store_clear(struct history *history)
{
	for_each_pair(history, visit_clear, NULL);
}

/* So much at once that the next time is not soon: each goes through all records. */
static void make_room(struct history *history, uint32_t now)
{
	size_t limit = history->limits.records;

	while (room(history) <= limit / 16)
		if (!coarsen_hour(history, now) && !coarsen_ten(history, now))
			break;
	while (room(history) <= limit / 64) {
		uint32_t oldest = oldest_since(history, 0), end = oldest - oldest % HOUR + HOUR;

		if (end > history->cut)
			history->cut = end;
		store_purge(history);
	}
}

/* --- adding --- */

bool amount_any(const struct amount *amount)
{
	return amount->doubt || amount->count[0] || amount->count[1] || amount->count[2] ||
	       amount->count[3] || amount->wide[0] || amount->wide[1];
}

static bool takes_more(const struct record *record, const struct amount *amount)
{
	for (int i = 0; i < 4; i++)
		if (amount->count[i] && record->count[i] == UINT32_MAX)
			return false;
	return true;
}

static struct record *find_or_make(struct history *history, struct pair *pair, uint32_t label,
				   const struct amount *amount)
{
	uint32_t *link = &pair->head, *place, i;
	struct record *record;

	while (*link != NONE && record_at(history, *link)->minute > label)
		link = &record_at(history, *link)->next;
	for (place = link; *link != NONE; link = &record->next) {
		record = record_at(history, *link);
		if (record->minute != label)
			break;
		if (record->kind == amount->kind && takes_more(record, amount))
			return record;
	}
	i = store_alloc(history);
	record = record_at(history, i);
	record->minute = label;
	record->kind = amount->kind;
	record->next = *place;
	*place = i;
	return record;
}

/* What does not fit is left in *amount. True if there is any. */
static bool pour(struct record *record, struct amount *amount)
{
	bool left = false;

	for (int i = 0; i < 4; i++) {
		uint64_t space = UINT32_MAX - record->count[i];
		uint64_t n = amount->count[i] < space ? amount->count[i] : space;

		record->count[i] += (uint32_t)n;
		amount->count[i] -= n;
		left |= amount->count[i];
	}
	sum_wide(record->kind, record->wide, amount->wide);
	amount->wide[0] = amount->wide[1] = 0;
	record->held |= amount->held;
	record->doubt |= amount->doubt;
	return left;
}

void store_add(struct history *history, struct pair *pair, uint32_t minute,
	       const struct amount *amount)
{
	struct amount left = *amount;
	bool more = true;

	for (int i = 0; i < 4; i++) {
		if (left.count[i] > COUNT_MAX) {
			left.count[i] = COUNT_MAX;
			left.doubt = true;
		}
	}
	while (more) {
		if (!room(history))
			make_room(history, minute);
		more = pour(find_or_make(history, pair, store_label(history, minute), &left),
			    &left);
	}
}
