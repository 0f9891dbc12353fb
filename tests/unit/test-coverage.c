/* SPDX-License-Identifier: MIT */
/* Which endpoints were there and watched when, what witnesses missed, and several nodes together.
 * Times are seconds: of the window's clock, which began 5000 s after 1970. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../../user/callers/coverage.h"

#define SECOND INT64_C(1000000000)
#define OFFSET (5000 * SECOND)
#define MONO(s) ((s)*SECOND)
#define REAL(s) (MONO(s) + OFFSET)
/* of the window in most tests */
#define START 100
#define END 200

static struct address ipv4(uint32_t last)
{
	return (struct address){
		{0, 0, __builtin_bswap32(0xffff), __builtin_bswap32(0x0a000000 | last)}};
}

static const struct pod_name on_a = {"buffer", "web-a", "uid-a", "Deployment", "web", "node-a"};
static const struct pod_name on_b = {"buffer", "web-b", "uid-b", "Deployment", "web", "node-b"};
static const struct pod_name again = {"buffer", "web-a", "uid-z", "Deployment", "web", "node-a"};
static const struct pod_name nowhere = {"buffer", "web-n", "uid-n", "Pod", "web-n", ""};

static struct report report_of(struct target *target)
{
	return (struct report){
		.target = target,
		.start_ns = MONO(START),
		.end_ns = MONO(END),
		.realtime_offset = OFFSET,
		.final = true,
		.hooks = {{"tcp_accept", "tp_btf/inet_sock_set_state", ""},
			  {"tcp_accept", "sockops", ""},
			  {"inet_csk_accept", NULL, "no"},
			  {"refused", "tp_btf/tcp_send_reset", ""}},
		.n_hooks = 4,
	};
}

static const struct coverage_facts fine = {
	.node = "node-a",
	.from = ENDPOINTS_FOLLOWED,
	.confirmed = true,
	.intact = true,
};

static void expect_span(struct span span, int64_t since, int64_t until)
{
	assert_int_equal(span.since, REAL(since));
	assert_int_equal(span.until, REAL(until));
}

/* --- one endpoint --- */

struct endpoint_case {
	struct endpoint endpoint;
	bool part; /* of the window */
	enum covered_place place;
	int existed[2];
	int watched[2]; /* 0, 0: never */
	int hole[2];    /* 0, 0: none */
};

#define A .pod = &on_a, .here = true
#define T(s) MONO(s)

static const struct endpoint_case endpoint_cases[] = {
	/* there all the time */
	{{A}, true, COVERED_HERE, {100, 200}, {100, 200}},
	/* left */
	{{A, .until = T(150)}, true, COVERED_HERE, {100, 150}, {100, 150}},
	/* left before the window, and just when it began */
	{{A, .until = T(99)}, false},
	{{A, .until = T(100)}, true, COVERED_HERE, {100, 100}},
	/* came, when its pod is older than the window, of unknown age, or from the window */
	{{A, .since = T(130), .existed = REAL(50)},
	 true,
	 COVERED_HERE,
	 {100, 200},
	 {130, 200},
	 {100, 130}},
	{{A, .since = T(130)}, true, COVERED_HERE, {100, 200}, {130, 200}, {100, 130}},
	{{A, .since = T(130), .existed = REAL(120)},
	 true,
	 COVERED_HERE,
	 {120, 200},
	 {130, 200},
	 {120, 130}},
	/* by a clock that is ahead */
	{{A, .since = T(130), .existed = REAL(140)},
	 true,
	 COVERED_HERE,
	 {100, 200},
	 {130, 200},
	 {100, 130}},
	/* came and went */
	{{A, .since = T(130), .until = T(140), .existed = REAL(129)},
	 true,
	 COVERED_HERE,
	 {129, 140},
	 {130, 140},
	 {129, 130}},
	/* was told after the end */
	{{A, .since = T(201), .existed = REAL(190)},
	 true,
	 COVERED_HERE,
	 {190, 200},
	 {0, 0},
	 {190, 200}},
	/* no room: it may be there until the end */
	{{A, .since = T(130), .until = T(130), .existed = REAL(120)},
	 true,
	 COVERED_NO_ROOM,
	 {120, 200},
	 {0, 0},
	 {120, 200}},
	{{.pod = &on_b}, true, COVERED_ELSEWHERE, {100, 200}, {0, 0}, {100, 200}},
	{{.pod = &on_b, .here = true}, true, COVERED_ELSEWHERE, {100, 200}, {0, 0}, {100, 200}},
	{{.pod = &on_a}, true, COVERED_ABSENT, {100, 200}, {0, 0}, {100, 200}},
	{{.pod = &nowhere}, true, COVERED_ABSENT, {100, 200}, {0, 0}, {100, 200}},
	{{.pod = &nowhere, .here = true}, true, COVERED_HERE, {100, 200}, {100, 200}},
	{{.here = true}, true, COVERED_HERE, {100, 200}, {100, 200}},
	{{.pod = &on_b, .until = T(150)}, true, COVERED_ELSEWHERE, {100, 150}, {0, 0}, {100, 150}},
};

static void one_endpoint(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(endpoint_cases) / sizeof(*endpoint_cases); i++) {
		const struct endpoint_case *c = &endpoint_cases[i];
		struct endpoint endpoint = c->endpoint;
		struct target target = {.endpoints = &endpoint, .n_endpoints = 1};
		struct report report = report_of(&target);
		const struct covered *covered;
		struct coverage coverage;
		struct span hole;

		endpoint.address = ipv4(1);
		endpoint.port = 80;
		assert_int_equal(coverage_make(&coverage, &report, &fine), 0);
		expect_span(coverage.window, START, END);
		if (coverage.n_endpoints != c->part)
			fail_msg("case %zu", i);
		covered = coverage_find(&coverage, &endpoint);
		assert_ptr_equal(covered, c->part ? &coverage.endpoints[0] : NULL);
		if (c->part) {
			assert_int_equal(covered->place, c->place);
			expect_span(covered->existed, c->existed[0], c->existed[1]);
			assert_int_equal(covered->n_watched, c->watched[0] != 0);
			if (c->watched[0])
				expect_span(covered->watched[0], c->watched[0], c->watched[1]);
			assert_int_equal(coverage_hole(&coverage, covered, &hole), c->hole[0] != 0);
			if (c->hole[0])
				expect_span(hole, c->hole[0], c->hole[1]);
		}
		coverage_deinit(&coverage);
		coverage_deinit(&coverage);
	}
}

/* Of an endpoint that came it is not known since when it was there, unless its pod is younger. */
static void existence(void **state)
{
	const struct {
		int since, existed, from;
	} cases[] = {
		{0, 0, 100},    {0, 50, 100},    {130, 0, 100},
		{130, 50, 100}, {130, 125, 125}, {130, 140, 100},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct endpoint endpoint = {A, .since = cases[i].since ? T(cases[i].since) : 0,
					    .existed =
						    cases[i].existed ? REAL(cases[i].existed) : 0};
		struct target target = {.endpoints = &endpoint, .n_endpoints = 1};
		struct report report = report_of(&target);
		struct coverage_facts facts = fine;
		struct coverage coverage;

		assert_int_equal(coverage_make(&coverage, &report, &facts), 0);
		expect_span(coverage.endpoints[0].existed, cases[i].from, END);
		coverage_deinit(&coverage);
	}
}

/* This node's name need not be known. */
static void without_a_node(void **state)
{
	struct endpoint endpoint = {.pod = &on_b, .here = true};
	struct target target = {.endpoints = &endpoint, .n_endpoints = 1};
	struct report report = report_of(&target);
	struct coverage_facts facts = fine;
	struct coverage coverage;

	(void)state;
	for (int i = 0; i < 2; i++) {
		endpoint.here = i;
		facts.node = i ? NULL : "";
		assert_int_equal(coverage_make(&coverage, &report, &facts), 0);
		assert_int_equal(coverage.endpoints[0].place, i ? COVERED_HERE : COVERED_ELSEWHERE);
		coverage_deinit(&coverage);
	}
}

/* One that comes again is one; another pod with its address is another. */
static void endpoints_that_are_one(void **state)
{
	struct endpoint endpoints[] = {
		{A, .address = ipv4(1), .port = 80, .until = T(120)},
		{.here = true, .pod = &again, .address = ipv4(1), .port = 80, .since = T(150)},
		{A, .address = ipv4(1), .port = 80, .since = T(140)},
		{A, .address = ipv4(1), .port = 81},
		{A, .address = ipv4(2), .port = 80},
		{.here = true, .address = ipv4(3), .port = 80},
		{.here = true, .address = ipv4(3), .port = 80},
	};
	struct target target = {.endpoints = endpoints, .n_endpoints = 7};
	struct report report = report_of(&target);
	const struct covered *one;
	struct coverage coverage;
	struct span hole;

	(void)state;
	assert_int_equal(coverage_make(&coverage, &report, &fine), 0);
	assert_int_equal(coverage.n_endpoints, 5);
	one = coverage_find(&coverage, &endpoints[0]);
	assert_ptr_equal(one, coverage_find(&coverage, &endpoints[2]));
	assert_int_equal(one->n_watched, 2);
	expect_span(one->existed, 100, 200);
	expect_span(one->watched[0], 100, 120);
	expect_span(one->watched[1], 140, 200);
	assert_true(coverage_hole(&coverage, one, &hole));
	expect_span(hole, 120, 140);
	one = coverage_find(&coverage, &endpoints[1]);
	expect_span(one->existed, 100, 200);
	assert_true(coverage_hole(&coverage, one, &hole));
	expect_span(hole, 100, 150);
	coverage_deinit(&coverage);
}

/* --- holes --- */

struct hole_case {
	int existed[2];
	int watched[3][2];
	int hole[2];
};

static const struct hole_case hole_cases[] = {
	{{100, 200}, {{100, 200}}, {0, 0}},
	{{100, 200}, {{0}}, {100, 200}},
	{{100, 200}, {{101, 200}}, {100, 101}},
	{{100, 200}, {{100, 199}}, {199, 200}},
	{{100, 200}, {{100, 150}, {151, 200}}, {150, 151}},
	{{100, 200}, {{100, 150}, {160, 170}, {180, 200}}, {150, 160}},
	{{120, 180}, {{110, 190}}, {0, 0}},
	{{120, 180}, {{121, 180}}, {120, 121}},
	/* what is beyond the window is of no interest */
	{{50, 250}, {{100, 200}}, {0, 0}},
	{{50, 250}, {{60, 90}, {100, 230}}, {0, 0}},
	{{50, 250}, {{60, 90}, {210, 230}}, {100, 200}},
	{{50, 99}, {{0}}, {0, 0}},
	{{50, 100}, {{0}}, {0, 0}},
	{{200, 250}, {{0}}, {0, 0}},
	{{150, 150}, {{0}}, {0, 0}},
};

static void holes(void **state)
{
	const struct coverage coverage = {.window = {REAL(START), REAL(END)}};

	(void)state;
	for (size_t i = 0; i < sizeof(hole_cases) / sizeof(*hole_cases); i++) {
		const struct hole_case *c = &hole_cases[i];
		struct span watched[3], hole = {-1, -2};
		struct covered covered = {.existed = {REAL(c->existed[0]), REAL(c->existed[1])},
					  .watched = watched};
		bool expected = c->hole[0];

		for (; covered.n_watched < 3 && c->watched[covered.n_watched][0];
		     covered.n_watched++)
			watched[covered.n_watched] =
				(struct span){REAL(c->watched[covered.n_watched][0]),
					      REAL(c->watched[covered.n_watched][1])};
		if (coverage_hole(&coverage, &covered, &hole) != expected)
			fail_msg("case %zu", i);
		if (expected)
			expect_span(hole, c->hole[0], c->hole[1]);
		else
			assert_int_equal(hole.since, -1);
	}
}

/* --- witnesses, attempts, losses --- */

static void witnesses(void **state)
{
	struct target target = {};

	(void)state;
	/* each attached or not, with misses or not, the tracepoint's runs skipped or not */
	for (unsigned int i = 0; i < 32; i++) {
		struct report report = report_of(&target);
		struct coverage coverage;
		bool tracepoint = i & 1, sockops = i & 2, complete;

		report.hooks[0].hook = tracepoint ? "tp_btf/inet_sock_set_state" : NULL;
		report.hooks[1].hook = sockops ? "sockops" : NULL;
		report.hooks[0].missed = i & 4 ? 1 : 0;
		report.hooks[1].missed = i & 8 ? 1 : 0;
		report.hooks[0].recursion_misses = i & 16 ? 1 : 0;
		/* of no matter */
		report.hooks[2].missed = report.hooks[2].recursion_misses = 1;
		complete = (tracepoint && !(i & 4) && !(i & 16)) || (sockops && !(i & 8));
		assert_int_equal(coverage_witnesses(&report), tracepoint + sockops);
		assert_int_equal(coverage_witnesses_complete(&report), complete);
		assert_int_equal(coverage_make(&coverage, &report, &fine), 0);
		assert_int_equal(coverage.witnesses_complete, complete);
		coverage_deinit(&coverage);
	}
}

static void attempts(void **state)
{
	struct target target = {};
	struct report report = report_of(&target);
	struct coverage coverage;

	(void)state;
	assert_int_equal(coverage_make(&coverage, &report, &fine), 0);
	assert_true(coverage.attempts_seen);
	assert_string_equal(coverage.attempts_why, "");
	coverage_deinit(&coverage);
	report.hooks[3].hook = NULL;
	report.hooks[3].why = "no such tracepoint";
	assert_int_equal(coverage_make(&coverage, &report, &fine), 0);
	assert_false(coverage.attempts_seen);
	assert_string_equal(coverage.attempts_why, "no such tracepoint");
	coverage_deinit(&coverage);
	report.n_hooks = 3;
	assert_int_equal(coverage_make(&coverage, &report, &fine), 0);
	assert_false(coverage.attempts_seen);
	assert_true(coverage.attempts_why[0]);
	coverage_deinit(&coverage);
}

static void counts(void **state)
{
	struct target target = {};
	struct report report = report_of(&target);
	struct coverage_facts facts = fine;
	struct coverage coverage;

	(void)state;
	report.for_ns = MONO(600);
	report.losses = (struct losses){1, 2, 3, 4, 5, 6, 7};
	report.attributed = 7;
	report.unattributed = 2;
	report.opened = 12;
	facts.unwatched = UNWATCHED_PROTOCOL | UNWATCHED_TOO_LARGE;
	facts.unwatched_text = "a sentence";
	facts.confirmed = false;
	facts.unconfirmed = "no answer";
	facts.intact = false;
	facts.more_gaps = 3;
	facts.more_blind = 4;
	assert_int_equal(coverage_make(&coverage, &report, &facts), 0);
	assert_int_equal(coverage.wanted, MONO(600));
	assert_int_equal(coverage.miscounted, 3);
	assert_memory_equal(&coverage.lost, &report.losses, sizeof(report.losses));
	assert_int_equal(coverage.unwatched, facts.unwatched);
	assert_string_equal(coverage.unwatched_text, "a sentence");
	assert_string_equal(coverage.unconfirmed, "no answer");
	assert_false(coverage.confirmed);
	assert_false(coverage.intact);
	assert_int_equal(coverage.more_gaps, 3);
	assert_int_equal(coverage.more_blind, 4);
	assert_int_equal(coverage.drops_unknown, 0);
	coverage_deinit(&coverage);
	/* live, one is read after the other */
	report.opened = 5;
	facts.from = ENDPOINTS_NAMED;
	assert_int_equal(coverage_make(&coverage, &report, &facts), 0);
	assert_int_equal(coverage.miscounted, 0);
	assert_true(coverage.confirmed);
	coverage_deinit(&coverage);
}

/* --- gaps --- */

static void gaps_and_blind_times(void **state)
{
	struct gap gaps[COVERAGE_GAPS + 2];
	struct blind blind[COVERAGE_BLIND + 1];
	struct target target = {};
	struct report report = report_of(&target);
	struct coverage_facts facts = fine;
	struct coverage coverage;

	(void)state;
	for (int i = 0; i < COVERAGE_GAPS + 2; i++)
		gaps[i] = (struct gap){{T(150 - i), T(151 - i)}, GAP_STOPPED};
	for (int i = 0; i <= COVERAGE_BLIND; i++)
		blind[i] = (struct blind){{T(110 + i), T(111 + i)}, true, "no answer"};
	blind[1].span.until = 0;
	facts.gaps = gaps;
	facts.n_gaps = COVERAGE_GAPS + 2;
	facts.blind = blind;
	facts.n_blind = COVERAGE_BLIND + 1;
	assert_int_equal(coverage_make(&coverage, &report, &facts), 0);
	assert_int_equal(coverage.n_gaps, COVERAGE_GAPS);
	assert_int_equal(coverage.more_gaps, 2);
	for (size_t i = 1; i < coverage.n_gaps; i++)
		assert_true(coverage.gaps[i - 1].span.since < coverage.gaps[i].span.since);
	expect_span(coverage.gaps[COVERAGE_GAPS - 1].span, 150, 151);
	assert_int_equal(coverage.n_blind, COVERAGE_BLIND);
	assert_int_equal(coverage.more_blind, 1);
	/* still, at the end: that is not bridged, whoever says so */
	expect_span(coverage.blind[1].span, 111, 200);
	assert_false(coverage.blind[1].bridged);
	assert_true(coverage.blind[0].bridged);
	coverage_deinit(&coverage);
}

static void proven_gaps(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < 128; i++) {
		struct coverage coverage = {
			.window = {REAL(START), REAL(END)},
			.from = ENDPOINTS_FOLLOWED,
			.intact = !(i & 1),
			.witnesses_complete = !(i & 2),
			.drops_unknown = i & 4,
			.confirmed = !(i & 8),
			.blind = {{{REAL(110), REAL(120)}, !(i & 16), ""}},
			.n_blind = 1,
			.more_blind = i & 32,
		};
		struct gap gap = {{REAL(130), REAL(132)}, i & 64 ? GAP_SUSPENDED : GAP_STOPPED};

		assert_int_equal(coverage_gap_proven(&coverage, &gap), !i);
		/* a half-open connection may have come and gone */
		gap.span.until = gap.span.since + GAP_PROVEN_NS;
		assert_int_equal(coverage_gap_proven(&coverage, &gap), !i);
		gap.span.until++;
		assert_false(coverage_gap_proven(&coverage, &gap));
	}
}

static void blind_within_the_window(void **state)
{
	struct coverage coverage = {
		.window = {REAL(START), REAL(END)},
		.from = ENDPOINTS_FOLLOWED,
		.blind = {{{REAL(50), REAL(99)}, false, ""}},
		.n_blind = 1,
	};

	(void)state;
	assert_false(coverage_blind(&coverage));
	coverage.blind[0].span.until = REAL(100);
	assert_true(coverage_blind(&coverage));
	coverage.blind[0].span = (struct span){REAL(200), REAL(300)};
	assert_true(coverage_blind(&coverage));
	coverage.blind[0].bridged = true;
	assert_false(coverage_blind(&coverage));
	coverage.more_blind = 1;
	assert_true(coverage_blind(&coverage));
	coverage.from = ENDPOINTS_NAMED;
	assert_false(coverage_blind(&coverage));
}

/* --- several nodes --- */

static void make(struct coverage *coverage, const char *node, struct endpoint *endpoints, size_t n,
		 int start, int end)
{
	struct target target = {.endpoints = endpoints, .n_endpoints = n};
	struct report report = report_of(&target);
	struct coverage_facts facts = fine;

	facts.node = node;
	report.start_ns = MONO(start);
	report.end_ns = MONO(end);
	assert_int_equal(coverage_make(coverage, &report, &facts), 0);
}

/* Two pods on two nodes: each watched its own. */
static void two_nodes(void **state)
{
	struct endpoint seen_from_a[] = {{A, .address = ipv4(1), .port = 80},
					 {.pod = &on_b, .address = ipv4(2), .port = 80}};
	struct endpoint seen_from_b[] = {
		{.pod = &on_a, .address = ipv4(1), .port = 80},
		{.pod = &on_b, .here = true, .address = ipv4(2), .port = 80}};
	struct coverage a, b;
	struct span hole;

	(void)state;
	make(&a, "node-a", seen_from_a, 2, 100, 200);
	/* later than the other */
	make(&b, "node-b", seen_from_b, 2, 103, 203);
	assert_true(coverage_hole(&a, &a.endpoints[1], &hole));
	assert_int_equal(coverage_merge(&a, &b), 0);
	coverage_deinit(&b);
	expect_span(a.window, 103, 200);
	assert_string_equal(a.node, "");
	assert_int_equal(a.n_endpoints, 2);
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(a.endpoints[i].place, COVERED_HERE);
		assert_false(coverage_hole(&a, &a.endpoints[i], &hole));
	}
	coverage_deinit(&a);

	/* windows with nothing in common */
	make(&a, "node-a", seen_from_a, 2, 100, 200);
	make(&b, "node-b", seen_from_b, 2, 210, 310);
	assert_int_equal(coverage_merge(&a, &b), 0);
	assert_true(a.window.until <= a.window.since);
	coverage_deinit(&a);
	coverage_deinit(&b);
}

/* One endpoint that two watched, of each a part. */
static void watched_by_two(void **state)
{
	struct endpoint first[] = {{.here = true, .address = ipv4(1), .port = 80, .until = T(150)}};
	struct endpoint second[] = {
		{.here = true, .address = ipv4(1), .port = 80, .since = T(140)}};
	struct endpoint third[] = {{.here = true, .address = ipv4(1), .port = 80, .since = T(151)}};
	struct coverage a, b;
	struct span hole;

	(void)state;
	make(&a, "node-a", first, 1, 100, 200);
	make(&b, "node-b", second, 1, 100, 200);
	assert_int_equal(coverage_merge(&a, &b), 0);
	assert_int_equal(a.n_endpoints, 1);
	assert_int_equal(a.endpoints[0].n_watched, 1);
	expect_span(a.endpoints[0].watched[0], 100, 200);
	assert_false(coverage_hole(&a, &a.endpoints[0], &hole));
	coverage_deinit(&a);
	coverage_deinit(&b);
	make(&a, "node-a", first, 1, 100, 200);
	make(&b, "node-b", third, 1, 100, 200);
	assert_int_equal(coverage_merge(&a, &b), 0);
	assert_int_equal(a.endpoints[0].n_watched, 2);
	assert_true(coverage_hole(&a, &a.endpoints[0], &hole));
	expect_span(hole, 150, 151);
	coverage_deinit(&a);
	coverage_deinit(&b);
}

/* "Any address" is another one on each node: watched there is not watched here. */
static void any_is_another_on_each_node(void **state)
{
	struct endpoint first[] = {{.here = true, .port = 80, .until = T(150)}};
	struct endpoint second[] = {{.here = true, .port = 80}};
	struct coverage a, b;

	(void)state;
	make(&a, "node-a", first, 1, 100, 200);
	make(&b, "node-b", second, 1, 100, 200);
	assert_int_equal(coverage_merge(&a, &b), 0);
	assert_int_equal(a.n_endpoints, 2);
	assert_string_equal(a.endpoints[0].node, "node-a");
	assert_string_equal(a.endpoints[1].node, "node-b");
	coverage_deinit(&a);
	coverage_deinit(&b);
}

/* Whatever is wrong with either is wrong with both. */
static void what_is_wrong_stays(void **state)
{
	struct target target = {};
	struct report report = report_of(&target), bad = report;
	struct coverage_facts facts = fine;
	struct coverage good, wrong, both;

	(void)state;
	bad.hooks[0].hook = bad.hooks[1].hook = bad.hooks[3].hook = NULL;
	bad.hooks[3].why = "not here";
	bad.losses = (struct losses){1, 2, 3, 4, 5, 6, 7};
	bad.opened = 1;
	bad.for_ns = MONO(100);
	facts.confirmed = facts.intact = false;
	facts.own_pid_namespace = true;
	facts.unconfirmed = "no answer";
	facts.unwatched = UNWATCHED_NO_PORT;
	facts.unwatched_text = "no port";
	facts.more_gaps = facts.more_blind = 1;
	for (int i = 0; i < 2; i++) {
		assert_int_equal(coverage_make(&good, &report, &fine), 0);
		assert_int_equal(coverage_make(&wrong, &bad, &facts), 0);
		both = i ? good : wrong;
		assert_int_equal(coverage_merge(&both, i ? &wrong : &good), 0);
		assert_false(both.witnesses_complete);
		assert_false(both.attempts_seen);
		assert_string_equal(both.attempts_why, "not here");
		assert_false(both.confirmed);
		assert_string_equal(both.unconfirmed, "no answer");
		assert_false(both.intact);
		assert_true(both.own_pid_namespace);
		assert_int_equal(both.unwatched, UNWATCHED_NO_PORT);
		assert_string_equal(both.unwatched_text, "no port");
		assert_int_equal(both.miscounted, 1);
		assert_int_equal(both.more_gaps, 1);
		assert_int_equal(both.more_blind, 1);
		assert_int_equal(both.wanted, MONO(100));
		assert_memory_equal(&both.lost, &bad.losses, sizeof(bad.losses));
		coverage_deinit(&both);
		coverage_deinit(i ? &wrong : &good);
	}
}

/* A list of pods is the worst; what one node was told to follow must be confirmed. */
static void where_endpoints_are_from(void **state)
{
	static const enum endpoints_from table[3][3] = {
		{ENDPOINTS_NAMED, ENDPOINTS_FILE, ENDPOINTS_FOLLOWED},
		{ENDPOINTS_FILE, ENDPOINTS_FILE, ENDPOINTS_FILE},
		{ENDPOINTS_FOLLOWED, ENDPOINTS_FILE, ENDPOINTS_FOLLOWED},
	};

	(void)state;
	for (int i = 0; i < 3; i++) {
		for (int j = 0; j < 3; j++) {
			struct coverage a = {.node = "", .from = i}, b = {.node = "", .from = j};

			assert_int_equal(coverage_merge(&a, &b), 0);
			assert_int_equal(a.from, table[i][j]);
			coverage_deinit(&a);
		}
	}
}

/* --- merges at random: any order, any grouping --- */

static struct coverage some(const char *node)
{
	static const struct pod_name *const pods[] = {&on_a, &on_b, &nowhere, NULL};
	struct endpoint endpoints[8];
	struct gap gaps[3];
	struct target target = {.endpoints = endpoints, .n_endpoints = (size_t)(rand() % 8)};
	struct report report = report_of(&target);
	struct coverage_facts facts = fine;
	struct coverage coverage;

	for (size_t i = 0; i < target.n_endpoints; i++)
		endpoints[i] = (struct endpoint){
			.address = rand() % 4 ? ipv4(rand() % 3) : (struct address){},
			.port = 80,
			.pod = pods[rand() % 4],
			.since = rand() % 2 ? 0 : (uint64_t)T(90 + rand() % 100),
			.until = rand() % 2 ? 0 : (uint64_t)T(190 + rand() % 100),
			.existed = rand() % 2 ? 0 : REAL(50 + rand() % 200),
			.here = rand() % 4,
		};
	report.start_ns = MONO(90 + rand() % 20);
	report.end_ns = MONO(190 + rand() % 20);
	report.hooks[0].missed = report.hooks[1].missed = rand() % 3 == 0;
	facts.node = node;
	facts.from = rand() % 3;
	facts.unwatched = rand() % 16;
	facts.confirmed = rand() % 3;
	facts.intact = rand() % 3;
	facts.gaps = gaps;
	facts.n_gaps = rand() % 4;
	for (size_t i = 0; i < facts.n_gaps; i++)
		gaps[i] = (struct gap){{T(90 + rand() % 100), T(190)}, rand() % 2};
	assert_int_equal(coverage_make(&coverage, &report, &facts), 0);
	return coverage;
}

static void expect_same(const struct coverage *a, const struct coverage *b)
{
	assert_memory_equal(&a->window, &b->window, sizeof(a->window));
	assert_int_equal(a->wanted, b->wanted);
	assert_int_equal(a->from, b->from);
	assert_int_equal(a->unwatched, b->unwatched);
	assert_int_equal(a->confirmed, b->confirmed);
	assert_int_equal(a->intact, b->intact);
	assert_int_equal(a->witnesses_complete, b->witnesses_complete);
	assert_int_equal(a->n_gaps, b->n_gaps);
	for (size_t i = 0; i < a->n_gaps; i++) {
		assert_memory_equal(&a->gaps[i].span, &b->gaps[i].span, sizeof(struct span));
		assert_int_equal(a->gaps[i].cause, b->gaps[i].cause);
	}
	assert_int_equal(a->n_endpoints, b->n_endpoints);
	for (size_t i = 0; i < a->n_endpoints; i++) {
		const struct covered *p = &a->endpoints[i], *q = &b->endpoints[i];

		assert_string_equal(p->uid, q->uid);
		assert_string_equal(p->node, q->node);
		assert_memory_equal(&p->address, &q->address, sizeof(p->address));
		assert_int_equal(p->place, q->place);
		assert_memory_equal(&p->existed, &q->existed, sizeof(p->existed));
		assert_int_equal(p->n_watched, q->n_watched);
		for (size_t j = 0; j < p->n_watched; j++) {
			assert_memory_equal(&p->watched[j], &q->watched[j], sizeof(struct span));
			assert_true(p->watched[j].since < p->watched[j].until);
			assert_true(!j || p->watched[j - 1].until < p->watched[j].since);
		}
	}
}

static struct coverage copy_of(const struct coverage *from)
{
	struct coverage copy = *from;

	copy.endpoints = NULL;
	copy.n_endpoints = 0;
	assert_int_equal(coverage_merge(&copy, from), 0);
	/* what is added up has been added twice */
	copy.n_gaps = from->n_gaps;
	memcpy(copy.gaps, from->gaps, sizeof(copy.gaps));
	return copy;
}

static void any_order(void **state)
{
	const char *given = getenv("SEED");
	unsigned int seed = given ? strtoul(given, NULL, 0) : (unsigned int)time(NULL);

	(void)state;
	print_message("SEED=%u\n", seed);
	srand(seed);
	for (int round = 0; round < 2000; round++) {
		struct coverage one = some("node-a"), two = some("node-b"), three = some("node-c");
		/* (one + two) + three, and three + (two + one) */
		struct coverage left = copy_of(&one), right = copy_of(&three), pair = copy_of(&two);

		assert_int_equal(coverage_merge(&left, &two), 0);
		assert_int_equal(coverage_merge(&left, &three), 0);
		assert_int_equal(coverage_merge(&pair, &one), 0);
		assert_int_equal(coverage_merge(&right, &pair), 0);
		expect_same(&left, &right);
		coverage_deinit(&left);
		coverage_deinit(&right);
		coverage_deinit(&pair);
		coverage_deinit(&one);
		coverage_deinit(&two);
		coverage_deinit(&three);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_endpoint),
		cmocka_unit_test(existence),
		cmocka_unit_test(without_a_node),
		cmocka_unit_test(endpoints_that_are_one),
		cmocka_unit_test(holes),
		cmocka_unit_test(witnesses),
		cmocka_unit_test(attempts),
		cmocka_unit_test(counts),
		cmocka_unit_test(gaps_and_blind_times),
		cmocka_unit_test(proven_gaps),
		cmocka_unit_test(blind_within_the_window),
		cmocka_unit_test(two_nodes),
		cmocka_unit_test(watched_by_two),
		cmocka_unit_test(any_is_another_on_each_node),
		cmocka_unit_test(what_is_wrong_stays),
		cmocka_unit_test(where_endpoints_are_from),
		cmocka_unit_test(any_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
