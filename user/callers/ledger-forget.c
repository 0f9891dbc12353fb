/* SPDX-License-Identifier: MIT */
/* Forgetting: what single callers had counted goes to a row for all of their kind. */
/* uthash ends the program when there is no memory, unless it is told what to do instead. */
#define HASH_NONFATAL_OOM 1
#define uthash_nonfatal_oom(row) (hash_failed = true)

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ledger-parts.h"
#include "same.h"

/*
 * What those have in common that a sum stands for, which is what a series of metrics has: of
 * workloads and nodes who they are, of processes their name; of loopback, of pods without a name
 * and of addresses there is one sum each.
 */
static void share(struct row *sum, const struct row *row)
{
	enum caller_class class = row->who.class;

	sum->who = (struct who){.class = class,
				.ignored = row->who.ignored,
				.since = INT64_MIN,
				.doubt = INT64_MAX};
	if (class == CLASS_WORKLOAD)
		sum->who.pod = row->who.pod;
	else if (class == CLASS_NODE)
		sum->who.node = row->who.node;
	else if (class == CLASS_PROCESS)
		memcpy(sum->key.comm, row->key.comm, sizeof(sum->key.comm));
	sum->sum = true;
	sum->caller_hash = row_caller_hash(sum);
}

static struct row *find_sum(const struct ledger *ledger, const struct row *like)
{
	struct row *sum;

	HASH_FIND(hh, ledger->sums, &like->caller_hash, sizeof(like->caller_hash), sum);
	/* others with the same hash are not found again, but count all the same */
	return sum && row_same_caller(sum, like) ? sum : NULL;
}

/* The row that stands for those like this one; NULL: no memory. */
static struct row *sum_of(struct ledger *ledger, const struct row *row)
{
	bool hash_failed = false;
	struct row like = {}, *sum;

	share(&like, row);
	sum = find_sum(ledger, &like);
	if (sum)
		return sum;
	sum = malloc(sizeof(*sum));
	if (!sum)
		return NULL;
	*sum = like;
	sum->made = ledger->refresh;
	HASH_ADD(hh, ledger->sums, caller_hash, sizeof(sum->caller_hash), sum);
	if (hash_failed) {
		free(sum);
		return NULL;
	}
	ledger_append(ledger, sum);
	return sum;
}

static int merge(struct ledger *ledger, struct row *row, ledger_merged *merged, void *arg)
{
	struct row *sum = sum_of(ledger, row);

	if (!sum || row_add_times(sum, row))
		return -ENOMEM;
	ledger_sum_counts(&sum->counts, &row->counts);
	row->forgotten = true;
	merged(sum, row, arg);
	return 0;
}

/* What is in no row, since there was no room, stays with those that have none. */
static void keep_rest(struct ledger *ledger, const struct caller_counts *rest)
{
	if (!counts_any(rest))
		return;
	ledger_sum_counts(&ledger->forgotten, rest);
	ledger->beyond = counts_since(&ledger->beyond, rest);
}

/* The last of it. 0 or -ENOMEM. */
static int take_last(struct ledger *ledger, struct row *row, const struct caller_counts *counts,
		     const struct histograms *times)
{
	struct caller_counts total = row_total(row), rest;

	if (!row->superseded) {
		row_set_counts(row, counts);
		return times ? ledger_set_times(ledger, &row->key, times) : 0;
	}
	rest = counts_since(counts, &total);
	keep_rest(ledger, &rest);
	return 0;
}

int ledger_forget(struct ledger *ledger, const struct caller_key *key,
		  const struct caller_counts *counts, const struct histograms *times,
		  ledger_merged *merged, void *arg)
{
	struct row *row = ledger_find(ledger, key), *older;
	int r;

	if (!row) {
		keep_rest(ledger, counts);
		return 0;
	}
	r = take_last(ledger, row, counts, times);
	if (r)
		return r;
	// NOLINTNEXTLINE(clang-analyzer-core.NullDereference)
	HASH_DELETE(hh, ledger->newest, row);
	for (; row && !r; row = older) {
		older = row->older;
		r = merge(ledger, row, merged, arg);
	}
	return r;
}

static void want_sums(struct ledger *ledger)
{
	for (struct row *row = ledger->first; row; row = row->next) {
		struct row like = {}, *sum;

		if (row->sum || row->forgotten)
			continue;
		share(&like, row);
		sum = find_sum(ledger, &like);
		if (sum)
			sum->wanted = true;
	}
}

void ledger_drop_sums(struct ledger *ledger, uint64_t before, ledger_dropped *dropped, void *arg)
{
	struct row *sum, *next;

	want_sums(ledger);
	HASH_ITER (hh, ledger->sums, sum, next) {
		if (!sum->wanted && ledger_last(&sum->counts) < before) {
			// NOLINTNEXTLINE(clang-analyzer-core.NullDereference)
			HASH_DELETE(hh, ledger->sums, sum);
			sum->forgotten = true;
			dropped(sum, arg);
		}
		sum->wanted = false;
	}
}

void ledger_end_forget(struct ledger *ledger)
{
	struct row **at = &ledger->first, *row;

	ledger->last = NULL;
	while ((row = *at)) {
		if (!row->forgotten) {
			ledger->last = row;
			at = &row->next;
			continue;
		}
		*at = row->next;
		row_free(row);
		ledger->n_rows--;
	}
}
