/* SPDX-License-Identifier: MIT */
/* Which resourceVersion is the older. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "../../user/kube/version.h"

static void test_order(void **state)
{
	static const struct {
		const char *a, *b;
		int sign;
	} cases[] = {
		{"1", "1", 0},
		{"9", "10", -1},
		{"10", "9", 1},
		{"1000", "1001", -1},
		{"18446744073709551616", "18446744073709551615", 1},
	};
	int order;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(kube_version_compare(cases[i].a, cases[i].b, &order), 0);
		assert_int_equal((order > 0) - (order < 0), cases[i].sign);
	}
}

static void test_no_numbers(void **state)
{
	static const char *const texts[] = {"", "0", "01", "-1", "+1", " 1", "1 ", "1.5", "a"};
	int order;

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		assert_int_equal(kube_version_compare(texts[i], "1", &order), -EINVAL);
		assert_int_equal(kube_version_compare("1", texts[i], &order), -EINVAL);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_no_numbers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
