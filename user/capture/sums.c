/* SPDX-License-Identifier: MIT */
#define HASH_NONFATAL_OOM 1
#include "sums.h"

#include <errno.h>
#include <stdlib.h>

#include "../callers/ledger.h"

static struct summed *find(const struct sums *sums, const struct caller_key *key)
{
	struct summed *caller;

	HASH_FIND(hh, sums->callers, key, sizeof(*key), caller);
	return caller;
}

int sums_add(struct sums *sums, const struct caller_key *key, const struct caller_counts *counts)
{
	struct summed *caller = find(sums, key);

	if (!caller) {
		caller = calloc(1, sizeof(*caller));
		if (!caller)
			return -ENOMEM;
		caller->key = *key;
		/* one that comes in a reading was told in it, by who adds it */
		caller->asked = true;
		HASH_ADD(hh, sums->callers, key, sizeof(caller->key), caller);
		if (!caller->hh.tbl) {
			free(caller);
			return -ENOMEM;
		}
	}
	ledger_sum_counts(&caller->counts, counts);
	return 0;
}

size_t sums_callers(const struct sums *sums)
{
	return HASH_COUNT(sums->callers);
}

void sums_begin(struct sums *sums)
{
	for (struct summed *caller = sums->callers; caller; caller = caller->hh.next)
		caller->asked = caller->held = false;
}

void sums_add_counts(struct sums *sums, const struct caller_key *key, struct caller_counts *counts)
{
	struct summed *caller = find(sums, key);

	if (!caller)
		return;
	caller->asked = true;
	ledger_sum_counts(counts, &caller->counts);
}

int sums_others(const struct sums *sums,
		int (*take)(const struct caller_key *key, const struct caller_counts *counts,
			    void *arg),
		void *arg)
{
	int r = 0;

	for (const struct summed *caller = sums->callers; caller && !r; caller = caller->hh.next)
		if (!caller->asked)
			r = take(&caller->key, &caller->counts, arg);
	return r;
}

void sums_hold(struct sums *sums, const struct caller_key *key)
{
	struct summed *caller = find(sums, key);

	if (caller)
		caller->held = true;
}

static int compare_idle(const void *a, const void *b)
{
	uint64_t p = ledger_last(&(*(const struct summed *const *)a)->counts);
	uint64_t q = ledger_last(&(*(const struct summed *const *)b)->counts);

	return (p > q) - (p < q);
}

struct summed **sums_idle(struct sums *sums, size_t n, uint64_t before, uint64_t tried,
			  size_t *found)
{
	struct summed **all = malloc((HASH_COUNT(sums->callers) + 1) * sizeof(struct summed *));

	*found = 0;
	if (!all)
		return NULL;
	for (struct summed *caller = sums->callers; caller; caller = caller->hh.next)
		if (!caller->held && caller->counts.last < before &&
		    caller->counts.last_attempt < tried)
			all[(*found)++] = caller;
	qsort(all, *found, sizeof(struct summed *), compare_idle);
	if (*found > n)
		*found = n;
	return all;
}

void sums_remove(struct sums *sums, struct summed *caller)
{
	// NOLINTNEXTLINE(clang-analyzer-core.NullDereference)
	HASH_DELETE(hh, sums->callers, caller);
	free(caller);
}

void sums_deinit(struct sums *sums)
{
	struct summed *caller, *next = sums->callers;

	HASH_CLEAR(hh, sums->callers);
	while (next) {
		caller = next;
		next = caller->hh.next;
		free(caller);
	}
}
