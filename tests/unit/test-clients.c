/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "../../user/serve/clients.h"

#define SECOND INT64_C(1000000000)

static struct in6_addr address(uint8_t last)
{
	return (struct in6_addr){.s6_addr = {[15] = last}};
}

static struct client *enter(struct clients *clients, uint8_t last, int64_t now)
{
	struct in6_addr of = address(last);

	return clients_enter(clients, &of, now);
}

/* How many of `tries` it may ask at that moment. */
static unsigned int asks(struct clients *clients, struct client *client, unsigned int tries,
			 int64_t now)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < tries; i++)
		n += clients_may_ask(clients, client, now);
	return n;
}

static void test_rate(void **state)
{
	struct clients clients = {.per_address = 9, .requests_per_second = 10, .max = 9};
	struct client *a = enter(&clients, 1, 5 * SECOND), *b = enter(&clients, 2, 5 * SECOND);

	(void)state;
	assert_int_equal(asks(&clients, a, 50, 5 * SECOND), 10);
	assert_int_equal(asks(&clients, a, 50, 5 * SECOND + SECOND / 10 - 1), 0);
	assert_int_equal(asks(&clients, a, 50, 5 * SECOND + SECOND / 10), 1);
	assert_int_equal(asks(&clients, a, 50, 5 * SECOND + SECOND / 2), 4);
	assert_int_equal(asks(&clients, b, 50, 5 * SECOND + SECOND / 2), 10); /* its own */
	assert_int_equal(asks(&clients, a, 50, 99 * SECOND), 10);             /* no more saved */
	clients_deinit(&clients);
}

/* Each rate allows a burst of as many, whatever does not divide evenly. */
static void test_rates(void **state)
{
	(void)state;
	for (unsigned int rate = 1; rate <= 1000; rate++) {
		struct clients clients = {.per_address = 1, .requests_per_second = rate, .max = 1};
		struct client *client = enter(&clients, 1, 0);

		assert_int_equal(asks(&clients, client, rate + 5, SECOND), rate);
		clients_deinit(&clients);
	}
}

static void test_per_address(void **state)
{
	struct clients clients = {.per_address = 2, .requests_per_second = 100, .max = 9};
	struct client *first = enter(&clients, 1, SECOND);

	(void)state;
	assert_ptr_equal(enter(&clients, 1, SECOND), first);
	assert_null(enter(&clients, 1, SECOND));
	assert_non_null(enter(&clients, 2, SECOND));
	clients_leave(first);
	assert_ptr_equal(enter(&clients, 1, SECOND), first);
	assert_null(enter(&clients, 1, SECOND));
	clients_deinit(&clients);
}

static void test_connects(void **state)
{
	struct clients clients = {.per_address = 1, .requests_per_second = 5, .max = 9};
	struct client *client;
	unsigned int n = 0;

	(void)state;
	for (int i = 0; i < 50; i++) {
		client = enter(&clients, 1, SECOND);
		if (!client)
			continue;
		n++;
		clients_leave(client);
	}
	assert_int_equal(n, 10);
	assert_non_null(enter(&clients, 1, SECOND + SECOND / 10));
	clients_deinit(&clients);
}

/* The table is bounded; whoever has a connection, or asked too often just now, is not forgotten. */
static void test_forgotten(void **state)
{
	struct clients clients = {.per_address = 9, .requests_per_second = 10, .max = 3};
	struct client *stays = enter(&clients, 1, SECOND), *busy = enter(&clients, 2, SECOND);

	(void)state;
	assert_int_equal(asks(&clients, busy, 10, SECOND), 10);
	clients_leave(busy);
	clients_leave(enter(&clients, 3, SECOND));
	assert_null(enter(&clients, 4, SECOND)); /* none of the three yet */
	assert_non_null(enter(&clients, 4, SECOND + SECOND / 10));
	assert_int_equal(HASH_COUNT(clients.table), 3);
	assert_ptr_equal(enter(&clients, 1, 2 * SECOND), stays);
	assert_int_equal(asks(&clients, busy, 50, SECOND + SECOND / 2), 5);
	clients_deinit(&clients);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rate),        cmocka_unit_test(test_rates),
		cmocka_unit_test(test_per_address), cmocka_unit_test(test_connects),
		cmocka_unit_test(test_forgotten),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
