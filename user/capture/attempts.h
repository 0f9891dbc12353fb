/* SPDX-License-Identifier: MIT */
/*
 * Half-open connections as attempts: which of those that sweeps found count, and whose they are.
 * A handshake takes a moment, and what completes is no attempt: so one counts when it was found
 * twice with PENDING_NS in between, or by the sweep at a window's end.
 */
#ifndef CAPTURE_ATTEMPTS_H
#define CAPTURE_ATTEMPTS_H

#include <stdbool.h>
#include <stdint.h>

#include "sums.h"

#define PENDING_NS UINT64_C(1000000000)

struct attempts_caller; /* private */

/* All zero to begin with. */
struct attempts {
	struct attempts_caller *callers;
	bool ended;          /* the last sweep was one at the end of a window */
	uint32_t everywhere; /* number of the last sweep of all namespaces */
};

/* Whether it counts; `sweep`: number of the last sweep. */
bool attempts_pending(const struct attempts *attempts, const struct pending *pending,
		      uint32_t sweep);

/* Whether it is no longer there: a sweep of all namespaces has not found it. */
bool attempts_gone(const struct attempts *attempts, const struct pending *pending);

/* Counts one for good: it is gone, and its handshake never completed. 0 or -ENOMEM. */
int attempts_keep(struct sums *sums, const struct pending *pending);

/*
 * One reading of those that are there, which completed handshakes may have made fewer since the
 * last: first all are forgotten, then each is added. 0 or -ENOMEM.
 */
void attempts_begin(struct attempts *attempts);
int attempts_add(struct attempts *attempts, const struct pending *pending);

/* Adds to a caller's counts what this has of it. */
void attempts_add_counts(const struct attempts *attempts, const struct caller_key *key,
			 struct caller_counts *counts);

/* Calls `take` for each caller whose counts were not asked for since attempts_begin(), if it has
 * any, or had when this was called last: they have completed, under another name. 0, or what `take`
 * returned. */
int attempts_others(const struct attempts *attempts,
		    int (*take)(const struct caller_key *key, const struct caller_counts *counts,
				void *arg),
		    void *arg);

/* Callers that this tells of must not be forgotten. */
void attempts_hold(const struct attempts *attempts, struct sums *sums);

void attempts_deinit(struct attempts *attempts);

#endif
