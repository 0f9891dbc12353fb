/* SPDX-License-Identifier: MIT */
/*
 * The history against a naive model, which keeps every event: in random takes, windows, bounds,
 * restarts and clocks. Counts of a complete window are equal, of any other not more, and none is
 * QUIET that the model knows of something in.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../user/callers/history-parts.h"
#include "history-world.h"

#define EVENTS 200000
#define CALLERS 8

struct happened {
	uint32_t minute;
	uint8_t caller;
	uint8_t opened;
	uint8_t refused;
	uint32_t received;
};

struct model {
	struct world w;
	struct history_limits limits;
	uint32_t random;
	uint32_t now;
	uint64_t monotonic; /* minutes */
	struct happened *events;
	size_t n;
	uint32_t holes[2000]; /* minutes that were not covered as a whole */
	size_t n_holes;
	uint32_t anew; /* the history's cut, when it began anew */
};

static uint32_t draw(struct model *m, uint32_t below)
{
	m->random = m->random * 1664525 + 1013904223;
	return (m->random >> 8) % below;
}

static void hole(struct model *m, uint32_t minute)
{
	if (m->n_holes == 2000)
		memmove(m->holes, m->holes + 1000, sizeof(m->holes) / 2), m->n_holes = 1000;
	m->holes[m->n_holes++] = minute;
}

static void call(struct model *m)
{
	uint8_t i = (uint8_t)draw(m, CALLERS);
	struct row *row = &m->w.callers[i].row;
	struct happened event = {m->now, i, (uint8_t)draw(m, 3), (uint8_t)(draw(m, 4) == 0), 0};

	if (!row->counts.opened && !event.opened)
		event.opened = 1;
	event.received = draw(m, 1000);
	row->counts.opened += event.opened;
	row->counts.closed += event.opened;
	row->counts.refused += event.refused;
	row->counts.bytes_received += event.received;
	assert_true(m->n < EVENTS);
	m->events[m->n++] = event;
}

/* Time goes on, or is set; what is skipped is a hole. */
static void advance(struct model *m)
{
	uint32_t how = draw(m, 40), by;

	/* where all is thrown away all the time, one could not tell why */
	if (how == 0 && m->now > M0 + 100 && m->limits.records > 16) {
		by = 1 + draw(m, 40);
		m->now -= by;
		m->monotonic++;
		for (size_t i = 0; i < m->n_holes; i++)
			if (m->holes[i] >= m->now)
				m->holes[i--] = m->holes[--m->n_holes];
		hole(m, m->now - 1);
		return;
	}
	by = how == 1 ? 1 + draw(m, 100) : draw(m, 3) != 0;
	for (uint32_t i = 1; i < by; i++)
		hole(m, m->now + i);
	m->now += by;
	m->monotonic += by;
}

static void take(struct model *m, bool again, size_t before)
{
	const struct history *history = m->w.history;

	history_clock(m->w.history, at(m->now), 1 + m->monotonic * (uint64_t)MINUTE);
	assert_int_equal(world_take(&m->w, m->now), 0);
	/* it began anew, and what the last clock called later is not known any more */
	if (m->limits.records > 16 && history->cut == m->now + 1 && !history->fine_since &&
	    !history->targets->n_spans && history->cut != m->anew) {
		m->anew = history->cut;
		m->n -= before;
		memmove(m->events, m->events + before, m->n * sizeof(*m->events));
	}
	if (again)
		return;
	if (draw(m, 30) == 0)
		hole(m, m->now);
	else
		world_cover(&m->w, at(m->now), at(m->now + 1));
}

static void compare(struct model *m)
{
	uint32_t since = m->now + 1 - draw(m, draw(m, 2) ? 20 : 1500);
	struct history_window window = world_window(&m->w, since, at(m->now + 1));
	struct history_row sums[CALLERS] = {};
	enum verdict_is is = world_verdict(&m->w, since, at(m->now + 1));

	assert_true(window.start <= since && since - window.start < 60);
	for (size_t i = 0; i < m->n; i++) {
		const struct happened *event = &m->events[i];
		struct history_row *sum = &sums[event->caller];

		if (event->minute >= window.start) {
			sum->opened += event->opened;
			sum->refused += event->refused;
			sum->bytes_received += event->received;
		}
		/* the last one is a probe */
		if (event->minute >= since && event->caller < CALLERS - 1 &&
		    (event->opened || event->refused || event->received))
			assert_int_not_equal(is, VERDICT_QUIET);
	}
	for (size_t i = 0; i < m->n_holes; i++)
		if (m->holes[i] >= since)
			assert_int_not_equal(is, VERDICT_QUIET);
	for (size_t i = 0; i < CALLERS; i++) {
		struct history_row row = world_row(&m->w, m->w.callers[i].name, since);

		if (!window.complete) {
			assert_true(row.opened <= sums[i].opened);
			continue;
		}
		assert_int_equal(row.opened, sums[i].opened);
		assert_int_equal(row.closed, sums[i].opened);
		assert_int_equal(row.refused, sums[i].refused);
		assert_int_equal(row.bytes_received, sums[i].bytes_received);
	}
}

static void run(uint32_t seed, size_t records, uint32_t steps)
{
	struct model m = {.random = seed, .now = M0, .limits = {.records = records}};
	uint32_t before;
	size_t n_before;
	bool again;

	m.events = calloc(EVENTS, sizeof(*m.events));
	world_init(&m.w, &m.limits);
	for (int i = 0; i < CALLERS; i++) {
		char name[8];

		snprintf(name, sizeof(name), "c%d", i);
		world_add(&m.w, i == CALLERS - 1 ? CLASS_PROBE : CLASS_WORKLOAD,
			  i == CALLERS - 1 ? "" : name);
	}
	for (uint32_t i = 0; i < steps; i++) {
		before = m.now;
		n_before = m.n;
		advance(&m);
		again = i && m.now == before;
		if (draw(&m, 100) == 0) {
			assert_int_equal(world_restart(&m.w, &m.limits), 0);
		}
		/* a quiet time now and then */
		for (uint32_t n = (i / 64) % 4 ? draw(&m, 6) : 0; n; n--)
			call(&m);
		take(&m, again, n_before);
		compare(&m);
		compare(&m);
	}
	free(m.events);
	world_deinit(&m.w);
}

static void test_all_by_minutes(void **state)
{
	(void)state;
	for (uint32_t seed = 1; seed <= 4; seed++)
		run(seed, 100000, 1500);
}

static void test_by_hours(void **state)
{
	(void)state;
	for (uint32_t seed = 1; seed <= 4; seed++)
		run(100 + seed, 1500, 2000);
}

static void test_less_than_a_day(void **state)
{
	(void)state;
	for (uint32_t seed = 1; seed <= 4; seed++)
		run(200 + seed, 300, 1500);
	for (uint32_t seed = 1; seed <= 4; seed++)
		run(300 + seed, 60, 1000);
}

/* There is no room even for one minute of all. */
static void test_hardly_any_room(void **state)
{
	(void)state;
	for (uint32_t seed = 1; seed <= 4; seed++)
		run(400 + seed, 16, 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all_by_minutes),
		cmocka_unit_test(test_by_hours),
		cmocka_unit_test(test_less_than_a_day),
		cmocka_unit_test(test_hardly_any_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
