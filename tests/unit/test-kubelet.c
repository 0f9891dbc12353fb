/* SPDX-License-Identifier: MIT */
/* Whether /proc/PID/stat is still the same process's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <unistd.h>

#include "../../user/capture/kubelet.h"

#define STAT(name, state, start)                                                                   \
	"812 (" name ") " state " 1 812 812 0 -1 4194560 9 0 0 0 3 4 0 0 20 0 14 0 " start         \
	" 1000 200 18446744073709551615 1 1 0"

/* As USER_HZ has it. */
static uint64_t ticks(uint64_t n)
{
	return n * (1000000000 / (uint64_t)sysconf(_SC_CLK_TCK));
}

static void the_same_start_is_the_same_process(void **state)
{
	(void)state;
	assert_true(kubelet_stat_is(STAT("kubelet", "S", "4711"), ticks(4711)));
	assert_true(kubelet_stat_is(STAT("kubelet", "S", "4711"), ticks(4712) - 1));
	assert_false(kubelet_stat_is(STAT("kubelet", "S", "4711"), ticks(4712)));
	assert_false(kubelet_stat_is(STAT("kubelet", "S", "4711"), ticks(4711) - 1));
}

static void names_can_have_anything(void **state)
{
	(void)state;
	assert_true(kubelet_stat_is(STAT("a) Z 1 (b", "R", "5"), ticks(5)));
}

static void a_zombie_listens_no_more(void **state)
{
	(void)state;
	assert_false(kubelet_stat_is(STAT("kubelet", "Z", "4711"), ticks(4711)));
}

static void what_is_cut_off_is_nobody(void **state)
{
	(void)state;
	assert_false(kubelet_stat_is("", 0));
	assert_false(kubelet_stat_is("812 (kubelet)", 0));
	assert_false(kubelet_stat_is("812 (kubelet) S 1 812", 0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_same_start_is_the_same_process),
		cmocka_unit_test(names_can_have_anything),
		cmocka_unit_test(a_zombie_listens_no_more),
		cmocka_unit_test(what_is_cut_off_is_nobody),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
