/* SPDX-License-Identifier: MIT */
/* queues_parse(): /proc/net/netstat as kernels write it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../user/capture/queues.h"

static void counters_stand_under_their_names(void **state)
{
	struct queue_drops drops = {};

	(void)state;
	assert_true(queues_parse("TcpExt: SyncookiesSent ListenOverflows ListenDrops TCPHPHits\n"
				 "TcpExt: 1 22 333 4444\n"
				 "IpExt: InNoRoutes InTruncatedPkts\n"
				 "IpExt: 5 6\n",
				 &drops));
	assert_int_equal(drops.overflows, 22);
	assert_int_equal(drops.drops, 333);
}

static void the_last_of_a_line(void **state)
{
	struct queue_drops drops = {};

	(void)state;
	assert_true(queues_parse("IpExt: InNoRoutes\nIpExt: 9\n"
				 "TcpExt: ListenOverflowsNot ListenDrops ListenOverflows\n"
				 "TcpExt: 7 0 18446744073709551615\n",
				 &drops));
	assert_int_equal(drops.overflows, UINT64_MAX);
	assert_int_equal(drops.drops, 0);
}

static void without_them_nothing_is_said(void **state)
{
	struct queue_drops drops;

	(void)state;
	assert_false(queues_parse("", &drops));
	assert_false(queues_parse("TcpExt: ListenOverflows ListenDrops\n", &drops));
	assert_false(queues_parse("TcpExt: ListenOverflows\nTcpExt: 1\n", &drops));
	assert_false(queues_parse("TcpExt: A ListenOverflows ListenDrops\nTcpExt: 1\n", &drops));
	assert_false(queues_parse("TcpExt: ListenOverflows ListenDrops", &drops));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(counters_stand_under_their_names),
		cmocka_unit_test(the_last_of_a_line),
		cmocka_unit_test(without_them_nothing_is_said),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
