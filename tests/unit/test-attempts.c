/* SPDX-License-Identifier: MIT */
/* Half-open connections: which of them count, and for whom. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

#include "../../user/capture/attempts.h"

static void found_twice_with_a_second_between(void **state)
{
	const struct attempts attempts = {};
	struct pending pending = {.first = 5, .last = 5, .swept = 1};

	(void)state;
	assert_false(attempts_pending(&attempts, &pending, 1));
	pending.last = 5 + PENDING_NS - 1;
	assert_false(attempts_pending(&attempts, &pending, 1));
	pending.last = 5 + PENDING_NS;
	assert_true(attempts_pending(&attempts, &pending, 1));
	/* and for good */
	assert_true(attempts_pending(&attempts, &pending, 9));
}

static void found_by_the_last_sweep(void **state)
{
	const struct pending pending = {.first = 5, .last = 5, .swept = 3};
	struct attempts attempts = {};

	(void)state;
	assert_false(attempts_pending(&attempts, &pending, 3));
	attempts.ended = true;
	assert_true(attempts_pending(&attempts, &pending, 3));
	assert_false(attempts_pending(&attempts, &pending, 4));
}

static void only_a_sweep_of_all_tells_that_one_is_gone(void **state)
{
	const struct pending pending = {.swept = 3};
	struct attempts attempts = {.everywhere = 3};

	(void)state;
	assert_false(attempts_gone(&attempts, &pending));
	attempts.everywhere = 4;
	assert_true(attempts_gone(&attempts, &pending));
}

static int take(const struct caller_key *key, const struct caller_counts *counts, void *arg)
{
	uint64_t *sum = arg;

	assert_int_equal(key->peer[3], 2);
	*sum += counts->pending;
	return 0;
}

static void each_caller_has_its_own(void **state)
{
	const struct pending one = {.key.peer = {0, 0, 0, 1}, .first = 7, .last = 9, .pid = 5};
	const struct pending two = {.key.peer = {0, 0, 0, 2}, .first = 8, .last = 8};
	struct caller_counts counts = {.opened = 3};
	struct attempts attempts = {};
	struct sums sums = {};
	uint64_t others = 0;

	(void)state;
	attempts_begin(&attempts);
	assert_int_equal(attempts_add(&attempts, &one), 0);
	assert_int_equal(attempts_add(&attempts, &one), 0);
	assert_int_equal(attempts_keep(&sums, &one), 0);
	assert_int_equal(attempts_add(&attempts, &two), 0);
	attempts_add_counts(&attempts, &one.key, &counts);
	sums_add_counts(&sums, &one.key, &counts);
	assert_int_equal(counts.opened, 3);
	assert_int_equal(counts.pending, 3);
	assert_int_equal(counts.first_attempt, 7);
	assert_int_equal(counts.last_attempt, 9);
	assert_int_equal(attempts_others(&attempts, take, &others), 0);
	assert_int_equal(others, 1);

	/* those that were there have completed since; what was kept stays */
	attempts_begin(&attempts);
	counts = (struct caller_counts){};
	attempts_add_counts(&attempts, &one.key, &counts);
	sums_add_counts(&sums, &one.key, &counts);
	assert_int_equal(counts.pending, 1);
	others = 0;
	assert_int_equal(attempts_others(&attempts, take, &others), 0);
	assert_int_equal(others, 0);
	attempts_deinit(&attempts);
	sums_deinit(&sums);
}

static int count_takes(const struct caller_key *key, const struct caller_counts *counts, void *arg)
{
	(void)key;
	*(uint64_t *)arg += counts->pending ? 1 : 100;
	return 0;
}

/* Whose attempts have completed under another name is told so, once: or he would have them for
 * ever. */
static void those_that_have_gone_are_told(void **state)
{
	const struct pending one = {.key.peer = {0, 0, 0, 1}, .first = 7, .last = 9};
	struct attempts attempts = {};
	uint64_t takes = 0;

	(void)state;
	attempts_begin(&attempts);
	attempts_add(&attempts, &one);
	assert_int_equal(attempts_others(&attempts, count_takes, &takes), 0);
	assert_int_equal(takes, 1);
	attempts_begin(&attempts);
	assert_int_equal(attempts_others(&attempts, count_takes, &takes), 0);
	assert_int_equal(takes, 101);
	attempts_begin(&attempts);
	assert_int_equal(attempts_others(&attempts, count_takes, &takes), 0);
	assert_int_equal(takes, 101);
	attempts_deinit(&attempts);
}

/* One that did something else meanwhile is told with that: it is not held for ever. */
static void who_has_other_counts_is_held_no_longer(void **state)
{
	const struct pending one = {.key.peer = {0, 0, 0, 1}, .first = 7, .last = 9};
	struct attempts attempts = {};
	struct sums sums = {};
	struct summed **idle;
	uint64_t takes = 0;
	size_t found;

	(void)state;
	attempts_begin(&attempts);
	attempts_add(&attempts, &one);
	assert_int_equal(attempts_others(&attempts, count_takes, &takes), 0);
	sums_begin(&sums);
	attempts_hold(&attempts, &sums);
	assert_int_equal(attempts_keep(&sums, &one), 0);
	for (int i = 0; i < 3; i++) {
		struct caller_counts counts = {};

		attempts_begin(&attempts);
		attempts_add_counts(&attempts, &one.key, &counts);
		assert_int_equal(attempts_others(&attempts, count_takes, &takes), 0);
	}
	assert_int_equal(takes, 1);
	assert_null(attempts.callers);
	sums_begin(&sums);
	attempts_hold(&attempts, &sums);
	idle = sums_idle(&sums, 9, 100, 100, &found);
	assert_int_equal(found, 1);
	free(idle);
	sums_deinit(&sums);
	attempts_deinit(&attempts);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(found_twice_with_a_second_between),
		cmocka_unit_test(found_by_the_last_sweep),
		cmocka_unit_test(only_a_sweep_of_all_tells_that_one_is_gone),
		cmocka_unit_test(each_caller_has_its_own),
		cmocka_unit_test(those_that_have_gone_are_told),
		cmocka_unit_test(who_has_other_counts_is_held_no_longer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
