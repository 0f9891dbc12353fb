/* SPDX-License-Identifier: MIT */
/* The verdict as text, whole, and as JSON, read back. Times are seconds after the window's begin at
 * 1000 s. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../user/callers/coverage.h"
#include "../../user/callers/verdict.h"
#include "../../user/output/json.h"
#include "../../user/output/verdict.h"

#define SECOND UINT64_C(1000000000)
#define AT(seconds) ((1000 + (seconds)) * SECOND)
#define OFFSET ((int64_t)(1714572000 - 1000) * 1000000000)
#define REAL(seconds) ((int64_t)AT(seconds) + OFFSET)

static const struct pod_name web = {"buffer", "web-0", "uid-0", "Deployment", "web", "node-a"};
static const struct pod_name other = {"buffer", "web-1", "uid-1", "Deployment", "web", "node-b"};
static const struct pod_name login = {"dev", "login-1", "uid-2", "Deployment", "login", "node-c"};
static const struct pod_name batch = {"ops", "batch-1", "uid-3", "Job", "batch", "node-c"};

struct fixture {
	struct target target;
	struct endpoint endpoints[2];
	struct report report;
	struct ledger *ledger;
	struct traffic traffic;
	struct coverage coverage;
	struct verdict verdict;
	struct coverage_facts facts;
	struct verdict_options options;
};

static struct address ipv4(uint32_t last)
{
	return (struct address){
		{0, 0, __builtin_bswap32(0xffff), __builtin_bswap32(0x0a000000 | last)}};
}

/* Nothing came, and all is covered. */
static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	f->endpoints[0] = (struct endpoint){ipv4(1), 3000, &web, .here = true};
	f->endpoints[1] = (struct endpoint){ipv4(2), 3000, &other};
	f->target.text = (char *)"svc/web in buffer";
	f->target.endpoints = f->endpoints;
	f->target.n_endpoints = 1;
	f->report = (struct report){
		.target = &f->target,
		.start_ns = AT(0),
		.end_ns = AT(600),
		.for_ns = 600 * SECOND,
		.final = true,
		.realtime_offset = OFFSET,
		.hooks = {{"tcp_accept", "tp_btf/inet_sock_set_state", "", 5},
			  {"tcp_accept", "sockops", "", 5},
			  {"refused", "tp_btf/tcp_send_reset", ""}},
		.n_hooks = 3,
	};
	f->facts = (struct coverage_facts){
		.node = "node-a", .from = ENDPOINTS_FOLLOWED, .confirmed = true, .intact = true};
	f->ledger = ledger_new(1000);
	assert_non_null(f->ledger);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	report_deinit(&f->report);
	coverage_deinit(&f->coverage);
	ledger_free(f->ledger);
	free(f);
	return 0;
}

static struct caller_key key_of(uint32_t last)
{
	struct address address = ipv4(last);
	struct caller_key key = {};

	memcpy(key.peer, &address, sizeof(address));
	return key;
}

static void add(struct fixture *f, uint32_t last, struct who who, struct caller_counts counts)
{
	struct caller_key key = key_of(last);

	assert_int_equal(ledger_update(f->ledger, &key, &counts, &who), 1);
}

static void add_open(struct fixture *f, uint32_t last, struct connection connection)
{
	connection.key = key_of(last);
	assert_int_equal(ledger_add_open(f->ledger, &connection, f->report.start_ns), 0);
}

static void add_probes(struct fixture *f)
{
	add(f, 9, (struct who){.class = CLASS_PROBE},
	    (struct caller_counts){.opened = 60, .closed = 60, .first = AT(1), .last = AT(599)});
}

static void add_ignored(struct fixture *f)
{
	add(f, 8, (struct who){.class = CLASS_WORKLOAD, .pod = &batch, .ignored = 2},
	    (struct caller_counts){.opened = 4, .closed = 4, .first = AT(5), .last = AT(500)});
}

static void add_callers(struct fixture *f)
{
	add(f, 3, (struct who){.class = CLASS_WORKLOAD, .pod = &login},
	    (struct caller_counts){.opened = 12, .closed = 11, .first = AT(5), .last = AT(540)});
	add(f, 4, (struct who){.class = CLASS_EXTERNAL},
	    (struct caller_counts){.opened = 4, .closed = 4, .first = AT(7), .last = AT(590)});
	add(f, 5, (struct who){.class = CLASS_NODE, .node = "node-d"},
	    (struct caller_counts){.opened = 1, .closed = 1, .first = AT(9), .last = AT(30)});
}

static void add_held(struct fixture *f)
{
	add(f, 6, (struct who){.class = CLASS_WORKLOAD, .pod = &login},
	    (struct caller_counts){.old = 2, .accepted = 2});
	for (int i = 0; i < 2; i++)
		add_open(f, 6,
			 (struct connection){.opened = AT(0),
					     .last_data = AT(-900) + (uint64_t)i * SECOND,
					     .base_sent = 3,
					     .bytes_sent = 3,
					     .flags = CONNECTION_OLD});
}

static void decide(struct fixture *f)
{
	coverage_deinit(&f->coverage);
	assert_int_equal(report_group(&f->report, f->ledger), 0);
	f->report.opened = f->report.attributed + f->report.unattributed;
	assert_int_equal(coverage_make(&f->coverage, &f->report, &f->facts), 0);
	traffic_make(&f->traffic, &f->report);
	verdict_decide(&f->verdict, &f->traffic, &f->coverage, &f->options);
	f->report.traffic = &f->traffic;
	f->report.coverage = &f->coverage;
	f->report.verdict = &f->verdict;
}

static char *text_of(struct fixture *f, struct table_options options)
{
	char *text = NULL;
	size_t size;
	FILE *file = open_memstream(&text, &size);

	assert_non_null(file);
	verdict_print(file, &f->report, &options);
	fclose(file);
	return text;
}

static void expect(struct fixture *f, struct table_options options, const char *expected)
{
	char *text;

	decide(f);
	text = text_of(f, options);
	if (getenv("SHOW"))
		fprintf(stderr, "%s----\n", text);
	else
		assert_string_equal(text, expected);
	free(text);
}

static void expect_statement(struct fixture *f, const char *expected)
{
	char text[512] = "";

	decide(f);
	assert_string_equal(verdict_statement(&f->report, text, sizeof(text)), expected);
}

/* --- text --- */

static void quiet(void **state)
{
	expect(*state, (struct table_options){.colour = true},
	       "\033[32mQUIET: nobody called svc/web in buffer in 10m\033[0m\n"
	       "\n"
	       "What this rests on:\n"
	       "  window: 10m of 10m, 2024-05-01T14:00:00.000000000Z to 2024-05-01T14:10:00.000000000Z\n"
	       "  endpoint buffer/web-0, 10.0.0.1 port 3000, UID uid-0, on node-a: watched all the time\n"
	       "  endpoints: followed in the API, which confirmed them at the end\n"
	       "  tcp_accept        tp_btf/inet_sock_set_state    5 seen, 0 missed\n"
	       "  tcp_accept        sockops                       5 seen, 0 missed\n"
	       "  refused           tp_btf/tcp_send_reset         0 seen, 0 missed\n"
	       "  nothing was lost\n"
	       "  no gap: whocalls ran all the time\n"
	       "  no connection stands open\n"
	       "  no probe of the kubelet came\n"
	       "  whoever calls at random comes less often than every 3m20s (95 %); who calls by a schedule may call right after these 10m: a monthly job is invisible in a day\n"
	       "\n"
	       "What to do next:\n"
	       "  Think of what calls by a schedule, then scale down in steps: to one pod, and verify again, then to none.\n");
}

static void quiet_but(void **state)
{
	struct fixture *f = *state;

	add_probes(f);
	add_ignored(f);
	add_held(f);
	f->options.allow_idle = true;
	expect(f, (struct table_options){.width = 100},
	       "QUIET: nobody but the kubelet and 1 ignored caller called svc/web in buffer in 10m\n"
	       "\n"
	       "What this rests on:\n"
	       "  window: 10m of 10m, 2024-05-01T14:00:00.000000000Z to 2024-05-01T14:10:00.000000000Z\n"
	       "  endpoint buffer/web-0, 10.0.0.1 port 3000, UID uid-0, on node-a: watched all the time\n"
	       "  endpoints: followed in the API, which confirmed them at the end\n"
	       "  tcp_accept        tp_btf/inet_sock_set_state    5 seen, 0 missed\n"
	       "  tcp_accept        sockops                       5 seen, 0 missed\n"
	       "  refused           tp_btf/tcp_send_reset         0 seen, 0 missed\n"
	       "  nothing was lost\n"
	       "  no gap: whocalls ran all the time\n"
	       "  open: dev/login: 2 open, 2 from before, 2 idle for up to 25m00s\n"
	       "  probes of the kubelet, which are no traffic: 60 connections opened\n"
	       "  ignored by --ignore number 2: ops/batch: 4 connections opened\n"
	       "  whoever calls at random comes less often than every 3m20s (95 %); who calls by a schedule may call\n"
	       "    right after these 10m: a monthly job is invisible in a day\n"
	       "\n"
	       "What to do next:\n"
	       "  Think of what calls by a schedule, then scale down in steps: to one pod, and verify again, then to\n"
	       "    none.\n");
}

static void traffic(void **state)
{
	struct fixture *f = *state;
	struct caller_counts others = {.opened = 2, .last = AT(599)};

	add_callers(f);
	add_probes(f);
	expect(f, (struct table_options){},
	       "TRAFFIC: svc/web in buffer: 3 callers opened 17 connections in 10m\n"
	       "\n"
	       "Why:\n"
	       "  connections-opened: 17 connections were opened.\n"
	       "\n"
	       "What this rests on:\n"
	       "  window: 10m of 10m, 2024-05-01T14:00:00.000000000Z to 2024-05-01T14:10:00.000000000Z\n"
	       "  endpoint buffer/web-0, 10.0.0.1 port 3000, UID uid-0, on node-a: watched all the time\n"
	       "  endpoints: followed in the API, which confirmed them at the end\n"
	       "  tcp_accept        tp_btf/inet_sock_set_state    5 seen, 0 missed\n"
	       "  tcp_accept        sockops                       5 seen, 0 missed\n"
	       "  refused           tp_btf/tcp_send_reset         0 seen, 0 missed\n"
	       "  nothing was lost\n"
	       "  no gap: whocalls ran all the time\n"
	       "  no connection stands open\n"
	       "  probes of the kubelet, which are no traffic: 60 connections opened\n"
	       "\n"
	       "Who called, the most recent first:\n"
	       "  10.0.0.4 (external): 4 connections opened, last 10s ago\n"
	       "  dev/login (workload): 12 connections opened, last 1m00s ago\n"
	       "  node-d (node): 1 connection opened, last 9m30s ago\n"
	       "\n"
	       "What to do next:\n"
	       "  Point these callers elsewhere, then verify again.\n");
	add_held(f);
	add_ignored(f);
	ledger_set_unattributed(f->ledger, &others);
	f->facts.confirmed = false;
	expect(f, (struct table_options){.width = 80, .colour = true},
	       "\033[31mTRAFFIC: svc/web in buffer: 4 callers in 10m: 19 connections opened, 2 older\033[0m\n"
	       "\033[31mones held idle for up to 25m\033[0m\n"
	       "\n"
	       "Why:\n"
	       "  connections-opened: 19 connections were opened.\n"
	       "  old-connections-held: 2 connections were opened before the window and held\n"
	       "    open in it, idle, the oldest for 25m.\n"
	       "\n"
	       "Not covered, besides:\n"
	       "\033[33m  api-unconfirmed: At the end the API did not confirm what it had told of the\033[0m\n"
	       "    \033[33mendpoints.\033[0m\n"
	       "\n"
	       "What this rests on:\n"
	       "  window: 10m of 10m, 2024-05-01T14:00:00.000000000Z to\n"
	       "    2024-05-01T14:10:00.000000000Z\n"
	       "  endpoint buffer/web-0, 10.0.0.1 port 3000, UID uid-0, on node-a: watched all\n"
	       "    the time\n"
	       "\033[33m  endpoints: followed in the API, which did not confirm them at the end\033[0m\n"
	       "  tcp_accept        tp_btf/inet_sock_set_state    5 seen, 0 missed\n"
	       "  tcp_accept        sockops                       5 seen, 0 missed\n"
	       "  refused           tp_btf/tcp_send_reset         0 seen, 0 missed\n"
	       "  nothing was lost\n"
	       "  no gap: whocalls ran all the time\n"
	       "  open: dev/login: 2 open, 2 from before, 2 idle for up to 25m00s\n"
	       "  probes of the kubelet, which are no traffic: 60 connections opened\n"
	       "  ignored by --ignore number 2: ops/batch: 4 connections opened\n"
	       "\n"
	       "Who called, the most recent first:\n"
	       "  10.0.0.4 (external): 4 connections opened, last 10s ago\n"
	       "  dev/login (workload): 12 connections opened, 2 older ones held idle for up to\n"
	       "    25m, last 1m00s ago\n"
	       "  node-d (node): 1 connection opened, last 9m30s ago\n"
	       "  (others) (unknown): 2 connections opened, last 1s ago\n"
	       "\n"
	       "What to do next:\n"
	       "  Point these callers elsewhere, then verify again.\n"
	       "  Whoever holds a connection can call on it at any time: restart these callers\n"
	       "    or shrink their pools, or accept idle connections with --allow-idle.\n");
}

/* Where they are known, beside the connections of who called. */
static void traffic_of_requests(void **state)
{
	static const char who[] =
		"  10.0.0.4 (external): 4 connections opened, 90 turns, last 10s ago\n"
		"  dev/login (workload): 12 connections opened, 840 requests, last 1m00s ago\n"
		"  node-d (node): 1 connection opened, last 9m30s ago\n";
	struct fixture *f = *state;
	struct caller_key login_key = key_of(3), turns_key = key_of(4);
	char *text;

	add_callers(f);
	f->report.n_hooks = REPORT_HOOKS;
	for (size_t i = 3; i < REPORT_HOOKS; i++)
		f->report.hooks[i] = (struct hook){"requests", "tp_btf/sock_recv_length", ""};
	ledger_find(f->ledger, &login_key)->counts.requests = 840;
	ledger_find(f->ledger, &turns_key)->counts.requests = 90;
	ledger_find(f->ledger, &turns_key)->counts.overlaps = 1;
	decide(f);
	text = text_of(f, (struct table_options){});
	assert_non_null(strstr(text, who));
	free(text);
}

static void unproven(void **state)
{
	static const struct gap gaps[] = {{{AT(60), AT(62)}, GAP_STOPPED},
					  {{AT(70), AT(190)}, GAP_SUSPENDED}};
	static const struct blind blind[] = {{{AT(100), AT(140)}, true, "connection refused"},
					     {{AT(200), AT(230)}, false, "HTTP 410\n"}};
	struct fixture *f = *state;

	f->target.n_endpoints = 2;
	f->facts.gaps = gaps;
	f->facts.n_gaps = 2;
	f->facts.blind = blind;
	f->facts.n_blind = 2;
	f->report.losses.events = 3;
	f->report.hooks[2].hook = NULL;
	f->report.hooks[2].why = "no such tracepoint";
	expect(f, (struct table_options){},
	       "UNPROVEN: nobody called svc/web in buffer in 10m, but an endpoint is on another node (and 5 more reasons)\n"
	       "\n"
	       "Why it is not proven:\n"
	       "  endpoint-on-other-node: 1 endpoint is on another node, where nobody watched: buffer/web-1 on node-b.\n"
	       "  api-blind: For 30s the API did not tell what is behind the target, nor afterwards all that had happened: HTTP 410\\x0a.\n"
	       "  machine-suspended: The machine was suspended 1 time (2m in all): nobody could call meanwhile.\n"
	       "  tracer-stopped: whocalls was stopped, or starved, 1 time (2s in all), and what happened meanwhile is not proven.\n"
	       "  attempts-unseen: Attempts at a port where nobody listens are not seen here: no such tracepoint.\n"
	       "  events-lost: 3 single events found no room in the ring.\n"
	       "\n"
	       "What this rests on:\n"
	       "  window: 10m of 10m, 2024-05-01T14:00:00.000000000Z to 2024-05-01T14:10:00.000000000Z\n"
	       "  endpoint buffer/web-0, 10.0.0.1 port 3000, UID uid-0, on node-a: watched all the time\n"
	       "  endpoint buffer/web-1, 10.0.0.2 port 3000, UID uid-1, on node-b: not watched: on another node\n"
	       "  endpoints: followed in the API, which confirmed them at the end\n"
	       "  tcp_accept        tp_btf/inet_sock_set_state    5 seen, 0 missed\n"
	       "  tcp_accept        sockops                       5 seen, 0 missed\n"
	       "  refused           not attached: no such tracepoint\n"
	       "  3 single events found no room in the ring: missing from -o jsonl, but no count is touched.\n"
	       "  gap: whocalls did not run for 2s from 2024-05-01T14:01:00.000000000Z on: what happened is not proven\n"
	       "  gap: the machine was suspended for 2m from 2024-05-01T14:01:10.000000000Z on: nobody could call\n"
	       "  the API did not tell for 40s from 2024-05-01T14:01:40.000000000Z on, connection refused: what happened was told afterwards\n"
	       "  the API did not tell for 30s from 2024-05-01T14:03:20.000000000Z on, HTTP 410\\x0a: what happened is not known\n"
	       "  no connection stands open\n"
	       "  no probe of the kubelet came\n"
	       "  as far as all was watched, whoever calls at random comes less often than every 3m20s (95 %); who calls by a schedule may call right after these 10m: a monthly job is invisible in a day\n"
	       "\n"
	       "What to do next:\n"
	       "  Verify there too, at the same time: on node-b.\n"
	       "  See that the API can be reached and asked all the time, then verify again.\n"
	       "  Keep the machine awake, and verify again.\n"
	       "  Give whocalls its share of CPU time, and close what else is open here: the kernel counts on meanwhile, so with all else in order, and for no more than 30s at a time, that is proof.\n"
	       "  See what `whocalls doctor` says of refused attempts.\n"
	       "  Verify again with a larger --ring-size.\n");
}

static void a_port(void **state)
{
	struct fixture *f = *state;

	f->endpoints[0] = (struct endpoint){.port = 3000, .here = true};
	f->target.text = (char *)"port 3000";
	f->facts.from = ENDPOINTS_NAMED;
	expect(f, (struct table_options){.width = 72},
	       "QUIET: nobody called port 3000 on this node in 10m\n"
	       "\n"
	       "What this rests on:\n"
	       "  window: 10m of 10m, 2024-05-01T14:00:00.000000000Z to\n"
	       "    2024-05-01T14:10:00.000000000Z\n"
	       "  endpoint any address port 3000, on node-a: watched all the time\n"
	       "  this speaks of this node only: what arrives at another node is not\n"
	       "    seen\n"
	       "  tcp_accept        tp_btf/inet_sock_set_state    5 seen, 0 missed\n"
	       "  tcp_accept        sockops                       5 seen, 0 missed\n"
	       "  refused           tp_btf/tcp_send_reset         0 seen, 0 missed\n"
	       "  nothing was lost\n"
	       "  no gap: whocalls ran all the time\n"
	       "  no connection stands open\n"
	       "  no probe of the kubelet came\n"
	       "  whoever calls at random comes less often than every 3m20s (95 %); who\n"
	       "    calls by a schedule may call right after these 10m: a monthly job is\n"
	       "    invisible in a day\n"
	       "\n"
	       "What to do next:\n"
	       "  Think of what calls by a schedule, then scale down in steps: to one\n"
	       "    pod, and verify again, then to none.\n");
}

static void statements(void **state)
{
	struct fixture *f = *state;

	expect_statement(f, "QUIET: nobody called svc/web in buffer in 10m");
	add_probes(f);
	expect_statement(f, "QUIET: nobody but the kubelet called svc/web in buffer in 10m");
	f->options.count_probes = true;
	expect_statement(f, "TRAFFIC: svc/web in buffer: 1 caller opened 60 connections in 10m");
	f->options.count_probes = false;
	add_ignored(f);
	expect_statement(f, "QUIET: nobody but the kubelet and 1 ignored caller called svc/web in "
			    "buffer in 10m");
	f->report.for_ns = 700 * SECOND;
	expect_statement(f, "UNPROVEN: nobody but the kubelet and 1 ignored caller called svc/web "
			    "in buffer in 10m, but it ended early");
	f->facts.intact = false;
	expect_statement(f, "UNPROVEN: nobody but the kubelet and 1 ignored caller called svc/web "
			    "in buffer in 10m, but it ended early (and 1 more reason)");
	add_held(f);
	expect_statement(f, "TRAFFIC: svc/web in buffer: 1 caller in 10m: 2 older ones held idle "
			    "for up to 25m");
	add_callers(f);
	expect_statement(f, "TRAFFIC: svc/web in buffer: 3 callers in 10m: 17 connections opened, "
			    "2 older ones held idle for up to 25m");
}

/* No line is longer than the terminal, and nothing moves its cursor. */
static void any_width(void **state)
{
	static const struct pod_name hostile = {"n\033[2J", "p\n", "uid-9", "Job", "w\r", "no\ade"};
	struct fixture *f = *state;

	f->target.n_endpoints = 2;
	f->endpoints[1].pod = &hostile;
	f->target.text = (char *)"svc/\033[31m";
	f->facts.from = ENDPOINTS_FILE;
	add_callers(f);
	add_held(f);
	add_probes(f);
	add_ignored(f);
	add(f, 77, (struct who){.class = CLASS_WORKLOAD, .pod = &hostile},
	    (struct caller_counts){.opened = 1, .last = AT(42)});
	decide(f);
	for (int width = 4; width < 200; width++) {
		char *text = text_of(f, (struct table_options){.width = width}), *line = text, *end;

		for (; (end = strchr(line, '\n')); line = end + 1)
			assert_true(end - line <= width);
		for (line = text; *line; line++)
			assert_true(*line == '\n' || (*line >= ' ' && *line <= '~'));
		free(text);
	}
}

/* Lists end somewhere, and say so. */
static void many_of_all(void **state)
{
	struct fixture *f = *state;
	struct endpoint endpoints[30];
	char *text;

	for (uint32_t i = 0; i < 30; i++) {
		struct caller_counts counts = {.opened = 1, .last = AT(i)};

		endpoints[i] = (struct endpoint){ipv4(100 + i), 3000, .here = true};
		add(f, 100 + i, (struct who){.class = CLASS_EXTERNAL}, counts);
		add(f, 200 + i, (struct who){.class = CLASS_EXTERNAL, .ignored = 1}, counts);
		add_open(f, 100 + i, (struct connection){.opened = AT(i), .last_data = AT(i)});
	}
	f->target.endpoints = endpoints;
	f->target.n_endpoints = 30;
	decide(f);
	text = text_of(f, (struct table_options){});
	assert_non_null(strstr(text, "  ... and 10 more endpoints; -o json has all of them\n"));
	assert_non_null(strstr(text, "  ... and 10 more callers; -o json has all of them\n"));
	assert_non_null(strstr(text, "  ... and 10 more ignored callers;"));
	assert_non_null(strstr(text, "  ... and 10 more callers with open connections;"));
	/* the most recent first */
	assert_true(strstr(text, "  10.0.0.129 (external)") < strstr(text, "  10.0.0.128 (ext"));
	assert_null(strstr(text, "10.0.0.109 (external)"));
	free(text);
	f->target.endpoints = f->endpoints;
}

/* --- JSON --- */

static json_t *at(json_t *json, const char *path)
{
	char *list = strdup(path), *save = NULL, *key;

	for (key = strtok_r(list, "/", &save); key; key = strtok_r(NULL, "/", &save)) {
		json = json_is_array(json) ? json_array_get(json, atoi(key))
					   : json_object_get(json, key);
		if (!json)
			fail_msg("no \"%s\" of %s", key, path);
	}
	free(list);
	return json;
}

static void expect_keys(json_t *json, const char *path, const char *keys)
{
	char *list = strdup(keys), *save = NULL, *key;
	size_t n = 0;

	json = at(json, path);
	assert_true(json_is_object(json));
	for (key = strtok_r(list, " ", &save); key; key = strtok_r(NULL, " ", &save), n++) {
		if (!json_object_get(json, key))
			fail_msg("no \"%s\" in %s", key, path);
	}
	assert_int_equal(json_object_size(json), n);
	free(list);
}

static void expect_text(json_t *json, const char *path, const char *text)
{
	json = at(json, path);
	if (!text) {
		assert_true(json_is_null(json));
		return;
	}
	assert_true(json_is_string(json));
	assert_string_equal(json_string_value(json), text);
}

static void expect_number(json_t *json, const char *path, double number)
{
	json = at(json, path);
	assert_true(json_is_number(json));
	assert_true(json_number_value(json) == number);
}

static void expect_bool(json_t *json, const char *path, bool value)
{
	json = at(json, path);
	assert_true(json_is_boolean(json));
	assert_int_equal(json_is_true(json), value);
}

static json_t *document_of(struct fixture *f)
{
	char *text = NULL;
	size_t size;
	FILE *file = open_memstream(&text, &size);
	json_error_t error;
	json_t *json;

	decide(f);
	assert_non_null(file);
	assert_int_equal(json_report(file, &f->report), 0);
	fclose(file);
	json = json_loads(text, JSON_REJECT_DUPLICATES, &error);
	if (!json)
		fail_msg("%s at %d: %s", error.text, error.position, text);
	free(text);
	return json;
}

#define TALLY "callers opened refused stray pending active held held_since last"

static void json_of_a_quiet_one(void **state)
{
	struct fixture *f = *state;
	json_t *json;

	f->options.allow_idle = true;
	add_ignored(f);
	add_probes(f);
	json = document_of(f);
	expect_keys(json, "", "schema target window callers others totals coverage verdict");
	expect_keys(json, "verdict",
		    "verdict statement reasons rate_below_per_second traffic allow_idle "
		    "count_probes");
	expect_text(json, "verdict/verdict", "QUIET");
	expect_text(json, "verdict/statement",
		    "QUIET: nobody but the kubelet and 1 ignored caller called svc/web in buffer "
		    "in 10m");
	assert_int_equal(json_array_size(at(json, "verdict/reasons")), 0);
	expect_number(json, "verdict/rate_below_per_second", 0.005);
	expect_keys(json, "verdict/traffic", TALLY " dropped");
	expect_bool(json, "verdict/allow_idle", true);
	expect_bool(json, "verdict/count_probes", false);
	expect_keys(json, "coverage",
		    "hooks endpoints gaps lost notes node window api probes ignored "
		    "witnesses_complete intact own_pid_namespace attempts_seen attempts_why "
		    "not_watched miscounted "
		    "drops_unknown more_gaps");
	expect_text(json, "coverage/node", "node-a");
	expect_keys(json, "coverage/window", "start end seconds wanted_seconds");
	expect_number(json, "coverage/window/wanted_seconds", 600);
	expect_keys(json, "coverage/api", "endpoints followed confirmed why blind more_blind");
	expect_bool(json, "coverage/api/followed", true);
	expect_bool(json, "coverage/api/confirmed", true);
	expect_text(json, "coverage/api/why", NULL);
	expect_keys(json, "coverage/probes", TALLY);
	expect_number(json, "coverage/probes/opened", 60);
	expect_keys(json, "coverage/ignored", TALLY);
	expect_number(json, "coverage/ignored/opened", 4);
	expect_text(json, "coverage/ignored/last", "2024-05-01T14:08:20.000000000Z");
	expect_text(json, "coverage/ignored/held_since", NULL);
	expect_text(json, "callers/0/name", "batch");
	expect_bool(json, "callers/0/ignored", true);
	expect_bool(json, "callers/1/ignored", false);
	expect_keys(json, "coverage/endpoints/0",
		    "namespace pod uid node address port start end listening serving existed "
		    "watched unwatched place here");
	expect_text(json, "coverage/endpoints/0/existed/start", "2024-05-01T14:00:00.000000000Z");
	expect_number(json, "coverage/endpoints/0/watched/0/seconds", 600);
	expect_text(json, "coverage/endpoints/0/unwatched", NULL);
	expect_text(json, "coverage/endpoints/0/place", "here");
	json_decref(json);
}

static void json_of_an_unproven_one(void **state)
{
	static const struct gap gaps[] = {{{AT(60), AT(62)}, GAP_STOPPED},
					  {{AT(70), AT(190)}, GAP_SUSPENDED}};
	static const struct blind blind[] = {{{AT(100), AT(140)}, true, "connection refused"}};
	struct fixture *f = *state;
	struct endpoint endpoints[] = {f->endpoints[0], f->endpoints[1], f->endpoints[0]};
	json_t *json;

	/* gone before the window */
	endpoints[2].address = ipv4(7);
	endpoints[2].until = AT(-1);
	f->target.endpoints = endpoints;
	f->target.n_endpoints = 3;
	f->facts.gaps = gaps;
	f->facts.n_gaps = 2;
	f->facts.blind = blind;
	f->facts.n_blind = 1;
	json = document_of(f);
	expect_text(json, "verdict/verdict", "UNPROVEN");
	assert_int_equal(json_array_size(at(json, "verdict/reasons")), 2);
	expect_keys(json, "verdict/reasons/0", "code verdict text next");
	expect_text(json, "verdict/reasons/0/code", "endpoint-on-other-node");
	expect_text(json, "verdict/reasons/0/verdict", "UNPROVEN");
	expect_text(json, "verdict/reasons/0/next",
		    "Verify there too, at the same time: on node-b.");
	expect_text(json, "verdict/reasons/1/code", "machine-suspended");
	expect_keys(json, "coverage/gaps/0", "start end seconds cause proven");
	expect_text(json, "coverage/gaps/0/start", "2024-05-01T14:01:00.000000000Z");
	expect_number(json, "coverage/gaps/0/seconds", 2);
	expect_text(json, "coverage/gaps/0/cause", "stopped");
	expect_bool(json, "coverage/gaps/0/proven", true);
	expect_text(json, "coverage/gaps/1/cause", "suspended");
	expect_bool(json, "coverage/gaps/1/proven", false);
	expect_keys(json, "coverage/api/blind/0", "start end seconds bridged text");
	expect_bool(json, "coverage/api/blind/0/bridged", true);
	expect_text(json, "coverage/api/blind/0/text", "connection refused");
	expect_text(json, "coverage/endpoints/1/place", "other-node");
	assert_int_equal(json_array_size(at(json, "coverage/endpoints/1/watched")), 0);
	expect_number(json, "coverage/endpoints/1/unwatched/seconds", 600);
	expect_text(json, "coverage/endpoints/2/existed", NULL);
	expect_text(json, "coverage/endpoints/2/place", NULL);
	json_decref(json);
	f->target.endpoints = f->endpoints;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(quiet, setup, teardown),
		cmocka_unit_test_setup_teardown(quiet_but, setup, teardown),
		cmocka_unit_test_setup_teardown(traffic, setup, teardown),
		cmocka_unit_test_setup_teardown(traffic_of_requests, setup, teardown),
		cmocka_unit_test_setup_teardown(unproven, setup, teardown),
		cmocka_unit_test_setup_teardown(a_port, setup, teardown),
		cmocka_unit_test_setup_teardown(statements, setup, teardown),
		cmocka_unit_test_setup_teardown(any_width, setup, teardown),
		cmocka_unit_test_setup_teardown(many_of_all, setup, teardown),
		cmocka_unit_test_setup_teardown(json_of_a_quiet_one, setup, teardown),
		cmocka_unit_test_setup_teardown(json_of_an_unproven_one, setup, teardown),
	};

	setenv("TZ", "UTC", 1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
