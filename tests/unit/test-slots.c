/* SPDX-License-Identifier: MIT */
/* Reading the kernel side's slots: what is ready and whose it is; a caller in both places is one.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "../../user/capture/slots.h"

static struct caller_slot slots[CALLER_SLOTS];

static struct caller_key caller(unsigned int n)
{
	return (struct caller_key){.peer = {0, 0, 0xffff0000, n}};
}

static int clear(void **state)
{
	(void)state;
	memset(slots, 0, sizeof(slots));
	return 0;
}

static struct caller_slot *take(const struct caller_key *key, __u64 taken)
{
	struct caller_slot *slot = &slots[caller_slot_number(key)];

	slot->taken = taken;
	slot->key = *key;
	return slot;
}

static void one_that_is_being_taken_is_free(void **state)
{
	struct caller_slot copy[CALLER_SLOTS];
	struct caller_key key = caller(7);

	(void)state;
	take(&key, SLOT_TAKING);
	slots_copy_callers(copy, slots);
	assert_int_equal(copy[caller_slot_number(&key)].taken, 0);
	take(&key, SLOT_READY)->counts.opened = 5;
	slots_copy_callers(copy, slots);
	assert_int_equal(copy[caller_slot_number(&key)].counts.opened, 5);
}

static void a_caller_in_both_places_is_added_up(void **state)
{
	struct caller_key key = caller(7);
	struct caller_slot *slot = take(&key, SLOT_READY);
	const struct caller_counts map = {
		.opened = 1,
		.accepted = 2,
		.closed = 3,
		.bytes_received = 4,
		.bytes_sent = 5,
		.first = 60,
		.last = 70,
		.last_opened = 69,
		.open_time = 8,
		.pid = 9,
		.old = 10,
		.untracked = 11,
		.resets = 12,
	};

	(void)state;
	slot->counts = (struct caller_counts){
		.opened = 100,
		.accepted = 200,
		.closed = 300,
		.bytes_received = 400,
		.bytes_sent = 500,
		.first = 50,
		.last = 80,
		.last_opened = 55,
		.open_time = 800,
		.pid = 900,
		.old = 1000,
		.untracked = 1100,
		.resets = 1200,
	};
	assert_true(slots_add_counts(slots, &key, &map));
	assert_int_equal(slot->counts.opened, 101);
	assert_int_equal(slot->counts.accepted, 202);
	assert_int_equal(slot->counts.closed, 303);
	assert_int_equal(slot->counts.bytes_received, 404);
	assert_int_equal(slot->counts.bytes_sent, 505);
	assert_int_equal(slot->counts.first, 50);
	assert_int_equal(slot->counts.last, 80);
	assert_int_equal(slot->counts.last_opened, 69);
	assert_int_equal(slot->counts.open_time, 808);
	assert_int_equal(slot->counts.pid, 900); /* of the one that was last */
	assert_int_equal(slot->counts.old, 1010);
	assert_int_equal(slot->counts.untracked, 1111);
	assert_int_equal(slot->counts.resets, 1212);
}

/* One that has only old connections has no first. */
static void no_first_is_not_the_earliest(void **state)
{
	struct caller_key key = caller(7);
	struct caller_slot *slot = take(&key, SLOT_READY);
	struct caller_counts map = {.first = 60};

	(void)state;
	assert_true(slots_add_counts(slots, &key, &map));
	assert_int_equal(slot->counts.first, 60);
	map.first = 0;
	assert_true(slots_add_counts(slots, &key, &map));
	assert_int_equal(slot->counts.first, 60);
}

static void another_callers_slot_is_left_alone(void **state)
{
	struct caller_key key = caller(7), other = caller(8);
	const struct caller_counts map = {.opened = 1};
	struct caller_slot *slot = &slots[caller_slot_number(&key)];

	(void)state;
	assert_false(slots_add_counts(slots, &key, &map));
	slot->taken = SLOT_READY;
	slot->key = other;
	assert_false(slots_add_counts(slots, &key, &map));
	assert_int_equal(slot->counts.opened, 0);
}

static void callers_of_one_network_have_slots_of_their_own(void **state)
{
	unsigned int used[CALLER_SLOTS] = {}, most = 0;

	(void)state;
	/* addresses are in network byte order: the last byte is the upper one */
	for (unsigned int i = 0; i < CALLER_SLOTS; i++) {
		struct caller_key key = caller(i << 24 | 0x00600a64);
		unsigned int n = ++used[caller_slot_number(&key)];

		most = n > most ? n : most;
	}
	assert_int_equal(most, 1);
}

static void a_connections_record(void **state)
{
	struct connection_slot slot = {.cookie = 4711, .connection.peer_port = 1234};
	struct connection connection = {};

	(void)state;
	assert_int_equal(slots_copy_connection(&connection, &slot), 4711);
	assert_int_equal(connection.peer_port, 1234);
	slot.cookie = SLOT_FILLING;
	assert_int_equal(slots_copy_connection(&connection, &slot), 0);
	slot.cookie = 0;
	assert_int_equal(slots_copy_connection(&connection, &slot), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(one_that_is_being_taken_is_free, clear),
		cmocka_unit_test_setup(a_caller_in_both_places_is_added_up, clear),
		cmocka_unit_test_setup(no_first_is_not_the_earliest, clear),
		cmocka_unit_test_setup(another_callers_slot_is_left_alone, clear),
		cmocka_unit_test(callers_of_one_network_have_slots_of_their_own),
		cmocka_unit_test(a_connections_record),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
