/* SPDX-License-Identifier: MIT */
/* Which rows are the same caller, in which order they stand, and that nothing is lost on the way.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../../user/callers/report.h"

static const struct pod_name a_1 = {"dev", "a-1", "uid-1", "Deployment", "a", "node-1"};
static const struct pod_name a_2 = {"dev", "a-2", "uid-2", "Deployment", "a", "node-2"};
static const struct pod_name a_set = {"dev", "a-0", "uid-3", "StatefulSet", "a", "node-1"};
static const struct pod_name a_core = {"core", "a-1", "uid-4", "Deployment", "a", ""};

static int setup(void **state)
{
	*state = ledger_new(SIZE_MAX);
	return *state ? 0 : -1;
}

static int teardown(void **state)
{
	ledger_free(*state);
	return 0;
}

struct given {
	uint32_t peer;
	uint32_t netns;
	uint64_t cgroup;
	const char *comm;
	struct who who;
	struct caller_counts counts;
};

static void give(struct ledger *ledger, const struct given *given)
{
	struct caller_key key = {
		.peer = {0, 0, __builtin_bswap32(0xffff), __builtin_bswap32(given->peer)},
		.netns = given->netns,
		.cgroup = given->cgroup,
	};

	if (given->comm)
		strncpy(key.comm, given->comm, COMM_SIZE - 1);
	assert_int_equal(ledger_update(ledger, &key, &given->counts, &given->who), 1);
}

/* Gives two rows and returns how many callers they are. */
static size_t callers_of(struct given one, struct given two)
{
	struct ledger *ledger = ledger_new(10);
	struct report report = {};
	size_t n;

	one.counts.opened = two.counts.opened = 1;
	/* else they would be one row */
	if (!memcmp(&one, &two, offsetof(struct given, who)))
		two.netns++;
	give(ledger, &one);
	give(ledger, &two);
	assert_int_equal(report_group(&report, ledger), 0);
	assert_int_equal(report.attributed, 2);
	n = report.n_callers;
	report_deinit(&report);
	ledger_free(ledger);
	return n;
}

#define ROW(class, ...)                                                                            \
	(struct given)                                                                             \
	{                                                                                          \
		.who = {class, NULL, NULL}, __VA_ARGS__                                            \
	}
#define POD(class, name, ...)                                                                      \
	(struct given)                                                                             \
	{                                                                                          \
		.who = {class, name, NULL}, __VA_ARGS__                                            \
	}
#define UNLISTED(uid, ...)                                                                         \
	(struct given)                                                                             \
	{                                                                                          \
		.who = {.class = CLASS_WORKLOAD, .pod_uid = (uid)}, __VA_ARGS__                    \
	}
#define SAME 1
#define TWO 2

static void same_callers(void **state)
{
	struct pod_name again = a_1;
	char process[] = "curl";

	(void)state;
#define W(...) POD(CLASS_WORKLOAD, __VA_ARGS__)
	assert_int_equal(callers_of(W(&a_1, .peer = 1), W(&a_2, .peer = 2, .comm = "x")), SAME);
	assert_int_equal(callers_of(W(&a_1, .peer = 1), W(&again, .peer = 2)), SAME);
	assert_int_equal(callers_of(W(&a_1), W(&a_set)), TWO);
	assert_int_equal(callers_of(W(&a_1), W(&a_core)), TWO);
	assert_int_equal(callers_of(W(&a_1), W(NULL)), TWO);
	/* two containers of a pod that is not on the list, and another pod's */
	assert_int_equal(callers_of(UNLISTED("u", .cgroup = 1, .peer = 1),
				    UNLISTED("u", .cgroup = 2, .peer = 2)),
			 SAME);
	assert_int_equal(callers_of(UNLISTED("u", .cgroup = 1), UNLISTED("v", .cgroup = 1)), TWO);
	assert_int_equal(callers_of(W(&a_1), POD(CLASS_LOOPBACK, &a_1)), TWO);
#undef W
#define P(...) ROW(CLASS_PROCESS, __VA_ARGS__)
	assert_int_equal(callers_of(P(.comm = "curl", .netns = 1, .peer = 1),
				    P(.comm = process, .netns = 1, .peer = 2, .cgroup = 9)),
			 SAME);
	assert_int_equal(callers_of(P(.comm = "curl", .netns = 1), P(.comm = "curl", .netns = 2)),
			 TWO);
	assert_int_equal(callers_of(P(.comm = "curl"), P(.comm = "wget")), TWO);
#undef P
#define L(...) POD(CLASS_LOOPBACK, __VA_ARGS__)
	assert_int_equal(callers_of(L(&a_1, .comm = "e", .peer = 1, .cgroup = 1),
				    L(&a_1, .comm = "e", .peer = 2, .cgroup = 2)),
			 SAME);
	assert_int_equal(callers_of(L(&a_1, .comm = "e"), L(&a_1, .comm = "f")), TWO);
	assert_int_equal(callers_of(L(&a_1, .comm = "e"), L(&a_2, .comm = "e")), TWO);
	assert_int_equal(callers_of(L(&a_1, .comm = "e"), L(NULL, .comm = "e")), TWO);
	assert_int_equal(callers_of(L(NULL, .comm = "e", .netns = 1),
				    L(NULL, .comm = "e", .netns = 1, .cgroup = 1)),
			 SAME);
	assert_int_equal(
		callers_of(L(NULL, .comm = "e", .netns = 1), L(NULL, .comm = "e", .netns = 2)),
		TWO);
	assert_int_equal(callers_of(L(NULL, .peer = 1), L(NULL, .peer = 2)), SAME);
#undef L
	assert_int_equal(callers_of(ROW(CLASS_PROBE, .peer = 1, .comm = "kubelet"),
				    ROW(CLASS_PROBE, .peer = 2)),
			 SAME);
	assert_int_equal(callers_of((struct given){.peer = 1, .who = {CLASS_NODE, NULL, "n"}},
				    (struct given){.peer = 2, .who = {CLASS_NODE, NULL, "n"}}),
			 SAME);
	assert_int_equal(callers_of((struct given){.who = {CLASS_NODE, NULL, "n"}},
				    (struct given){.who = {CLASS_NODE, NULL, "m"}}),
			 TWO);
	assert_int_equal(callers_of(ROW(CLASS_EXTERNAL, .peer = 1), ROW(CLASS_EXTERNAL, .peer = 1)),
			 SAME);
	assert_int_equal(callers_of(ROW(CLASS_EXTERNAL, .peer = 1), ROW(CLASS_EXTERNAL, .peer = 2)),
			 TWO);
	assert_int_equal(callers_of(ROW(CLASS_UNKNOWN, .peer = 1), ROW(CLASS_UNKNOWN, .peer = 1)),
			 SAME);
	assert_int_equal(callers_of(ROW(CLASS_UNKNOWN, .peer = 1), ROW(CLASS_EXTERNAL, .peer = 1)),
			 TWO);
}

/* What is taken out by one option is neither what counts nor what another takes out. */
static void ignored_apart(void **state)
{
	struct report report = {};

	for (int class = 0; class < CLASSES; class ++) {
		struct ledger *ledger = ledger_new(10);

		for (uint32_t i = 0; i < 6; i++) {
			const struct given one = {
				.peer = 1,
				.netns = 7,
				.cgroup = i,
				.who = {.class = class, .ignored = i % 3},
				.counts.opened = 1,
			};

			give(ledger, &one);
		}
		assert_int_equal(report_group(&report, ledger), 0);
		assert_int_equal(report.n_callers, 3);
		for (size_t i = 0; i < 3; i++) {
			assert_int_equal(report.callers[i].counts.opened, 2);
			assert_int_equal(report.callers[i].ignored, i);
		}
		report_deinit(&report);
		ledger_free(ledger);
	}
	(void)state;
}

static void one_caller_of_many_rows(void **state)
{
	static const struct given given[] = {
		{.peer = 30,
		 .comm = "java",
		 .cgroup = 7,
		 .who = {CLASS_WORKLOAD, &a_2, NULL},
		 .counts = {.opened = 2, .accepted = 1, .first = 20, .last = 40, .pid = 5}},
		{.peer = 10,
		 .comm = "java",
		 .cgroup = 7,
		 .who = {CLASS_WORKLOAD, &a_1, NULL},
		 .counts = {.opened = 3, .closed = 2, .first = 10, .last = 30, .pid = 6, .old = 1}},
		{.peer = 30,
		 .comm = "java",
		 .cgroup = 7,
		 .netns = 2,
		 .who = {CLASS_WORKLOAD, &a_2, NULL},
		 .counts = {.opened = 5, .bytes_sent = 9}},
	};
	struct connection data = {.opened = 30, .last_data = 90, .bytes_received = 1};
	struct connection before = {.opened = 30,
				    .last_data = 4,
				    .base_received = 1,
				    .bytes_received = 1,
				    .flags = CONNECTION_OLD};
	struct ledger *ledger = *state;
	struct report report = {.start_ns = 5};
	const struct caller *caller;
	size_t i;

	for (i = 0; i < 3; i++)
		give(ledger, &given[i]);
	before.key = ledger_next(ledger, NULL)->key;
	ledger_add_open(ledger, &before, 5);
	assert_int_equal(report_group(&report, ledger), 0);
	assert_int_equal(report.n_callers, 1);
	caller = &report.callers[0];
	assert_int_equal(caller->class, CLASS_WORKLOAD);
	assert_ptr_equal(caller->pod, &a_2);
	assert_null(caller->node); /* two nodes */
	assert_string_equal(caller->process, "java");
	assert_int_equal(caller->pid, 5);
	assert_int_equal(caller->cgroup, 7);
	assert_int_equal(caller->counts.opened, 10);
	assert_int_equal(caller->counts.bytes_sent, 9);
	assert_int_equal(caller->n_pods, 2);
	assert_string_equal(caller->pods[0], "a-1");
	assert_string_equal(caller->pods[1], "a-2");
	assert_int_equal(caller->n_addresses, 2);
	assert_int_equal(caller->addresses[0].word[3], __builtin_bswap32(10));
	assert_int_equal(caller->addresses[1].word[3], __builtin_bswap32(30));
	assert_int_equal(caller->first_seen, 10);
	assert_int_equal(caller->last_seen, 40); /* data before the window is none in it */
	assert_int_equal(report.accepted, 1);
	assert_int_equal(report.open, 1);
	assert_int_equal(report.old, 1);

	data.key = before.key;
	ledger_add_open(ledger, &data, 5);
	assert_int_equal(report_group(&report, ledger), 0);
	assert_int_equal(report.callers[0].last_seen, 90);
	report_deinit(&report);
	report_deinit(&report);
}

static void what_rows_do_not_agree_on(void **state)
{
	struct given one = {.peer = 1,
			    .comm = "java",
			    .cgroup = 1,
			    .who = {CLASS_WORKLOAD, &a_1, NULL},
			    .counts = {.opened = 1, .pid = 3}};
	struct given two = {.peer = 1,
			    .comm = "sh",
			    .cgroup = 2,
			    .who = {CLASS_WORKLOAD, &a_1, NULL},
			    .counts = {.opened = 1, .pid = 4}};
	struct report report = {};

	give(*state, &one);
	give(*state, &two);
	assert_int_equal(report_group(&report, *state), 0);
	assert_int_equal(report.n_callers, 1);
	assert_string_equal(report.callers[0].process, "");
	assert_int_equal(report.callers[0].pid, 0);
	assert_int_equal(report.callers[0].cgroup, 0);
	assert_string_equal(report.callers[0].node, "node-1");
	report_deinit(&report);
}

static void order(void **state)
{
	static const struct given given[] = {
		{.peer = 1, .who = {CLASS_PROBE, NULL, NULL}, .counts = {.opened = 1000}},
		{.peer = 2, .who = {CLASS_EXTERNAL, NULL, NULL}, .counts = {.opened = 5}},
		{.peer = 9, .who = {CLASS_EXTERNAL, NULL, NULL}, .counts = {.opened = 7}},
		{.peer = 4, .who = {CLASS_EXTERNAL, NULL, NULL}, .counts = {.opened = 7}},
		{.peer = 5, .who = {CLASS_WORKLOAD, &a_1, NULL}, .counts = {.opened = 7}},
		{.peer = 6, .who = {CLASS_WORKLOAD, &a_core, NULL}, .counts = {.opened = 7}},
		{.peer = 7, .who = {CLASS_WORKLOAD, &a_set, NULL}, .counts = {.old = 1}},
		{.peer = 8, .who = {CLASS_UNKNOWN, NULL, NULL}, .counts = {.opened = 5}},
	};
	static const uint32_t expected[] = {6, 5, 4, 9, 8, 2, 7, 1};
	struct connection open = {.opened = 30};
	struct caller_key nothing = {.peer = {9, 9, 9, 9}};
	struct report report = {};
	size_t i;

	for (i = 0; i < 8; i++) {
		give(*state, &given[i]);
		if (given[i].peer == 8) {
			open.key = (struct caller_key){
				.peer = {0, 0, __builtin_bswap32(0xffff), __builtin_bswap32(8)}};
			assert_int_equal(ledger_add_open(*state, &open, 0), 0);
		}
	}
	/* announced, but never counted: not a caller */
	assert_int_equal(ledger_update(*state, &nothing, NULL, &given[1].who), 1);
	assert_int_equal(report_group(&report, *state), 0);
	assert_int_equal(report.n_callers, 8);
	for (i = 0; i < 8; i++)
		assert_int_equal(report.callers[i].addresses[0].word[3],
				 __builtin_bswap32(expected[i]));
	report_deinit(&report);
}

static void empty(void **state)
{
	struct caller_counts counts = {.opened = 4, .accepted = 3, .old = 2};
	struct report report = {.max_callers = 7};

	assert_int_equal(report_group(&report, *state), 0);
	assert_int_equal(report.n_callers, 0);
	assert_int_equal(report.attributed, 0);
	assert_int_equal(report.max_callers, 7);
	ledger_set_unattributed(*state, &counts);
	assert_int_equal(report_group(&report, *state), 0);
	assert_int_equal(report.attributed, 0);
	assert_int_equal(report.unattributed, 4);
	assert_int_equal(report.accepted, 3);
	assert_int_equal(report.old, 2);
	report_deinit(&report);
}

static void check(const struct report *report, uint64_t opened, uint64_t unattributed)
{
	uint64_t sum = 0;
	size_t i, k;

	for (i = 0; i < report->n_callers; i++) {
		const struct caller *c = &report->callers[i];

		sum += c->counts.opened;
		assert_true(c->n_addresses > 0);
		for (k = 1; k < c->n_addresses; k++)
			assert_true(memcmp(&c->addresses[k - 1], &c->addresses[k],
					   sizeof(struct address)) < 0);
		for (k = 1; k < c->n_pods; k++)
			assert_true(strcmp(c->pods[k - 1], c->pods[k]) < 0);
		if (!i || (c->class == CLASS_PROBE && c[-1].class != CLASS_PROBE))
			continue;
		assert_false(c->class != CLASS_PROBE && c[-1].class == CLASS_PROBE);
		assert_true(c[-1].counts.opened >= c->counts.opened);
	}
	assert_int_equal(report->attributed, sum);
	assert_int_equal(report->unattributed, unattributed);
	assert_int_equal(report->attributed + report->unattributed, opened);
}

/* Whatever comes, each row is in exactly one caller. */
static void at_random(void **state)
{
	static const struct pod_name *const pods[] = {NULL, &a_1, &a_2, &a_set, &a_core};
	static const char *const comms[] = {"", "java", "sh"};
	const char *given = getenv("SEED");
	unsigned int seed = given ? strtoul(given, NULL, 0) : (unsigned int)time(NULL), round, i;

	(void)state;
	print_message("SEED=%u\n", seed);
	srand(seed);
	for (round = 0; round < 100; round++) {
		struct ledger *ledger = ledger_new(rand() % 300);
		struct report report = {};
		uint64_t opened = 0, beyond = 0;

		ledger_begin_refresh(ledger);
		for (i = 0; i < 200; i++) {
			struct caller_key key = {.peer = {0, 0, 0, rand() % 40},
						 .netns = rand() % 3,
						 .cgroup = rand() % 3,
						 .flags = i << 8};
			struct caller_counts counts = {.opened = rand() % 10};
			struct who who = {rand() % CLASSES, pods[rand() % 5],
					  rand() % 2 ? "n" : NULL};

			strcpy(key.comm, comms[rand() % 3]);
			opened += counts.opened;
			if (ledger_update(ledger, &key, &counts, &who) < 0)
				beyond += counts.opened;
		}
		ledger_end_refresh(ledger);
		assert_int_equal(report_group(&report, ledger), 0);
		check(&report, opened, beyond);
		report_deinit(&report);
		ledger_free(ledger);
	}
}

static double seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

/* The limits are wide: machines are slow and sanitizers slower; a square would not pass. */
static void group_many(uint32_t n, double limit)
{
	struct ledger *ledger = ledger_new(n);
	struct report report = {};
	double start = seconds(), filled;
	uint32_t i;

	ledger_begin_refresh(ledger);
	for (i = 0; i < n; i++) {
		struct caller_key key = {.peer = {0, 0, 0xffff, __builtin_bswap32(i)}};
		struct caller_counts counts = {.opened = 1 + i % 100};
		struct who who = {i % 2 ? CLASS_EXTERNAL : CLASS_WORKLOAD, i % 2 ? NULL : &a_1,
				  NULL};

		ledger_update(ledger, &key, &counts, &who);
	}
	ledger_end_refresh(ledger);
	filled = seconds();
	assert_int_equal(report_group(&report, ledger), 0);
	print_message("%u rows: updated in %.4f s, grouped in %.4f s\n", n, filled - start,
		      seconds() - filled);
	assert_true(seconds() - filled < limit);
	assert_int_equal(report.n_callers, n / 2 + 1);
	report_deinit(&report);
	ledger_free(ledger);
}

static void many(void **state)
{
	(void)state;
	group_many(10000, 1);
	group_many(getenv("MANY") ? strtoul(getenv("MANY"), NULL, 0) : 100000, 10);
}

static void a_caller_with_nothing_but_attempts(void **state)
{
	struct ledger *ledger = *state;
	struct report report = {.start_ns = 5};

	give(ledger,
	     &(struct given){.peer = 1,
			     .who.class = CLASS_EXTERNAL,
			     .counts = {.refused = 3, .first_attempt = 10, .last_attempt = 30}});
	give(ledger, &(struct given){.peer = 2,
				     .who.class = CLASS_EXTERNAL,
				     .counts = {.opened = 1,
						.first = 20,
						.last = 20,
						.stray = 1,
						.first_attempt = 15,
						.last_attempt = 40}});
	give(ledger,
	     &(struct given){.peer = 3, .who.class = CLASS_EXTERNAL, .counts = {.pending = 2}});
	give(ledger, &(struct given){.peer = 4, .who.class = CLASS_EXTERNAL});
	ledger_set_unattributed(ledger, &(struct caller_counts){.refused = 7, .pending = 1});
	assert_int_equal(report_group(&report, ledger), 0);
	assert_int_equal(report.n_callers, 3);
	assert_int_equal(report.callers[0].first_seen, 15);
	assert_int_equal(report.callers[0].last_seen, 40);
	assert_int_equal(report.callers[1].counts.refused, 3);
	assert_int_equal(report.callers[1].first_seen, 10);
	assert_int_equal(report.callers[1].last_seen, 30);
	assert_int_equal(report.refused_unattributed, 7);
	assert_int_equal(report.pending, 3);
	assert_int_equal(report.pending_unattributed, 1);
	report_deinit(&report);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(same_callers),
		cmocka_unit_test(ignored_apart),
		cmocka_unit_test_setup_teardown(one_caller_of_many_rows, setup, teardown),
		cmocka_unit_test_setup_teardown(what_rows_do_not_agree_on, setup, teardown),
		cmocka_unit_test_setup_teardown(order, setup, teardown),
		cmocka_unit_test_setup_teardown(empty, setup, teardown),
		cmocka_unit_test(at_random),
		cmocka_unit_test(many),
		cmocka_unit_test_setup_teardown(a_caller_with_nothing_but_attempts, setup,
						teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
