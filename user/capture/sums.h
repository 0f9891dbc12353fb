/* SPDX-License-Identifier: MIT */
/*
 * Counts of callers that the kernel side has no more: its maps were emptied (bpf/caller.h), or it
 * never told (an end that was missed, a handshake that was never completed). Each belongs to what
 * the kernel side counts of the same caller, before or after. Pure: no BPF, no clock.
 */
#ifndef CAPTURE_SUMS_H
#define CAPTURE_SUMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../../bpf/whocalls.h"

#include <uthash.h>

struct summed {
	struct caller_key key;
	struct caller_counts counts;
	bool asked;      /* private */
	bool held;       /* private */
	uint32_t number; /* of its histograms, for who forgets it; 0: none */
	UT_hash_handle hh;
};

/* All zero to begin with. */
struct sums {
	struct summed *callers; /* hash */
};

void sums_deinit(struct sums *sums);

/* Adds to what there is of a caller. 0 or -ENOMEM. */
int sums_add(struct sums *sums, const struct caller_key *key, const struct caller_counts *counts);

size_t sums_callers(const struct sums *sums);

/* One reading of all callers: after sums_begin() sums_add_counts() for those that the kernel side
 * has, which adds to `counts` what there is here, then sums_others() for the rest: 0, or what
 * `take` returned. What sums_add() adds meanwhile is not told by it. */
void sums_begin(struct sums *sums);
void sums_add_counts(struct sums *sums, const struct caller_key *key, struct caller_counts *counts);
int sums_others(const struct sums *sums,
		int (*take)(const struct caller_key *key, const struct caller_counts *counts,
			    void *arg),
		void *arg);

/*
 * Forgetting: sums_begin(), then sums_hold() for each caller that must stay, then sums_idle(): at
 * most `n` of the others, those that were idle longest first, none that opened or closed anything
 * since `before`, or tried to since `tried` (CLOCK_MONOTONIC ns). The array is the caller's, its
 * elements are not, until sums_remove(). NULL: no memory.
 */
void sums_hold(struct sums *sums, const struct caller_key *key);
struct summed **sums_idle(struct sums *sums, size_t n, uint64_t before, uint64_t tried,
			  size_t *found);
void sums_remove(struct sums *sums, struct summed *caller);

#endif
