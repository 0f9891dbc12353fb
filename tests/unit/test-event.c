/* SPDX-License-Identifier: MIT */
/* event_decode(): what a record of the ring may be. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "../../user/callers/event.h"

static struct event good(void)
{
	return (struct event){
		.time = 1000,
		.connection = 7,
		.key = {.comm = "login", .endpoint = 2, .flags = CALLER_LOCAL},
		.bytes_received = 10,
		.type = EVENT_CLOSED,
		.peer_port = 40000,
		.pid = 123,
		.error = ECONNRESET,
	};
}

static void a_good_one_is_copied(void **state)
{
	struct event event = good(), out = {};

	(void)state;
	assert_int_equal(event_decode(&event, sizeof(event), &out), 0);
	assert_memory_equal(&out, &event, sizeof(event));
}

static void a_longer_one_is_read_as_far_as_it_is_known(void **state)
{
	char record[sizeof(struct event) + 9];
	struct event event = good(), out = {};

	(void)state;
	memset(record, 0xff, sizeof(record));
	/* and not aligned */
	memcpy(record + 1, &event, sizeof(event));
	assert_int_equal(event_decode(record + 1, sizeof(record) - 1, &out), 0);
	assert_memory_equal(&out, &event, sizeof(event));
}

static void assert_bad(const struct event *event, size_t size)
{
	struct event out, before;

	memset(&out, 0x5a, sizeof(out));
	before = out;
	assert_int_equal(event_decode(event, size, &out), -EBADMSG);
	assert_memory_equal(&out, &before, sizeof(out));
}

static void a_short_one_is_refused(void **state)
{
	struct event event = good();

	(void)state;
	for (size_t size = 0; size < sizeof(event); size++)
		assert_bad(&event, size);
}

static void types(void **state)
{
	static const uint32_t unknown[] = {0, EVENT_CLOSED + 1, 0x01000000, UINT32_MAX};
	struct event event = good(), out;

	(void)state;
	for (event.type = EVENT_CALLER; event.type <= EVENT_CLOSED; event.type++) {
		assert_int_equal(event_decode(&event, sizeof(event), &out), 0);
		assert_int_equal(out.type, event.type);
	}
	for (size_t i = 0; i < sizeof(unknown) / sizeof(*unknown); i++) {
		event.type = unknown[i];
		assert_bad(&event, sizeof(event));
	}
}

static void ports(void **state)
{
	struct event event = good(), out;

	(void)state;
	event.peer_port = 65535;
	assert_int_equal(event_decode(&event, sizeof(event), &out), 0);
	assert_int_equal(out.peer_port, 65535);
	event.peer_port = 65536;
	assert_bad(&event, sizeof(event));
	event.peer_port = UINT32_MAX;
	assert_bad(&event, sizeof(event));
}

static void the_name_is_terminated(void **state)
{
	struct event event = good(), out;

	(void)state;
	memset(event.key.comm, 'x', COMM_SIZE);
	assert_int_equal(event_decode(&event, sizeof(event), &out), 0);
	assert_string_equal(out.key.comm, "xxxxxxxxxxxxxxx");
	assert_int_equal(out.key.endpoint, event.key.endpoint);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_good_one_is_copied),
		cmocka_unit_test(a_longer_one_is_read_as_far_as_it_is_known),
		cmocka_unit_test(a_short_one_is_refused),
		cmocka_unit_test(types),
		cmocka_unit_test(ports),
		cmocka_unit_test(the_name_is_terminated),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
