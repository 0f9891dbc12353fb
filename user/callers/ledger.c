/* SPDX-License-Identifier: MIT */
/* uthash ends the program when there is no memory, unless it is told what to do instead. */
#define HASH_NONFATAL_OOM 1
#define uthash_nonfatal_oom(row) (hash_failed = true)

#include "ledger.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ledger-parts.h"

/* Keys are compared byte by byte: padding would tell apart what is the same caller. */
_Static_assert(sizeof(struct caller_key) == 16 + 8 + COMM_SIZE + 4 + 2 + 2,
	       "caller_key has padding");

struct caller_counts row_total(const struct row *row)
{
	struct caller_counts total = row->counts;

	if (row->base)
		ledger_sum_counts(&total, row->base);
	return total;
}

void row_set_counts(struct row *row, const struct caller_counts *counts)
{
	uint64_t first = row->counts.first, attempt = row->counts.first_attempt;

	/* that is no counter: what stood then has completed */
	if (row->base && counts->pending < row->base->pending)
		row->base->pending = counts->pending;
	row->counts = counts_since(counts, row->base);
	if (row->base && first)
		row->counts.first = first;
	if (row->base && attempt)
		row->counts.first_attempt = attempt;
}

/*
 * It was named after a pod, and now it turns out that another may have called from that address:
 * then its last call can't be told from that one's. Starts of pods are told in whole seconds.
 */
static bool row_doubtful(const struct row *row, const struct who *who)
{
	uint64_t last = ledger_last(&row->counts);

	return row->who.pod && !who->pod && !row->who.pod_uid && who->doubt &&
	       who->doubt != INT64_MAX && (int64_t)last > who->doubt + INT64_C(1000000000);
}

/*
 * Names come late: the API tells of a pod after it has begun to call. So a row that was named by
 * its address takes the name of whoever had that address for all that was counted in it: of a pod,
 * if it was nobody's, or if this one started after the one that it was named after. That there is
 * nobody any more is no news, as long as nothing new was opened.
 */
static bool row_named_late(const struct row *row, const struct who *who, bool opened)
{
	uint64_t first = older_time(row->counts.first, row->counts.first_attempt);
	bool all = !first || who->since <= (int64_t)first;

	/* a process's cgroup tells more than its address */
	if (row->who.pod_uid || who->pod_uid)
		return false;
	if (!who->pod && row_doubtful(row, who))
		return true;
	if (!who->pod)
		return row->who.pod ? !opened : true;
	if (row->who.pod)
		return first && all && who->since > row->who.since;
	return all;
}

/*
 * Takes the name if it is one of the same caller; returns false if it is another caller's. Nothing
 * was counted under another name yet: then any will do. The process is the same (its cgroup is):
 * then its pod got known, or is no longer on the list, and the name that is known stays.
 */
static bool row_take_name(struct row *row, const struct who *who, bool opened)
{
	bool same = who_equal(&row->who, who) || !counts_any(&row->counts);
	bool same_process =
		row->key.cgroup && row->who.class == who->class && (!row->who.pod || !who->pod);

	if (!same && !same_process && !row_named_late(row, who, opened))
		return false;
	if (same || !row->who.pod || who->pod || row_doubtful(row, who))
		row->who = *who;
	return true;
}

void row_free(struct row *row)
{
	if (!row)
		return;
	free(row->base);
	free(row->times);
	free(row->times_base);
	free(row);
}

struct ledger *ledger_new(size_t limit)
{
	struct ledger *ledger = calloc(1, sizeof(*ledger));

	if (ledger)
		ledger->limit = limit;
	return ledger;
}

void ledger_free(struct ledger *ledger)
{
	struct row *row, *next;

	if (!ledger)
		return;
	HASH_CLEAR(hh, ledger->newest);
	HASH_CLEAR(hh, ledger->sums);
	for (row = ledger->first; row; row = next) {
		next = row->next;
		row_free(row);
	}
	free(ledger);
}

struct row *ledger_find(struct ledger *ledger, const struct caller_key *key)
{
	struct row *row;

	HASH_FIND(hh, ledger->newest, key, sizeof(*key), row);
	return row;
}

/* Puts a row in the place of its older one, or in a place of its own. Adding comes first: it can
 * fail, and two of one key may be there for a moment. */
static int ledger_insert(struct ledger *ledger, struct row *row)
{
	bool hash_failed = false;

	HASH_ADD(hh, ledger->newest, key, sizeof(row->key), row);
	if (hash_failed)
		return -ENOMEM;
	if (row->older)
		HASH_DELETE(hh, ledger->newest, row->older);
	return 0;
}

void ledger_append(struct ledger *ledger, struct row *row)
{
	if (ledger->last)
		ledger->last->next = row;
	else
		ledger->first = row;
	ledger->last = row;
	ledger->n_rows++;
}

static int row_make(struct ledger *ledger, const struct caller_key *key,
		    const struct caller_counts *counts, const struct who *who, struct row *older)
{
	struct row *row;
	int r = -ENOMEM;

	row = calloc(1, sizeof(*row));
	if (!row)
		goto out;
	row->key = *key;
	row->who = *who;
	row->older = older;
	row->made = ledger->refresh;
	if (older) {
		row->base = malloc(sizeof(*row->base));
		if (!row->base)
			goto out;
		*row->base = row_total(older);
	}
	if (counts)
		row_set_counts(row, counts);
	r = ledger_insert(ledger, row);
	if (r)
		goto out;
	ledger_append(ledger, row);
	ledger->times_due |= older != NULL;
	row = NULL;
out:
	row_free(row);
	return r;
}

/*
 * Whether a row can be made. Room can come where there was none: then what a caller had until then
 * is with those that have no row, and stays there; for whoever is not certainly new that goes on.
 */
static bool has_room(const struct ledger *ledger, const struct row *older,
		     const struct caller_counts *counts)
{
	if (ledger->n_rows >= ledger->limit || (older && older->superseded))
		return false;
	return !ledger->full || older ||
	       (counts && older_time(counts->first, counts->first_attempt) > ledger->seen);
}

static void note_time(struct ledger *ledger, const struct caller_counts *counts)
{
	uint64_t last = ledger_last(counts);

	if (last > ledger->seen_next)
		ledger->seen_next = last;
}

int ledger_update(struct ledger *ledger, const struct caller_key *key,
		  const struct caller_counts *counts, const struct who *who)
{
	struct row *row = ledger_find(ledger, key);
	struct caller_counts fresh = {};
	int r;

	if (row && counts) {
		struct caller_counts total = row_total(row);

		fresh = counts_since(counts, &total);
	} else if (counts) {
		fresh = *counts;
	}
	if (counts)
		note_time(ledger, counts);
	if (row && row_take_name(row, who, fresh.opened || ledger_attempted(&fresh))) {
		row->superseded = false;
		if (counts)
			row_set_counts(row, counts);
		return 0;
	}
	/* under a new name, but nothing was counted under it: it has not called yet */
	if (row && !counts_any(&fresh))
		return 0;

	r = has_room(ledger, row, counts) ? row_make(ledger, key, counts, who, row) : -ENOSPC;
	if (!r)
		return 1;
	ledger->full = true;
	if (row)
		row->superseded = true;
	if (ledger->refreshing)
		ledger_sum_counts(&ledger->pending, &fresh);
	return r;
}

void ledger_begin_refresh(struct ledger *ledger)
{
	ledger->pending = (struct caller_counts){};
	ledger->refreshing = true;
	ledger->refresh++;
}

void ledger_end_refresh(struct ledger *ledger)
{
	if (ledger->refreshing) {
		ledger->beyond = ledger->pending;
		ledger->seen = ledger->seen_next;
		/* all that is counted is in rows */
		if (!counts_any(&ledger->pending))
			ledger->full = false;
	}
	ledger->refreshing = false;
}

void ledger_clear_open(struct ledger *ledger)
{
	struct row *row;

	for (row = ledger->first; row; row = row->next)
		row->open = (struct open_counts){};
	ledger->others_open = (struct open_counts){};
}

/* The row that the connection was counted in. A row is left behind when something newer than its
 * `last` is counted under another identity, so that time tells. NULL: in none. */
static struct row *row_of_connection(struct ledger *ledger, const struct connection *c)
{
	bool old = c->flags & CONNECTION_OLD;
	struct row *row;

	if (c->flags & CONNECTION_UNATTRIBUTED)
		return NULL;
	row = ledger_find(ledger, &c->key);
	if (row && row->superseded && !old && c->opened > row->counts.last)
		return NULL;
	while (row && row->older && (old || c->opened <= row->older->counts.last))
		row = row->older;
	return row;
}

static struct open_counts open_of_connection(const struct connection *c, uint64_t began)
{
	bool old = c->flags & CONNECTION_OLD;
	bool swept = c->last_data;
	/* it may have been accepted since the sweep */
	bool waiting = c->waiting && !(c->flags & CONNECTION_ACCEPTED);
	bool active;
	struct open_counts open = {
		.open = 1,
		.old = old,
		.waiting = waiting,
		.waiting_since = waiting ? c->opened : 0,
		.bytes_received = less(c->bytes_received, c->base_received),
		.bytes_sent = less(c->bytes_sent, c->base_sent),
		.old_bytes = c->base_received + c->base_sent,
		.requests = turn_requests(&c->turn),
		.overlaps = c->turn.overlaps,
	};

	/* Bytes tell: the kernel's time of last data starts as the time of the handshake. An old
	 * one's was before the window: what it carried between the window's begin and the first
	 * look at it shows in no count of bytes, but in this time. */
	active = open.bytes_received || open.bytes_sent || (old && data_since(c->last_data, began));
	open.old_active = old && active;
	if (active || open.old_bytes)
		open.last_data = c->last_data;
	if (swept && !active) {
		open.idle = 1;
		open.quiet_since = old ? c->last_data : c->opened;
		if (!open.quiet_since)
			open.quiet_since = began;
	}
	return open;
}

int ledger_add_open(struct ledger *ledger, const struct connection *connection, uint64_t began)
{
	struct open_counts open;
	struct row *row;

	if (connection->flags & CONNECTION_CLOSED)
		return 0;
	open = open_of_connection(connection, began);
	row = row_of_connection(ledger, connection);
	ledger_sum_open(row ? &row->open : &ledger->others_open, &open);
	return row ? 0 : -ENOENT;
}

bool ledger_times_due(const struct ledger *ledger)
{
	return ledger->times_due;
}

void ledger_begin_times(struct ledger *ledger)
{
	ledger->times_before = ledger->times;
	ledger->times = ledger->refresh;
	ledger->times_due = false;
}

int ledger_set_times(struct ledger *ledger, const struct caller_key *key,
		     const struct histograms *times)
{
	struct row *row = ledger_find(ledger, key);
	int r = 0;

	if (!row || row->superseded)
		return -ENOENT;
	if (row->older && !row->times_begun)
		r = row_begin_times(row, times, ledger->times_before + 1 >= row->made);
	return r ? r : row_set_times(row, times);
}

void ledger_set_unattributed(struct ledger *ledger, const struct caller_counts *counts)
{
	ledger->unattributed = *counts;
}

struct row ledger_others(const struct ledger *ledger)
{
	struct row others = {
		.who.class = CLASS_UNKNOWN,
		.counts = ledger->beyond,
		.open = ledger->others_open,
	};

	ledger_sum_counts(&others.counts, &ledger->forgotten);
	ledger_sum_counts(&others.counts, &ledger->unattributed);
	return others;
}

const struct row *ledger_next(const struct ledger *ledger, const struct row *row)
{
	return row ? row->next : ledger->first;
}

size_t ledger_rows(const struct ledger *ledger)
{
	return ledger->n_rows;
}
