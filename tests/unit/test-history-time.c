/* SPDX-License-Identifier: MIT */
/* The history and time: what was covered, clocks that are set, restarts, and what found no room.
 * None of these may end in QUIET. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>

#include "history-world.h"

/* --- coverage --- */

static void test_quiet_when_all_is_covered(void **state)
{
	struct world w;
	struct history_window window;

	(void)state;
	world_init(&w, NULL);
	for (unsigned int i = 0; i < 10; i++) {
		assert_int_equal(world_take(&w, M0 + i), 0);
		assert_int_equal(world_cover(&w, at(M0 + i), at(M0 + i + 1)), 0);
	}
	window = world_window(&w, M0, at(M0 + 10));
	assert_true(window.complete && window.covered);
	assert_int_equal(window.causes, 0);
	assert_int_equal(window.start, M0);
	assert_int_equal(world_verdict(&w, M0, at(M0 + 10)), VERDICT_QUIET);
	assert_int_equal(world_verdict(&w, M0 + 9, at(M0 + 10)), VERDICT_QUIET);
	assert_int_equal(history_reaches(w.history, &w.target), M0);
	/* nobody knows yet, nor any more */
	assert_int_equal(world_verdict(&w, M0, at(M0 + 11)), VERDICT_UNPROVEN);
	assert_int_equal(world_verdict(&w, M0 - 1, at(M0 + 10)), VERDICT_UNPROVEN);
	assert_int_equal(world_verdict(&w, M0 + 10, at(M0 + 10)), VERDICT_UNPROVEN);
	assert_int_equal(world_verdict(&w, UINT32_MAX, at(M0 + 10)), VERDICT_UNPROVEN);
	world_deinit(&w);
}

static void test_first_minute_that_is_covered_in_part(void **state)
{
	struct world w;
	struct history_window window;

	(void)state;
	world_init(&w, NULL);
	world_take(&w, M0);
	world_cover(&w, at(M0) + SECOND, at(M0 + 5));
	window = world_window(&w, M0, at(M0 + 5));
	assert_false(window.covered);
	assert_int_equal(window.causes, HISTORY_GAP);
	assert_int_equal(window.hole.since, at(M0));
	assert_int_equal(window.hole.until, at(M0) + SECOND);
	assert_int_equal(world_verdict(&w, M0, at(M0 + 5)), VERDICT_UNPROVEN);
	assert_int_equal(world_verdict(&w, M0 + 1, at(M0 + 5)), VERDICT_QUIET);
	assert_int_equal(history_reaches(w.history, &w.target), M0 + 1);
	world_deinit(&w);
}

static void test_gap(void **state)
{
	struct world w;
	struct history_window window;

	(void)state;
	world_init(&w, NULL);
	world_take(&w, M0);
	world_cover(&w, at(M0), at(M0 + 3));
	world_cover(&w, at(M0 + 3) + SECOND, at(M0 + 6));
	/* a clock that is adjusted leaves no gap */
	world_cover(&w, at(M0 + 6) + SECOND / 20, at(M0 + 8));
	window = world_window(&w, M0 + 1, at(M0 + 8));
	assert_false(window.covered);
	assert_int_equal(window.hole.since, at(M0 + 3));
	assert_int_equal(window.hole.until, at(M0 + 3) + SECOND);
	assert_int_equal(world_verdict(&w, M0 + 3, at(M0 + 8)), VERDICT_UNPROVEN);
	assert_int_equal(world_verdict(&w, M0 + 4, at(M0 + 8)), VERDICT_QUIET);
	world_deinit(&w);
}

static void test_causes(void **state)
{
	uint64_t late = UINT64_C(1) << REASON_LATE;
	struct world w;
	struct history_window window;

	(void)state;
	world_init(&w, NULL);
	world_take(&w, M0);
	world_cover(&w, at(M0), at(M0 + 3));
	history_covered(w.history, &w.target, (struct span){at(M0 + 3), at(M0 + 4)}, late);
	world_cover(&w, at(M0 + 4), at(M0 + 8));
	window = world_window(&w, M0, at(M0 + 8));
	assert_int_equal(window.causes, late);
	assert_int_equal(window.hole.since, at(M0 + 3));
	assert_int_equal(world_verdict(&w, M0 + 3, at(M0 + 8)), VERDICT_UNPROVEN);
	assert_int_equal(world_verdict(&w, M0 + 4, at(M0 + 8)), VERDICT_QUIET);
	world_deinit(&w);
}

/* Each is one of the report's, at M0 + 1; `lasts`: so it is in every minute after. */
static void lost(struct world *w, enum reason_is reason, bool lasts)
{
	world_cover(w, at(M0), at(M0 + 4));
	world_take(w, M0 + 1);
	world_take(w, M0 + 2);
	assert_int_equal(world_window(w, M0, at(M0 + 4)).causes, UINT64_C(1) << reason);
	assert_int_equal(world_verdict(w, M0, at(M0 + 4)), VERDICT_UNPROVEN);
	assert_int_equal(world_verdict(w, M0 + 1, at(M0 + 4)), VERDICT_UNPROVEN);
	assert_int_equal(world_verdict(w, M0 + 2, at(M0 + 4)),
			 lasts ? VERDICT_UNPROVEN : VERDICT_QUIET);
	assert_int_equal(world_verdict(w, M0 + 3, at(M0 + 4)), VERDICT_QUIET);
	world_deinit(w);
	world_init(w, NULL);
	world_take(w, M0);
}

static void test_losses(void **state)
{
	struct world w;

	(void)state;
	world_init(&w, NULL);
	world_take(&w, M0);
	w.report.losses.events = 1;
	lost(&w, REASON_EVENTS_LOST, false);
	w.report.losses.ends = 1;
	lost(&w, REASON_ENDS_UNSEEN, false);
	w.report.losses.untracked = 1;
	lost(&w, REASON_UNTRACKED, true);
	w.report.losses.namespaces = 1;
	lost(&w, REASON_NAMESPACES_UNSEEN, true);
	w.report.losses.listeners = 1;
	lost(&w, REASON_ATTEMPTS_UNSEEN, true);
	w.report.hooks[0].missed = 1;
	lost(&w, REASON_WITNESSES_MISSED, false);
	w.report.hooks[0].recursion_misses = 1;
	lost(&w, REASON_WITNESSES_MISSED, false);
	w.report.hooks[REPORT_REFUSED].recursion_misses = 1;
	lost(&w, REASON_ATTEMPTS_UNSEEN, false);
	w.report.hooks[REPORT_REFUSED].hook = NULL;
	lost(&w, REASON_ATTEMPTS_UNSEEN, true);
	w.report.opened = 1;
	lost(&w, REASON_MISCOUNTED, true);
	w.report.unattributed_drops = 1;
	lost(&w, REASON_DROPS_UNKNOWN, false);
	world_deinit(&w);
}

static void test_dropped(void **state)
{
	struct listening listening = {.dropped = 3};
	struct world w;

	(void)state;
	world_init(&w, NULL);
	w.report.listening = &listening;
	w.report.n_listening = 1;
	world_take(&w, M0);
	listening.dropped = 5;
	world_take(&w, M0 + 1);
	world_take(&w, M0 + 2);
	world_cover(&w, at(M0), at(M0 + 3));
	assert_int_equal(world_window(&w, M0, at(M0 + 3)).dropped, 5);
	assert_int_equal(world_window(&w, M0 + 1, at(M0 + 3)).dropped, 2);
	assert_int_equal(world_verdict(&w, M0 + 1, at(M0 + 3)), VERDICT_TRAFFIC);
	assert_int_equal(world_verdict(&w, M0 + 2, at(M0 + 3)), VERDICT_QUIET);
	/* the listener is another one */
	listening.dropped = 0;
	world_take(&w, M0 + 3);
	world_cover(&w, at(M0 + 3), at(M0 + 4));
	assert_int_equal(world_verdict(&w, M0 + 3, at(M0 + 4)), VERDICT_UNPROVEN);
	world_deinit(&w);
}

static void test_torn_coverage_is_bounded(void **state)
{
	struct world w;

	(void)state;
	world_init(&w, NULL);
	world_take(&w, M0);
	for (unsigned int i = 0; i < 1000; i++)
		assert_int_equal(world_cover(&w, at(M0 + i), at(M0 + i) + 30 * SECOND), 0);
	world_cover(&w, at(M0 + 1000), at(M0 + 1010));
	assert_int_equal(world_verdict(&w, M0 + 1000, at(M0 + 1010)), VERDICT_QUIET);
	for (unsigned int i = 0; i < 1000; i++)
		assert_int_equal(world_verdict(&w, M0 + i, at(M0 + 1010)), VERDICT_UNPROVEN);
	world_deinit(&w);
}

/* --- clocks --- */

/* Minute i of an agent whose clock is `offset` minutes ahead of the true one. */
static void live(struct world *w, unsigned int i, int64_t offset, uint64_t opened)
{
	uint32_t minute = (uint32_t)(M0 + i + offset);

	w->callers[0].row.counts.opened += opened;
	history_clock(w->history, at(minute + 1), (uint64_t)at(i + 1));
	world_take(w, minute);
	world_cover(w, at(minute), at(minute + 1));
}

/* The true minutes 0 to 9 have the first clock, 10 to 19 the second; a call comes at `call`. At the
 * end no window that begins before the call may be QUIET. */
static void step(int64_t first, int64_t second, unsigned int call)
{
	struct world w;

	world_init(&w, NULL);
	world_add(&w, CLASS_WORKLOAD, "web");
	for (unsigned int i = 0; i < 20; i++)
		live(&w, i, i < 10 ? first : second, i == call);
	for (uint32_t i = 0; i <= 19; i++) {
		uint32_t since = (uint32_t)(M0 + second + i);
		enum verdict_is is = world_verdict(&w, since, at((uint32_t)(M0 + second + 20)));

		if (i <= call)
			assert_int_not_equal(is, VERDICT_QUIET);
		/* and after all that, it knows again */
		if (i > call && i > 10 && first < second)
			assert_int_equal(is, VERDICT_QUIET);
	}
	world_deinit(&w);
}

static void test_clock_set_forward_and_back(void **state)
{
	(void)state;
	for (unsigned int call = 0; call < 20; call++) {
		for (int64_t by = -30; by <= 30; by += by == -1 ? 2 : 1)
			step(0, by, call);
		step(0, 5000, call);
		step(5000, 0, call);
		step(1500, 0, call);
		step(1440, 0, call);
		step(0, 3000000, call);
		step(3000000, 0, call);
	}
}

/* Whoever goes on where he ended covers no time that the clock was set over. */
static void test_clock_set_within_a_span(void **state)
{
	struct world w;

	(void)state;
	world_init(&w, NULL);
	history_clock(w.history, at(M0), 1);
	world_take(&w, M0);
	world_cover(&w, at(M0 - 5), at(M0));
	history_clock(w.history, at(M0 + 20), 1 + SECOND);
	world_cover(&w, at(M0), at(M0 + 20));
	history_clock(w.history, at(M0 + 21), 1 + 61 * SECOND);
	world_cover(&w, at(M0 + 20), at(M0 + 21));
	assert_int_equal(world_verdict(&w, M0 + 10, at(M0 + 21)), VERDICT_UNPROVEN);
	assert_int_equal(world_verdict(&w, M0 + 20, at(M0 + 21)), VERDICT_QUIET);
	/* and back: it ends before it begins */
	history_clock(w.history, at(M0 + 5), 1 + 62 * SECOND);
	world_cover(&w, at(M0 + 21), at(M0 + 5));
	world_cover(&w, at(M0 + 5), at(M0 + 30));
	assert_int_equal(world_verdict(&w, M0 + 4, at(M0 + 30)), VERDICT_UNPROVEN);
	assert_true(world_window(&w, M0 + 4, at(M0 + 30)).causes & HISTORY_CLOCK_SET);
	assert_int_equal(world_verdict(&w, M0 + 5, at(M0 + 30)), VERDICT_QUIET);
	world_deinit(&w);
}

/* --- restarts --- */

static void test_restart_is_a_gap(void **state)
{
	struct world w;

	(void)state;
	world_init(&w, NULL);
	world_add(&w, CLASS_WORKLOAD, "web")->row.counts.opened = 4;
	world_take(&w, M0);
	world_cover(&w, at(M0), at(M0 + 3));
	assert_int_equal(world_restart(&w, NULL), 0);
	world_take(&w, M0 + 3);
	world_cover(&w, at(M0 + 3) + 20 * SECOND, at(M0 + 6));
	assert_int_equal(world_row(&w, "web", M0).opened, 4);
	assert_int_equal(world_verdict(&w, M0, at(M0 + 6)), VERDICT_TRAFFIC);
	assert_int_equal(world_verdict(&w, M0 + 1, at(M0 + 6)), VERDICT_UNPROVEN);
	assert_int_equal(world_verdict(&w, M0 + 3, at(M0 + 6)), VERDICT_UNPROVEN);
	assert_int_equal(world_verdict(&w, M0 + 4, at(M0 + 6)), VERDICT_QUIET);
	/* it counts from the beginning again */
	w.callers[0].row.counts.opened = 3;
	world_take(&w, M0 + 6);
	assert_int_equal(world_row(&w, "web", M0).opened, 7);
	world_deinit(&w);
}

/* The time in which it did not run is hidden behind what the last clock called so. */
static void test_restart_with_the_clock_set_back(void **state)
{
	struct world w;

	(void)state;
	world_init(&w, NULL);
	world_take(&w, M0);
	world_cover(&w, at(M0), at(M0 + 40));
	world_restart(&w, NULL);
	world_take(&w, M0 + 31);
	world_cover(&w, at(M0 + 31), at(M0 + 50));
	assert_true(world_window(&w, M0 + 25, at(M0 + 50)).causes & HISTORY_CLOCK_SET);
	assert_int_equal(world_verdict(&w, M0 + 25, at(M0 + 50)), VERDICT_UNPROVEN);
	assert_int_equal(world_verdict(&w, M0 + 30, at(M0 + 50)), VERDICT_UNPROVEN);
	assert_int_equal(world_verdict(&w, M0 + 31, at(M0 + 50)), VERDICT_QUIET);
	world_deinit(&w);
}

/* It was set back, and by chance it comes to the end of the last run's time just then. */
static void test_restart_that_seems_to_go_on(void **state)
{
	struct world w;

	(void)state;
	world_init(&w, NULL);
	world_take(&w, M0);
	world_cover(&w, at(M0), at(M0 + 40));
	world_restart(&w, NULL);
	world_take(&w, M0 + 40);
	world_cover(&w, at(M0 + 40), at(M0 + 50));
	world_cover(&w, at(M0 + 50), at(M0 + 60));
	assert_int_equal(world_verdict(&w, M0 + 39, at(M0 + 60)), VERDICT_UNPROVEN);
	assert_int_equal(world_verdict(&w, M0 + 40, at(M0 + 60)), VERDICT_QUIET);
	world_deinit(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_quiet_when_all_is_covered),
		cmocka_unit_test(test_first_minute_that_is_covered_in_part),
		cmocka_unit_test(test_gap),
		cmocka_unit_test(test_causes),
		cmocka_unit_test(test_losses),
		cmocka_unit_test(test_dropped),
		cmocka_unit_test(test_torn_coverage_is_bounded),
		cmocka_unit_test(test_clock_set_forward_and_back),
		cmocka_unit_test(test_clock_set_within_a_span),
		cmocka_unit_test(test_restart_is_a_gap),
		cmocka_unit_test(test_restart_with_the_clock_set_back),
		cmocka_unit_test(test_restart_that_seems_to_go_on),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
