/* SPDX-License-Identifier: MIT */
#define HASH_NONFATAL_OOM 1
#include "attempts.h"

#include <errno.h>
#include <stdlib.h>

#include "../callers/ledger.h"

struct attempts_caller {
	struct caller_key key;
	struct caller_counts there;
	bool asked;
	bool told; /* by attempts_others(), that there are any */
	UT_hash_handle hh;
};

bool attempts_pending(const struct attempts *attempts, const struct pending *pending,
		      uint32_t sweep)
{
	return pending->last - pending->first >= PENDING_NS ||
	       (attempts->ended && pending->swept == sweep);
}

bool attempts_gone(const struct attempts *attempts, const struct pending *pending)
{
	return pending->swept < attempts->everywhere;
}

static struct attempts_caller *find(const struct attempts *attempts, const struct caller_key *key)
{
	struct attempts_caller *caller;

	HASH_FIND(hh, attempts->callers, key, sizeof(*key), caller);
	return caller;
}

static struct attempts_caller *find_or_make(struct attempts *attempts, const struct caller_key *key)
{
	struct attempts_caller *caller = find(attempts, key);

	if (caller)
		return caller;
	caller = calloc(1, sizeof(*caller));
	if (!caller)
		return NULL;
	caller->key = *key;
	HASH_ADD(hh, attempts->callers, key, sizeof(caller->key), caller);
	if (!caller->hh.tbl) {
		free(caller);
		return NULL;
	}
	return caller;
}

static void count(struct caller_counts *counts, const struct pending *pending)
{
	const struct caller_counts one = {
		.pending = 1,
		.pid = pending->pid,
		.first_attempt = pending->first,
		.last_attempt = pending->last,
	};

	ledger_sum_counts(counts, &one);
}

int attempts_keep(struct sums *sums, const struct pending *pending)
{
	struct caller_counts counts = {};

	count(&counts, pending);
	return sums_add(sums, &pending->key, &counts);
}

void attempts_begin(struct attempts *attempts)
{
	struct attempts_caller *caller, *next;

	HASH_ITER (hh, attempts->callers, caller, next) {
		/* nobody has to be told that it is gone */
		if (!caller->there.pending && !caller->told) {
			HASH_DEL(attempts->callers, caller);
			free(caller);
			continue;
		}
		caller->there = (struct caller_counts){};
		caller->asked = false;
	}
}

int attempts_add(struct attempts *attempts, const struct pending *pending)
{
	struct attempts_caller *caller = find_or_make(attempts, &pending->key);

	if (!caller)
		return -ENOMEM;
	count(&caller->there, pending);
	return 0;
}

void attempts_add_counts(const struct attempts *attempts, const struct caller_key *key,
			 struct caller_counts *counts)
{
	struct attempts_caller *caller = find(attempts, key);

	if (!caller)
		return;
	caller->asked = true;
	/* with the rest of his counts, also when there are none any more */
	caller->told = false;
	ledger_sum_counts(counts, &caller->there);
}

int attempts_others(const struct attempts *attempts,
		    int (*take)(const struct caller_key *key, const struct caller_counts *counts,
				void *arg),
		    void *arg)
{
	struct attempts_caller *caller;
	int r = 0;

	for (caller = attempts->callers; caller && !r; caller = caller->hh.next) {
		if (caller->asked || (!caller->there.pending && !caller->told))
			continue;
		caller->told = caller->there.pending;
		r = take(&caller->key, &caller->there, arg);
	}
	return r;
}

void attempts_hold(const struct attempts *attempts, struct sums *sums)
{
	const struct attempts_caller *caller;

	for (caller = attempts->callers; caller; caller = caller->hh.next)
		if (caller->there.pending || caller->told)
			sums_hold(sums, &caller->key);
}

void attempts_deinit(struct attempts *attempts)
{
	struct attempts_caller *caller, *next = attempts->callers;

	HASH_CLEAR(hh, attempts->callers);
	while (next) {
		caller = next;
		next = caller->hh.next;
		free(caller);
	}
}
