/* SPDX-License-Identifier: MIT */
/* /proc/net/netstat as kernels write it; what of the drops is a listener's. */
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

#define SOCKET 0xffff8000

/* Found with that many drops. */
static void found(struct queues *queues, uint64_t socket, uint64_t cookie, uint32_t drops)
{
	const struct listener listener = {.cookie = cookie, .netns = 7, .drops = drops};

	assert_int_equal(queues_found(queues, socket, &listener), 0);
}

static void what_was_dropped_before_the_watch_does_not_count(void **state)
{
	struct queues queues = {};

	(void)state;
	found(&queues, SOCKET, 1, 100);
	queues.known = 1;
	assert_int_equal(queues_dropped(&queues.listeners[0], 50), 0);
	found(&queues, SOCKET, 1, 103);
	assert_int_equal(queues.n_listeners, 1);
	assert_int_equal(queues_dropped(&queues.listeners[0], 50), 3);
	queues_deinit(&queues);
}

static void a_listener_that_came_later_dropped_all_of_it_in_the_window(void **state)
{
	struct queues queues = {.known = 1};

	(void)state;
	/* its namespace's counters are not known from before, so they don't bound it */
	found(&queues, SOCKET, 1, 5);
	assert_int_equal(queues_dropped(&queues.listeners[0], 0), 5);
	found(&queues, SOCKET, 1, 9);
	assert_int_equal(queues_dropped(&queues.listeners[0], 2), 7);
	queues_deinit(&queues);
}

static void one_of_an_endpoint_that_came_later_counts_from_then(void **state)
{
	struct listener listener = {.endpoint = 1, .netns = 7, .drops = 40};
	struct queues queues = {.known = 1};

	(void)state;
	assert_int_equal(queues_found(&queues, SOCKET, &listener), 0);
	assert_int_equal(queues_dropped(&queues.listeners[0], 50), 0);
	queues_deinit(&queues);
}

static void never_more_than_the_namespace_dropped(void **state)
{
	struct queues queues = {};

	(void)state;
	found(&queues, SOCKET, 1, 0);
	found(&queues, SOCKET, 1, 20);
	assert_int_equal(queues_dropped(&queues.listeners[0], 3), 3);
	assert_int_equal(queues_dropped(&queues.listeners[0], 0), 0);
	queues_deinit(&queues);
}

static void a_socket_in_the_same_place_is_another_listener(void **state)
{
	struct queues queues = {};

	(void)state;
	found(&queues, SOCKET, 1, 10);
	queues.known = 1;
	found(&queues, SOCKET, 1, 12);
	found(&queues, SOCKET, 2, 15);
	assert_int_equal(queues.n_listeners, 2);
	assert_true(queues.listeners[0].replaced);
	assert_int_equal(queues_dropped(&queues.listeners[0], 99), 2);
	assert_int_equal(queues_dropped(&queues.listeners[1], 99), 15);
	/* without a cookie: by its counter, which begins anew */
	found(&queues, SOCKET, 2, 1);
	assert_int_equal(queues.n_listeners, 3);
	assert_int_equal(queues_dropped(&queues.listeners[2], 99), 1);
	queues_deinit(&queues);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(counters_stand_under_their_names),
		cmocka_unit_test(the_last_of_a_line),
		cmocka_unit_test(without_them_nothing_is_said),
		cmocka_unit_test(what_was_dropped_before_the_watch_does_not_count),
		cmocka_unit_test(a_listener_that_came_later_dropped_all_of_it_in_the_window),
		cmocka_unit_test(one_of_an_endpoint_that_came_later_counts_from_then),
		cmocka_unit_test(never_more_than_the_namespace_dropped),
		cmocka_unit_test(a_socket_in_the_same_place_is_another_listener),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
