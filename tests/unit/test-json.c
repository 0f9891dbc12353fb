/* SPDX-License-Identifier: MIT */
/* The JSON, read back: values, and that there are these keys and no others. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../user/output/json.h"

#define SECOND UINT64_C(1000000000)
#define AT(seconds) ((1000 + (seconds)) * SECOND)

static const struct pod_name server = {"buffer",     "session-1", "uid-s",
				       "Deployment", "session",   "node-a"};
static const struct pod_name login = {"dev", "login-1", "uid-1", "Deployment", "login", "node-a"};
static const struct pod_name bare = {"dev", "bare", "uid-2", "Pod", "bare", ""};

struct fixture {
	struct target target;
	struct endpoint endpoints[2];
	struct report report;
	struct ledger *ledger;
};

static struct address ipv4(uint8_t a, uint8_t b, uint8_t c, uint8_t d)
{
	return (struct address){{0, 0, __builtin_bswap32(0xffff),
				 __builtin_bswap32((uint32_t)a << 24 | b << 16 | c << 8 | d)}};
}

static int setup(void **state)
{
	static const char *const notes[] = {"a sentence"};
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	f->endpoints[0] = (struct endpoint){ipv4(10, 0, 0, 1), 3000, &server};
	f->endpoints[1] = (struct endpoint){.port = 65535};
	f->target.text = (char *)"deploy/session in buffer";
	f->target.endpoints = f->endpoints;
	f->target.n_endpoints = 2;
	f->report.target = &f->target;
	f->report.start_ns = AT(0);
	f->report.end_ns = AT(10) + SECOND / 2;
	f->report.for_ns = 600 * SECOND;
	f->report.final = true;
	f->report.realtime_offset = (int64_t)(1714572000 - 1000) * 1000000000;
	f->report.hooks[0] = (struct hook){"tcp_accept", "tp_btf/x", "", 5, 1, 3, 2};
	f->report.hooks[1] = (struct hook){"sockops", NULL, "no cgroup2", 7, 7, 7, 7};
	f->report.n_hooks = 2;
	f->report.losses = (struct losses){1, 2, 5, 6, 3, 4, 7, 8};
	f->report.notes = notes;
	f->report.n_notes = 1;
	f->report.opened = 9;
	f->ledger = ledger_new(1000);
	assert_non_null(f->ledger);
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

static void add(struct fixture *f, struct address peer, const char *comm, struct who who,
		struct caller_counts counts)
{
	struct caller_key key = {.cgroup = comm ? 4242 : 0};

	memcpy(key.peer, &peer, sizeof(peer));
	if (comm)
		memcpy(key.comm, comm, strlen(comm));
	assert_int_equal(ledger_update(f->ledger, &key, &counts, &who), 1);
}

static void add_all(struct fixture *f)
{
	struct caller_counts others = {.opened = 2, .accepted = 1, .closed = 1, .bytes_sent = 8};
	struct connection open = {.opened = AT(3),
				  .last_data = AT(4),
				  .bytes_received = 100,
				  .bytes_sent = 200,
				  .waiting = 1};
	struct connection old = {.opened = AT(0),
				 .last_data = AT(-60),
				 .base_sent = 3,
				 .bytes_sent = 3,
				 .flags = CONNECTION_OLD};
	struct address peer = ipv4(10, 0, 1, 2);

	add(f, peer, "java", (struct who){CLASS_WORKLOAD, &login, NULL},
	    (struct caller_counts){.opened = 5,
				   .accepted = 4,
				   .closed = 3,
				   .bytes_received = 10,
				   .bytes_sent = 20,
				   .first = AT(1),
				   .last = AT(9) + 123,
				   .open_time = SECOND / 10,
				   .pid = 77,
				   .old = 1,
				   .untracked = 1,
				   .resets = 2,
				   .old_active = 1});
	add(f, ipv4(10, 0, 9, 9), NULL, (struct who){CLASS_NODE, NULL, "node-b"},
	    (struct caller_counts){.opened = 1, .last = AT(2), .first = AT(2)});
	add(f, ipv4(10, 0, 9, 8), NULL, (struct who){CLASS_EXTERNAL, NULL, NULL},
	    (struct caller_counts){.old = 1});
	add(f, ipv4(10, 0, 9, 7), "kubelet", (struct who){CLASS_PROBE, NULL, NULL},
	    (struct caller_counts){.opened = 1, .last = AT(2), .first = AT(2)});
	ledger_set_unattributed(f->ledger, &others);
	memcpy(open.key.peer, &peer, sizeof(peer));
	open.key.cgroup = 4242;
	memcpy(open.key.comm, "java", 4);
	old.key = open.key;
	assert_int_equal(ledger_add_open(f->ledger, &open, AT(0)), 0);
	assert_int_equal(ledger_add_open(f->ledger, &old, AT(0)), 0);
	assert_int_equal(report_group(&f->report, f->ledger), 0);
}

/* Exactly these keys, separated by spaces. */
static void expect_keys(const json_t *json, const char *keys)
{
	size_t n = 0;
	char *list = strdup(keys), *save = NULL, *key;

	assert_true(json_is_object(json));
	for (key = strtok_r(list, " ", &save); key; key = strtok_r(NULL, " ", &save), n++) {
		if (!json_object_get(json, key))
			fail_msg("no \"%s\"", key);
	}
	assert_int_equal(json_object_size(json), n);
	free(list);
}

#define CONNECTIONS                                                                                          \
	"opened accepted open idle refused stray pending closed resets open_seconds untracked old old_open " \
	"old_active waiting waiting_since idle_since"
#define CALLER                                                                                     \
	"class kind namespace name pods process pid cgroup cgroup_path pod_uid node addresses "    \
	"connections requests requests_are overlaps bytes_received bytes_sent service_time "       \
	"response_time open_time first_seen last_seen ignored"
#define DOCUMENT "schema target window callers others totals coverage"
#define EVENT "schema event time connection peer endpoint process pid cgroup"
#define NAMES "class kind namespace name pod node"
#define ENDPOINT "namespace pod uid node address port"

/* The value at a path like "callers/0/connections"; it must be there. */
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

/* What `print` wrote, read back. */
static json_t *parse(int (*print)(FILE *, const struct report *), const struct report *report,
		     char **text)
{
	json_error_t error;
	size_t size;
	FILE *file = open_memstream(text, &size);
	json_t *json;

	assert_non_null(file);
	assert_int_equal(print(file, report), 0);
	fclose(file);
	assert_int_equal((*text)[size - 1], '\n');
	json = json_loads(*text, JSON_REJECT_DUPLICATES, &error);
	if (!json)
		fail_msg("%s at %d: %s", error.text, error.position, *text);
	return json;
}

static void check_callers(json_t *json)
{
	json_t *value;
	size_t i;

	assert_int_equal(json_array_size(at(json, "callers")), 4);
	json_array_foreach (at(json, "callers"), i, value) {
		expect_keys(value, CALLER);
		expect_keys(at(value, "connections"), CONNECTIONS);
		expect_text(value, "requests", NULL);
		expect_text(value, "requests_are", NULL);
		expect_text(value, "overlaps", NULL);
		expect_text(value, "service_time", NULL);
		expect_text(value, "response_time", NULL);
		expect_text(value, "open_time", NULL);
		expect_text(value, "connections/refused", NULL);
	}
	value = at(json, "callers/0");
	expect_text(value, "class", "workload");
	expect_text(value, "kind", "Deployment");
	expect_text(value, "namespace", "dev");
	expect_text(value, "name", "login");
	expect_text(value, "pods/0", "login-1");
	expect_text(value, "process", "java");
	expect_number(value, "pid", 77);
	expect_number(value, "cgroup", 4242);
	expect_text(value, "node", "node-a");
	expect_text(value, "addresses/0", "10.0.1.2");
	expect_number(value, "connections/opened", 5);
	expect_number(value, "connections/accepted", 4);
	expect_number(value, "connections/closed", 3);
	expect_number(value, "connections/open", 2);
	expect_number(value, "connections/idle", 1);
	expect_number(value, "connections/waiting", 1);
	expect_number(value, "connections/old", 1);
	expect_number(value, "connections/old_open", 1);
	expect_number(value, "connections/old_active", 1);
	expect_number(value, "connections/resets", 2);
	expect_number(value, "connections/untracked", 1);
	expect_number(value, "connections/open_seconds", 0.1);
	expect_text(value, "connections/idle_since", "2024-05-01T13:59:00.000000000Z");
	expect_number(value, "bytes_received", 110);
	expect_number(value, "bytes_sent", 220);
	expect_text(value, "first_seen", "2024-05-01T14:00:01.000000000Z");
	expect_text(value, "last_seen", "2024-05-01T14:00:09.000000123Z");

	value = at(json, "callers/1");
	expect_text(value, "class", "node");
	expect_text(value, "name", "node-b");
	expect_text(value, "node", "node-b");
	expect_text(value, "kind", NULL);
	expect_text(value, "process", NULL);
	expect_text(value, "pid", NULL);
	expect_text(value, "connections/idle_since", NULL);
	assert_int_equal(json_array_size(at(value, "pods")), 0);

	value = at(json, "callers/2");
	expect_text(value, "class", "external");
	expect_text(value, "name", NULL);
	expect_text(value, "first_seen", NULL);
	expect_text(value, "last_seen", NULL);
	expect_text(json, "callers/3/class", "probe");
	expect_text(json, "callers/3/process", "kubelet");
}

static void check_document(json_t *json)
{
	expect_text(json, "schema", "whocalls/v1");
	expect_keys(at(json, "target"), "asked endpoints");
	expect_text(json, "target/asked", "deploy/session in buffer");
	expect_keys(at(json, "target/endpoints/0"), ENDPOINT);
	expect_text(json, "target/endpoints/0/namespace", "buffer");
	expect_text(json, "target/endpoints/0/pod", "session-1");
	expect_text(json, "target/endpoints/0/uid", "uid-s");
	expect_text(json, "target/endpoints/0/node", "node-a");
	expect_text(json, "target/endpoints/0/address", "10.0.0.1");
	expect_number(json, "target/endpoints/0/port", 3000);
	expect_text(json, "target/endpoints/1/address", "any");
	expect_text(json, "target/endpoints/1/pod", NULL);
	expect_number(json, "target/endpoints/1/port", 65535);
	expect_keys(at(json, "window"), "start end seconds planned_seconds final");
	expect_text(json, "window/start", "2024-05-01T14:00:00.000000000Z");
	expect_text(json, "window/end", "2024-05-01T14:00:10.500000000Z");
	expect_number(json, "window/seconds", 10.5);
	expect_number(json, "window/planned_seconds", 600);
	assert_true(json_is_true(at(json, "window/final")));
	check_callers(json);
	expect_keys(at(json, "others"),
		    "connections requests requests_are overlaps bytes_received bytes_sent");
	expect_keys(at(json, "others/connections"), CONNECTIONS);
	expect_number(json, "others/connections/opened", 2);
	expect_number(json, "others/bytes_sent", 8);
	expect_keys(
		at(json, "totals"),
		"opened accepted closed attributed unattributed old open kernel_opened refused stray "
		"pending dropped unattributed_drops requests");
	expect_text(json, "totals/requests", NULL);
	expect_number(json, "totals/opened", 9);
	expect_number(json, "totals/attributed", 7);
	expect_number(json, "totals/unattributed", 2);
	expect_number(json, "totals/accepted", 5);
	expect_number(json, "totals/closed", 4);
	expect_number(json, "totals/old", 2);
	expect_number(json, "totals/open", 2);
	expect_number(json, "totals/kernel_opened", 9);
	expect_keys(at(json, "coverage"), "hooks endpoints gaps lost notes");
	expect_keys(at(json, "coverage/hooks/0"),
		    "program hook why seen missed healed recursion_misses nmissed untold");
	expect_keys(at(json, "coverage/hooks/1"),
		    "program hook why seen missed healed recursion_misses nmissed untold");
	expect_number(json, "coverage/hooks/0/seen", 5);
	expect_number(json, "coverage/hooks/0/missed", 1);
	expect_number(json, "coverage/hooks/0/healed", 3);
	expect_number(json, "coverage/hooks/0/recursion_misses", 2);
	expect_text(json, "coverage/hooks/0/why", NULL);
	expect_text(json, "coverage/hooks/1/hook", NULL);
	expect_text(json, "coverage/hooks/1/why", "no cgroup2");
	expect_text(json, "coverage/hooks/1/seen", NULL);
	expect_text(json, "coverage/hooks/1/missed", NULL);
	expect_keys(at(json, "coverage/endpoints/0"), ENDPOINT " start end here listening serving");
	expect_text(json, "coverage/endpoints/1/start", "2024-05-01T14:00:00.000000000Z");
	assert_int_equal(json_array_size(at(json, "coverage/gaps")), 0);
	expect_keys(at(json, "coverage/lost"),
		    "events untracked ends accepts clients namespaces listeners times");
	expect_number(json, "coverage/lost/times", 8);
	expect_number(json, "coverage/lost/events", 1);
	expect_number(json, "coverage/lost/namespaces", 4);
	expect_number(json, "coverage/lost/ends", 5);
	expect_number(json, "coverage/lost/accepts", 6);
	expect_text(json, "coverage/notes/0", "a sentence");
}

static void document(void **state)
{
	struct fixture *f = *state;
	char *text;
	json_t *json;

	add_all(f);
	json = parse(json_report, &f->report, &text);
	expect_keys(json, DOCUMENT);
	check_document(json);
	/* indented all the way, two by two */
	assert_non_null(strstr(text, "{\n  \"schema\": \"whocalls/v1\",\n  \"target\": {\n    \""));
	assert_non_null(
		strstr(text, "\n  \"callers\": [\n    {\n      \"class\": \"workload\",\n"));
	assert_non_null(strstr(text, "\n        \"opened\": 5,\n"));
	json_decref(json);
	free(text);
}

static void summary(void **state)
{
	struct fixture *f = *state;
	char *text;
	json_t *json;

	add_all(f);
	json = parse(json_summary, &f->report, &text);
	expect_keys(json, DOCUMENT " event time");
	expect_text(json, "event", "summary");
	expect_text(json, "time", "2024-05-01T14:00:10.500000000Z");
	check_document(json);
	assert_ptr_equal(strchr(text, '\n'), text + strlen(text) - 1);
	json_decref(json);
	free(text);
}

static void nothing(void **state)
{
	struct fixture *f = *state;
	char *text;
	json_t *json;

	f->report.for_ns = 0;
	f->report.final = false;
	f->report.n_hooks = f->report.n_notes = 0;
	assert_int_equal(report_group(&f->report, f->ledger), 0);
	json = parse(json_report, &f->report, &text);
	expect_keys(json, DOCUMENT);
	assert_int_equal(json_array_size(at(json, "callers")), 0);
	assert_int_equal(json_array_size(at(json, "coverage/hooks")), 0);
	assert_int_equal(json_array_size(at(json, "coverage/notes")), 0);
	expect_number(json, "totals/opened", 0);
	expect_text(json, "window/planned_seconds", NULL);
	assert_true(json_is_false(at(json, "window/final")));
	json_decref(json);
	free(text);
}

static void start(void **state)
{
	struct fixture *f = *state;
	char *text;
	json_t *json = parse(json_start, &f->report, &text);

	expect_keys(json, "schema event time target window hooks");
	expect_text(json, "schema", "whocalls/v1");
	expect_text(json, "event", "start");
	expect_text(json, "time", "2024-05-01T14:00:00.000000000Z");
	expect_text(json, "hooks/0/program", "tcp_accept");
	assert_ptr_equal(strchr(text, '\n'), text + strlen(text) - 1);
	json_decref(json);
	free(text);
}

static struct event the_event;
static const struct who *the_who;

static int print_event(FILE *file, const struct report *report)
{
	return json_event(file, report, &the_event, the_who);
}

static void events(void **state)
{
	static const struct who who = {CLASS_WORKLOAD, &login, NULL};
	struct address peer = ipv4(10, 0, 1, 2);
	struct fixture *f = *state;
	char *text;
	json_t *json;

	the_event = (struct event){
		.time = AT(1),
		.connection = UINT64_C(1) << 40,
		.type = EVENT_OPENED,
		.peer_port = 40000,
		.pid = 77,
		.key = {.endpoint = 0, .cgroup = 9, .comm = "java"},
	};
	memcpy(the_event.key.peer, &peer, sizeof(peer));
	the_who = &who;
	json = parse(print_event, &f->report, &text);
	expect_keys(json, EVENT " " NAMES);
	expect_text(json, "schema", "whocalls/v1");
	expect_text(json, "event", "opened");
	expect_text(json, "time", "2024-05-01T14:00:01.000000000Z");
	expect_number(json, "connection", 1099511627776.);
	expect_keys(at(json, "peer"), "address port");
	expect_text(json, "peer/address", "10.0.1.2");
	expect_number(json, "peer/port", 40000);
	expect_keys(at(json, "endpoint"), ENDPOINT);
	expect_text(json, "endpoint/pod", "session-1");
	expect_text(json, "class", "workload");
	expect_text(json, "name", "login");
	expect_text(json, "pod", "login-1");
	expect_text(json, "node", "node-a");
	expect_text(json, "process", "java");
	expect_number(json, "pid", 77);
	expect_number(json, "cgroup", 9);
	json_decref(json);
	free(text);

	the_who = NULL;
	the_event.type = EVENT_CALLER;
	the_event.pid = 0;
	the_event.key.endpoint = 99;
	the_event.key.comm[0] = '\0';
	json = parse(print_event, &f->report, &text);
	expect_keys(json, EVENT);
	expect_text(json, "event", "caller");
	expect_text(json, "endpoint", NULL);
	expect_text(json, "process", NULL);
	expect_text(json, "pid", NULL);
	json_decref(json);
	free(text);

	the_event.type = EVENT_CLOSED;
	the_event.open_time = SECOND / 4;
	the_event.bytes_received = 5;
	the_event.bytes_sent = 6;
	the_event.error = ECONNRESET;
	json = parse(print_event, &f->report, &text);
	expect_keys(json, EVENT " open_seconds bytes_received bytes_sent error");
	expect_text(json, "event", "closed");
	expect_number(json, "open_seconds", 0.25);
	expect_number(json, "bytes_received", 5);
	expect_number(json, "bytes_sent", 6);
	expect_text(json, "error", "ECONNRESET");
	json_decref(json);
	free(text);
	the_event.error = 0;
	json = parse(print_event, &f->report, &text);
	expect_text(json, "error", NULL);
	json_decref(json);
	free(text);
}

static void names_that_are_not_utf8(void **state)
{
	struct fixture *f = *state;
	char *text;
	json_t *json;

	add(f, ipv4(10, 0, 0, 9), "a\xff\"\n\xc3\xa9\xc3", (struct who){CLASS_PROCESS, NULL, NULL},
	    (struct caller_counts){.opened = 1});
	/* as long as can be, and not terminated */
	add(f, ipv4(10, 0, 0, 8), "0123456789abcdef", (struct who){CLASS_WORKLOAD, &bare, NULL},
	    (struct caller_counts){.opened = 1});
	assert_int_equal(report_group(&f->report, f->ledger), 0);
	json = parse(json_report, &f->report, &text);
	expect_text(json, "callers/1/process", "a\\xff\"\n\xc3\xa9\\xc3");
	expect_text(json, "callers/0/process", "0123456789abcde");
	expect_text(json, "callers/0/node", NULL);
	json_decref(json);
	free(text);

	the_who = NULL;
	the_event = (struct event){.type = EVENT_OPENED};
	memset(the_event.key.comm, 0xfe, COMM_SIZE);
	json = parse(print_event, &f->report, &text);
	assert_int_equal(json_string_length(at(json, "process")), 4 * COMM_SIZE);
	json_decref(json);
	free(text);
}

static void errors_of_writing(void **state)
{
	struct fixture *f = *state;
	FILE *file = fopen("/dev/full", "w");
	int i, r = 0;

	if (!file)
		skip();
	add_all(f);
	assert_int_equal(json_report(file, &f->report), -EIO);
	assert_int_equal(json_summary(file, &f->report), -EIO);
	clearerr(file);
	assert_int_equal(json_start(file, &f->report), -EIO);
	clearerr(file);
	the_who = NULL;
	the_event = (struct event){.type = EVENT_OPENED};
	for (i = 0; i < 10000 && !r; i++)
		r = json_event(file, &f->report, &the_event, NULL);
	assert_int_equal(r, -EIO);
	fclose(file);
}

/* Where their hook is attached the attempts are numbers. */
static void attempts_are_numbers_where_they_are_seen(void **state)
{
	struct fixture *f = *state;
	char *text;
	json_t *json;

	f->report.n_hooks = REPORT_HOOKS;
	f->report.hooks[REPORT_REFUSED] = (struct hook){"refused", "tp_btf/y", "", 4};
	f->report.refused = 4;
	add(f, ipv4(10, 0, 9, 1), NULL, (struct who){CLASS_EXTERNAL, NULL, NULL},
	    (struct caller_counts){
		    .refused = 3, .stray = 2, .first_attempt = AT(5), .last_attempt = AT(6)});
	ledger_set_unattributed(f->ledger, &(struct caller_counts){.refused = 1});
	assert_int_equal(report_group(&f->report, f->ledger), 0);
	json = parse(json_report, &f->report, &text);
	expect_number(json, "callers/0/connections/refused", 3);
	expect_number(json, "callers/0/connections/stray", 2);
	expect_number(json, "callers/0/connections/pending", 0);
	expect_number(json, "others/connections/refused", 1);
	expect_number(json, "totals/refused", 4);
	json_decref(json);
	free(text);
}

static void add_requests(struct fixture *f, uint8_t last, uint64_t closed, uint64_t requests,
			 uint64_t overlaps)
{
	add(f, ipv4(10, 0, 9, last), NULL, (struct who){CLASS_EXTERNAL, NULL, NULL},
	    (struct caller_counts){
		    .opened = last, .closed = closed, .requests = requests, .overlaps = overlaps});
}

/* Where their hook is attached: numbers, what they are, and times of those that have a sample. */
static void requests_are_numbers_where_they_are_seen(void **state)
{
	static struct histograms times;
	struct fixture *f = *state;
	struct caller_key key = {};
	struct address peer = ipv4(10, 0, 9, 3);
	struct connection open = {
		.opened = AT(3), .turn.turns = 30 * TURN_ANSWERED, .turn.overlaps = 1};
	char *text;
	json_t *json;

	f->report.n_hooks = REPORT_HOOKS;
	f->report.hooks[REPORT_REQUESTS] = (struct hook){"requests", "tp_btf/z", "", .missed = 2};
	add_requests(f, 3, 1, 70, 0);
	add_requests(f, 2, 2, 5, 0);
	memcpy(key.peer, &peer, sizeof(peer));
	open.key = key;
	assert_int_equal(ledger_add_open(f->ledger, &open, AT(0)), 0);
	times.bucket[SERVICE_TIME][histogram_bucket(2000000)] = 60;
	times.bucket[SERVICE_TIME][histogram_bucket(9000000)] = 40;
	times.bucket[OPEN_TIME][histogram_bucket(SECOND)] = 1;
	ledger_begin_times(f->ledger);
	assert_int_equal(ledger_set_times(f->ledger, &key, &times), 0);
	ledger_set_unattributed(f->ledger, &(struct caller_counts){.opened = 1, .requests = 8});
	assert_int_equal(report_group(&f->report, f->ledger), 0);
	json = parse(json_report, &f->report, &text);
	expect_number(json, "callers/0/requests", 100);
	expect_text(json, "callers/0/requests_are", "turns");
	expect_number(json, "callers/0/overlaps", 1);
	expect_keys(at(json, "callers/0/service_time"), "count p50 p90 p99 max");
	expect_number(json, "callers/0/service_time/count", 100);
	expect_number(json, "callers/0/service_time/p50",
		      (double)times_estimate(histogram_bucket(2000000)) / 1e9);
	expect_number(json, "callers/0/service_time/max",
		      (double)times_estimate(histogram_bucket(9000000)) / 1e9);
	expect_text(json, "callers/0/response_time", NULL);
	expect_number(json, "callers/0/open_time/count", 1);
	expect_number(json, "callers/1/requests", 5);
	expect_text(json, "callers/1/requests_are", "requests");
	expect_number(json, "callers/1/overlaps", 0);
	expect_text(json, "callers/1/service_time", NULL);
	expect_number(json, "others/requests", 8);
	expect_text(json, "others/requests_are", "requests");
	expect_number(json, "totals/requests", 113);
	expect_number(json, "coverage/hooks/5/seen", 111);
	json_decref(json);
	free(text);
}

/* --top leaves callers out, no count and no probe. */
static void only_the_first(void **state)
{
	struct fixture *f = *state;
	char *text;
	json_t *json;

	add_all(f);
	f->report.top = 1;
	json = parse(json_report, &f->report, &text);
	expect_keys(json, DOCUMENT " callers_left_out");
	assert_int_equal(json_array_size(at(json, "callers")), 2);
	expect_number(json, "callers/0/connections/opened", 5);
	expect_text(json, "callers/1/class", "probe");
	expect_number(json, "callers_left_out", 2);
	expect_number(json, "totals/opened", 9);
	json_decref(json);
	free(text);
	f->report.top = 9;
	json = parse(json_summary, &f->report, &text);
	assert_int_equal(json_array_size(at(json, "callers")), 4);
	expect_number(json, "callers_left_out", 0);
	json_decref(json);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(document, setup, teardown),
		cmocka_unit_test_setup_teardown(summary, setup, teardown),
		cmocka_unit_test_setup_teardown(nothing, setup, teardown),
		cmocka_unit_test_setup_teardown(start, setup, teardown),
		cmocka_unit_test_setup_teardown(events, setup, teardown),
		cmocka_unit_test_setup_teardown(names_that_are_not_utf8, setup, teardown),
		cmocka_unit_test_setup_teardown(errors_of_writing, setup, teardown),
		cmocka_unit_test_setup_teardown(attempts_are_numbers_where_they_are_seen, setup,
						teardown),
		cmocka_unit_test_setup_teardown(requests_are_numbers_where_they_are_seen, setup,
						teardown),
		cmocka_unit_test_setup_teardown(only_the_first, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
