/* SPDX-License-Identifier: MIT */
/*
 * Percentiles of the kernel's histograms: struct histograms and histogram_bucket() are in
 * bpf/whocalls.h. Pure. A bucket counts modulo 2^32, so what is read of it is right as long as
 * fewer than 2^32 were counted.
 */
#ifndef CALLERS_TIMES_H
#define CALLERS_TIMES_H

#include <stdbool.h>
#include <stdint.h>

#include "../../bpf/whocalls.h"

/* How long something took, in ns, each within 2.9 % of what one of the samples was. */
struct times {
	uint64_t samples;
	uint64_t p50; /* by nearest rank */
	uint64_t p90;
	uint64_t p99;
	uint64_t max;
};

/* The shortest time in a bucket. HISTOGRAM_BUCKETS: one more than the longest in the last, but for
 * those that are longer than the histogram is. */
uint64_t times_bound(uint32_t bucket);

/*
 * What a time in the bucket is taken for: as far from its shortest as from its longest, in parts of
 * itself; below 2^HISTOGRAM_LINEAR ns the middle.
 */
uint64_t times_estimate(uint32_t bucket);

/*
 * Reads one histogram. `counted`: how often that was counted which is timed here. False if there
 * are no samples, or so many that a bucket may have wrapped: then nothing is known.
 */
bool times_read(const __u32 bucket[HISTOGRAM_BUCKETS], uint64_t counted, struct times *times);

/* Whether there is any sample. */
bool times_any(const struct histograms *histograms);
/* Adds `more`. */
void times_sum(struct histograms *sum, const struct histograms *more);
/* What came after `base`. `since` may be either of them. */
void times_since(struct histograms *since, const struct histograms *now,
		 const struct histograms *base);

#endif
