/* SPDX-License-Identifier: MIT */
/* The ledger: what was opened is attributed or unattributed, always; by examples and at random. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../../user/callers/ledger.h"

static const struct pod_name pods[] = {
	{"dev", "a-1", "uid-a", "Deployment", "a", "node-1"},
	{"dev", "b-1", "uid-b", "Deployment", "b", "node-1"},
	{"dev", "c-1", "uid-c", "Deployment", "c", "node-1"},
};

static struct caller_key key_of(uint32_t n)
{
	return (struct caller_key){.peer = {0, 0, 0xffff, n}};
}

static struct who workload(size_t i)
{
	return (struct who){CLASS_WORKLOAD, &pods[i], NULL};
}

static const struct who unknown = {CLASS_UNKNOWN, NULL, NULL};

/* Counts of a caller that opened n connections, one each ns. */
static struct caller_counts counts_of(uint64_t n)
{
	return (struct caller_counts){
		.opened = n,
		.accepted = n,
		.closed = n / 2,
		.bytes_received = 10 * n,
		.first = n ? 1 : 0,
		.last = n,
		.open_time = n,
		.pid = n,
	};
}

static int update(struct ledger *ledger, uint32_t key_number, uint64_t n, struct who who)
{
	struct caller_key key = key_of(key_number);
	struct caller_counts counts = counts_of(n);

	return ledger_update(ledger, &key, &counts, &who);
}

static uint64_t attributed(const struct ledger *ledger)
{
	const struct row *row;
	uint64_t n = 0;

	for (row = ledger_next(ledger, NULL); row; row = ledger_next(ledger, row))
		n += row->counts.opened;
	return n;
}

static uint64_t opened_by(const struct ledger *ledger, const struct pod_name *pod)
{
	const struct row *row;
	uint64_t n = 0;

	for (row = ledger_next(ledger, NULL); row; row = ledger_next(ledger, row)) {
		if (row->who.pod == pod)
			n += row->counts.opened;
	}
	return n;
}

static void newest_counts_stay(void **state)
{
	struct ledger *ledger = ledger_new(10);
	struct caller_key key = key_of(1), other = key_of(2);
	struct row *row;

	(void)state;
	assert_null(ledger_find(ledger, &key));
	assert_null(ledger_next(ledger, NULL));
	assert_int_equal(update(ledger, 1, 4, workload(0)), 1);
	assert_int_equal(update(ledger, 1, 7, workload(0)), 0);
	row = ledger_find(ledger, &key);
	assert_non_null(row);
	assert_int_equal(row->counts.opened, 7);
	assert_int_equal(row->counts.first, 1);
	assert_int_equal(row->counts.last, 7);
	assert_null(ledger_find(ledger, &other));
	assert_int_equal(ledger_rows(ledger), 1);
	assert_ptr_equal(ledger_next(ledger, NULL), row);
	assert_null(ledger_next(ledger, row));
	ledger_free(ledger);
	ledger_free(NULL);
}

/* Of each row alone, and as much in all. */
static void data_on_old_ones(void **state)
{
	struct caller_counts counts = {.opened = 1, .closed = 3, .old_active = 3};
	struct who one = workload(0), other = workload(1);
	struct ledger *ledger = ledger_new(10);
	struct caller_key key = key_of(1);
	struct caller_counts sum = {};

	(void)state;
	assert_int_equal(ledger_update(ledger, &key, &counts, &one), 1);
	counts = (struct caller_counts){.opened = 2, .closed = 8, .old_active = 7, .last = 9};
	assert_int_equal(ledger_update(ledger, &key, &counts, &other), 1);
	assert_int_equal(ledger_find(ledger, &key)->counts.old_active, 4);
	for (const struct row *row = NULL; (row = ledger_next(ledger, row));)
		ledger_sum_counts(&sum, &row->counts);
	assert_int_equal(sum.old_active, 7);
	ledger_free(ledger);
}

/* The row of a caller that is only announced, by an event. */
static void without_counts(void **state)
{
	struct ledger *ledger = ledger_new(2);
	struct caller_key key = key_of(1), second = key_of(2), third = key_of(3);
	struct who who = workload(0), other = workload(1);

	(void)state;
	assert_int_equal(ledger_update(ledger, &key, NULL, &unknown), 1);
	assert_int_equal(ledger_update(ledger, &key, NULL, &who), 0);
	assert_true(who_equal(&ledger_find(ledger, &key)->who, &who));
	assert_int_equal(update(ledger, 1, 3, who), 0);
	assert_int_equal(ledger_update(ledger, &key, NULL, &who), 0);
	assert_int_equal(ledger_find(ledger, &key)->counts.opened, 3);
	/* nothing counted under the other name: it has not called */
	assert_int_equal(ledger_update(ledger, &key, NULL, &other), 0);
	assert_true(who_equal(&ledger_find(ledger, &key)->who, &who));
	assert_int_equal(ledger_update(ledger, &second, NULL, &who), 1);
	assert_int_equal(ledger_update(ledger, &third, NULL, &who), -ENOSPC);
	ledger_free(ledger);
}

static void identity_changes(void **state)
{
	struct ledger *ledger = ledger_new(10);
	struct caller_key key = key_of(1);
	const struct row *first, *second;

	(void)state;
	assert_int_equal(update(ledger, 1, 5, workload(0)), 1);
	assert_int_equal(update(ledger, 1, 5, workload(1)), 0);
	assert_int_equal(ledger_rows(ledger), 1);
	assert_int_equal(update(ledger, 1, 8, workload(1)), 1);
	assert_int_equal(update(ledger, 1, 9, workload(1)), 0);
	first = ledger_next(ledger, NULL);
	second = ledger_next(ledger, first);
	assert_ptr_equal(ledger_find(ledger, &key), second);
	assert_int_equal(first->counts.opened, 5);
	assert_int_equal(first->counts.last, 5);
	assert_ptr_equal(first->who.pod, &pods[0]);
	assert_int_equal(second->counts.opened, 4);
	assert_int_equal(second->counts.accepted, 4);
	assert_int_equal(second->counts.closed, 2);
	assert_int_equal(second->counts.bytes_received, 40);
	assert_int_equal(second->counts.first, 8); /* the best that is known: between 5 and 8 */
	assert_int_equal(second->counts.last, 9);
	assert_ptr_equal(second->who.pod, &pods[1]);
	/* and back: a third row, for time passed */
	assert_int_equal(update(ledger, 1, 20, workload(0)), 1);
	assert_int_equal(opened_by(ledger, &pods[0]), 16);
	assert_int_equal(opened_by(ledger, &pods[1]), 4);
	assert_int_equal(attributed(ledger), 20);
	ledger_free(ledger);
}

/* A name that comes late for the same process is no other caller. */
static void late_names(void **state)
{
	struct ledger *ledger = ledger_new(10);
	struct caller_key key = {.cgroup = 7, .flags = CALLER_LOCAL};
	struct caller_counts counts = counts_of(3);
	struct who nameless = {CLASS_WORKLOAD, NULL, NULL}, named = workload(0);

	(void)state;
	assert_int_equal(ledger_update(ledger, &key, &counts, &nameless), 1);
	counts = counts_of(5);
	assert_int_equal(ledger_update(ledger, &key, &counts, &named), 0);
	assert_ptr_equal(ledger_find(ledger, &key)->who.pod, &pods[0]);
	/* the pod left the list */
	counts = counts_of(6);
	assert_int_equal(ledger_update(ledger, &key, &counts, &nameless), 0);
	assert_ptr_equal(ledger_find(ledger, &key)->who.pod, &pods[0]);
	assert_int_equal(ledger_find(ledger, &key)->counts.opened, 6);
	ledger_free(ledger);
}

static struct who since(struct who who, int64_t time)
{
	who.since = time;
	return who;
}

/* By its address a pod is known for what it counted since it has that: counts begin at time 1. */
static void late_names_by_address(void **state)
{
	struct ledger *ledger = ledger_new(20);
	struct who external = {.class = CLASS_EXTERNAL};

	(void)state;
	assert_int_equal(update(ledger, 1, 3, unknown), 1);
	assert_int_equal(update(ledger, 1, 3, external), 0);
	assert_int_equal(update(ledger, 1, 4, since(workload(0), 1)), 0);
	assert_int_equal(opened_by(ledger, &pods[0]), 4);
	/* it is gone, and what it opened stays its own */
	assert_int_equal(update(ledger, 1, 4, unknown), 0);
	assert_int_equal(opened_by(ledger, &pods[0]), 4);
	/* whoever calls from there now is somebody else */
	assert_int_equal(update(ledger, 1, 9, unknown), 1);
	assert_int_equal(opened_by(ledger, &pods[0]), 4);
	assert_int_equal(update(ledger, 1, 10, since(workload(1), 5)), 0);
	assert_int_equal(opened_by(ledger, &pods[1]), 6);
	/* the API was late: all of it was a pod's that started after that one */
	assert_int_equal(update(ledger, 1, 10, since(workload(2), 6)), 0);
	assert_int_equal(opened_by(ledger, &pods[1]), 0);
	assert_int_equal(opened_by(ledger, &pods[2]), 6);
	/* too late to be the one who called before */
	assert_int_equal(update(ledger, 2, 3, unknown), 1);
	assert_int_equal(update(ledger, 2, 3, since(workload(1), 2)), 0);
	assert_int_equal(opened_by(ledger, &pods[1]), 0);
	assert_int_equal(update(ledger, 2, 8, since(workload(1), 2)), 1);
	assert_int_equal(opened_by(ledger, &pods[1]), 5);
	assert_int_equal(attributed(ledger), 18);
	ledger_free(ledger);
}

/* A call that may have been another pod's is not the first one's. */
static void a_name_that_became_doubtful(void **state)
{
	struct ledger *ledger = ledger_new(20);
	struct who doubtful = unknown;
	struct caller_key key = key_of(1);
	struct caller_counts counts = counts_of(7);

	(void)state;
	counts.last = 5000000000;
	assert_int_equal(
		ledger_update(ledger, &key, &counts, &(struct who){CLASS_WORKLOAD, &pods[0]}), 1);
	/* it began in the same second: that is told no better */
	doubtful.doubt = 4500000000;
	assert_int_equal(ledger_update(ledger, &key, &counts, &doubtful), 0);
	assert_int_equal(opened_by(ledger, &pods[0]), 7);
	doubtful.doubt = 3500000000;
	assert_int_equal(ledger_update(ledger, &key, &counts, &doubtful), 0);
	assert_int_equal(opened_by(ledger, &pods[0]), 0);
	assert_int_equal(attributed(ledger), 7);
	ledger_free(ledger);
}

static void beyond_the_limit(void **state)
{
	struct ledger *ledger = ledger_new(2);
	struct caller_counts unattributed = counts_of(100);
	int pass;

	(void)state;
	for (pass = 1; pass < 5; pass++) {
		ledger_begin_refresh(ledger);
		assert_int_equal(update(ledger, 1, pass, workload(0)), pass == 1);
		assert_int_equal(update(ledger, 2, pass, workload(1)), pass == 1);
		assert_int_equal(update(ledger, 3, 10 * pass, workload(2)), -ENOSPC);
		assert_int_equal(update(ledger, 4, 10 * pass, unknown), -ENOSPC);
		ledger_end_refresh(ledger);
		assert_int_equal(ledger_rows(ledger), 2);
		assert_int_equal(ledger_others(ledger).counts.opened, 20 * pass);
		/* an event between two passes adds nothing twice */
		assert_int_equal(update(ledger, 3, 10 * pass, workload(2)), -ENOSPC);
		assert_int_equal(ledger_others(ledger).counts.opened, 20 * pass);
	}
	ledger_set_unattributed(ledger, &unattributed);
	ledger_set_unattributed(ledger, &unattributed);
	assert_int_equal(ledger_others(ledger).counts.opened, 180);
	assert_int_equal(ledger_others(ledger).counts.bytes_received, 1800);
	ledger_free(ledger);
}

static void identity_changes_at_the_limit(void **state)
{
	struct ledger *ledger = ledger_new(1);
	struct connection c = {.key = key_of(1), .last_data = 30};

	(void)state;
	ledger_begin_refresh(ledger);
	assert_int_equal(update(ledger, 1, 5, workload(0)), 1);
	ledger_end_refresh(ledger);
	ledger_begin_refresh(ledger);
	assert_int_equal(update(ledger, 1, 8, workload(1)), -ENOSPC);
	ledger_end_refresh(ledger);
	assert_int_equal(attributed(ledger), 5);
	assert_int_equal(ledger_others(ledger).counts.opened, 3);
	/* what is open goes where it was counted */
	c.opened = 4;
	assert_int_equal(ledger_add_open(ledger, &c, 0), 0);
	c.opened = 7;
	assert_int_equal(ledger_add_open(ledger, &c, 0), -ENOENT);
	assert_int_equal(ledger_others(ledger).open.open, 1);
	/* back: all that it opened is its own as far as the ledger can tell */
	ledger_begin_refresh(ledger);
	assert_int_equal(update(ledger, 1, 9, workload(0)), 0);
	ledger_end_refresh(ledger);
	assert_int_equal(attributed(ledger), 9);
	assert_int_equal(ledger_others(ledger).counts.opened, 0);
	ledger_free(ledger);
}

static void limit_of_nothing(void **state)
{
	struct ledger *ledger = ledger_new(0);

	(void)state;
	ledger_begin_refresh(ledger);
	assert_int_equal(update(ledger, 1, 5, workload(0)), -ENOSPC);
	ledger_end_refresh(ledger);
	assert_int_equal(ledger_others(ledger).counts.opened, 5);
	assert_int_equal(ledger_others(ledger).who.class, CLASS_UNKNOWN);
	ledger_free(ledger);
}

static void what_is_open(void **state)
{
	struct ledger *ledger = ledger_new(10);
	struct connection c = {.key = key_of(1), .opened = 100};
	struct open_counts open;

	(void)state;
	assert_int_equal(update(ledger, 1, 3, workload(0)), 1);

	/* not swept yet: nothing is known of its data */
	assert_int_equal(ledger_add_open(ledger, &c, 50), 0);
	open = ledger_find(ledger, &c.key)->open;
	assert_int_equal(open.open, 1);
	assert_int_equal(open.idle, 0);
	assert_int_equal(open.last_data, 0);

	/* the handshake is no data */
	c.last_data = 101;
	assert_int_equal(ledger_add_open(ledger, &c, 50), 0);
	open = ledger_find(ledger, &c.key)->open;
	assert_int_equal(open.idle, 1);
	assert_int_equal(open.quiet_since, 100);
	assert_int_equal(open.last_data, 0);

	c.last_data = 140;
	c.bytes_received = 7;
	c.bytes_sent = 9;
	c.waiting = 1;
	assert_int_equal(ledger_add_open(ledger, &c, 50), 0);
	open = ledger_find(ledger, &c.key)->open;
	assert_int_equal(open.open, 3);
	assert_int_equal(open.idle, 1);
	assert_int_equal(open.waiting, 1);
	assert_int_equal(open.bytes_received, 7);
	assert_int_equal(open.bytes_sent, 9);
	assert_int_equal(open.last_data, 140);
	assert_int_equal(open.old, 0);

	/* old ones: only what came since counts */
	c = (struct connection){.key = key_of(1),
				.opened = 51,
				.last_data = 20,
				.base_received = 30,
				.bytes_received = 30,
				.flags = CONNECTION_OLD};
	assert_int_equal(ledger_add_open(ledger, &c, TICK_MAX + 50), 0);
	c.last_data = 150;
	c.bytes_received = 31;
	assert_int_equal(ledger_add_open(ledger, &c, TICK_MAX + 50), 0);
	open = ledger_find(ledger, &c.key)->open;
	assert_int_equal(open.open, 5);
	assert_int_equal(open.old, 2);
	assert_int_equal(open.old_active, 1);
	assert_int_equal(open.old_bytes, 60);
	assert_int_equal(open.idle, 2);
	assert_int_equal(open.quiet_since, 20);
	assert_int_equal(open.bytes_received, 8);
	assert_int_equal(open.last_data, 150);

	/* ended in the queue */
	c.flags = CONNECTION_CLOSED;
	assert_int_equal(ledger_add_open(ledger, &c, 50), 0);
	assert_int_equal(ledger_find(ledger, &c.key)->open.open, 5);

	c.flags = CONNECTION_UNATTRIBUTED;
	assert_int_equal(ledger_add_open(ledger, &c, 50), -ENOENT);
	c.flags = 0;
	c.key = key_of(2);
	assert_int_equal(ledger_add_open(ledger, &c, 50), -ENOENT);
	assert_int_equal(ledger_others(ledger).open.open, 2);

	ledger_clear_open(ledger);
	c.key = key_of(1);
	assert_int_equal(ledger_find(ledger, &c.key)->open.open, 0);
	assert_int_equal(ledger_others(ledger).open.open, 0);
	ledger_free(ledger);
}

static void open_under_the_identity_of_then(void **state)
{
	struct ledger *ledger = ledger_new(10);
	struct connection c = {.key = key_of(1)};
	const struct row *first, *second;

	(void)state;
	update(ledger, 1, 5, workload(0));
	update(ledger, 1, 8, workload(1));
	first = ledger_next(ledger, NULL);
	second = ledger_next(ledger, first);
	c.opened = 5;
	ledger_add_open(ledger, &c, 0);
	assert_int_equal(first->open.open, 1);
	c.opened = 6;
	ledger_add_open(ledger, &c, 0);
	assert_int_equal(second->open.open, 1);
	/* opened since the last pass */
	c.opened = 50;
	ledger_add_open(ledger, &c, 0);
	assert_int_equal(second->open.open, 2);
	c.flags = CONNECTION_OLD;
	ledger_add_open(ledger, &c, 0);
	assert_int_equal(first->open.open, 2);
	ledger_free(ledger);
}

#define KEYS 50

/* A world that the ledger is told of, and what it should know. */
struct world {
	uint64_t opened[KEYS];
	uint64_t told[KEYS];
	size_t who[KEYS];
	uint64_t by_pod[3];
	uint64_t clock;
};

static void world_refresh(struct world *w, struct ledger *ledger, uint64_t unattributed)
{
	struct caller_counts others = {.opened = unattributed};
	uint32_t k;

	ledger_begin_refresh(ledger);
	for (k = 0; k < KEYS; k++) {
		if (!w->opened[k])
			continue;
		update(ledger, k, w->opened[k], workload(w->who[k]));
		w->by_pod[w->who[k]] += w->opened[k] - w->told[k];
		w->told[k] = w->opened[k];
	}
	ledger_set_unattributed(ledger, &others);
	ledger_end_refresh(ledger);
}

static void at_random(unsigned int seed, size_t limit)
{
	struct ledger *ledger = ledger_new(limit);
	struct world w = {};
	uint64_t unattributed = 0, total = 0;
	int step;

	srand(seed);
	for (step = 0; step < 400; step++) {
		uint32_t k = rand() % KEYS;
		uint64_t n = rand() % 5;

		switch (rand() % 8) {
		case 0:
			w.who[k] = rand() % 3;
			break;
		case 1:
			unattributed += n;
			total += n;
			break;
		case 2: /* an event, between two passes */
			if (w.opened[k]) {
				update(ledger, k, w.opened[k], workload(w.who[k]));
				w.by_pod[w.who[k]] += w.opened[k] - w.told[k];
				w.told[k] = w.opened[k];
			}
			break;
		default:
			w.opened[k] += n;
			total += n;
		}
		if (rand() % 4)
			continue;
		world_refresh(&w, ledger, unattributed);
		assert_true(ledger_rows(ledger) <= limit);
		assert_int_equal(attributed(ledger) + ledger_others(ledger).counts.opened, total);
		if (ledger_rows(ledger) < limit) {
			size_t i;

			assert_int_equal(ledger_others(ledger).counts.opened, unattributed);
			for (i = 0; i < 3; i++)
				assert_int_equal(opened_by(ledger, &pods[i]), w.by_pod[i]);
		}
	}
	ledger_free(ledger);
}

static void opened_is_attributed_or_unattributed(void **state)
{
	static const size_t limits[] = {0, 1, 7, 30, 60, 100000};
	const char *given = getenv("SEED");
	unsigned int seed = given ? strtoul(given, NULL, 0) : (unsigned int)time(NULL), i, round;

	(void)state;
	print_message("SEED=%u\n", seed);
	for (round = 0; round < 30; round++) {
		for (i = 0; i < sizeof(limits) / sizeof(*limits); i++)
			at_random(seed + round, limits[i]);
	}
}

/* 10,000 callers cost well under 6 MiB, 100,000 ten times that. */
static void memory(void **state)
{
	struct ledger *ledger = ledger_new(SIZE_MAX);
	size_t before = mallinfo2().uordblks, used;
	uint32_t i;

	(void)state;
	for (i = 0; i < 10000; i++)
		assert_int_equal(update(ledger, i, 1, unknown), 1);
	used = mallinfo2().uordblks - before;
	print_message("10,000 rows: %zu KiB\n", used / 1024);
	assert_true(used < 10 << 19);
	for (; i < 100000; i++)
		assert_int_equal(update(ledger, i, 1, unknown), 1);
	used = mallinfo2().uordblks - before;
	print_message("100,000 rows: %zu KiB\n", used / 1024);
	assert_true(used < 50 << 20);
	ledger_free(ledger);
}

/* A new identity gets the attempts that are new under it. */
static void attempts_go_to_who_made_them(void **state)
{
	struct ledger *ledger = ledger_new(10);
	const struct caller_key key = {.peer = {1}};
	struct caller_counts counts = {.refused = 3, .first_attempt = 10, .last_attempt = 20};
	struct who who = workload(0), later = workload(1);

	(void)state;
	later.since = 25;
	assert_int_equal(ledger_update(ledger, &key, &counts, &who), 1);
	counts = (struct caller_counts){
		.refused = 5, .stray = 1, .first_attempt = 10, .last_attempt = 30};
	assert_int_equal(ledger_update(ledger, &key, &counts, &later), 1);
	assert_int_equal(ledger_find(ledger, &key)->counts.refused, 2);
	assert_int_equal(ledger_find(ledger, &key)->counts.stray, 1);
	assert_int_equal(ledger_find(ledger, &key)->counts.first_attempt, 30);
	assert_int_equal(ledger_next(ledger, NULL)->counts.refused, 3);
	ledger_free(ledger);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(newest_counts_stay),
		cmocka_unit_test(data_on_old_ones),
		cmocka_unit_test(without_counts),
		cmocka_unit_test(identity_changes),
		cmocka_unit_test(late_names),
		cmocka_unit_test(late_names_by_address),
		cmocka_unit_test(a_name_that_became_doubtful),
		cmocka_unit_test(beyond_the_limit),
		cmocka_unit_test(identity_changes_at_the_limit),
		cmocka_unit_test(limit_of_nothing),
		cmocka_unit_test(what_is_open),
		cmocka_unit_test(open_under_the_identity_of_then),
		cmocka_unit_test(opened_is_attributed_or_unattributed),
		cmocka_unit_test(memory),
		cmocka_unit_test(attempts_go_to_who_made_them),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
