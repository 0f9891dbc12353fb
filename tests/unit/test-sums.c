/* SPDX-License-Identifier: MIT */
/* Counts that the kernel side has no more: what a caller has in all, and who is forgotten first. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

#include "../../user/capture/sums.h"

static struct caller_key caller(unsigned int n)
{
	return (struct caller_key){.peer = {0, 0, 0xffff0000, n}};
}

static void add(struct sums *sums, unsigned int n, uint64_t opened, uint64_t last)
{
	const struct caller_key key = caller(n);
	const struct caller_counts counts = {.opened = opened, .first = last, .last = last};

	assert_int_equal(sums_add(sums, &key, &counts), 0);
}

struct taken {
	unsigned int takes;
	uint64_t opened;
};

static int take(const struct caller_key *key, const struct caller_counts *counts, void *arg)
{
	struct taken *taken = arg;

	(void)key;
	taken->takes++;
	taken->opened += counts->opened;
	return 0;
}

static void a_caller_has_all_that_was_added(void **state)
{
	const struct caller_key one = caller(1), three = caller(3);
	struct caller_counts counts = {.opened = 1000, .first = 90, .last = 90, .pid = 7};
	struct taken taken = {};
	struct sums sums = {};

	(void)state;
	add(&sums, 1, 1, 10);
	add(&sums, 1, 10, 20);
	add(&sums, 2, 100, 30);
	assert_int_equal(sums_callers(&sums), 2);
	sums_begin(&sums);
	sums_add_counts(&sums, &one, &counts);
	assert_int_equal(counts.opened, 1011);
	assert_int_equal(counts.first, 10);
	assert_int_equal(counts.last, 90);
	assert_int_equal(counts.pid, 7);
	sums_add_counts(&sums, &three, &counts);
	assert_int_equal(counts.opened, 1011);
	/* each is told once in a reading */
	assert_int_equal(sums_others(&sums, take, &taken), 0);
	assert_int_equal(taken.takes, 1);
	assert_int_equal(taken.opened, 100);
	sums_begin(&sums);
	taken = (struct taken){};
	assert_int_equal(sums_others(&sums, take, &taken), 0);
	assert_int_equal(taken.takes, 2);
	assert_int_equal(taken.opened, 111);
	sums_deinit(&sums);
}

/* Who is told, and then added, is not told again; in the next reading he is. */
static void what_comes_in_a_reading_is_told_in_the_next(void **state)
{
	struct taken taken = {};
	struct sums sums = {};

	(void)state;
	add(&sums, 1, 1, 10);
	sums_begin(&sums);
	add(&sums, 2, 100, 20);
	assert_int_equal(sums_others(&sums, take, &taken), 0);
	assert_int_equal(taken.opened, 1);
	sums_begin(&sums);
	assert_int_equal(sums_others(&sums, take, &taken), 0);
	assert_int_equal(taken.opened, 102);
	sums_deinit(&sums);
}

/* An attempt that went to its process after the kernel's map was emptied is taken off there: below
 * zero, and right in all. */
static void what_is_taken_off_later_adds_up(void **state)
{
	const struct caller_key key = caller(1);
	const struct caller_counts before = {.refused = 3};
	struct caller_counts now = {.refused = UINT64_MAX};
	struct sums sums = {};

	(void)state;
	assert_int_equal(sums_add(&sums, &key, &before), 0);
	sums_add_counts(&sums, &key, &now);
	assert_int_equal(now.refused, 2);
	sums_deinit(&sums);
}

static void the_longest_idle_is_forgotten_first(void **state)
{
	const struct caller_key held = caller(1), attempts_only = caller(6);
	const struct caller_counts attempts = {
		.refused = 1, .first_attempt = 5, .last_attempt = 35};
	struct summed **idle;
	struct sums sums = {};
	size_t found;

	(void)state;
	add(&sums, 1, 1, 10);
	add(&sums, 2, 1, 40);
	add(&sums, 3, 1, 20);
	add(&sums, 4, 1, 30);
	add(&sums, 5, 1, 50);
	assert_int_equal(sums_add(&sums, &attempts_only, &attempts), 0);
	sums_begin(&sums);
	sums_hold(&sums, &held);
	idle = sums_idle(&sums, 9, 50, 36, &found);
	assert_non_null(idle);
	assert_int_equal(found, 4);
	assert_int_equal(idle[0]->key.peer[3], 3);
	assert_int_equal(idle[1]->key.peer[3], 4);
	assert_int_equal(idle[2]->key.peer[3], 6);
	assert_int_equal(idle[3]->key.peer[3], 2);
	free(idle);
	/* who tried something may have more of it to come */
	idle = sums_idle(&sums, 9, 50, 35, &found);
	assert_non_null(idle);
	assert_int_equal(found, 3);
	free(idle);
	idle = sums_idle(&sums, 1, 50, 36, &found);
	assert_non_null(idle);
	assert_int_equal(found, 1);
	assert_int_equal(idle[0]->key.peer[3], 3);
	sums_remove(&sums, idle[0]);
	free(idle);
	assert_int_equal(sums_callers(&sums), 5);
	sums_deinit(&sums);
}

static void nobody_is_idle(void **state)
{
	struct summed **idle;
	struct sums sums = {};
	size_t found = 7;

	(void)state;
	idle = sums_idle(&sums, 9, 50, 36, &found);
	assert_non_null(idle);
	assert_int_equal(found, 0);
	free(idle);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_caller_has_all_that_was_added),
		cmocka_unit_test(what_comes_in_a_reading_is_told_in_the_next),
		cmocka_unit_test(what_is_taken_off_later_adds_up),
		cmocka_unit_test(the_longest_idle_is_forgotten_first),
		cmocka_unit_test(nobody_is_idle),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
