/* SPDX-License-Identifier: MIT */
/* The exposition: whole ones of a small case, labels, histograms, the service graph. */
#include <errno.h>

#include "metrics-fixture.h"

#include "../../user/callers/times.h"

static const struct pod_name login = {"dev", "login-1", "uid-1", "Deployment", "login", "node-a"};
static const struct pod_name login_2 = {"dev", "login-2", "uid-2", "Deployment", "login", "node-b"};
static const struct pod_name login_set = {"dev",         "login-0", "uid-3",
					  "StatefulSet", "login",   "node-b"};

/* Both kinds of hooks that are asked about, attached. */
static struct report capture_of_all(void)
{
	struct report capture = {.n_hooks = REPORT_HOOKS};

	for (size_t i = 0; i < REPORT_HOOKS; i++)
		capture.hooks[i] = (struct hook){.program = "p", .hook = "h", .why = ""};
	return capture;
}

static struct metrics metrics_of(const struct metrics_target *target, const struct report *capture)
{
	return (struct metrics){
		.targets = target,
		.n_targets = 1,
		.capture = capture,
		.version = "v1",
		.kernel = "6.1.0",
		.now_ns = AT(100),
		.max_callers = 1000,
	};
}

static struct metrics_target target_of(const struct service *service)
{
	return (struct metrics_target){
		.namespace = "buffer",
		.service = "session",
		.report = &service->report,
		.watched_ns = 90 * SECOND + 1,
		.endpoints = 2,
	};
}

static const char text_whole[] =
	"# HELP whocalls_build_info This program, and the kernel it runs on.\n"
	"# TYPE whocalls_build_info gauge\n"
	"whocalls_build_info{version=\"v1\",kernel=\"6.1.0\"} 1\n"
	"# HELP whocalls_hook_info The hook that each program of the kernel side is attached to, or "
	"none.\n"
	"# TYPE whocalls_hook_info gauge\n"
	"whocalls_hook_info{program=\"tcp_accept\",hook=\"tp_btf/x\",why=\"\"} 1\n"
	"whocalls_hook_info{program=\"sockops\",hook=\"none\",why=\"no \\\"cgroup2\\\"\"} 1\n"
	"# HELP whocalls_hook_seen_total Connections that the hook saw; of attempts and requests, "
	"those.\n"
	"# TYPE whocalls_hook_seen_total counter\n"
	"whocalls_hook_seen_total{program=\"tcp_accept\",hook=\"tp_btf/x\"} 5\n"
	"# HELP whocalls_hook_missed_total Likewise, that it missed and another witness saw.\n"
	"# TYPE whocalls_hook_missed_total counter\n"
	"whocalls_hook_missed_total{program=\"tcp_accept\",hook=\"tp_btf/x\"} 1\n"
	"# HELP whocalls_hook_skipped_runs_total Runs that the kernel skipped, of any connection: "
	"recursion, or no instance was left.\n"
	"# TYPE whocalls_hook_skipped_runs_total counter\n"
	"whocalls_hook_skipped_runs_total{program=\"tcp_accept\",hook=\"tp_btf/x\",cause=\"recursion\"} 2\n"
	"whocalls_hook_skipped_runs_total{program=\"tcp_accept\",hook=\"tp_btf/x\",cause=\"instances\"} 4\n"
	"# HELP whocalls_lost_total What was lost, by what it was.\n"
	"# TYPE whocalls_lost_total counter\n"
	"whocalls_lost_total{what=\"events\"} 1\n"
	"whocalls_lost_total{what=\"untracked\"} 2\n"
	"whocalls_lost_total{what=\"ends\"} 3\n"
	"whocalls_lost_total{what=\"accepts\"} 4\n"
	"whocalls_lost_total{what=\"clients\"} 5\n"
	"whocalls_lost_total{what=\"namespaces\"} 6\n"
	"whocalls_lost_total{what=\"listeners\"} 7\n"
	"whocalls_lost_total{what=\"times\"} 8\n"
	"# HELP whocalls_unattributed_total Connections of all targets whose caller found no room in a "
	"table.\n"
	"# TYPE whocalls_unattributed_total counter\n"
	"whocalls_unattributed_total 9\n"
	"# HELP whocalls_last_call_timestamp_seconds When anybody but a probe last called.\n"
	"# TYPE whocalls_last_call_timestamp_seconds gauge\n"
	"whocalls_last_call_timestamp_seconds{namespace=\"buffer\",service=\"session\"} "
	"1714572009.000000123\n"
	"# HELP whocalls_callers Callers seen since the agent began, without probes.\n"
	"# TYPE whocalls_callers gauge\n"
	"whocalls_callers{namespace=\"buffer\",service=\"session\"} 1\n"
	"# HELP whocalls_callers_in_other Callers without a series of their own: added up in the class "
	"other.\n"
	"# TYPE whocalls_callers_in_other gauge\n"
	"whocalls_callers_in_other{namespace=\"buffer\",service=\"session\"} 0\n"
	"# HELP whocalls_endpoints_watched Endpoints on this node that are watched now.\n"
	"# TYPE whocalls_endpoints_watched gauge\n"
	"whocalls_endpoints_watched{namespace=\"buffer\",service=\"session\"} 2\n"
	"# HELP whocalls_coverage_seconds_total How long all endpoints on this node were watched.\n"
	"# TYPE whocalls_coverage_seconds_total counter\n"
	"whocalls_coverage_seconds_total{namespace=\"buffer\",service=\"session\"} 90.000000001\n"
	"# HELP whocalls_handshakes_dropped_total Handshakes that the target's listeners dropped, each "
	"try of them.\n"
	"# TYPE whocalls_handshakes_dropped_total counter\n"
	"whocalls_handshakes_dropped_total{namespace=\"buffer\",service=\"session\"} 6\n"
	"# HELP whocalls_connections_unattributed_total Connections whose caller found no room in a "
	"table: they are in the class other, too.\n"
	"# TYPE whocalls_connections_unattributed_total counter\n"
	"whocalls_connections_unattributed_total{namespace=\"buffer\",service=\"session\"} 0\n"
	"# HELP whocalls_connections_total Connections opened, by caller.\n"
	"# TYPE whocalls_connections_total counter\n"
	"whocalls_connections_total{LOGIN} 5\n"
	"whocalls_connections_total{PROBE} 7\n"
	"# HELP whocalls_received_bytes_total Payload that the target received from the caller.\n"
	"# TYPE whocalls_received_bytes_total counter\n"
	"whocalls_received_bytes_total{LOGIN} 110\n"
	"whocalls_received_bytes_total{PROBE} 0\n"
	"# HELP whocalls_sent_bytes_total Payload that the target sent to the caller.\n"
	"# TYPE whocalls_sent_bytes_total counter\n"
	"whocalls_sent_bytes_total{LOGIN} 220\n"
	"whocalls_sent_bytes_total{PROBE} 0\n"
	"# HELP whocalls_connections_open Connections open now.\n"
	"# TYPE whocalls_connections_open gauge\n"
	"whocalls_connections_open{LOGIN} 2\n"
	"whocalls_connections_open{PROBE} 0\n"
	"# HELP whocalls_connections_idle Connections open now without data since the agent began.\n"
	"# TYPE whocalls_connections_idle gauge\n"
	"whocalls_connections_idle{LOGIN} 1\n"
	"whocalls_connections_idle{PROBE} 0\n"
	"# HELP whocalls_attempts_pending Handshakes that were begun and not completed.\n"
	"# TYPE whocalls_attempts_pending gauge\n"
	"whocalls_attempts_pending{LOGIN} 3\n"
	"whocalls_attempts_pending{PROBE} 0\n"
	"# HELP whocalls_last_seen_timestamp_seconds When the caller last opened or closed a "
	"connection, sent or got data, or tried to.\n"
	"# TYPE whocalls_last_seen_timestamp_seconds gauge\n"
	"whocalls_last_seen_timestamp_seconds{LOGIN} 1714572009.000000123\n"
	"whocalls_last_seen_timestamp_seconds{PROBE} 1714572050.5\n"
	"# HELP whocalls_connection_duration_seconds How long connections that have ended were open.\n"
	"# TYPE whocalls_connection_duration_seconds histogram\n"
	"whocalls_connection_duration_seconds_bucket{OPEN,le=\"0.001\"} 2\n"
	"whocalls_connection_duration_seconds_bucket{OPEN,le=\"0.01\"} 2\n"
	"whocalls_connection_duration_seconds_bucket{OPEN,le=\"0.1\"} 2\n"
	"whocalls_connection_duration_seconds_bucket{OPEN,le=\"1.0\"} 2\n"
	"whocalls_connection_duration_seconds_bucket{OPEN,le=\"10.0\"} 2\n"
	"whocalls_connection_duration_seconds_bucket{OPEN,le=\"60.0\"} 2\n"
	"whocalls_connection_duration_seconds_bucket{OPEN,le=\"300.0\"} 2\n"
	"whocalls_connection_duration_seconds_bucket{OPEN,le=\"1800.0\"} 2\n"
	"whocalls_connection_duration_seconds_bucket{OPEN,le=\"7200.0\"} 2\n"
	"whocalls_connection_duration_seconds_bucket{OPEN,le=\"86400.0\"} 2\n"
	"whocalls_connection_duration_seconds_bucket{OPEN,le=\"+Inf\"} 2\n"
	"whocalls_connection_duration_seconds_sum{OPEN} 0.00000012\n"
	"whocalls_connection_duration_seconds_count{OPEN} 2\n";

#define CALLER(class, kind, namespace, name)                                                       \
	"namespace=\"buffer\",service=\"session\",caller_class=\"" class                           \
		"\",caller_kind=\"" kind "\",caller_namespace=\"" namespace "\",caller=\"" name    \
									    "\""
#define LOGIN CALLER("workload", "Deployment", "dev", "login")
#define OTHER CALLER("other", "", "", "other")

/* Writes each word that stands for labels in full, and for OpenMetrics the differences. */
static char *expected_of(const char *text, enum metrics_format format)
{
	static const struct {
		const char *word;
		const char *labels;
	} words[] = {
		{"{LOGIN", "{" LOGIN},
		{"{PROBE", "{" CALLER("probe", "", "", "")},
		{"{OPEN", "{namespace=\"buffer\",service=\"session\",caller_class=\"workload\""},
	};
	char *all = NULL;
	size_t size;
	FILE *file = open_memstream(&all, &size);

	while (*text) {
		bool found = false;

		for (size_t i = 0; i < 3 && !found; i++) {
			size_t n = strlen(words[i].word);

			found = !strncmp(text, words[i].word, n);
			if (!found)
				continue;
			fputs(words[i].labels, file);
			text += n;
		}
		if (!found)
			fputc(*text++, file);
	}
	if (format == METRICS_OPENMETRICS)
		fputs("# EOF\n", file);
	fclose(file);
	return all;
}

/* One open connection with data, one without; a probe; two connections that took 60 ns each. */
static struct service *small_service(void)
{
	static struct listening listening[] = {{.dropped = 4}, {.dropped = 2}};
	struct service *service = service_new();
	struct histograms times = {};

	service_counts(service, POD(1, &login),
		       (struct caller_counts){.opened = 5,
					      .closed = 3,
					      .bytes_received = 10,
					      .bytes_sent = 20,
					      .first = AT(1),
					      .last = AT(9) + 123,
					      .pending = 3,
					      .first_attempt = AT(2),
					      .last_attempt = AT(3)});
	service_counts(
		service, OF_CLASS(CLASS_PROBE, 9),
		(struct caller_counts){.opened = 7, .first = AT(1), .last = AT(50) + SECOND / 2});
	service_open(service, POD(1, &login),
		     (struct connection){.opened = AT(3),
					 .last_data = AT(4),
					 .bytes_received = 100,
					 .bytes_sent = 200});
	service_open(service, POD(1, &login),
		     (struct connection){.opened = AT(3), .last_data = AT(3)});
	times.bucket[OPEN_TIME][0] = 2;
	assert_int_equal(times_estimate(0), 60);
	service_times(service, POD(1, &login), &times);
	service_group(service);
	service->report.listening = listening;
	service->report.n_listening = 2;
	return service;
}

static struct report small_capture(void)
{
	return (struct report){
		.n_hooks = 2,
		.hooks = {{"tcp_accept", "tp_btf/x", "", 5, 1, 3, 2, 4},
			  {"sockops", NULL, "no \"cgroup2\"", 7, 7, 7, 7}},
		.losses = {.events = 1,
			   .untracked = 2,
			   .ends = 3,
			   .accepts = 4,
			   .clients = 5,
			   .namespaces = 6,
			   .listeners = 7,
			   .times = 8},
		.unattributed = 9,
	};
}

static void whole_text(void **state)
{
	struct service *service = small_service();
	struct report capture = small_capture();
	struct metrics_target target = target_of(service);
	struct metrics metrics = metrics_of(&target, &capture);
	char *text = expose(&metrics, METRICS_TEXT);
	char *expected = expected_of(text_whole, METRICS_TEXT);

	(void)state;
	assert_string_equal(text, expected);
	free(expected);
	free(text);
	service_free(service);
}

/* The same, but for names of families of counters and info, UNIT, and the end. */
static char *as_openmetrics(const char *text)
{
	static const char *const units[] = {"seconds", "bytes"};
	char *all = NULL, *copy = strdup(text), *save = NULL;
	size_t size;
	FILE *file = open_memstream(&all, &size);

	for (char *line = strtok_r(copy, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		char *name = line[0] == '#' ? line + strlen("# TYPE ") : NULL, *end, *rest;

		if (!name) {
			fprintf(file, "%s\n", line);
			continue;
		}
		rest = strchr(name, ' ');
		end = rest;
		if (!strncmp(end - 6, "_total", 6))
			end -= 6;
		else if (!strncmp(end - 5, "_info", 5))
			end -= 5;
		if (!strncmp(line, "# TYPE", 6) && *rest && !strncmp(end, "_info", 5))
			rest = (char *)" info";
		fprintf(file, "%.*s%s\n", (int)(end - line), line, rest);
		for (size_t i = 0; i < 2 && !strncmp(line, "# TYPE", 6); i++) {
			size_t n = strlen(units[i]);

			if (!strncmp(end - n, units[i], n))
				fprintf(file, "# UNIT %.*s %s\n", (int)(end - name), name,
					units[i]);
		}
	}
	fputs("# EOF\n", file);
	fclose(file);
	free(copy);
	return all;
}

static void whole_openmetrics(void **state)
{
	struct service *service = small_service();
	struct report capture = small_capture();
	struct metrics_target target = target_of(service);
	struct metrics metrics = metrics_of(&target, &capture);
	char *text = expose(&metrics, METRICS_OPENMETRICS);
	char *plain = expected_of(text_whole, METRICS_TEXT);
	char *expected = as_openmetrics(plain);

	(void)state;
	assert_string_equal(text, expected);
	assert_non_null(strstr(text, "# TYPE whocalls_connections counter\n"));
	assert_non_null(strstr(text, "# TYPE whocalls_build info\n"));
	assert_non_null(strstr(text, "# UNIT whocalls_received_bytes bytes\n"));
	assert_non_null(strstr(text, "# UNIT whocalls_coverage_seconds seconds\n"));
	assert_null(strstr(text, "# UNIT whocalls_connections "));
	free(expected);
	free(plain);
	free(text);
	service_free(service);
}

/* All of one caller, where it is seen by all hooks. */
static void requests_and_attempts(void **state)
{
	struct service *service = service_new();
	struct report capture = capture_of_all();
	struct metrics_target target = target_of(service);
	struct metrics metrics = metrics_of(&target, &capture);
	char *text;

	(void)state;
	service_counts(service, POD(1, &login),
		       (struct caller_counts){.opened = 1,
					      .requests = 30,
					      .refused = 2,
					      .stray = 1,
					      .last_attempt = AT(9)});
	service_open(service, POD(1, &login),
		     (struct connection){.turn = {.turns = 4 * TURN_ANSWERED}});
	service_counts(service, OF_CLASS(CLASS_EXTERNAL, 2),
		       (struct caller_counts){.opened = 1, .requests = 5, .overlaps = 3});
	service_group(service);
	text = expose(&metrics, METRICS_TEXT);
	expect_sample(text, "whocalls_requests_total{" LOGIN "}", "34");
	expect_sample(text, "whocalls_request_overlaps_total{" LOGIN "}", "");
	expect_sample(text, "whocalls_attempts_total{" LOGIN ",result=\"refused\"}", "2");
	expect_sample(text, "whocalls_attempts_total{" LOGIN ",result=\"stray\"}", "1");
	expect_sample(text, "whocalls_requests_total{" CALLER("external", "", "", "") "}", "5");
	expect_sample(text, "whocalls_request_overlaps_total{" CALLER("external", "", "", "") "}",
		      "3");
	expect_sample(
		text,
		"whocalls_attempts_total{" CALLER("external", "", "", "") ",result=\"refused\"}",
		"0");
	free(text);

	/* without those hooks nothing is known */
	capture.n_hooks = 2;
	text = expose(&metrics, METRICS_TEXT);
	assert_null(strstr(text, "requests_total"));
	assert_null(strstr(text, "attempts_total"));
	free(text);
	service_free(service);
}

/* Which callers are one series, and its labels. */
static void labels_of_callers(void **state)
{
	struct service *service = service_new();
	struct report capture = capture_of_all();
	struct metrics_target target = target_of(service);
	struct metrics metrics = metrics_of(&target, &capture);
	struct caller_counts one = {.opened = 1}, ten = {.opened = 10};
	struct peer node = OF_CLASS(CLASS_NODE, 20);
	struct peer process = OF_CLASS(CLASS_PROCESS, 21);
	struct peer unlisted = OF_CLASS(CLASS_WORKLOAD, 22);
	struct peer loopback = OF_CLASS(CLASS_LOOPBACK, 23);
	char *text;

	(void)state;
	node.who.node = "node-b";
	process.comm = "curl";
	unlisted.who.pod_uid = "uid-9";
	loopback.who.pod = &login;
	service_counts(service, POD(1, &login), one);
	service_counts(service, POD(2, &login_2), ten);
	service_counts(service, POD(3, &login_set), one);
	service_counts(service, OF_CLASS(CLASS_EXTERNAL, 4), one);
	service_counts(service, OF_CLASS(CLASS_EXTERNAL, 5), ten);
	service_counts(service, OF_CLASS(CLASS_UNKNOWN, 6), one);
	service_counts(service, node, one);
	service_counts(service, process, one);
	service_counts(service, unlisted, one);
	service_counts(service, loopback, one);
	service_group(service);

	text = expose(&metrics, METRICS_TEXT);
#define CONNECTIONS(...) "whocalls_connections_total{" CALLER(__VA_ARGS__) "}"
	expect_sample(text, CONNECTIONS("workload", "Deployment", "dev", "login"), "11");
	expect_sample(text, CONNECTIONS("workload", "StatefulSet", "dev", "login"), "1");
	expect_sample(text, CONNECTIONS("external", "", "", ""), "11");
	expect_sample(text, CONNECTIONS("unknown", "", "", ""), "1");
	expect_sample(text, CONNECTIONS("node", "", "", "node-b"), "1");
	expect_sample(text, CONNECTIONS("process", "", "", "curl"), "1");
	expect_sample(text, CONNECTIONS("workload", "", "", ""), "1");
	expect_sample(text, CONNECTIONS("loopback", "", "", ""), "1");
	assert_int_equal(count_samples(text, "whocalls_connections_total"), 8);
	free(text);

	metrics.by_address = true;
	text = expose(&metrics, METRICS_TEXT);
	expect_sample(text, CONNECTIONS("external", "", "", "10.0.0.4"), "1");
	expect_sample(text, CONNECTIONS("external", "", "", "10.0.0.5"), "10");
	expect_sample(text, CONNECTIONS("unknown", "", "", "10.0.0.6"), "1");
	expect_sample(text, CONNECTIONS("workload", "Deployment", "dev", "login"), "11");
	assert_int_equal(count_samples(text, "whocalls_connections_total"), 9);
	free(text);
	service_free(service);
}

/* A process can have any name. */
static void escaped(void **state)
{
	static const struct {
		const char *name;
		const char *label;
	} cases[] = {
		{"a\"b\\c\nd", "a\\\"b\\\\c\\nd"},
		{"caf\xc3\xa9 \xe2\x82\xac", "caf\xc3\xa9 \xe2\x82\xac"},
		{"\xf0\x9f\x90\x9d", "\xf0\x9f\x90\x9d"},
		{"\xff\xc3(", "\\\\xff\\\\xc3("},
		{"cut \xe2\x82", "cut \\\\xe2\\\\x82"},
		{"\xc0\xaf\xed\xa0\x80", "\\\\xc0\\\\xaf\\\\xed\\\\xa0\\\\x80"},
		{"\xe0\x80\x80 \xf4\x90\x80\x80",
		 "\\\\xe0\\\\x80\\\\x80 \\\\xf4\\\\x90\\\\x80\\\\x80"},
		{"\x1b[31m\r\x7f", "\\\\x1b[31m\\\\x0d\\\\x7f"},
		{"} 1\n# EOF", "} 1\\n# EOF"},
		{"123456789012345", "123456789012345"},
	};
	struct report capture = capture_of_all();

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct service *service = service_new();
		struct metrics_target target = target_of(service);
		struct metrics metrics = metrics_of(&target, &capture);
		struct peer process = OF_CLASS(CLASS_PROCESS, 1);
		char name[256], *text;

		process.comm = cases[i].name;
		service_counts(service, process, (struct caller_counts){.opened = 1});
		service_group(service);
		text = expose(&metrics, METRICS_TEXT);
		snprintf(name, sizeof(name),
			 "whocalls_connections_total{" CALLER("process", "", "", "%s") "}",
			 cases[i].label);
		expect_sample(text, name, "1");
		free(text);
		service_free(service);
	}
}

/* Of one time: in which bucket it is told. */
static void expect_time(uint64_t ns, const char *below, const char *not_below)
{
	struct service *service = service_new();
	struct report capture = capture_of_all();
	struct metrics_target target = target_of(service);
	struct metrics metrics = metrics_of(&target, &capture);
	struct histograms times = {};
	char name[256], *text;

	times.bucket[SERVICE_TIME][histogram_bucket(ns)] = 1;
	service_counts(service, POD(1, &login), (struct caller_counts){.opened = 1, .requests = 1});
	service_times(service, POD(1, &login), &times);
	service_group(service);
	text = expose(&metrics, METRICS_TEXT);
#define BUCKET "whocalls_request_duration_seconds_bucket{" LOGIN ",le=\"%s\"}"
	snprintf(name, sizeof(name), BUCKET, below);
	expect_sample(text, name, "1");
	snprintf(name, sizeof(name), BUCKET, not_below);
	expect_sample(text, name, *not_below ? "0" : "");
	expect_sample(text, "whocalls_request_duration_seconds_count{" LOGIN "}", "1");
	free(text);
	service_free(service);
}

/* A time that is a kernel bucket away from a bound is on its right side. */
static void bounds(void **state)
{
	static const struct {
		uint64_t ns;
		const char *le;
	} cases[] = {
		{MS / 2, "0.0005"},    {MS, "0.001"},     {5 * MS / 2, "0.0025"},
		{5 * MS, "0.005"},     {10 * MS, "0.01"}, {25 * MS, "0.025"},
		{50 * MS, "0.05"},     {100 * MS, "0.1"}, {250 * MS, "0.25"},
		{500 * MS, "0.5"},     {SECOND, "1.0"},   {5 * SECOND, "5.0"},
		{30 * SECOND, "30.0"}, {0, "+Inf"},
	};
	size_t n = sizeof(cases) / sizeof(*cases) - 1;

	(void)state;
	expect_time(0, cases[0].le, "");
	for (size_t i = 0; i < n; i++) {
		uint64_t ns = cases[i].ns;

		expect_time(ns - ns / 17, cases[i].le, i ? cases[i - 1].le : "");
		expect_time(ns + ns / 17, cases[i + 1].le, cases[i].le);
	}
	expect_time(UINT64_MAX, "+Inf", "30.0");
}

/* Of callers that are one series, histograms are added up; the sum is made of estimates. */
static void histograms_are_summed(void **state)
{
	struct service *service = service_new();
	struct report capture = capture_of_all();
	struct metrics_target target = target_of(service);
	struct metrics metrics = metrics_of(&target, &capture);
	struct histograms a = {}, b = {};
	uint32_t fast = histogram_bucket(3 * MS), slow = histogram_bucket(2 * SECOND);
	uint64_t sum = 4 * times_estimate(fast) + 5 * times_estimate(slow);
	char text_sum[64], *text;

	(void)state;
	a.bucket[SERVICE_TIME][fast] = 4;
	b.bucket[SERVICE_TIME][slow] = 5;
	service_counts(service, OF_CLASS(CLASS_EXTERNAL, 1),
		       (struct caller_counts){.opened = 1, .requests = 4});
	service_counts(service, OF_CLASS(CLASS_EXTERNAL, 2),
		       (struct caller_counts){.opened = 1, .requests = 5});
	service_times(service, OF_CLASS(CLASS_EXTERNAL, 1), &a);
	service_times(service, OF_CLASS(CLASS_EXTERNAL, 2), &b);
	service_group(service);
	text = expose(&metrics, METRICS_TEXT);
	snprintf(text_sum, sizeof(text_sum), "%" PRIu64 ".%09" PRIu64, sum / SECOND, sum % SECOND);
	for (char *end = text_sum + strlen(text_sum) - 1; *end == '0'; end--)
		*end = '\0';
#define EXTERNAL CALLER("external", "", "", "")
#define DURATION "whocalls_request_duration_seconds"
	expect_sample(text, DURATION "_bucket{" EXTERNAL ",le=\"0.0025\"}", "0");
	expect_sample(text, DURATION "_bucket{" EXTERNAL ",le=\"0.005\"}", "4");
	expect_sample(text, DURATION "_bucket{" EXTERNAL ",le=\"1.0\"}", "4");
	expect_sample(text, DURATION "_bucket{" EXTERNAL ",le=\"5.0\"}", "9");
	expect_sample(text, DURATION "_bucket{" EXTERNAL ",le=\"+Inf\"}", "9");
	expect_sample(text, DURATION "_count{" EXTERNAL "}", "9");
	expect_sample(text, DURATION "_sum{" EXTERNAL "}", text_sum);
	free(text);
	service_free(service);
}

#define EDGE(client, namespace)                                                                    \
	"{client=\"" client                                                                        \
	"\",client_service_namespace=\"" namespace "\",server=\"session\",server_service_namespace=\"buffer\",connection_type=\"\"}"
#define GRAPH "traces_service_graph_request_"

static void service_graph(void **state)
{
	struct service *service = service_new();
	struct report capture = capture_of_all();
	struct metrics_target target = target_of(service);
	struct metrics metrics = metrics_of(&target, &capture);
	struct histograms times = {};
	char *text;

	(void)state;
	metrics.service_graph = true;
	times.bucket[SERVICE_TIME][histogram_bucket(3 * MS)] = 4;
	service_counts(service, POD(1, &login),
		       (struct caller_counts){.opened = 1, .requests = 10, .refused = 2});
	service_counts(service, POD(2, &login_set),
		       (struct caller_counts){.opened = 2, .requests = 20});
	service_counts(service, OF_CLASS(CLASS_EXTERNAL, 3),
		       (struct caller_counts){.opened = 3, .requests = 30});
	service_counts(service, OF_CLASS(CLASS_LOOPBACK, 4),
		       (struct caller_counts){.opened = 4, .requests = 40});
	service_counts(service, OF_CLASS(CLASS_PROBE, 5),
		       (struct caller_counts){.opened = 5, .requests = 50});
	service_times(service, POD(1, &login), &times);
	service_group(service);
	text = expose(&metrics, METRICS_TEXT);
	expect_sample(text, GRAPH "total" EDGE("login", "dev"), "32");
	expect_sample(text, GRAPH "failed_total" EDGE("login", "dev"), "2");
	expect_sample(text, GRAPH "server_seconds_count" EDGE("login", "dev"), "4");
	expect_sample(text, GRAPH "total" EDGE("external", ""), "30");
	expect_sample(text, GRAPH "failed_total" EDGE("external", ""), "0");
	expect_sample(text, GRAPH "total" EDGE("session", "buffer"), "40");
	assert_int_equal(count_samples(text, GRAPH "total"), 3);
	free(text);

	/* where requests are not counted, connections are */
	capture.hooks[REPORT_REQUESTS].hook = NULL;
	text = expose(&metrics, METRICS_TEXT);
	expect_sample(text, GRAPH "total" EDGE("login", "dev"), "5");
	expect_sample(text, GRAPH "total" EDGE("external", ""), "3");
	free(text);

	metrics.service_graph = false;
	text = expose(&metrics, METRICS_TEXT);
	assert_null(strstr(text, "traces_"));
	free(text);
	service_free(service);
}

static void values(void **state)
{
	static const struct metrics_value given[] = {
		{"whocalls_api_errors", "Answers.", NULL, true, "code", "404", 3},
		{"whocalls_api_errors", "Answers.", NULL, true, "code", "5\"", 1},
		{"whocalls_api_age_seconds", "Since.", "seconds", false, NULL, NULL,
		 5 * SECOND / 2},
	};
	struct report capture = {};
	struct metrics metrics = metrics_of(NULL, &capture);
	char *text;
	const char *at;

	(void)state;
	metrics.n_targets = 0;
	metrics.values = given;
	metrics.n_values = 3;
	text = expose(&metrics, METRICS_OPENMETRICS);
	at = strstr(text, "# HELP whocalls_api");
	assert_non_null(at);
	assert_string_equal(at, "# HELP whocalls_api_errors Answers.\n"
				"# TYPE whocalls_api_errors counter\n"
				"whocalls_api_errors_total{code=\"404\"} 3\n"
				"whocalls_api_errors_total{code=\"5\\\"\"} 1\n"
				"# HELP whocalls_api_age_seconds Since.\n"
				"# TYPE whocalls_api_age_seconds gauge\n"
				"# UNIT whocalls_api_age_seconds seconds\n"
				"whocalls_api_age_seconds 2.5\n"
				"# EOF\n");
	free(text);
}

static void unattributed_is_other(void **state)
{
	struct service *service = service_new();
	struct report capture = capture_of_all();
	struct metrics_target target = target_of(service);
	struct metrics metrics = metrics_of(&target, &capture);
	struct caller_counts unknown = {.opened = 4, .requests = 6, .last = AT(7)};
	char *text;

	(void)state;
	service_counts(service, POD(1, &login), (struct caller_counts){.opened = 1});
	ledger_set_unattributed(service->ledger, &unknown);
	service_group(service);
	text = expose(&metrics, METRICS_TEXT);
	expect_sample(text, "whocalls_connections_total{" OTHER "}", "4");
	expect_sample(text, "whocalls_requests_total{" OTHER "}", "6");
	expect_sample(text,
		      "whocalls_connections_unattributed_total{namespace=\"buffer\","
		      "service=\"session\"}",
		      "4");
	expect_sample(text,
		      "whocalls_last_call_timestamp_seconds{namespace=\"buffer\","
		      "service=\"session\"}",
		      "1714572007");
	free(text);
	service_free(service);
}

static void cannot_write(void **state)
{
	struct service *service = small_service();
	struct report capture = small_capture();
	struct metrics_target target = target_of(service);
	struct metrics metrics = metrics_of(&target, &capture);
	FILE *full = fopen("/dev/full", "w");

	(void)state;
	assert_non_null(full);
	assert_int_equal(metrics_write(full, &metrics, METRICS_TEXT), -ENOSPC);
	fclose(full);
	service_free(service);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whole_text),
		cmocka_unit_test(whole_openmetrics),
		cmocka_unit_test(requests_and_attempts),
		cmocka_unit_test(labels_of_callers),
		cmocka_unit_test(escaped),
		cmocka_unit_test(bounds),
		cmocka_unit_test(histograms_are_summed),
		cmocka_unit_test(service_graph),
		cmocka_unit_test(values),
		cmocka_unit_test(unattributed_is_other),
		cmocka_unit_test(cannot_write),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
