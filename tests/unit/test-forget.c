/* SPDX-License-Identifier: MIT */
/*
 * Callers that are forgotten, and come again: what their workload, process, node or class has in
 * all stays, in each target's report and in the history. By examples, and at random against sums
 * that were kept apart.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../user/callers/history.h"
#include "../../user/callers/watched.h"

#define CALLERS 40
#define TARGETS 2
#define M0 29700000U

static const struct pod_name pods[] = {
	{"team", "a-1", "uid-a1", "Deployment", "a", "node-1"},
	{"team", "a-2", "uid-a2", "Deployment", "a", "node-1"},
	{"team", "b-1", "uid-b1", "Deployment", "b", "node-2"},
	{"core", "a-1", "uid-c1", "Deployment", "a", "node-2"},
};

/* What one caller, or all of a kind, did. */
struct did {
	uint64_t opened, refused, requests, received;
};

/* The kernel's side of a caller. */
struct fake {
	struct caller_key key;
	struct who who;
	struct caller_counts counts;
	struct histograms times;
	size_t kind; /* of those that can't be told apart once they are forgotten */
};

#define KINDS 9

struct world {
	struct watch_pool pool;
	struct history *history;
	struct watched *targets[TARGETS];
	struct fake callers[CALLERS];
	struct did did[TARGETS][KINDS];
	bool joined;
	uint32_t random;
	uint32_t minute;
};

static uint32_t draw(struct world *w, uint32_t below)
{
	w->random = w->random * 1664525 + 1013904223;
	return (w->random >> 8) % below;
}

static void make_caller(struct fake *caller, size_t i)
{
	static const char *const comms[] = {"curl", "wget"};
	size_t kind = i % KINDS;

	caller->kind = kind;
	caller->key = (struct caller_key){.peer = {0, 0, 0xffff, (uint32_t)i + 1}};
	caller->who.doubt = INT64_MAX;
	caller->who.since = INT64_MIN;
	switch (kind) {
	case 0: /* two pods of one workload */
		caller->who.class = CLASS_WORKLOAD;
		caller->who.pod = &pods[i % 2];
		break;
	case 1:
	case 2:
		caller->who.class = CLASS_WORKLOAD;
		caller->who.pod = &pods[kind + 1];
		break;
	case 3:
	case 4:
		caller->who.class = CLASS_PROCESS;
		caller->key.netns = 7;
		caller->key.cgroup = i;
		memcpy(caller->key.comm, comms[kind - 3], 4);
		break;
	case 5:
		caller->who.class = CLASS_NODE;
		caller->who.node = "node-3";
		break;
	case 6:
		caller->who.class = CLASS_LOOPBACK;
		caller->key.netns = (uint32_t)i;
		break;
	case 7:
		caller->who.class = CLASS_EXTERNAL;
		caller->who.ignored = 2;
		break;
	default:
		caller->who.class = CLASS_EXTERNAL;
	}
}

static void up(struct world *w, size_t target)
{
	const struct watch_up up = {.address = {{0, 0, 0xffff, 9}}, .port = 80, .ours = true};
	size_t fresh;

	assert_int_equal(watch_up(&w->pool, w->targets[target], &up, 20, &fresh), 0);
}

static struct world *make(uint32_t seed)
{
	static const char *const names[TARGETS] = {"one", "two"};
	struct world *w = calloc(1, sizeof(*w));

	assert_non_null(w);
	w->pool.max_callers = 1000;
	w->random = seed;
	w->minute = M0;
	w->history = history_new(NULL);
	assert_non_null(w->history);
	for (size_t i = 0; i < TARGETS; i++) {
		w->targets[i] = watch_add(&w->pool, "core", names[i], names[i], 10 + i);
		assert_non_null(w->targets[i]);
	}
	for (size_t i = 0; i < CALLERS; i++)
		make_caller(&w->callers[i], i);
	up(w, 0);
	return w;
}

static void finish(struct world *w)
{
	watch_deinit(&w->pool);
	history_free(w->history);
	free(w);
}

static void calls(struct world *w, struct fake *caller, struct did did)
{
	caller->counts.opened += did.opened;
	caller->counts.closed += did.opened;
	caller->counts.refused += did.refused;
	caller->counts.requests += did.requests;
	caller->counts.bytes_received += did.received;
	caller->counts.last = ++w->pool.target.endpoints[0].since;
	caller->times.bucket[SERVICE_TIME][5] += (uint32_t)did.requests;
	for (size_t i = 0; i < TARGETS; i++) {
		struct did *sum = &w->did[i][caller->kind];

		if (i && !w->joined)
			continue;
		sum->opened += did.opened;
		sum->refused += did.refused;
		sum->requests += did.requests;
		sum->received += did.received;
	}
}

static struct history_target name_of(const struct watched *watched)
{
	return (struct history_target){watched->namespace, watched->name, watched->uid};
}

static void report(struct world *w)
{
	struct report capture = {.end_ns = 1000000 + w->minute, .n_hooks = REPORT_HOOKS};

	for (size_t i = 0; i < REPORT_HOOKS; i++)
		capture.hooks[i] = (struct hook){.program = "p", .hook = "h"};
	assert_int_equal(watch_reports(&w->pool, &capture), 0);
}

static void refresh(struct world *w)
{
	watch_begin_refresh(&w->pool);
	for (size_t i = 0; i < CALLERS; i++)
		if (w->callers[i].counts.opened || w->callers[i].counts.refused)
			assert_int_equal(watch_update(&w->pool, &w->callers[i].key,
						      &w->callers[i].counts, &w->callers[i].who),
					 0);
	watch_end_refresh(&w->pool);
	watch_clear_open(&w->pool);
	watch_begin_times(&w->pool);
	for (size_t i = 0; i < CALLERS; i++)
		if (w->callers[i].counts.requests)
			assert_int_equal(
				watch_set_times(&w->pool, &w->callers[i].key, &w->callers[i].times),
				0);
	report(w);
}

static void take(struct world *w)
{
	for (size_t i = 0; i < TARGETS; i++) {
		const struct history_target name = name_of(w->targets[i]);
		struct report report = w->targets[i]->report;

		report.start_ns = w->targets[i]->began;
		assert_int_equal(history_take(w->history, &name, &report, w->minute), 0);
	}
}

static void merged(const struct watched *watched, const struct row *into, const struct row *from,
		   void *arg)
{
	const struct history_target name = name_of(watched);
	struct world *w = arg;

	history_merged(w->history, &name, into, from);
}

static void dropped(const struct watched *watched, const struct row *row, void *arg)
{
	const struct history_target name = name_of(watched);
	struct world *w = arg;

	history_dropped(w->history, &name, row);
}

static void merged_none(const struct row *into, const struct row *from, void *arg)
{
	(void)into;
	(void)from;
	(void)arg;
}

static void dropped_none(const struct row *row, void *arg)
{
	(void)row;
	(void)arg;
}

static void forget(struct world *w, struct fake *caller)
{
	bool any = times_any(&caller->times);

	assert_int_equal(watch_forget(&w->pool, &caller->key, &caller->counts,
				      any ? &caller->times : NULL, merged, w),
			 0);
	caller->counts = (struct caller_counts){};
	caller->times = (struct histograms){};
}

static void end_forget(struct world *w)
{
	watch_end_forget(&w->pool);
	report(w);
}

/* --- what is told --- */

static size_t kind_of(enum caller_class class, bool ignored, const char *namespace,
		      const char *workload, const char *process)
{
	switch (class) {
	case CLASS_WORKLOAD:
		return !strcmp(namespace, "core") ? 2 : !strcmp(workload, "b") ? 1 : 0;
	case CLASS_PROCESS:
		return !strcmp(process, "wget") ? 4 : 3;
	case CLASS_NODE:
		return 5;
	case CLASS_LOOPBACK:
		return 6;
	default:
		return ignored ? 7 : 8;
	}
}

static void same(const struct did found[KINDS], const struct did made[KINDS])
{
	for (size_t i = 0; i < KINDS; i++) {
		assert_int_equal(found[i].opened, made[i].opened);
		assert_int_equal(found[i].refused, made[i].refused);
		assert_int_equal(found[i].requests, made[i].requests);
		assert_int_equal(found[i].received, made[i].received);
	}
}

static void compare_report(const struct report *report, const struct did made[KINDS])
{
	struct did found[KINDS] = {};
	uint64_t timed = 0, requests = 0;

	for (size_t i = 0; i < report->n_callers; i++) {
		const struct caller *c = &report->callers[i];
		struct did *sum =
			&found[kind_of(c->class, c->ignored, c->pod ? c->pod->namespace : "",
				       c->pod ? c->pod->workload : "", c->process)];

		sum->opened += c->counts.opened;
		sum->refused += c->counts.refused;
		sum->requests += c->requests;
		sum->received += c->counts.bytes_received;
		requests += c->requests;
		timed += c->times ? c->times->bucket[SERVICE_TIME][5] : 0;
	}
	same(found, made);
	assert_int_equal(timed, requests);
	assert_int_equal(report->unattributed, 0);
}

static void add_history(const struct history_row *row, void *arg)
{
	struct did *found = arg;
	struct did *sum =
		&found[kind_of(row->class, row->ignored, row->namespace, row->name, row->process)];

	assert_false(row->uncertain);
	sum->opened += row->opened;
	sum->refused += row->refused;
	sum->requests += row->requests;
	sum->received += row->bytes_received;
}

static void compare_history(const struct world *w, size_t target)
{
	const struct history_target name = name_of(w->targets[target]);
	struct did found[KINDS] = {};

	history_since(w->history, &name, M0, add_history, found);
	same(found, w->did[target]);
}

static void compare(const struct world *w)
{
	for (size_t i = 0; i < TARGETS; i++)
		compare_report(&w->targets[i]->report, w->did[i]);
}

/* --- tests --- */

static void a_workload_keeps_what_its_pods_had(void **state)
{
	struct world *w = make(1);
	const struct report *report = &w->targets[0]->report;

	(void)state;
	/* three of a, one of b */
	calls(w, &w->callers[0], (struct did){3, 1, 6, 100});
	calls(w, &w->callers[9], (struct did){4, 0, 0, 10});
	calls(w, &w->callers[18], (struct did){5, 0, 2, 1});
	calls(w, &w->callers[1], (struct did){7, 0, 7, 1});
	refresh(w);
	take(w);
	assert_int_equal(report->n_callers, 2);
	forget(w, &w->callers[0]);
	forget(w, &w->callers[9]);
	end_forget(w);
	compare(w);
	assert_int_equal(report->n_callers, 2);
	for (size_t i = 0; i < 2; i++)
		assert_int_equal(report->callers[i].n_addresses, 1);
	/* one comes again, and is one of two addresses now */
	calls(w, &w->callers[9], (struct did){2, 0, 0, 10});
	w->minute++;
	refresh(w);
	take(w);
	compare(w);
	compare_history(w, 0);
	finish(w);
}

static void what_has_no_address_any_more_is_told_without(void **state)
{
	struct world *w = make(1);
	const struct report *report = &w->targets[0]->report;

	(void)state;
	calls(w, &w->callers[8], (struct did){3, 0, 0, 0});
	calls(w, &w->callers[17], (struct did){4, 0, 0, 0});
	refresh(w);
	take(w);
	assert_int_equal(report->n_callers, 2);
	forget(w, &w->callers[8]);
	forget(w, &w->callers[17]);
	end_forget(w);
	assert_int_equal(report->n_callers, 1);
	assert_int_equal(report->callers[0].class, CLASS_EXTERNAL);
	assert_int_equal(report->callers[0].n_addresses, 0);
	assert_int_equal(report->callers[0].counts.opened, 7);
	finish(w);
}

/* Rows without room: what they had stays with those that have none. */
static void beyond_the_limit_nothing_is_lost(void **state)
{
	const struct caller_key key = {.peer = {0, 0, 0xffff, 2}};
	const struct caller_counts one = {.opened = 1, .last = 1}, five = {.opened = 5, .last = 5};
	const struct who who = {.class = CLASS_EXTERNAL};
	struct ledger *ledger = ledger_new(1);
	struct caller_key first = key;

	(void)state;
	first.peer[3] = 1;
	for (int pass = 0; pass < 2; pass++) {
		ledger_begin_refresh(ledger);
		ledger_update(ledger, &first, &one, &who);
		if (!pass)
			ledger_update(ledger, &key, &five, &who);
		ledger_end_refresh(ledger);
		assert_int_equal(ledger_others(ledger).counts.opened, 5);
		if (!pass)
			assert_int_equal(ledger_forget(ledger, &key, &five, NULL, NULL, NULL), 0);
		assert_int_equal(ledger_others(ledger).counts.opened, 5);
		ledger_end_forget(ledger);
	}
	ledger_free(ledger);
}

/* Room that comes where there was none: what was counted without a row stays so, and only who is
 * new has one; so nothing that was is told as if it came now. */
static void room_that_comes_late(void **state)
{
	static const struct who who = {.class = CLASS_EXTERNAL}, first = {.class = CLASS_UNKNOWN};
	struct ledger *ledger = ledger_new(2);
	struct caller_counts counts[5] = {};

	(void)state;
	for (int pass = 0; pass < 4; pass++) {
		ledger_begin_refresh(ledger);
		for (uint32_t i = 0; i < 5; i++) {
			const struct caller_key key = {.peer = {0, 0, 0xffff, i}};

			/* the last is new in the third pass, the one before goes on */
			if ((i == 4 && pass < 2) || (i == 0 && pass > 0))
				continue;
			if (!counts[i].opened || i == 3) {
				counts[i].opened += 10;
				counts[i].last = 100 * (uint64_t)pass + i + 1;
				counts[i].first =
					counts[i].first ? counts[i].first : counts[i].last;
			}
			ledger_update(ledger, &key, &counts[i], i ? &who : &first);
		}
		ledger_end_refresh(ledger);
		/* of 2 and 3 there is no row */
		assert_int_equal(ledger_others(ledger).counts.opened, 20 + 10 * pass);
		if (pass == 0) {
			const struct caller_key key = {.peer = {0, 0, 0xffff, 0}};

			assert_int_equal(
				ledger_forget(ledger, &key, &counts[0], NULL, merged_none, NULL),
				0);
			ledger_drop_sums(ledger, 1000, dropped_none, NULL);
			ledger_end_forget(ledger);
			assert_int_equal(ledger_rows(ledger), 1);
		}
		if (pass >= 2)
			assert_int_equal(ledger_rows(ledger), 2);
	}
	ledger_free(ledger);
}

/* Sums of those that nobody stands for any more. */
static void sums_are_dropped_at_last(void **state)
{
	struct world *w = make(1);
	const struct report *report = &w->targets[0]->report;

	(void)state;
	for (size_t i = 0; i < 9; i++)
		calls(w, &w->callers[i], (struct did){1, 1, 0, 0});
	calls(w, &w->callers[10], (struct did){1, 0, 0, 0}); /* of the same workload as 1 */
	refresh(w);
	take(w);
	for (size_t i = 0; i < 9; i++)
		forget(w, &w->callers[i]);
	end_forget(w);
	assert_int_equal(report->n_callers, 9);
	watch_drop_sums(&w->pool, w->pool.target.endpoints[0].since - 4, dropped, w);
	end_forget(w);
	/* of 0 to 4, but for 1, nobody is left; the history has them, with no doubt */
	assert_int_equal(report->n_callers, 5);
	w->minute++;
	take(w);
	compare_history(w, 0);
	finish(w);
}

/* Two workloads of one name, in turn; and pods' own loopbacks. */
static void sums_of_the_same_are_one(void **state)
{
	static const struct pod_name both[] = {
		{"team", "a-1", "uid-1", "Deployment", "a", "node-1"},
		{"team", "a-2", "uid-2", "DaemonSet", "a", "node-1"},
	};
	const struct caller_counts one = {.opened = 1, .first = 1, .last = 1};
	struct ledger *ledger = ledger_new(100);

	(void)state;
	for (uint32_t i = 0; i < 60; i++) {
		const struct caller_key key = {.peer = {0, 0, 0xffff, i}, .netns = i};
		const struct who who = {.class = i % 3 ? CLASS_WORKLOAD : CLASS_LOOPBACK,
					.pod = &both[i % 2]};

		assert_int_equal(ledger_update(ledger, &key, &one, &who), 1);
		assert_int_equal(ledger_forget(ledger, &key, &one, NULL, merged_none, NULL), 0);
		ledger_end_forget(ledger);
	}
	assert_int_equal(ledger_rows(ledger), 3);
	ledger_free(ledger);
}

/* A target joins while an address has something half open, which then completes: what is half open
 * later is not hidden behind it. Nor is it when the address becomes another pod's. */
static void half_open_later(void **state)
{
	struct caller_key key = {.peer = {0, 0, 0xffff, 1}};
	struct caller_counts counts = {.opened = 1, .pending = 1, .first = 5, .last = 5};
	struct who who = {.class = CLASS_EXTERNAL, .doubt = INT64_MAX};
	struct world *w = make(1);

	(void)state;
	up(w, 1);
	for (int pass = 0; pass < 4; pass++) {
		watch_begin_refresh(&w->pool);
		assert_int_equal(watch_update(&w->pool, &key, &counts, &who), 0);
		watch_end_refresh(&w->pool);
		end_forget(w);
		counts.pending = pass == 2;
		counts.last_attempt = 10 + (uint64_t)pass;
	}
	assert_int_equal(w->targets[0]->report.pending, 1);
	assert_int_equal(w->targets[1]->report.pending, 1);
	finish(w);
}

static void at_random(void **state)
{
	(void)state;
	for (uint32_t seed = 1; seed <= 20; seed++) {
		struct world *w = make(seed);

		for (size_t round = 0; round < 60; round++) {
			size_t n = draw(w, 12);

			while (n--) {
				struct did did = {draw(w, 4), draw(w, 3), draw(w, 9),
						  draw(w, 1000)};

				did.opened += !did.refused;
				calls(w, &w->callers[draw(w, CALLERS)], did);
			}
			if (round == 20) {
				up(w, 1);
				refresh(w);
				w->joined = true;
			}
			w->minute += draw(w, 2);
			refresh(w);
			compare(w);
			if (draw(w, 3))
				continue;
			take(w);
			for (n = draw(w, CALLERS); n--;) {
				struct fake *caller = &w->callers[draw(w, CALLERS)];

				/* also one that did something since, which can't be told yet */
				if (!draw(w, 4) && caller->counts.opened && !w->joined)
					calls(w, caller, (struct did){1, 0, 2, 3});
				if (caller->counts.opened || caller->counts.refused)
					forget(w, caller);
			}
			end_forget(w);
			refresh(w);
			compare(w);
			take(w);
			for (size_t i = 0; i < TARGETS; i++)
				compare_history(w, i);
		}
		finish(w);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_workload_keeps_what_its_pods_had),
		cmocka_unit_test(what_has_no_address_any_more_is_told_without),
		cmocka_unit_test(beyond_the_limit_nothing_is_lost),
		cmocka_unit_test(room_that_comes_late),
		cmocka_unit_test(sums_are_dropped_at_last),
		cmocka_unit_test(sums_of_the_same_are_one),
		cmocka_unit_test(half_open_later),
		cmocka_unit_test(at_random),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
