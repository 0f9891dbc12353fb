/* SPDX-License-Identifier: MIT */
/* Histograms: where each bucket begins and ends, how far off its estimate is, and percentiles
 * against the exact ones. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "../../user/callers/times.h"

#define MOST ((UINT64_C(1) << (HISTOGRAM_LINEAR + HISTOGRAM_OCTAVES)) - 1)

static uint64_t seed = 1;

static uint64_t random64(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed;
}

/* Each order of magnitude as often as any other. */
static uint64_t random_time(void)
{
	return random64() >> (64 - 1 - random64() % 48);
}

static void bounds(void **state)
{
	(void)state;
	assert_int_equal(times_bound(0), 0);
	for (uint32_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
		uint64_t from = times_bound(i), to = times_bound(i + 1);

		assert_true(from < to);
		assert_int_equal(histogram_bucket(from), i);
		assert_int_equal(histogram_bucket(to - 1), i);
		assert_true(times_estimate(i) >= from && times_estimate(i) < to);
	}
	assert_int_equal(times_bound(HISTOGRAM_BUCKETS), MOST + 1);
}

static void edges(void **state)
{
	static const struct {
		uint64_t ns;
		uint32_t bucket;
	} edge[] = {
		{0, 0},
		{120, 0}, /* 2048 / 17 is 120.5 */
		{121, 1},
		{(1 << 11) - 1, HISTOGRAM_STEPS - 1},
		{1 << 11, HISTOGRAM_STEPS},
		{(1 << 12) - 1, 2 * HISTOGRAM_STEPS - 1},
		{1 << 12, 2 * HISTOGRAM_STEPS},
		{UINT64_C(1) << 43, 33 * HISTOGRAM_STEPS}, /* a shift of 32 and one of 1 */
		{MOST, HISTOGRAM_BUCKETS - 1},
		{MOST + 1, HISTOGRAM_BUCKETS - 1},
		{UINT64_MAX, HISTOGRAM_BUCKETS - 1},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(edge) / sizeof(edge[0]); i++)
		assert_int_equal(histogram_bucket(edge[i].ns), edge[i].bucket);
}

/* In each octave, both ends and its inside; the linear part in ns. */
static void estimates(void **state)
{
	(void)state;
	for (int i = 0; i < 1000000; i++) {
		uint64_t ns = random_time();
		uint64_t estimate = times_estimate(histogram_bucket(ns));
		uint64_t off = estimate > ns ? estimate - ns : ns - estimate;

		if (ns < 1 << HISTOGRAM_LINEAR)
			assert_true(off <= 61);
		else
			assert_true((double)off <= 0.029 * (double)ns);
	}
	for (uint32_t i = HISTOGRAM_STEPS; i < HISTOGRAM_BUCKETS; i++) {
		double from = (double)times_bound(i), to = (double)times_bound(i + 1) - 1;
		double estimate = (double)times_estimate(i);

		assert_true(estimate - from <= 0.029 * from && to - estimate <= 0.029 * to);
	}
}

static void none_and_one(void **state)
{
	struct histograms h = {};
	struct times times = {1, 1, 1, 1, 1};

	(void)state;
	assert_false(times_any(&h));
	assert_false(times_read(h.bucket[SERVICE_TIME], 7, &times));
	assert_int_equal(times.samples, 0);
	assert_int_equal(times.max, 0);
	h.bucket[RESPONSE_TIME][histogram_bucket(1200000)] = 1;
	assert_true(times_any(&h));
	assert_false(times_read(h.bucket[SERVICE_TIME], 1, &times));
	assert_true(times_read(h.bucket[RESPONSE_TIME], 1, &times));
	assert_int_equal(times.samples, 1);
	assert_int_equal(times.p50, times_estimate(histogram_bucket(1200000)));
	assert_int_equal(times.p90, times.p50);
	assert_int_equal(times.p99, times.p50);
	assert_int_equal(times.max, times.p50);
}

/* The nearest rank: of two the first is the median, of a hundred the 99th is the p99. */
static void ranks(void **state)
{
	__u32 bucket[HISTOGRAM_BUCKETS] = {[20] = 1, [30] = 1};
	struct times times;

	(void)state;
	assert_true(times_read(bucket, 2, &times));
	assert_int_equal(times.p50, times_estimate(20));
	assert_int_equal(times.p90, times_estimate(30));
	bucket[20] = 99;
	assert_true(times_read(bucket, 100, &times));
	assert_int_equal(times.p99, times_estimate(20));
	assert_int_equal(times.max, times_estimate(30));
	bucket[20] = 98;
	assert_true(times_read(bucket, 99, &times));
	assert_int_equal(times.p99, times_estimate(30));
	memset(bucket, 0, sizeof(bucket));
	bucket[HISTOGRAM_BUCKETS - 1] = 3;
	assert_true(times_read(bucket, 3, &times));
	assert_int_equal(times.p50, times_estimate(HISTOGRAM_BUCKETS - 1));
}

static void wrapped(void **state)
{
	__u32 bucket[HISTOGRAM_BUCKETS] = {[20] = UINT32_MAX, [30] = UINT32_MAX, [40] = 2};
	struct times times;

	(void)state;
	assert_false(times_read(bucket, UINT64_C(1) << 32, &times));
	assert_int_equal(times.samples, 0);
	assert_true(times_read(bucket, UINT32_MAX, &times));
	assert_int_equal(times.samples, UINT64_C(1) << 33);
	assert_int_equal(times.p50, times_estimate(30));
	assert_int_equal(times.max, times_estimate(40));
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static void assert_near(uint64_t estimate, const uint64_t *sorted, size_t n, size_t percent)
{
	uint64_t exact = sorted[(n * percent + 99) / 100 - 1];
	uint64_t off = estimate > exact ? estimate - exact : exact - estimate;

	assert_true((double)off <= (exact < 1 << HISTOGRAM_LINEAR ? 61 : 0.03 * (double)exact));
}

static void percentiles_of_random_times(void **state)
{
	static uint64_t ns[5000];

	(void)state;
	for (int round = 0; round < 200; round++) {
		size_t n = 1 + random64() % 5000;
		__u32 bucket[HISTOGRAM_BUCKETS] = {};
		struct times times;

		for (size_t i = 0; i < n; i++) {
			/* over all magnitudes, or all within two */
			ns[i] = round % 2 ? random_time() : 100000 + random64() % 9900000;
			bucket[histogram_bucket(ns[i])]++;
		}
		qsort(ns, n, sizeof(*ns), compare);
		assert_true(times_read(bucket, n, &times));
		assert_int_equal(times.samples, n);
		assert_near(times.p50, ns, n, 50);
		assert_near(times.p90, ns, n, 90);
		assert_near(times.p99, ns, n, 99);
		assert_near(times.max, ns, n, 100);
	}
}

static void sums_and_differences(void **state)
{
	static struct histograms now, base, since;

	(void)state;
	now.bucket[SERVICE_TIME][3] = 5;
	now.bucket[OPEN_TIME][HISTOGRAM_BUCKETS - 1] = 2;
	base.bucket[SERVICE_TIME][3] = UINT32_MAX; /* it has wrapped since */
	times_since(&since, &now, &base);
	assert_int_equal(since.bucket[SERVICE_TIME][3], 6);
	assert_int_equal(since.bucket[OPEN_TIME][HISTOGRAM_BUCKETS - 1], 2);
	times_sum(&since, &base);
	assert_memory_equal(&since, &now, sizeof(now));
	times_since(&now, &now, &since);
	assert_false(times_any(&now));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bounds),
		cmocka_unit_test(edges),
		cmocka_unit_test(estimates),
		cmocka_unit_test(none_and_one),
		cmocka_unit_test(ranks),
		cmocka_unit_test(wrapped),
		cmocka_unit_test(percentiles_of_random_times),
		cmocka_unit_test(sums_and_differences),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
