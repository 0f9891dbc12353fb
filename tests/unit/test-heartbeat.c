/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../user/command/heartbeat.h"

#define MS 1000000ULL
#define S 1000000000ULL

static void test_beats_in_time(void **state)
{
	struct heartbeat heartbeat = {};

	(void)state;
	for (uint64_t at = 5 * S; at < 10 * S; at += 50 * MS)
		heartbeat_beat(&heartbeat, at, at);
	assert_int_equal(heartbeat.n, 0);
}

static void test_stopped(void **state)
{
	struct heartbeat heartbeat = {};

	(void)state;
	heartbeat_beat(&heartbeat, 5 * S, 5 * S);
	heartbeat_beat(&heartbeat, 7 * S, 7 * S);
	heartbeat_beat(&heartbeat, 8 * S, 8 * S); /* just as long as it may be */
	assert_int_equal(heartbeat.n, 1);
	assert_int_equal(heartbeat.gaps[0].cause, GAP_STOPPED);
	assert_int_equal(heartbeat.gaps[0].span.since, 5 * S);
	assert_int_equal(heartbeat.gaps[0].span.until, 7 * S);
}

/* CLOCK_MONOTONIC stands still while the machine sleeps. */
static void test_suspended(void **state)
{
	struct heartbeat heartbeat = {};

	(void)state;
	heartbeat_beat(&heartbeat, 5 * S, 6 * S);
	heartbeat_beat(&heartbeat, 5 * S + 50 * MS, 16 * S + 50 * MS);
	heartbeat_beat(&heartbeat, 5 * S + 100 * MS, 16 * S + 100 * MS);
	assert_int_equal(heartbeat.n, 1);
	assert_int_equal(heartbeat.gaps[0].cause, GAP_SUSPENDED);
	assert_int_equal(heartbeat.gaps[0].span.since, 5 * S);
	assert_int_equal(heartbeat.gaps[0].span.until, 15 * S + 50 * MS);
}

/* The two clocks are not read at the same time. */
static void test_clocks_a_little_apart(void **state)
{
	struct heartbeat heartbeat = {};

	(void)state;
	for (uint64_t i = 0; i < 1000; i++)
		heartbeat_beat(&heartbeat, 5 * S + i * 50 * MS,
			       6 * S + i * 50 * MS + (i % 3) * 40 * MS);
	assert_int_equal(heartbeat.n, 0);
}

/* Nor always in the same order. */
static void test_clocks_the_other_way_round(void **state)
{
	struct heartbeat heartbeat = {};

	(void)state;
	for (uint64_t i = 0; i < 1000; i++)
		heartbeat_beat(&heartbeat, 5 * S + i * 50 * MS, 5 * S + i * 50 * MS - 1 + i % 3);
	assert_int_equal(heartbeat.n, 0);
}

/* No gap is forgotten: the last one covers what came after it. */
static void test_many(void **state)
{
	struct heartbeat heartbeat = {};

	(void)state;
	for (uint64_t i = 0; i < 100; i++)
		heartbeat_beat(&heartbeat, 2 * i * S + 1, 2 * i * S + 1);
	assert_int_equal(heartbeat.n, COVERAGE_GAPS);
	assert_int_equal(heartbeat.more, 99 - COVERAGE_GAPS);
	assert_int_equal(heartbeat.gaps[COVERAGE_GAPS - 1].span.until, 198 * S + 1);
	heartbeat_beat(&heartbeat, 198 * S + 2, 208 * S + 2);
	assert_int_equal(heartbeat.gaps[COVERAGE_GAPS - 1].cause, GAP_SUSPENDED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_beats_in_time),
		cmocka_unit_test(test_stopped),
		cmocka_unit_test(test_suspended),
		cmocka_unit_test(test_clocks_a_little_apart),
		cmocka_unit_test(test_clocks_the_other_way_round),
		cmocka_unit_test(test_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
