/* SPDX-License-Identifier: MIT */
/* When a watch did not stand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "../../user/kube/gaps.h"

#define S UINT64_C(1000000000)

static void test_bridged_and_lost(void **state)
{
	struct gaps gaps = {};

	(void)state;
	gaps_end(&gaps, 1 * S);
	assert_int_equal(gaps.n, 0);
	gaps_begin(&gaps, 10 * S);
	gaps_begin(&gaps, 11 * S);
	gaps_why(&gaps, "first");
	gaps_why(&gaps, "last");
	gaps_why(&gaps, "");
	assert_int_equal(gaps.at[0].until, 0);
	gaps_end(&gaps, 20 * S);
	assert_int_equal(gaps.n, 1);
	assert_int_equal(gaps.at[0].since, 10 * S);
	assert_int_equal(gaps.at[0].until, 20 * S);
	assert_false(gaps.at[0].lost);
	assert_string_equal(gaps.at[0].why, "last");
	/* nothing is open: neither is anything said of it */
	gaps_why(&gaps, "late");
	assert_string_equal(gaps.at[0].why, "last");
	/* what was told last was before the watch ended */
	gaps_begin(&gaps, 40 * S);
	gaps_lost(&gaps, 35 * S);
	gaps_end(&gaps, 41 * S);
	assert_int_equal(gaps.n, 2);
	assert_int_equal(gaps.at[1].since, 35 * S);
	assert_true(gaps.at[1].lost);
}

static void test_brief(void **state)
{
	struct gaps gaps = {};

	(void)state;
	gaps_begin(&gaps, 10 * S);
	gaps_end(&gaps, 10 * S + 1);
	assert_int_equal(gaps.n, 0);
	/* however short, what was lost was */
	gaps_begin(&gaps, 10 * S);
	gaps_lost(&gaps, 10 * S);
	gaps_end(&gaps, 10 * S);
	assert_int_equal(gaps.n, 1);
	assert_int_equal(gaps.at[0].until, 10 * S + 1);
	/* one that stood when it was found to be too old */
	gaps_lost(&gaps, 20 * S);
	assert_int_equal(gaps.n, 2);
	assert_true(gaps.open);
}

static void test_no_room(void **state)
{
	struct gaps gaps = {};

	(void)state;
	for (uint64_t i = 0; i < 2 * GAPS_MAX; i++) {
		gaps_begin(&gaps, 10 * i * S);
		gaps_end(&gaps, (10 * i + 5) * S);
	}
	/* the oldest are one */
	assert_int_equal(gaps.n, GAPS_MAX);
	assert_int_equal(gaps.at[0].since, 0);
	assert_int_equal(gaps.at[0].until, (10 * GAPS_MAX + 5) * S);
	assert_false(gaps.at[0].lost);
	for (uint64_t i = 1; i < GAPS_MAX; i++) {
		assert_int_equal(gaps.at[i].since, 10 * (GAPS_MAX + i) * S);
		assert_int_equal(gaps.at[i].until, (10 * (GAPS_MAX + i) + 5) * S);
	}
	/* one that is lost is alone what it is, as long as it is not the oldest */
	gaps_begin(&gaps, 5000 * S);
	gaps_lost(&gaps, 4999 * S);
	gaps_end(&gaps, 5001 * S);
	assert_int_equal(gaps.n, GAPS_MAX);
	assert_int_equal(gaps.at[GAPS_MAX - 1].since, 4999 * S);
	assert_true(gaps.at[GAPS_MAX - 1].lost);
	for (uint64_t i = 0; i < GAPS_MAX; i++) {
		assert_int_equal(gaps.at[0].lost, i == GAPS_MAX - 1);
		gaps_begin(&gaps, (6000 + 10 * i) * S);
		gaps_end(&gaps, (6005 + 10 * i) * S);
	}
	assert_true(gaps.at[0].lost);
	assert_false(gaps.at[1].lost);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bridged_and_lost),
		cmocka_unit_test(test_brief),
		cmocka_unit_test(test_no_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
