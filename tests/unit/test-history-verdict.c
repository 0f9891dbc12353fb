/* SPDX-License-Identifier: MIT */
/* The verdict over what is remembered: which reasons it has, and what they say. (Which of the three
 * it is the tests of the history tell, each of which makes it this way.) */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "history-world.h"

#define BIT(reason) (UINT64_C(1) << (reason))

struct case_of {
	struct world w;
	struct world_coverage well;
	struct traffic traffic;
	struct verdict verdict;
};

/* Ten minutes, all of them covered. */
static struct case_of *case_new(void)
{
	struct case_of *c = calloc(1, sizeof(*c));

	assert_non_null(c);
	world_init(&c->w, NULL);
	world_well(&c->well);
	world_take(&c->w, M0);
	world_cover(&c->w, at(M0), at(M0 + 10));
	return c;
}

static void case_free(struct case_of *c)
{
	world_deinit(&c->w);
	free(c);
}

static enum verdict_is decide(struct case_of *c, uint32_t since)
{
	history_decide(c->w.history, &c->w.target, since, at(M0 + 10), &c->well.coverage,
		       &c->traffic, &c->verdict);
	return c->verdict.is;
}

static const struct reason *only_reason(const struct case_of *c, enum reason_is is)
{
	assert_int_equal(c->verdict.n_reasons, 1);
	assert_int_equal(c->verdict.reasons[0].is, is);
	return &c->verdict.reasons[0];
}

static void test_quiet(void **state)
{
	struct case_of *c = case_new();

	(void)state;
	assert_int_equal(decide(c, M0 + 1), VERDICT_QUIET);
	assert_int_equal(c->verdict.n_reasons, 0);
	assert_int_equal(c->well.coverage.window.since, at(M0 + 1));
	assert_int_equal(c->well.coverage.window.until, at(M0 + 10));
	case_free(c);
}

static void test_probes_and_ignored_are_told_and_no_traffic(void **state)
{
	struct case_of *c = case_new();

	(void)state;
	world_add(&c->w, CLASS_PROBE, "kubelet")->row.counts.opened = 7;
	world_add(&c->w, CLASS_WORKLOAD, "known")->row.counts.opened = 5;
	c->w.callers[1].ignored = true;
	world_take(&c->w, M0 + 2);
	assert_int_equal(decide(c, M0), VERDICT_QUIET);
	assert_int_equal(c->traffic.probes.opened, 7);
	assert_int_equal(c->traffic.ignored.opened, 5);
	assert_int_equal(c->traffic.callers.opened, 0);
	world_add(&c->w, CLASS_WORKLOAD, "login")->row.counts.opened = 3;
	world_take(&c->w, M0 + 3);
	assert_int_equal(decide(c, M0), VERDICT_TRAFFIC);
	only_reason(c, REASON_OPENED);
	assert_int_equal(c->verdict.counted.opened, 3);
	assert_int_equal(c->verdict.counted.callers, 1);
	case_free(c);
}

static void test_held_from_before(void **state)
{
	struct case_of *c = case_new();
	struct world_caller *login = world_add(&c->w, CLASS_WORKLOAD, "login");

	(void)state;
	login->row.counts.opened = 2;
	login->row.open.open = 2;
	world_take(&c->w, M0 + 1);
	assert_int_equal(decide(c, M0 + 5), VERDICT_TRAFFIC);
	only_reason(c, REASON_HELD);
	assert_int_equal(c->verdict.counted.held, 2);
	case_free(c);
}

static void test_dropped_handshakes_are_traffic(void **state)
{
	struct listening listening = {.dropped = 4};
	struct case_of *c = case_new();

	(void)state;
	c->w.report.listening = &listening;
	c->w.report.n_listening = 1;
	world_take(&c->w, M0 + 2);
	assert_int_equal(decide(c, M0), VERDICT_TRAFFIC);
	only_reason(c, REASON_DROPPED);
	assert_int_equal(c->traffic.dropped, 4);
	assert_int_equal(decide(c, M0 + 3), VERDICT_QUIET);
	case_free(c);
}

static void test_gap_is_told_by_its_time(void **state)
{
	struct case_of *c = case_new();
	const struct reason *reason;

	(void)state;
	history_free(c->w.history);
	c->w.history = history_new(NULL);
	world_take(&c->w, M0);
	/* 2026-06-21T00:00:00Z is M0 */
	world_cover(&c->w, at(M0), at(M0 + 3) + 20 * SECOND);
	world_cover(&c->w, at(M0 + 3) + 40 * SECOND, at(M0 + 10));
	assert_int_equal(decide(c, M0 + 1), VERDICT_UNPROVEN);
	reason = only_reason(c, REASON_GAP);
	assert_string_equal(reason->text, "From 2026-06-21T00:03:20Z to 2026-06-21T00:03:40Z, the "
					  "target was not watched, or it is not known.");
	assert_non_null(strstr(reason->next, "at 2026-06-21T00:04:00Z or later"));
	case_free(c);
}

static void test_begin_is_told(void **state)
{
	struct case_of *c = case_new();

	(void)state;
	assert_int_equal(decide(c, M0 - 60), VERDICT_UNPROVEN);
	only_reason(c, REASON_GAP);
	assert_non_null(strstr(c->verdict.reasons[0].text, "to 2026-06-21T00:00:00Z,"));
	/* nobody has ever heard of it */
	c->w.target.service = "another";
	assert_int_equal(decide(c, M0), VERDICT_UNPROVEN);
	only_reason(c, REASON_GAP);
	case_free(c);
}

static void test_causes_of_minutes(void **state)
{
	struct case_of *c = case_new();

	(void)state;
	history_free(c->w.history);
	c->w.history = history_new(NULL);
	world_take(&c->w, M0);
	world_cover(&c->w, at(M0), at(M0 + 3));
	history_covered(c->w.history, &c->w.target, (struct span){at(M0 + 3), at(M0 + 4)},
			BIT(REASON_API_BLIND));
	world_cover(&c->w, at(M0 + 4), at(M0 + 6));
	history_covered(c->w.history, &c->w.target, (struct span){at(M0 + 6), at(M0 + 7)},
			BIT(REASON_API_BLIND) | BIT(REASON_LATE));
	world_cover(&c->w, at(M0 + 7), at(M0 + 10));
	assert_int_equal(decide(c, M0), VERDICT_UNPROVEN);
	assert_int_equal(c->verdict.n_reasons, 2);
	assert_int_equal(c->verdict.reasons[0].is, REASON_LATE);
	assert_int_equal(c->verdict.reasons[1].is, REASON_API_BLIND);
	assert_non_null(strstr(c->verdict.reasons[1].text, "and again later"));
	assert_int_equal(decide(c, M0 + 7), VERDICT_QUIET);
	case_free(c);
}

static void test_clock_that_was_set(void **state)
{
	struct case_of *c = case_new();

	(void)state;
	history_clock(c->w.history, at(M0 + 10), 1);
	history_clock(c->w.history, at(M0 + 12), 2);
	history_decide(c->w.history, &c->w.target, M0, at(M0 + 12), &c->well.coverage, &c->traffic,
		       &c->verdict);
	assert_int_equal(c->verdict.is, VERDICT_UNPROVEN);
	assert_non_null(strstr(only_reason(c, REASON_GAP)->text, "the clock was set"));
	case_free(c);
}

/* What was lost in one minute stands against that one, whatever the report says since then. */
static void test_losses_stand_against_their_minute(void **state)
{
	struct case_of *c = case_new();
	struct report clean;

	(void)state;
	c->w.report.losses.events = 3;
	world_take(&c->w, M0 + 2);
	world_take(&c->w, M0 + 4);
	assert_int_equal(decide(c, M0 + 1), VERDICT_UNPROVEN);
	assert_non_null(strstr(only_reason(c, REASON_EVENTS_LOST)->text,
			       "From 2026-06-21T00:02:00Z to 2026-06-21T00:03:00Z, "));
	assert_non_null(strstr(c->verdict.reasons[0].next, "at 2026-06-21T00:03:00Z or later"));
	assert_int_equal(decide(c, M0 + 3), VERDICT_QUIET);
	clean = c->w.report;
	clean.opened = 9;
	clean.attributed = 4;
	clean.unattributed_drops = 2;
	clean.hooks[0].missed = clean.hooks[1].recursion_misses = 1;
	history_clean(&clean);
	assert_int_equal(clean.losses.events, 0);
	assert_int_equal(clean.opened, 4);
	assert_int_equal(clean.unattributed_drops, 0);
	assert_int_equal(clean.hooks[0].missed, 0);
	assert_int_equal(clean.hooks[1].recursion_misses, 0);
	case_free(c);
}

/* Attempts that were refused, and are not any more: then something else may be so, too. */
static void test_count_that_went_down(void **state)
{
	struct case_of *c = case_new();
	struct world_caller *login = world_add(&c->w, CLASS_WORKLOAD, "login");

	(void)state;
	login->row.counts.refused = 4;
	world_take(&c->w, M0 + 1);
	login->row.counts.refused = 3;
	world_take(&c->w, M0 + 5);
	assert_true(world_row(&c->w, "login", M0 + 5).uncertain);
	assert_int_equal(decide(c, M0 + 5), VERDICT_UNPROVEN);
	only_reason(c, REASON_MISCOUNTED);
	case_free(c);
}

/* A handshake that does not complete, from before the window: it stands in it still. And one that
 * came while another turned out to be somebody else's: then no count has moved. */
static void test_attempts_that_move_no_count(void **state)
{
	struct case_of *c = case_new();
	struct caller_counts *login = &world_add(&c->w, CLASS_WORKLOAD, "login")->row.counts;

	(void)state;
	login->pending = 1;
	login->last_attempt = 100;
	world_take(&c->w, M0 + 2);
	assert_int_equal(decide(c, M0 + 2), VERDICT_TRAFFIC);
	assert_int_equal(decide(c, M0 + 3), VERDICT_QUIET);
	login->last_attempt = 200;
	world_take(&c->w, M0 + 3);
	assert_int_equal(decide(c, M0 + 3), VERDICT_UNPROVEN);
	only_reason(c, REASON_MISCOUNTED);
	world_take(&c->w, M0 + 4);
	assert_int_equal(decide(c, M0 + 4), VERDICT_QUIET);
	login->refused = 3;
	login->last_attempt = 300;
	world_take(&c->w, M0 + 5);
	assert_int_equal(decide(c, M0 + 5), VERDICT_TRAFFIC);
	login->last_attempt = 400;
	world_take(&c->w, M0 + 6);
	assert_int_equal(decide(c, M0 + 6), VERDICT_UNPROVEN);
	case_free(c);
}

/* What is so as of now is told as verify tells it; and once, though a minute has it, too. */
static void test_reasons_of_now(void **state)
{
	struct case_of *c = case_new();

	(void)state;
	c->well.coverage.confirmed = false;
	snprintf(c->well.coverage.unconfirmed, sizeof(c->well.coverage.unconfirmed), "timeout");
	c->well.endpoint.place = COVERED_ELSEWHERE;
	c->well.endpoint.node = "node-b";
	c->well.endpoint.n_watched = 0;
	history_covered(c->w.history, &c->w.target, (struct span){at(M0 + 10), at(M0 + 11)},
			BIT(REASON_OTHER_NODE));
	history_decide(c->w.history, &c->w.target, M0, at(M0 + 11), &c->well.coverage, &c->traffic,
		       &c->verdict);
	assert_int_equal(c->verdict.is, VERDICT_UNPROVEN);
	assert_int_equal(c->verdict.n_reasons, 2);
	assert_int_equal(c->verdict.reasons[0].is, REASON_OTHER_NODE);
	assert_non_null(strstr(c->verdict.reasons[0].text, "node-b"));
	assert_int_equal(c->verdict.reasons[1].is, REASON_API_UNCONFIRMED);
	case_free(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_quiet),
		cmocka_unit_test(test_probes_and_ignored_are_told_and_no_traffic),
		cmocka_unit_test(test_held_from_before),
		cmocka_unit_test(test_dropped_handshakes_are_traffic),
		cmocka_unit_test(test_gap_is_told_by_its_time),
		cmocka_unit_test(test_begin_is_told),
		cmocka_unit_test(test_causes_of_minutes),
		cmocka_unit_test(test_clock_that_was_set),
		cmocka_unit_test(test_losses_stand_against_their_minute),
		cmocka_unit_test(test_count_that_went_down),
		cmocka_unit_test(test_attempts_that_move_no_count),
		cmocka_unit_test(test_reasons_of_now),
	};

	return cmocka_run_group_tests_name("history-verdict", tests, NULL, NULL);
}
