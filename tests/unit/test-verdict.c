/* SPDX-License-Identifier: MIT */
/*
 * The verdict: every kind of traffic, each fault of the coverage, each option, together in all ways
 * that are feasible. What must come out is told by the tables here, not by the code.
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

#include "../../user/callers/duration.h"
#include "../../user/callers/verdict.h"

#define SECOND INT64_C(1000000000)
#define T(s) ((s)*SECOND)
#define START 1000
#define END 1600
#define LENGTH(array) (sizeof(array) / sizeof(*(array)))

/* --- one of each --- */

struct case_of {
	struct coverage coverage;
	struct covered endpoints[8];
	struct traffic traffic;
};

static struct span all_the_time = {T(START), T(END)};

static struct covered endpoint_of(const char *pod, enum covered_place place)
{
	return (struct covered){
		.namespace = "buffer",
		.pod = pod,
		.uid = pod,
		.node = place == COVERED_ELSEWHERE ? "node-b" : "node-a",
		.port = 80,
		.existed = {T(START), T(END)},
		.place = place,
	};
}

static struct covered *endpoint_add(struct case_of *c, const char *pod, enum covered_place place)
{
	struct covered *endpoint = &c->endpoints[c->coverage.n_endpoints++];

	*endpoint = endpoint_of(pod, place);
	return endpoint;
}

/* All is covered, and nothing came. */
static void case_init(struct case_of *c)
{
	struct covered *endpoint;

	memset(c, 0, sizeof(*c));
	c->coverage = (struct coverage){
		.node = "node-a",
		.window = {T(START), T(END)},
		.wanted = T(END - START),
		.from = ENDPOINTS_FOLLOWED,
		.endpoints = c->endpoints,
		.confirmed = true,
		.witnesses_complete = true,
		.intact = true,
		.attempts_seen = true,
	};
	endpoint = endpoint_add(c, "web-0", COVERED_HERE);
	endpoint->watched = &all_the_time;
	endpoint->n_watched = 1;
}

/* --- faults --- */

static void early(struct case_of *c)
{
	c->coverage.wanted++;
}

static void nobody_there(struct case_of *c)
{
	c->endpoints[0].existed = (struct span){T(START - 9), T(START)};
}

static void elsewhere(struct case_of *c)
{
	endpoint_add(c, "web-1", COVERED_ELSEWHERE);
}

static void absent(struct case_of *c)
{
	endpoint_add(c, "web-2", COVERED_ABSENT);
}

static void late(struct case_of *c)
{
	static struct span watched = {T(START) + 1, T(END)};
	struct covered *endpoint = endpoint_add(c, "web-3", COVERED_HERE);

	endpoint->watched = &watched;
	endpoint->n_watched = 1;
}

static void unroomed(struct case_of *c)
{
	endpoint_add(c, "web-4", COVERED_NO_ROOM);
}

static void protocol(struct case_of *c)
{
	c->coverage.unwatched |= UNWATCHED_PROTOCOL;
}

static void no_port(struct case_of *c)
{
	c->coverage.unwatched |= UNWATCHED_NO_PORT;
}

static void too_large(struct case_of *c)
{
	c->coverage.unwatched |= UNWATCHED_TOO_LARGE;
}

static void no_room(struct case_of *c)
{
	c->coverage.unwatched |= UNWATCHED_NO_ROOM;
}

static void from_a_file(struct case_of *c)
{
	c->coverage.from = ENDPOINTS_FILE;
}

static void blind_at(struct case_of *c, int since, int until, bool bridged)
{
	c->coverage.blind[c->coverage.n_blind++] =
		(struct blind){{T(since), T(until)}, bridged, "connection refused"};
}

static void blind(struct case_of *c)
{
	blind_at(c, START + 10, START + 50, false);
}

static void more_blind(struct case_of *c)
{
	c->coverage.more_blind++;
}

static void unconfirmed(struct case_of *c)
{
	c->coverage.confirmed = false;
}

static void gap_at(struct case_of *c, int since, int until, enum gap_cause cause)
{
	c->coverage.gaps[c->coverage.n_gaps++] = (struct gap){{T(since), T(until)}, cause};
}

static void suspended(struct case_of *c)
{
	gap_at(c, START + 5, START + 90, GAP_SUSPENDED);
}

static void stopped(struct case_of *c)
{
	gap_at(c, START + 5, START + 7, GAP_STOPPED);
}

static void more_gaps(struct case_of *c)
{
	c->coverage.more_gaps++;
}

static void missed(struct case_of *c)
{
	c->coverage.witnesses_complete = false;
}

static void detached(struct case_of *c)
{
	c->coverage.intact = false;
}

static void attempts_unseen(struct case_of *c)
{
	c->coverage.attempts_seen = false;
}

static void listeners_lost(struct case_of *c)
{
	c->coverage.lost.listeners = 1;
}

static void drops_unknown(struct case_of *c)
{
	c->coverage.drops_unknown = 1;
}

static void events_lost(struct case_of *c)
{
	c->coverage.lost.events = 1;
}

static void untracked(struct case_of *c)
{
	c->coverage.lost.untracked = 1;
}

static void ends(struct case_of *c)
{
	c->coverage.lost.ends = 1;
}

static void namespaces(struct case_of *c)
{
	c->coverage.lost.namespaces = 1;
}

static void own_pid_namespace(struct case_of *c)
{
	c->coverage.own_pid_namespace = true;
}

static void miscounted(struct case_of *c)
{
	c->coverage.miscounted = 1;
}

/* What is harmless: these must change nothing. */
static void beyond_the_window(struct case_of *c)
{
	struct covered *endpoint = endpoint_add(c, "web-9", COVERED_ELSEWHERE);

	endpoint->existed = (struct span){T(START - 50), T(START)};
	blind_at(c, START - 50, START - 1, false);
	blind_at(c, START - 50, END + 1, true);
	gap_at(c, END + 1, END + 9, GAP_STOPPED);
	gap_at(c, START - 9, START - 1, GAP_SUSPENDED);
}

static void clients_and_accepts(struct case_of *c)
{
	c->coverage.lost.clients = 9;
	c->coverage.lost.accepts = 9;
}

static const struct fault {
	void (*make)(struct case_of *c);
	enum reason_is reason; /* REASONS: none by itself */
	bool endpoint;         /* one more that exists in the window */
	bool leaves_open;      /* what happened in a gap */
} faults[] = {
	{early, REASON_ENDED_EARLY},
	{nobody_there, REASON_NO_ENDPOINTS},
	{elsewhere, REASON_OTHER_NODE, true},
	{absent, REASON_NOT_HERE, true},
	{late, REASON_LATE, true},
	{unroomed, REASON_UNWATCHED_NO_ROOM, true},
	{protocol, REASON_UNWATCHED_PROTOCOL},
	{no_port, REASON_UNWATCHED_NO_PORT},
	{too_large, REASON_UNWATCHED_TOO_LARGE},
	{no_room, REASON_UNWATCHED_NO_ROOM},
	{from_a_file, REASON_NOT_FOLLOWED},
	{blind, REASON_API_BLIND, false, true},
	{more_blind, REASON_API_BLIND, false, true},
	{unconfirmed, REASON_API_UNCONFIRMED, false, true},
	{suspended, REASON_SUSPENDED},
	{stopped, REASONS},
	{more_gaps, REASON_GAP},
	{missed, REASON_WITNESSES_MISSED, false, true},
	{detached, REASON_DETACHED, false, true},
	{attempts_unseen, REASON_ATTEMPTS_UNSEEN},
	{listeners_lost, REASON_ATTEMPTS_UNSEEN},
	{drops_unknown, REASON_DROPS_UNKNOWN, false, true},
	{events_lost, REASON_EVENTS_LOST},
	{untracked, REASON_UNTRACKED},
	{ends, REASON_ENDS_UNSEEN},
	{namespaces, REASON_NAMESPACES_UNSEEN},
	{own_pid_namespace, REASON_NAMESPACES_UNSEEN},
	{miscounted, REASON_MISCOUNTED},
	{beyond_the_window, REASONS},
	{clients_and_accepts, REASONS},
};
#define FAULTS LENGTH(faults)

/* Of a set of faults (a bit for each in `faults`), the reasons (a bit for each). */
static uint64_t reasons_of_faults(uint64_t set)
{
	bool endpoint = false, open = false, gap = false, file = false;
	uint64_t reasons = 0;

	for (size_t i = 0; i < FAULTS; i++) {
		if (!(set >> i & 1))
			continue;
		endpoint |= faults[i].endpoint;
		open |= faults[i].leaves_open;
		gap |= faults[i].make == stopped;
		file |= faults[i].make == from_a_file;
		if (faults[i].reason != REASONS)
			reasons |= UINT64_C(1) << faults[i].reason;
	}
	if (endpoint)
		reasons &= ~(UINT64_C(1) << REASON_NO_ENDPOINTS);
	/* what no API tells, none can fail to tell */
	if (file && reasons >> REASON_API_BLIND & 1) {
		reasons &= ~(UINT64_C(1) << REASON_API_BLIND);
		open = false;
		for (size_t i = 0; i < FAULTS; i++)
			open |= set >> i & 1 && faults[i].leaves_open &&
				faults[i].reason != REASON_API_BLIND;
	}
	if (gap && open)
		reasons |= UINT64_C(1) << REASON_GAP;
	return reasons;
}

/* --- traffic --- */

static const enum reason_is kinds[] = {
	REASON_OPENED,  REASON_ACTIVE, REASON_HELD,    REASON_REFUSED,
	REASON_PENDING, REASON_STRAY,  REASON_DROPPED,
};
#define KINDS LENGTH(kinds)

enum by { BY_CALLERS, BY_PROBES, BY_IGNORED, BYS };

static struct tally *tally_by(struct traffic *traffic, enum by by)
{
	return by == BY_CALLERS  ? &traffic->callers
	       : by == BY_PROBES ? &traffic->probes
				 : &traffic->ignored;
}

static void add_traffic(struct case_of *c, enum reason_is kind, enum by by)
{
	struct tally *tally = tally_by(&c->traffic, by);

	tally->callers = 1;
	tally->opened += kind == REASON_OPENED;
	tally->active += kind == REASON_ACTIVE;
	tally->held += kind == REASON_HELD;
	tally->refused += kind == REASON_REFUSED;
	tally->pending += kind == REASON_PENDING;
	tally->stray += kind == REASON_STRAY;
	c->traffic.dropped += kind == REASON_DROPPED;
}

static uint64_t reasons_of_traffic(unsigned int set, enum by by, struct verdict_options options)
{
	uint64_t reasons = 0;

	for (size_t i = 0; i < KINDS; i++) {
		bool counts = by == BY_CALLERS || (by == BY_PROBES && options.count_probes);

		if (kinds[i] == REASON_DROPPED)
			counts = true;
		if (kinds[i] == REASON_HELD && options.allow_idle)
			counts = false;
		if (set >> i & 1 && counts)
			reasons |= UINT64_C(1) << kinds[i];
	}
	return reasons;
}

/* --- the check --- */

static struct verdict verdict;

static void expect_sentence(const char *text)
{
	size_t n = strlen(text);

	assert_true(n > 10);
	assert_true(text[n - 1] == '.');
	assert_null(strstr(text, ".."));
	assert_null(strchr(text, '\n'));
}

static void check(const struct case_of *c, struct verdict_options options, uint64_t traffic,
		  uint64_t unproven)
{
	uint64_t expected = traffic | unproven, found = 0;
	size_t n = 0;

	memset(&verdict, 0xff, 64);
	verdict_decide(&verdict, &c->traffic, &c->coverage, &options);
	for (size_t i = 0; i < verdict.n_reasons; i++) {
		const struct reason *reason = &verdict.reasons[i];

		found |= UINT64_C(1) << reason->is;
		assert_true(!i || reason[-1].is < reason->is);
		assert_int_equal(reason->verdict, reason->is < REASON_ENDED_EARLY
							  ? VERDICT_TRAFFIC
							  : VERDICT_UNPROVEN);
		n++;
	}
	if (found != expected)
		fail_msg("reasons are %#llx, not %#llx", (unsigned long long)found,
			 (unsigned long long)expected);
	assert_int_equal(n, __builtin_popcountll(expected));
	assert_int_equal(verdict.is, traffic    ? VERDICT_TRAFFIC
				     : unproven ? VERDICT_UNPROVEN
						: VERDICT_QUIET);
	assert_int_equal(verdict.options.allow_idle, options.allow_idle);
	assert_int_equal(verdict.options.count_probes, options.count_probes);
}

static void try(uint64_t fault_set, unsigned int traffic_set, enum by by,
		struct verdict_options options)
{
	struct case_of c;

	case_init(&c);
	for (size_t i = 0; i < FAULTS; i++) {
		if (fault_set >> i & 1)
			faults[i].make(&c);
	}
	for (size_t i = 0; i < KINDS; i++) {
		if (traffic_set >> i & 1)
			add_traffic(&c, kinds[i], by);
	}
	check(&c, options, reasons_of_traffic(traffic_set, by, options),
	      reasons_of_faults(fault_set));
}

/* With each option, whoever it is by. */
static void try_all(uint64_t fault_set, unsigned int traffic_set)
{
	for (int by = 0; by < BYS; by++) {
		for (int i = 0; i < 4; i++)
			try(fault_set, traffic_set, by,
			    (struct verdict_options){.allow_idle = i & 1, .count_probes = i & 2});
	}
}

/* --- tests --- */

/* Every set of kinds of traffic, with no fault, each alone, and all. */
static void traffic_outranks(void **state)
{
	(void)state;
	for (unsigned int set = 0; set < 1 << KINDS; set++) {
		try_all(0, set);
		for (size_t i = 0; i < FAULTS; i++)
			try_all(UINT64_C(1) << i, set);
		try_all((UINT64_C(1) << FAULTS) - 1, set);
	}
}

/* Every two and three faults, without traffic, and with each kind. */
static void faults_together(void **state)
{
	(void)state;
	for (size_t i = 0; i < FAULTS; i++) {
		for (size_t j = i; j < FAULTS; j++) {
			uint64_t two = UINT64_C(1) << i | UINT64_C(1) << j;

			for (size_t kind = 0; kind < KINDS; kind++)
				try_all(two, 1U << kind);
			for (size_t k = j; k < FAULTS; k++)
				try(two | UINT64_C(1) << k, 0, BY_CALLERS,
				    (struct verdict_options){});
		}
	}
}

/* Any set of all that. */
static void at_random(void **state)
{
	const char *given = getenv("SEED");
	unsigned int seed = given ? strtoul(given, NULL, 0) : (unsigned int)time(NULL);

	(void)state;
	print_message("SEED=%u\n", seed);
	srand(seed);
	for (int i = 0; i < 100000; i++) {
		uint64_t set = ((uint64_t)rand() << 15 ^ rand()) & ((UINT64_C(1) << FAULTS) - 1);

		if (i % 2) /* fewer of them */
			set &= (uint64_t)rand() & (uint64_t)rand();
		try(set, rand() % (1 << KINDS) & rand(), rand() % BYS,
		    (struct verdict_options){.allow_idle = rand() % 2, .count_probes = rand() % 2});
	}
}

/* No fault by itself, or with others, ends QUIET; and each has a reason but the harmless ones. */
static void no_fault_is_quiet(void **state)
{
	(void)state;
	for (size_t i = 0; i < FAULTS; i++) {
		bool harmless = faults[i].reason == REASONS;
		struct case_of c;

		case_init(&c);
		faults[i].make(&c);
		verdict_decide(&verdict, &c.traffic, &c.coverage, &(struct verdict_options){});
		assert_int_equal(verdict.is, harmless ? VERDICT_QUIET : VERDICT_UNPROVEN);
	}
}

static void windows(void **state)
{
	const struct {
		int64_t length, wanted;
		bool early;
	} cases[] = {
		{T(600), T(600), false}, {T(600) - 1, T(600), true},
		{T(601), T(600), false}, {T(1), 0, false},
		{1, 0, false},           {0, 0, true},
		{0, T(600), true},       {-T(5), 0, true},
		{-T(5), T(600), true},
	};

	(void)state;
	for (size_t i = 0; i < LENGTH(cases); i++) {
		struct case_of c;

		case_init(&c);
		c.coverage.window.until = c.coverage.window.since + cases[i].length;
		c.coverage.wanted = cases[i].wanted;
		all_the_time.until = T(END + 1);
		check(&c, (struct verdict_options){}, 0,
		      cases[i].early ? UINT64_C(1) << REASON_ENDED_EARLY : 0);
		all_the_time.until = T(END);
		if (cases[i].length > 0)
			assert_true(verdict.rate_below > 2.99e9 / cases[i].length &&
				    verdict.rate_below < 3.01e9 / cases[i].length);
		else
			assert_true(verdict.rate_below == 0);
	}
}

/* Nothing was watched at all. */
static void all_zero(void **state)
{
	const struct coverage coverage = {.node = ""};
	const struct traffic traffic = {};

	(void)state;
	verdict_decide(&verdict, &traffic, &coverage, &(struct verdict_options){});
	assert_int_equal(verdict.is, VERDICT_UNPROVEN);
	assert_int_equal(verdict.reasons[0].is, REASON_ENDED_EARLY);
	assert_int_equal(verdict.reasons[1].is, REASON_NO_ENDPOINTS);
}

static void codes(void **state)
{
	static const char *const expected[REASONS] = {
		"connections-opened",     "old-connections-active",
		"old-connections-held",   "attempts-refused",
		"handshakes-dropped",     "attempts-pending",
		"stray-segments",         "ended-early",
		"no-endpoints",           "endpoint-on-other-node",
		"endpoint-not-found",     "endpoint-late",
		"port-not-tcp",           "pod-without-port",
		"object-too-large",       "endpoint-no-room",
		"endpoints-not-followed", "api-blind",
		"api-unconfirmed",        "machine-suspended",
		"tracer-stopped",         "handshakes-missed",
		"hook-detached",          "attempts-unseen",
		"drops-unknown",          "events-lost",
		"connections-untracked",  "ends-unseen",
		"namespaces-unseen",      "connections-miscounted",
	};

	(void)state;
	for (int i = 0; i < REASONS; i++) {
		assert_string_equal(reason_code(i), expected[i]);
		assert_int_equal(reason_brief(i)[0] != '\0', i >= REASON_ENDED_EARLY);
	}
	assert_string_equal(reason_code(REASONS), "unknown");
	assert_string_equal(reason_brief(REASONS), "");
	assert_string_equal(verdict_name(VERDICT_QUIET), "QUIET");
	assert_string_equal(verdict_name(VERDICT_TRAFFIC), "TRAFFIC");
	assert_string_equal(verdict_name(VERDICT_UNPROVEN), "UNPROVEN");
	assert_int_equal(VERDICT_QUIET, 0);
	assert_int_equal(VERDICT_TRAFFIC, 1);
	assert_int_equal(VERDICT_UNPROVEN, 2);
}

/* --- sentences --- */

static const struct reason *reason_find(enum reason_is is)
{
	for (size_t i = 0; i < verdict.n_reasons; i++) {
		if (verdict.reasons[i].is == is)
			return &verdict.reasons[i];
	}
	fail_msg("no reason %s", reason_code(is));
	return NULL;
}

static void expect_text(enum reason_is is, const char *text)
{
	assert_string_equal(reason_find(is)->text, text);
}

/* All of them at once, and each is a sentence with what to do. */
static void sentences(void **state)
{
	struct case_of c;

	(void)state;
	case_init(&c);
	for (size_t i = 0; i < FAULTS; i++)
		faults[i].make(&c);
	for (size_t i = 0; i < KINDS; i++)
		add_traffic(&c, kinds[i], BY_CALLERS);
	c.traffic.callers.held_since = T(END - 7500);
	strcpy(c.coverage.unwatched_text, "port dns is UDP.");
	verdict_decide(&verdict, &c.traffic, &c.coverage, &(struct verdict_options){});
	for (size_t i = 0; i < verdict.n_reasons; i++) {
		expect_sentence(verdict.reasons[i].text);
		expect_sentence(verdict.reasons[i].next);
	}
}

static void held_since(void **state)
{
	struct case_of c;

	(void)state;
	case_init(&c);
	c.traffic.callers = (struct tally){.callers = 1, .held = 1};
	verdict_decide(&verdict, &c.traffic, &c.coverage, &(struct verdict_options){});
	expect_text(REASON_HELD,
		    "1 connection was opened before the window and held open in it, idle.");
	c.traffic.callers.held = 4;
	c.traffic.callers.held_since = T(END - 7500);
	verdict_decide(&verdict, &c.traffic, &c.coverage, &(struct verdict_options){});
	expect_text(REASON_HELD, "4 connections were opened before the window and held open in it, "
				 "idle, the oldest for 2h5m.");
}

static void names_of_endpoints(void **state)
{
	struct covered many[12];
	static char pods[12][8], nodes[12][8];
	struct case_of c;

	(void)state;
	case_init(&c);
	for (size_t i = 0; i < 12; i++) {
		snprintf(pods[i], sizeof(pods[i]), "web-%zu", i);
		snprintf(nodes[i], sizeof(nodes[i]), "node-%zu", i / 2);
		many[i] = endpoint_of(pods[i], COVERED_ELSEWHERE);
		many[i].node = nodes[i];
	}
	c.coverage.endpoints = many;
	c.coverage.n_endpoints = 3;
	verdict_decide(&verdict, &c.traffic, &c.coverage, &(struct verdict_options){});
	expect_text(REASON_OTHER_NODE,
		    "3 endpoints are on another node, where nobody watched: buffer/web-0 on "
		    "node-0, buffer/web-1 on node-0, buffer/web-2 on node-1.");
	assert_string_equal(reason_find(REASON_OTHER_NODE)->next,
			    "Verify there too, at the same time: on node-0, node-1.");
	c.coverage.n_endpoints = 12;
	verdict_decide(&verdict, &c.traffic, &c.coverage, &(struct verdict_options){});
	expect_text(REASON_OTHER_NODE,
		    "12 endpoints are on another node, where nobody watched: buffer/web-0 on "
		    "node-0, buffer/web-1 on node-0, buffer/web-2 on node-1, buffer/web-3 on "
		    "node-1 and 8 more.");
	assert_string_equal(
		reason_find(REASON_OTHER_NODE)->next,
		"Verify there too, at the same time: on node-0, node-1, node-2, node-3 and others.");
	many[0] = endpoint_of("web-x", COVERED_ABSENT);
	many[1] = endpoint_of("web-y", COVERED_HERE);
	many[1].watched = &(struct span){T(START + 90), T(END)};
	many[1].n_watched = 1;
	many[1].existed.since = T(START + 12);
	many[2] = endpoint_of("", COVERED_NO_ROOM);
	many[2].address.word[2] = __builtin_bswap32(0xffff);
	many[2].address.word[3] = __builtin_bswap32(0x0a000001);
	c.coverage.n_endpoints = 3;
	verdict_decide(&verdict, &c.traffic, &c.coverage, &(struct verdict_options){});
	expect_text(REASON_NOT_HERE, "The address of 1 endpoint was not found on the node that "
				     "should have it: buffer/web-x.");
	expect_text(REASON_LATE, "1 endpoint was not watched all the time: buffer/web-y from 12s "
				 "to 1m30s of the window.");
	expect_text(REASON_UNWATCHED_NO_ROOM,
		    "There was no room in the kernel's table for these endpoints: 10.0.0.1 port "
		    "80.");
}

static void times(void **state)
{
	struct case_of c;

	(void)state;
	case_init(&c);
	c.coverage.window.until = T(START + 180);
	blind_at(&c, START + 10, START + 50, false);
	blind_at(&c, START + 60, START + 70, true);
	blind_at(&c, START + 170, START + 999, false);
	gap_at(&c, START + 3, START + 5, GAP_STOPPED);
	gap_at(&c, START + 6, START + 9, GAP_STOPPED);
	gap_at(&c, START + 20, START + 20, GAP_SUSPENDED);
	verdict_decide(&verdict, &c.traffic, &c.coverage, &(struct verdict_options){});
	expect_text(REASON_ENDED_EARLY, "It ended after 3m of 10m.");
	expect_text(REASON_API_BLIND,
		    "For 50s the API did not tell what is behind the target, nor afterwards all "
		    "that had happened: connection refused.");
	expect_text(REASON_GAP, "whocalls was stopped, or starved, 2 times (5s in all), and what "
				"happened meanwhile is not proven.");
	expect_text(REASON_SUSPENDED,
		    "The machine was suspended 1 time (0s in all): nobody could call meanwhile.");
	c.coverage.window.until = T(END) - 1;
	verdict_decide(&verdict, &c.traffic, &c.coverage, &(struct verdict_options){});
	expect_text(REASON_ENDED_EARLY, "It ended after 9m59s of 10m.");
}

static void long_names_fit(void **state)
{
	static char name[300];
	struct covered many[5];
	struct case_of c;

	(void)state;
	case_init(&c);
	memset(name, 'x', sizeof(name) - 1);
	memset(c.coverage.unwatched_text, 'y', sizeof(c.coverage.unwatched_text) - 1);
	memset(c.coverage.unconfirmed, 'y', sizeof(c.coverage.unconfirmed) - 1);
	c.coverage.unwatched = 15;
	c.coverage.confirmed = false;
	for (size_t i = 0; i < 5; i++) {
		many[i] = endpoint_of(name, i ? COVERED_ELSEWHERE : COVERED_HERE);
		many[i].namespace = many[i].node = name;
	}
	c.coverage.endpoints = many;
	c.coverage.n_endpoints = 5;
	verdict_decide(&verdict, &c.traffic, &c.coverage, &(struct verdict_options){});
	for (size_t i = 0; i < verdict.n_reasons; i++) {
		assert_true(strlen(verdict.reasons[i].text) < sizeof(verdict.reasons[i].text));
		assert_true(strlen(verdict.reasons[i].next) < sizeof(verdict.reasons[i].next));
	}
}

static void durations(void **state)
{
	static const struct {
		int64_t ns;
		const char *text;
	} cases[] = {
		{-1, "0s"},           {0, "0s"},       {999999, "0s"},    {1000000, "1ms"},
		{999999999, "999ms"}, {T(1), "1s"},    {T(59), "59s"},    {T(60), "1m"},
		{T(200), "3m20s"},    {T(3600), "1h"}, {T(7500), "2h5m"}, {T(86400), "1d"},
		{T(273600), "3d4h"},  {T(7259), "2h"},
	};
	char text[DURATION_TEXT];

	(void)state;
	for (size_t i = 0; i < LENGTH(cases); i++)
		assert_string_equal(duration_format(cases[i].ns, text), cases[i].text);
}

/* --- traffic of a report --- */

#define OFFSET T(500)

static void tallies(void **state)
{
	struct caller callers[] = {
		{.class = CLASS_WORKLOAD, .counts = {.opened = 5}, .last_seen = T(90)},
		/* three from before: one carried data and is closed, one and is open, one idle */
		{.class = CLASS_EXTERNAL,
		 .counts = {.old = 3, .old_active = 1, .closed = 1},
		 .open = {.open = 2, .old = 2, .old_active = 1, .idle = 1, .quiet_since = T(40)},
		 .last_seen = T(95)},
		{.class = CLASS_PROBE, .counts = {.opened = 7, .old = 1}, .last_seen = T(99)},
		{.class = CLASS_PROBE, .ignored = 2, .counts = {.opened = 1}},
		{.class = CLASS_NODE,
		 .ignored = 1,
		 .counts = {.old = 2},
		 .open = {.old = 2, .quiet_since = T(30)}},
		/* nothing that matters */
		{.class = CLASS_PROCESS, .counts = {.accepted = 1}},
		/* idle, but opened in the window */
		{.class = CLASS_LOOPBACK,
		 .counts = {.opened = 1},
		 .open = {.open = 1, .idle = 1, .quiet_since = T(20)}},
	};
	struct report report = {
		.callers = callers,
		.n_callers = LENGTH(callers),
		.realtime_offset = OFFSET,
		.others = {.counts = {.opened = 11, .last = T(97)}},
	};
	struct traffic traffic;

	(void)state;
	traffic_make(&traffic, &report);
	assert_int_equal(traffic.callers.callers, 4);
	assert_int_equal(traffic.callers.opened, 17);
	assert_int_equal(traffic.callers.active, 2);
	assert_int_equal(traffic.callers.held, 1);
	assert_int_equal(traffic.callers.held_since, T(40) + OFFSET);
	assert_int_equal(traffic.callers.last, T(97) + OFFSET);
	assert_int_equal(traffic.probes.callers, 1);
	assert_int_equal(traffic.probes.opened, 7);
	assert_int_equal(traffic.probes.held, 1);
	assert_int_equal(traffic.probes.held_since, 0);
	assert_int_equal(traffic.ignored.callers, 2);
	assert_int_equal(traffic.ignored.opened, 1);
	assert_int_equal(traffic.ignored.held, 2);
	assert_int_equal(traffic.ignored.held_since, T(30) + OFFSET);

	/* nobody */
	report.n_callers = 0;
	report.others = (struct row){};
	traffic_make(&traffic, &report);
	assert_memory_equal(&traffic, &(struct traffic){}, sizeof(traffic));
}

static void traffic_of_nodes(void **state)
{
	const struct traffic one = {.callers = {1, 2, 3, 4, 5, 6, 7, 100, 50}, .dropped = 1};
	const struct traffic two = {.callers = {1, 1, 1, 1, 1, 1, 1, 90, 60},
				    .probes = {.opened = 3},
				    .ignored = {.held = 2},
				    .dropped = 2};
	const struct tally sum = {2, 3, 4, 5, 6, 7, 8, 90, 60};
	struct traffic a = one, b = two, nothing = {};

	(void)state;
	traffic_merge(&a, &two);
	traffic_merge(&b, &one);
	assert_memory_equal(&a, &b, sizeof(a));
	assert_memory_equal(&a.callers, &sum, sizeof(sum));
	assert_int_equal(a.probes.opened, 3);
	assert_int_equal(a.ignored.held, 2);
	assert_int_equal(a.dropped, 3);
	traffic_merge(&nothing, &one);
	assert_memory_equal(&nothing, &one, sizeof(one));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(traffic_outranks),
		cmocka_unit_test(faults_together),
		cmocka_unit_test(at_random),
		cmocka_unit_test(no_fault_is_quiet),
		cmocka_unit_test(windows),
		cmocka_unit_test(all_zero),
		cmocka_unit_test(codes),
		cmocka_unit_test(sentences),
		cmocka_unit_test(held_since),
		cmocka_unit_test(names_of_endpoints),
		cmocka_unit_test(times),
		cmocka_unit_test(long_names_fit),
		cmocka_unit_test(durations),
		cmocka_unit_test(tallies),
		cmocka_unit_test(traffic_of_nodes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
