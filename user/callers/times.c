/* SPDX-License-Identifier: MIT */
#include "times.h"

#define LINEAR (UINT64_C(1) << HISTOGRAM_LINEAR)
#define WRAP (UINT64_C(1) << 32)

uint64_t times_bound(uint32_t bucket)
{
	uint32_t octave = bucket / HISTOGRAM_STEPS, step = bucket % HISTOGRAM_STEPS;
	/* rounded up: the first one that histogram_bucket() takes for this step */
	uint64_t within = (step * LINEAR + HISTOGRAM_STEPS - 1) / HISTOGRAM_STEPS;

	return octave ? (LINEAR + within) << (octave - 1) : within;
}

uint64_t times_estimate(uint32_t bucket)
{
	uint64_t from = times_bound(bucket), to = times_bound(bucket + 1);

	if (bucket < HISTOGRAM_STEPS)
		return (from + to - 1) / 2;
	return (uint64_t)(2.0 * (double)from * (double)to / (double)(from + to) + 0.5);
}

/* The smallest bucket that so many samples are not above; 1 <= rank <= all of them. */
static uint32_t bucket_of_rank(const __u32 bucket[HISTOGRAM_BUCKETS], uint64_t rank)
{
	uint32_t i;

	for (i = 0; i < HISTOGRAM_BUCKETS - 1 && bucket[i] < rank; i++)
		rank -= bucket[i];
	return i;
}

static uint64_t percentile(const __u32 bucket[HISTOGRAM_BUCKETS], uint64_t samples, unsigned int p)
{
	return times_estimate(bucket_of_rank(bucket, (samples * p + 99) / 100));
}

bool times_read(const __u32 bucket[HISTOGRAM_BUCKETS], uint64_t counted, struct times *times)
{
	uint64_t samples = 0;

	*times = (struct times){};
	if (counted >= WRAP)
		return false;
	for (uint32_t i = 0; i < HISTOGRAM_BUCKETS; i++)
		samples += bucket[i];
	if (!samples)
		return false;
	*times = (struct times){
		.samples = samples,
		.p50 = percentile(bucket, samples, 50),
		.p90 = percentile(bucket, samples, 90),
		.p99 = percentile(bucket, samples, 99),
		.max = percentile(bucket, samples, 100),
	};
	return true;
}

bool times_any(const struct histograms *histograms)
{
	__u32 any = 0;

	for (uint32_t d = 0; d < DURATIONS; d++) {
		for (uint32_t i = 0; i < HISTOGRAM_BUCKETS; i++)
			any |= histograms->bucket[d][i];
	}
	return any;
}

void times_sum(struct histograms *sum, const struct histograms *more)
{
	for (uint32_t d = 0; d < DURATIONS; d++) {
		for (uint32_t i = 0; i < HISTOGRAM_BUCKETS; i++)
			sum->bucket[d][i] += more->bucket[d][i];
	}
}

void times_since(struct histograms *since, const struct histograms *now,
		 const struct histograms *base)
{
	for (uint32_t d = 0; d < DURATIONS; d++) {
		for (uint32_t i = 0; i < HISTOGRAM_BUCKETS; i++)
			since->bucket[d][i] = now->bucket[d][i] - base->bucket[d][i];
	}
}
