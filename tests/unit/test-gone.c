/* SPDX-License-Identifier: MIT */
/* Connections that sweeps no longer find: after how many, and what is counted of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../user/capture/gone.h"

#define OPENED 5

/* As many sweeps as it takes, from time 10 on. */
static void sweep_all(struct gone *gone)
{
	for (uint64_t i = 0; i < GONE_SWEEPS; i++)
		gone_swept(gone, 10 * (i + 1), true);
}

static void absent_from_enough_sweeps(void **state)
{
	struct connection connection = {.opened = OPENED, .swept = 4};
	struct gone gone = {};

	(void)state;
	sweep_all(&gone);
	assert_true(gone_is(&gone, &connection, 4 + GONE_SWEEPS));
	assert_false(gone_is(&gone, &connection, 4 + GONE_SWEEPS - 1));
}

static void not_before_there_were_as_many(void **state)
{
	const struct connection connection = {.opened = OPENED};
	struct gone gone = {};

	(void)state;
	for (uint32_t i = 1; i < GONE_SWEEPS; i++) {
		gone_swept(&gone, 10 * i, true);
		assert_false(gone_is(&gone, &connection, i));
	}
}

static void opened_after_the_first_of_them(void **state)
{
	const struct connection connection = {.opened = 11};
	struct gone gone = {};

	(void)state;
	sweep_all(&gone);
	assert_false(gone_is(&gone, &connection, GONE_SWEEPS));
}

static void a_sweep_that_could_not_look_everywhere_says_nothing(void **state)
{
	const struct connection connection = {.opened = OPENED};
	struct gone gone = {};

	(void)state;
	sweep_all(&gone);
	gone_swept(&gone, 40, false);
	assert_false(gone_is(&gone, &connection, GONE_SWEEPS + 1));
	gone_swept(&gone, 50, true);
	assert_false(gone_is(&gone, &connection, GONE_SWEEPS + 2));
}

static void counts_go_to_the_caller(void **state)
{
	const struct connection connection = {
		.key.peer = {0, 0, 0, 1},
		.opened = OPENED,
		.base_received = 100,
		.bytes_received = 130,
		.base_sent = 7,
		.bytes_sent = 9,
		.flags = CONNECTION_ACCEPTED,
	};
	const struct caller_key other = {.peer = {0, 0, 0, 2}};
	struct caller_counts counts = {.opened = 3, .closed = 1};
	struct gone gone = {};
	struct sums sums = {};

	(void)state;
	sweep_all(&gone);
	assert_int_equal(gone_add(&gone, &connection, &sums), 0);
	assert_int_equal(gone_add(&gone, &connection, &sums), 0);
	assert_int_equal(gone.number, 2);
	assert_int_equal(gone.unaccepted, 0);
	sums_add_counts(&sums, &other, &counts);
	assert_int_equal(counts.closed, 1);
	sums_add_counts(&sums, &connection.key, &counts);
	assert_int_equal(counts.opened, 3);
	assert_int_equal(counts.closed, 3);
	assert_int_equal(counts.bytes_received, 60);
	assert_int_equal(counts.bytes_sent, 4);
	assert_int_equal(counts.open_time, 2 * (10 - OPENED));
	sums_deinit(&sums);
}

static void old_ones_that_carried_data(void **state)
{
	const struct {
		struct connection connection;
		uint64_t old_active;
	} table[] = {
		{{.flags = CONNECTION_OLD}, 0},
		{{.flags = CONNECTION_OLD, .base_sent = 5, .bytes_sent = 5}, 0},
		{{.flags = CONNECTION_OLD, .base_sent = 5, .bytes_sent = 6}, 1},
		{{.flags = CONNECTION_OLD, .bytes_received = 1}, 1},
		{{.bytes_received = 1}, 0},
		/* before it was found, but in the window; or maybe, by so coarse a clock */
		{{.flags = CONNECTION_OLD, .last_data = 7}, 0},
		{{.flags = CONNECTION_OLD, .last_data = 8}, 1},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++) {
		struct caller_counts counts = {};
		struct gone gone = {.window_start = TICK_MAX + 7};
		struct sums sums = {};

		assert_int_equal(gone_add(&gone, &table[i].connection, &sums), 0);
		sums_add_counts(&sums, &table[i].connection.key, &counts);
		assert_int_equal(counts.closed, 1);
		assert_int_equal(counts.old_active, table[i].old_active);
		sums_deinit(&sums);
	}
}

static void an_unattributed_one_has_no_caller(void **state)
{
	const struct connection connection = {.opened = OPENED, .flags = CONNECTION_UNATTRIBUTED};
	struct gone gone = {};
	struct sums sums = {};

	(void)state;
	assert_int_equal(gone_add(&gone, &connection, &sums), 0);
	assert_int_equal(gone.unattributed.closed, 1);
	assert_int_equal(gone.unaccepted, 1);
	assert_int_equal(sums_callers(&sums), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(absent_from_enough_sweeps),
		cmocka_unit_test(not_before_there_were_as_many),
		cmocka_unit_test(opened_after_the_first_of_them),
		cmocka_unit_test(a_sweep_that_could_not_look_everywhere_says_nothing),
		cmocka_unit_test(counts_go_to_the_caller),
		cmocka_unit_test(old_ones_that_carried_data),
		cmocka_unit_test(an_unattributed_one_has_no_caller),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
