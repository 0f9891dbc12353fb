/* SPDX-License-Identifier: MIT */
/* Requests and their times from the kernel's counts to callers: that each gets its own, and all
 * together as many as the kernel counted. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../../user/callers/report.h"

#define MS 1000000

static const struct pod_name pods[] = {
	{"dev", "a-1", "uid-a", "Deployment", "a", "node-1"},
	{"dev", "b-1", "uid-b", "Deployment", "b", "node-1"},
	{"core", "c-1", "uid-c", "Deployment", "c", "node-1"},
};

struct fixture {
	struct ledger *ledger;
	struct report report;
	struct histograms times; /* as the kernel has them, of one caller */
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	f->ledger = ledger_new(100);
	assert_non_null(f->ledger);
	f->report.n_hooks = REPORT_HOOKS;
	f->report.hooks[REPORT_REQUESTS].hook = "tp_btf/sock_recv_length";
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	report_deinit(&f->report);
	ledger_free(f->ledger);
	free(f);
	return 0;
}

static struct caller_key key_of(uint32_t n)
{
	return (struct caller_key){.peer = {0, 0, 0xffff, n}};
}

static struct who workload(size_t i)
{
	return (struct who){CLASS_WORKLOAD, &pods[i], NULL};
}

/* n connections closed, and so many requests on them. */
static int update(struct fixture *f, uint32_t peer, uint64_t n, uint64_t requests, size_t pod)
{
	struct caller_counts counts = {
		.opened = n, .closed = n, .requests = requests, .first = 1, .last = n};
	struct caller_key key = key_of(peer);
	struct who who = workload(pod);

	return ledger_update(f->ledger, &key, &counts, &who);
}

static void refresh(struct fixture *f, uint32_t peer, uint64_t n, uint64_t requests, size_t pod)
{
	ledger_begin_refresh(f->ledger);
	assert_true(update(f, peer, n, requests, pod) >= 0);
	ledger_end_refresh(f->ledger);
}

static void set_times(struct fixture *f, uint32_t peer)
{
	struct caller_key key = key_of(peer);

	ledger_begin_times(f->ledger);
	assert_int_equal(ledger_set_times(f->ledger, &key, &f->times), 0);
}

static __u32 *service_time(struct fixture *f, uint64_t ns)
{
	return &f->times.bucket[SERVICE_TIME][histogram_bucket(ns)];
}

static const struct caller *caller_of(struct fixture *f, size_t pod)
{
	assert_int_equal(report_group(&f->report, f->ledger), 0);
	for (size_t i = 0; i < f->report.n_callers; i++) {
		if (f->report.callers[i].pod == &pods[pod])
			return &f->report.callers[i];
	}
	fail_msg("no caller is pod %zu", pod);
	return NULL;
}

static uint64_t samples_of(struct fixture *f, size_t pod)
{
	struct times times;

	caller_times(caller_of(f, pod), SERVICE_TIME, &times);
	return times.samples;
}

static void closed_and_open(void **state)
{
	struct connection open = {.opened = 1, .turn.turns = 7 * TURN_ANSWERED, .turn.overlaps = 1};
	struct connection nobodys = {.opened = 1,
				     .flags = CONNECTION_UNATTRIBUTED,
				     .turn.turns = 20 * TURN_ANSWERED,
				     .turn.overlaps = 4};
	struct connection gone = {.flags = CONNECTION_CLOSED, .turn.turns = 1000 * TURN_ANSWERED};
	struct fixture *f = *state;
	struct row others;

	assert_int_equal(update(f, 1, 2, 30, 0), 1);
	assert_int_equal(update(f, 2, 1, 500, 1), 1);
	open.key = gone.key = key_of(1);
	assert_int_equal(ledger_add_open(f->ledger, &open, 0), 0);
	assert_int_equal(ledger_add_open(f->ledger, &open, 0), 0);
	assert_int_equal(ledger_add_open(f->ledger, &gone, 0), 0);
	assert_int_equal(ledger_add_open(f->ledger, &nobodys, 0), -ENOENT);
	ledger_set_unattributed(f->ledger,
				&(struct caller_counts){.opened = 1, .requests = 3, .overlaps = 2});
	assert_int_equal(caller_of(f, 0)->requests, 44);
	assert_int_equal(caller_of(f, 0)->overlaps, 2);
	assert_int_equal(caller_of(f, 1)->requests, 500);
	assert_int_equal(caller_of(f, 1)->overlaps, 0);
	assert_int_equal(f->report.requests, 567);
	assert_int_equal(f->report.requests_unattributed, 23);
	others = ledger_others(f->ledger);
	assert_int_equal(others.counts.overlaps + others.open.overlaps, 6);
	ledger_clear_open(f->ledger);
	assert_int_equal(caller_of(f, 0)->requests, 30);
	assert_int_equal(f->report.requests, 533);
}

/* All that were counted but were not missed; nothing where there is no hook. */
static void what_the_hook_saw(void **state)
{
	struct fixture *f = *state;
	struct hook *hook = &f->report.hooks[REPORT_REQUESTS];

	assert_int_equal(update(f, 1, 1, 10, 0), 1);
	hook->missed = 3;
	assert_int_equal(report_group(&f->report, f->ledger), 0);
	assert_true(report_requests_known(&f->report));
	assert_int_equal(hook->seen, 7);
	hook->missed = 11;
	assert_int_equal(report_group(&f->report, f->ledger), 0);
	assert_int_equal(hook->seen, 0);
	*hook = (struct hook){.program = "requests", .why = "no such tracepoint"};
	assert_int_equal(report_group(&f->report, f->ledger), 0);
	assert_false(report_requests_known(&f->report));
	assert_int_equal(hook->seen, 0);
	hook->hook = "tp_btf/sock_recv_length";
	f->report.n_hooks = REPORT_REQUESTS;
	assert_false(report_requests_known(&f->report));
}

static void rows_without_times(void **state)
{
	struct fixture *f = *state;
	struct caller_key key = key_of(1), stranger = key_of(2);
	struct times times = {1, 1, 1, 1, 1};

	refresh(f, 1, 1, 5, 0);
	assert_int_equal(ledger_set_times(f->ledger, &stranger, &f->times), -ENOENT);
	set_times(f, 1);
	assert_null(ledger_find(f->ledger, &key)->times);
	assert_null(caller_of(f, 0)->times);
	assert_false(caller_times(caller_of(f, 0), SERVICE_TIME, &times));
	assert_int_equal(times.samples, 0);
	assert_int_equal(times.max, 0);
}

/* As it is read every second: each identity has what came while it was that. */
static void times_follow_the_identity(void **state)
{
	struct fixture *f = *state;
	struct times times;

	refresh(f, 1, 1, 5, 0);
	*service_time(f, MS) = 5;
	set_times(f, 1);
	assert_false(ledger_times_due(f->ledger));
	refresh(f, 1, 2, 8, 1);
	assert_true(ledger_times_due(f->ledger));
	*service_time(f, 20 * MS) = 3;
	set_times(f, 1);
	assert_false(ledger_times_due(f->ledger));
	assert_int_equal(caller_of(f, 0)->requests, 5);
	assert_int_equal(caller_of(f, 1)->requests, 3);
	assert_true(caller_times(caller_of(f, 0), SERVICE_TIME, &times));
	assert_int_equal(times.samples, 5);
	assert_int_equal(times.max, times_estimate(histogram_bucket(MS)));
	assert_true(caller_times(caller_of(f, 1), SERVICE_TIME, &times));
	assert_int_equal(times.samples, 3);
	assert_int_equal(times.p50, times_estimate(histogram_bucket(20 * MS)));
	/* a third one, and none of its own yet */
	refresh(f, 1, 3, 8, 2);
	set_times(f, 1);
	assert_int_equal(samples_of(f, 2), 0);
	*service_time(f, MS) += 4;
	refresh(f, 1, 3, 12, 2);
	set_times(f, 1);
	assert_int_equal(samples_of(f, 0), 5);
	assert_int_equal(samples_of(f, 1), 3);
	assert_int_equal(samples_of(f, 2), 4);
}

/* As it is read only when it is due: what came until then is the older one's. */
static void times_are_read_late(void **state)
{
	struct fixture *f = *state;

	refresh(f, 1, 1, 5, 0);
	refresh(f, 1, 1, 9, 0);
	assert_false(ledger_times_due(f->ledger));
	*service_time(f, MS) = 9;
	refresh(f, 1, 2, 9, 1);
	assert_true(ledger_times_due(f->ledger));
	set_times(f, 1);
	refresh(f, 1, 2, 9, 1);
	refresh(f, 1, 3, 15, 1);
	*service_time(f, MS) = 15;
	set_times(f, 1);
	assert_int_equal(samples_of(f, 0), 9);
	assert_int_equal(samples_of(f, 1), 6);
}

/* The kernel had no histogram yet when it was due. */
static void times_begin_late(void **state)
{
	struct fixture *f = *state;

	refresh(f, 1, 1, 0, 0);
	refresh(f, 1, 1, 0, 0);
	refresh(f, 1, 2, 0, 1);
	ledger_begin_times(f->ledger);
	refresh(f, 1, 2, 0, 1);
	refresh(f, 1, 3, 4, 1);
	*service_time(f, MS) = 4;
	set_times(f, 1);
	assert_int_equal(samples_of(f, 0), 0);
	assert_int_equal(samples_of(f, 1), 4);
}

static void times_of_many_rows(void **state)
{
	struct fixture *f = *state;
	struct times times;

	ledger_begin_refresh(f->ledger);
	for (uint32_t peer = 1; peer <= 4; peer++)
		assert_int_equal(update(f, peer, 1, 10 * peer, 0), 1);
	ledger_end_refresh(f->ledger);
	ledger_begin_times(f->ledger);
	for (uint32_t peer = 1; peer <= 3; peer++) {
		struct caller_key key = key_of(peer);

		memset(&f->times, 0, sizeof(f->times));
		*service_time(f, peer * MS) = 10 * peer;
		assert_int_equal(ledger_set_times(f->ledger, &key, &f->times), 0);
	}
	for (int again = 0; again < 2; again++) {
		assert_int_equal(caller_of(f, 0)->requests, 100);
		assert_true(caller_times(caller_of(f, 0), SERVICE_TIME, &times));
		assert_int_equal(times.samples, 60);
		assert_int_equal(times.p50, times_estimate(histogram_bucket(2 * MS)));
		assert_int_equal(times.max, times_estimate(histogram_bucket(3 * MS)));
	}
	assert_false(caller_times(caller_of(f, 0), RESPONSE_TIME, &times));
}

/* A bucket may have wrapped: nothing is known, but for what was counted less often. */
static void too_many_to_tell(void **state)
{
	struct fixture *f = *state;
	struct times times;

	f->times.bucket[OPEN_TIME][100] = 1;
	*service_time(f, MS) = 1;
	refresh(f, 1, 1, UINT32_MAX, 0);
	set_times(f, 1);
	assert_true(caller_times(caller_of(f, 0), SERVICE_TIME, &times));
	refresh(f, 1, 1, UINT64_C(1) << 32, 0);
	set_times(f, 1);
	assert_false(caller_times(caller_of(f, 0), SERVICE_TIME, &times));
	assert_true(caller_times(caller_of(f, 0), OPEN_TIME, &times));
	assert_int_equal(times.samples, 1);
}

/* No room for the new identity: its times are no one's. */
static void times_beyond_the_limit(void **state)
{
	struct fixture *f = *state;
	struct caller_key key = key_of(1);

	ledger_free(f->ledger);
	f->ledger = ledger_new(1);
	refresh(f, 1, 1, 5, 0);
	*service_time(f, MS) = 5;
	set_times(f, 1);
	ledger_begin_refresh(f->ledger);
	assert_int_equal(update(f, 1, 2, 8, 1), -ENOSPC);
	ledger_end_refresh(f->ledger);
	*service_time(f, MS) = 8;
	assert_int_equal(ledger_set_times(f->ledger, &key, &f->times), -ENOENT);
	assert_int_equal(samples_of(f, 0), 5);
	assert_int_equal(f->report.requests_unattributed, 3);
}

/* Whoever has the address, and whenever times are read: all together are what the kernel has. */
static void all_samples_are_somebodys(void **state)
{
	struct fixture *f = *state;
	const char *given = getenv("SEED");
	unsigned int seed = given ? strtoul(given, NULL, 0) : (unsigned int)time(NULL);
	uint64_t requests = 0, opened = 0, sum = 0;

	print_message("SEED=%u\n", seed);
	srand(seed);
	for (int round = 0; round < 300; round++) {
		uint32_t more = rand() % 5;

		requests += more;
		opened += more > 0;
		*service_time(f, 1 + rand()) += more;
		refresh(f, 1, opened, requests, rand() % 10 ? 0 : rand() % 3);
		if (rand() % 4 == 0 || ledger_times_due(f->ledger))
			set_times(f, 1);
		if (ledger_rows(f->ledger) == 100)
			break;
	}
	set_times(f, 1);
	assert_int_equal(report_group(&f->report, f->ledger), 0);
	for (size_t i = 0; i < f->report.n_callers; i++) {
		struct times times;

		caller_times(&f->report.callers[i], SERVICE_TIME, &times);
		sum += times.samples;
	}
	assert_int_equal(sum, requests);
	assert_int_equal(f->report.requests, requests);
}

/* --- the order --- */

static void give(struct fixture *f, uint32_t peer, struct who who, struct caller_counts counts,
		 uint64_t ns)
{
	struct caller_key key = key_of(peer);

	assert_int_equal(ledger_update(f->ledger, &key, &counts, &who), 1);
	memset(&f->times, 0, sizeof(f->times));
	if (ns)
		*service_time(f, ns) = 99;
	*service_time(f, 90 * MS) = peer == 4 ? 2 : 0;
	assert_int_equal(ledger_set_times(f->ledger, &key, &f->times), 0);
}

static void expect_order(struct fixture *f, enum report_sort sort, const uint32_t expected[5])
{
	f->report.sort = sort;
	assert_int_equal(report_group(&f->report, f->ledger), 0);
	assert_int_equal(f->report.n_callers, 5);
	assert_int_equal(report_no_probes(&f->report), 4);
	for (size_t i = 0; i < 5; i++) {
		if (f->report.callers[i].addresses[0].word[3] != expected[i])
			fail_msg("sorted by %d: %u is at %zu", (int)sort,
				 f->report.callers[i].addresses[0].word[3], i);
	}
}

static void orders(void **state)
{
	struct fixture *f = *state;
	struct who probe = {.class = CLASS_PROBE}, external = {.class = CLASS_EXTERNAL};
	struct connection open = {.opened = 3, .key = key_of(3)};

	give(f, 1, probe, (struct caller_counts){.opened = 99, .requests = 999, .last = 99}, MS);
	give(f, 2, external, (struct caller_counts){.opened = 9, .requests = 120, .last = 6}, 0);
	give(f, 3, workload(0), (struct caller_counts){.opened = 7, .requests = 120, .last = 9},
	     3 * MS);
	give(f, 4, workload(2), (struct caller_counts){.opened = 3, .requests = 150, .last = 8},
	     2 * MS);
	give(f, 5, workload(1), (struct caller_counts){.opened = 1, .requests = 110, .last = 7},
	     4 * MS);
	assert_int_equal(ledger_add_open(f->ledger, &open, 0), 0);
	expect_order(f, SORT_CONNECTIONS, (const uint32_t[]){2, 3, 4, 5, 1});
	expect_order(f, SORT_REQUESTS, (const uint32_t[]){4, 2, 3, 5, 1});
	expect_order(f, SORT_P50, (const uint32_t[]){5, 3, 4, 2, 1});
	expect_order(f, SORT_P99, (const uint32_t[]){4, 5, 3, 2, 1});
	expect_order(f, SORT_OPEN, (const uint32_t[]){3, 2, 4, 5, 1});
	expect_order(f, SORT_LAST, (const uint32_t[]){3, 4, 5, 2, 1});
	expect_order(f, SORT_NAME, (const uint32_t[]){4, 3, 5, 2, 1});
	assert_int_equal(report_shown(&f->report), 4);
	f->report.top = 3;
	assert_int_equal(report_shown(&f->report), 3);
	f->report.top = 5;
	assert_int_equal(report_shown(&f->report), 4);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(closed_and_open),
		TEST(what_the_hook_saw),
		TEST(rows_without_times),
		TEST(times_follow_the_identity),
		TEST(times_are_read_late),
		TEST(times_begin_late),
		TEST(times_of_many_rows),
		TEST(too_many_to_tell),
		TEST(times_beyond_the_limit),
		TEST(all_samples_are_somebodys),
		TEST(orders),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
