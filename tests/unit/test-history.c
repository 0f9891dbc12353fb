/* SPDX-License-Identifier: MIT */
/* The history: what is counted for whom and when, and that nothing of it is missing from a window.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>

#include "history-world.h"

/* --- counts --- */

static void test_counts_of_each_minute(void **state)
{
	struct world w;
	struct world_caller *web;
	struct history_row row;

	(void)state;
	world_init(&w, NULL);
	web = world_add(&w, CLASS_WORKLOAD, "web");
	web->row.counts =
		(struct caller_counts){.opened = 3, .accepted = 2, .closed = 3, .requests = 7};
	assert_int_equal(world_take(&w, M0), 0);
	web->row.counts.opened = 5;
	web->row.counts.closed = 5;
	web->row.counts.bytes_received = 100;
	web->row.counts.bytes_sent = 4000000000000;
	web->row.counts.last = 77;
	w.report.realtime_offset = at(M0 + 2);
	assert_int_equal(world_take(&w, M0 + 2), 0);

	row = world_row(&w, "web", M0);
	assert_int_equal(row.class, CLASS_WORKLOAD);
	assert_string_equal(row.kind, "Deployment");
	assert_string_equal(row.namespace, "core");
	assert_int_equal(row.opened, 5);
	assert_int_equal(row.accepted, 2);
	assert_int_equal(row.closed, 5);
	assert_int_equal(row.requests, 7);
	assert_int_equal(row.first, M0);
	assert_int_equal(row.last, M0 + 2);
	row = world_row(&w, "web", M0 + 1);
	assert_int_equal(row.opened, 2);
	assert_int_equal(row.requests, 0);
	assert_int_equal(row.bytes_received, 100);
	assert_int_equal(row.bytes_sent, 4000000000000);
	assert_int_equal(row.last_seen, at(M0 + 2) + 77);
	assert_int_equal(world_row(&w, "web", M0 + 3).opened, 0);
	assert_int_equal(history_take(w.history, &w.target, &w.report, 0), -EINVAL);
	world_deinit(&w);
}

static void test_taken_twice_in_a_minute(void **state)
{
	struct world w;
	struct world_caller *web;

	(void)state;
	world_init(&w, NULL);
	web = world_add(&w, CLASS_WORKLOAD, "web");
	for (unsigned int i = 1; i <= 5; i++) {
		struct history_room room;

		web->row.counts.opened += i;
		assert_int_equal(world_take(&w, M0), 0);
		assert_int_equal(world_take(&w, M0), 0);
		history_room(w.history, &room);
		assert_int_equal(room.records, 1);
	}
	assert_int_equal(world_row(&w, "web", M0).opened, 15);
	world_deinit(&w);
}

/* More than a record's counters hold. */
static void test_large_counts(void **state)
{
	struct world w;
	struct world_caller *web;

	(void)state;
	world_init(&w, NULL);
	web = world_add(&w, CLASS_WORKLOAD, "web");
	web->row.counts.opened = UINT64_C(3) * UINT32_MAX + 5;
	world_take(&w, M0);
	web->row.counts.opened += UINT32_MAX;
	world_take(&w, M0);
	assert_int_equal(world_row(&w, "web", M0).opened, UINT64_C(4) * UINT32_MAX + 5);
	world_deinit(&w);
}

static void test_row_that_gets_a_name_counts_once(void **state)
{
	struct world w;
	struct world_caller *web;

	(void)state;
	world_init(&w, NULL);
	web = world_add(&w, CLASS_PROCESS, "curl");
	web->row.counts.opened = 10;
	world_take(&w, M0);
	web->class = CLASS_WORKLOAD;
	snprintf(web->name, sizeof(web->name), "web");
	web->row.counts.opened = 11;
	world_take(&w, M0 + 1);
	assert_int_equal(world_row(&w, "curl", M0).opened, 10);
	assert_int_equal(world_row(&w, "curl", M0 + 1).opened, 0);
	assert_int_equal(world_row(&w, "web", M0).opened, 1);
	world_deinit(&w);
}

/* The kernel puts a refused attempt under its process when that is known. */
static void test_attempt_that_goes_to_another_caller(void **state)
{
	struct world w;
	struct world_caller *address, *kubelet;

	(void)state;
	world_init(&w, NULL);
	address = world_add(&w, CLASS_PROCESS, "address");
	kubelet = world_add(&w, CLASS_PROCESS, "kubelet");
	address->row.counts.refused = 2;
	world_take(&w, M0);
	address->row.counts.refused = 0;
	kubelet->row.counts.refused = 2;
	world_take(&w, M0 + 1);
	assert_int_equal(world_row(&w, "address", M0).refused, 0);
	assert_int_equal(world_row(&w, "kubelet", M0).refused, 2);
	/* another may hide behind what went */
	assert_true(world_row(&w, "address", M0 + 1).uncertain);
	address->row.counts.refused = 1;
	world_take(&w, M0 + 2);
	assert_int_equal(world_row(&w, "address", M0).refused, 1);
	assert_int_equal(world_row(&w, "address", M0 + 2).refused, 1);
	assert_false(world_row(&w, "address", M0 + 2).uncertain);
	world_deinit(&w);
}

/* One that ends between the reading of the counts and the sweep is in neither for once. */
static void test_bytes_that_are_in_neither(void **state)
{
	struct world w;
	struct world_caller *web;

	(void)state;
	world_init(&w, NULL);
	web = world_add(&w, CLASS_WORKLOAD, "web");
	web->row.counts.opened = 1;
	web->row.open = (struct open_counts){.open = 1, .bytes_sent = 500};
	world_take(&w, M0);
	web->row.open = (struct open_counts){};
	world_take(&w, M0 + 1);
	assert_true(world_row(&w, "web", M0 + 1).uncertain);
	web->row.counts.bytes_sent = 600;
	web->row.counts.closed = 1;
	world_take(&w, M0 + 2);
	assert_int_equal(world_row(&w, "web", M0).bytes_sent, 600);
	assert_int_equal(world_row(&w, "web", M0 + 2).bytes_sent, 100);
	assert_false(world_row(&w, "web", M0 + 2).uncertain);
	/* what stays less is less */
	web->row.counts.bytes_sent = 50;
	world_take(&w, M0 + 3);
	world_take(&w, M0 + 4);
	web->row.counts.bytes_sent = 60;
	world_take(&w, M0 + 5);
	assert_int_equal(world_row(&w, "web", M0 + 5).bytes_sent, 10);
	assert_true(world_row(&w, "web", M0 + 4).uncertain);
	world_deinit(&w);
}

static void test_others_count(void **state)
{
	struct world w;

	(void)state;
	world_init(&w, NULL);
	w.report.others.counts.opened = 4;
	world_take(&w, M0);
	w.report.others.counts.opened = 9;
	world_take(&w, M0 + 1);
	assert_int_equal(world_row(&w, "(others)", M0).opened, 9);
	assert_int_equal(world_row(&w, "(others)", M0 + 1).opened, 5);
	world_deinit(&w);
}

/* --- connections from before --- */

static void test_data_on_a_connection_from_before(void **state)
{
	struct world w;
	struct world_caller *web;
	struct tally tally;

	(void)state;
	world_init(&w, NULL);
	web = world_add(&w, CLASS_WORKLOAD, "web");
	web->row.counts.opened = 2;
	web->row.open.open = 2;
	world_take(&w, M0);
	world_take(&w, M0 + 1);
	tally = history_tally(&(struct history_row){});
	assert_false(tally_any(&tally));
	struct history_row row = world_row(&w, "web", M0 + 1);
	assert_int_equal(row.open, 2);
	assert_int_equal(row.before, 2);
	tally = history_tally(&row);
	assert_int_equal(tally.held, 2);
	assert_int_equal(tally.active, 0);

	web->row.open.bytes_received = 1;
	world_take(&w, M0 + 2);
	row = world_row(&w, "web", M0 + 2);
	tally = history_tally(&row);
	assert_int_equal(tally.opened, 0);
	assert_int_equal(tally.active, 1);
	assert_int_equal(tally.held, 1);
	world_deinit(&w);
}

static void test_held_connection_that_ends_in_the_window(void **state)
{
	struct world w;
	struct world_caller *web;

	(void)state;
	world_init(&w, NULL);
	web = world_add(&w, CLASS_WORKLOAD, "web");
	web->row.counts.opened = 1;
	web->row.open.open = 1;
	world_take(&w, M0);
	world_cover(&w, at(M0), at(M0 + 9));
	assert_int_equal(world_verdict(&w, M0 + 2, at(M0 + 9)), VERDICT_TRAFFIC);
	/* the sweep misses it already, its end is not counted yet */
	web->row.open.open = 0;
	world_take(&w, M0 + 3);
	assert_int_equal(world_row(&w, "web", M0 + 2).before, 1);
	assert_int_equal(world_verdict(&w, M0 + 2, at(M0 + 9)), VERDICT_TRAFFIC);
	web->row.counts.closed = 1;
	world_take(&w, M0 + 4);
	assert_int_equal(world_row(&w, "web", M0 + 2).before, 1);
	assert_int_equal(world_verdict(&w, M0 + 4, at(M0 + 9)), VERDICT_TRAFFIC);
	assert_int_equal(world_verdict(&w, M0 + 5, at(M0 + 9)), VERDICT_QUIET);
	world_deinit(&w);
}

static void test_held_when_the_target_is_no_longer_watched(void **state)
{
	struct world w;
	struct world_caller *web;

	(void)state;
	world_init(&w, NULL);
	web = world_add(&w, CLASS_WORKLOAD, "web");
	web->row.counts.opened = 1;
	web->row.open.open = 1;
	world_take(&w, M0);
	history_ended(w.history, &w.target, M0 + 3);
	assert_int_equal(world_row(&w, "web", M0 + 3).before, 1);
	assert_int_equal(world_row(&w, "web", M0 + 4).before, 0);
	world_deinit(&w);
}

/* --- who --- */

static void test_probes_and_ignored(void **state)
{
	struct history_limits rules = {.ignoring = 7}, others = {.ignoring = 8};
	struct world w;

	(void)state;
	world_init(&w, &rules);
	world_add(&w, CLASS_PROBE, "")->row.counts.opened = 5;
	world_add(&w, CLASS_PROCESS, "scan")->row.counts.opened = 6;
	w.callers[1].ignored = true;
	world_take(&w, M0);
	world_cover(&w, at(M0), at(M0 + 1));
	assert_int_equal(world_verdict(&w, M0, at(M0 + 1)), VERDICT_QUIET);
	world_restart(&w, &rules);
	assert_true(world_row(&w, "scan", M0).ignored);
	assert_int_equal(world_verdict(&w, M0, at(M0 + 1)), VERDICT_QUIET);
	/* by rules that are no longer asked for */
	world_restart(&w, &others);
	assert_false(world_row(&w, "scan", M0).ignored);
	assert_int_equal(world_verdict(&w, M0, at(M0 + 1)), VERDICT_TRAFFIC);
	world_deinit(&w);
}

static void test_service_of_the_same_name(void **state)
{
	struct world w;
	struct history_window window;

	(void)state;
	world_init(&w, NULL);
	world_add(&w, CLASS_WORKLOAD, "web")->row.counts.opened = 5;
	world_take(&w, M0);
	world_cover(&w, at(M0), at(M0 + 1));
	w.target.uid = "uid-2";
	assert_int_equal(history_window(w.history, &w.target, M0, at(M0 + 1), &window), -ENOENT);
	assert_false(window.covered);
	assert_int_equal(world_row(&w, "web", M0).opened, 0);
	w.callers[0].row.counts.opened = 2;
	world_take(&w, M0 + 1);
	assert_int_equal(world_row(&w, "web", M0).opened, 2);
	world_deinit(&w);
}

static void test_another_ledger(void **state)
{
	struct world w;

	(void)state;
	world_init(&w, NULL);
	world_add(&w, CLASS_WORKLOAD, "web")->row.counts.opened = 5;
	world_take(&w, M0);
	history_ended(w.history, &w.target, M0);
	w.callers[0].row.counts.opened = 6;
	world_take(&w, M0 + 1);
	assert_int_equal(world_row(&w, "web", M0 + 1).opened, 6);
	/* which its start tells, too */
	w.report.start_ns++;
	world_take(&w, M0 + 2);
	assert_int_equal(world_row(&w, "web", M0 + 2).opened, 6);
	/* another row of the same memory */
	w.callers[0].row.made++;
	world_take(&w, M0 + 3);
	assert_int_equal(world_row(&w, "web", M0 + 3).opened, 6);
	world_deinit(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_counts_of_each_minute),
		cmocka_unit_test(test_taken_twice_in_a_minute),
		cmocka_unit_test(test_large_counts),
		cmocka_unit_test(test_row_that_gets_a_name_counts_once),
		cmocka_unit_test(test_attempt_that_goes_to_another_caller),
		cmocka_unit_test(test_bytes_that_are_in_neither),
		cmocka_unit_test(test_others_count),
		cmocka_unit_test(test_data_on_a_connection_from_before),
		cmocka_unit_test(test_held_connection_that_ends_in_the_window),
		cmocka_unit_test(test_held_when_the_target_is_no_longer_watched),
		cmocka_unit_test(test_probes_and_ignored),
		cmocka_unit_test(test_service_of_the_same_name),
		cmocka_unit_test(test_another_ledger),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
