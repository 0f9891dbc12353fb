/* SPDX-License-Identifier: MIT */
/* Which callers have a series, and that no counter ever goes down or counts anything twice. */
#include "metrics-fixture.h"

#define SERVICE "namespace=\"ns\",service=\"svc\""
#define WORKLOAD(name)                                                                             \
	SERVICE ",caller_class=\"workload\",caller_kind=\"Deployment\",caller_namespace=\"dev\""   \
		",caller=\"" name "\""
#define CLASS(class)                                                                               \
	SERVICE ",caller_class=\"" class "\",caller_kind=\"\",caller_namespace=\"\",caller=\"\""
#define OTHER                                                                                      \
	SERVICE ",caller_class=\"other\",caller_kind=\"\",caller_namespace=\"\",caller=\"other\""
#define CONNECTIONS(labels) "whocalls_connections_total{" labels "}"
#define IN_OTHER "whocalls_callers_in_other{" SERVICE "}"

static const struct pod_name a = {"dev", "a-1", "uid-a", "Deployment", "a", ""};
static const struct pod_name b = {"dev", "b-1", "uid-b", "Deployment", "b", ""};
static const struct pod_name c = {"dev", "c-1", "uid-c", "Deployment", "c", ""};

/* One Service, scraped again and again. */
struct fixture {
	struct service *service;
	struct report capture;
	struct metrics_target target;
	struct metrics metrics;
	char *text;
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	f->service = service_new();
	f->capture.n_hooks = REPORT_HOOKS;
	for (size_t i = 0; i < REPORT_HOOKS; i++)
		f->capture.hooks[i] = (struct hook){.program = "p", .hook = "h", .why = ""};
	f->target = (struct metrics_target){"ns", "svc", &f->service->report, 0, 1};
	f->metrics = (struct metrics){
		.targets = &f->target,
		.n_targets = 1,
		.capture = &f->capture,
		.version = "",
		.kernel = "",
		.now_ns = AT(0),
		.max_callers = 100,
		.memory = metrics_memory_new(),
	};
	assert_non_null(f->metrics.memory);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	metrics_memory_free(f->metrics.memory);
	service_free(f->service);
	free(f->text);
	free(f);
	return 0;
}

/* All that a caller has opened by now, the last at that time. */
static void opened(struct fixture *f, struct peer peer, uint64_t n, uint64_t last)
{
	service_counts(f->service, peer,
		       (struct caller_counts){.opened = n, .first = AT(0), .last = last});
}

static const char *scrape(struct fixture *f, uint64_t now)
{
	f->metrics.now_ns = now;
	service_group(f->service);
	free(f->text);
	f->text = expose(&f->metrics, METRICS_TEXT);
	return f->text;
}

static void most_connections_first(void **state)
{
	struct fixture *f = *state;
	const char *text;

	f->metrics.max_callers = 2;
	opened(f, POD(1, &a), 5, AT(1));
	opened(f, POD(2, &b), 7, AT(1));
	opened(f, POD(3, &c), 6, AT(1));
	opened(f, OF_CLASS(CLASS_PROBE, 9), 1, AT(1));
	text = scrape(f, AT(2));
	expect_sample(text, CONNECTIONS(WORKLOAD("a")), "");
	expect_sample(text, CONNECTIONS(WORKLOAD("b")), "7");
	expect_sample(text, CONNECTIONS(WORKLOAD("c")), "6");
	expect_sample(text, CONNECTIONS(OTHER), "5");
	expect_sample(text, CONNECTIONS(CLASS("probe")), "1");
	expect_sample(text, IN_OTHER, "1");

	/* then whoever came first stays */
	opened(f, POD(1, &a), 50, AT(3));
	text = scrape(f, AT(4));
	expect_sample(text, CONNECTIONS(WORKLOAD("a")), "");
	expect_sample(text, CONNECTIONS(WORKLOAD("b")), "7");
	expect_sample(text, CONNECTIONS(OTHER), "50");
}

/* Whatever the order of the targets. */
static void most_connections_of_all_targets(void **state)
{
	struct fixture *f = *state;
	struct service *second = service_new();
	struct metrics_target targets[] = {f->target, {"ns", "second", &second->report, 0, 1}};
	const char *text;

	f->metrics.targets = targets;
	f->metrics.n_targets = 2;
	f->metrics.max_callers = 1;
	opened(f, POD(1, &a), 5, AT(1));
	service_counts(second, POD(1, &a), (struct caller_counts){.opened = 6, .last = AT(1)});
	service_group(second);
	text = scrape(f, AT(2));
	expect_sample(text, CONNECTIONS(WORKLOAD("a")), "");
	expect_sample(text, CONNECTIONS(OTHER), "5");
	assert_int_equal(count_samples(text, "whocalls_connections_total"), 2);
	service_free(second);
}

static void none_but_probes(void **state)
{
	struct fixture *f = *state;
	const char *text;

	f->metrics.max_callers = 0;
	opened(f, POD(1, &a), 5, AT(1));
	opened(f, OF_CLASS(CLASS_PROBE, 9), 1, AT(1));
	text = scrape(f, AT(2));
	assert_int_equal(count_samples(text, "whocalls_connections_total"), 2);
	expect_sample(text, CONNECTIONS(OTHER), "5");
	expect_sample(text, CONNECTIONS(CLASS("probe")), "1");
}

static void stale_series_end(void **state)
{
	struct fixture *f = *state;
	const char *text;

	f->metrics.stale_ns = 60 * SECOND;
	opened(f, POD(1, &a), 5, AT(1));
	opened(f, POD(2, &b), 7, AT(1));
	service_open(f->service, POD(2, &b), (struct connection){.opened = AT(1)});
	text = scrape(f, AT(61));
	expect_sample(text, CONNECTIONS(WORKLOAD("a")), "5");
	text = scrape(f, AT(61) + 1);
	expect_sample(text, CONNECTIONS(WORKLOAD("a")), "");
	expect_sample(text, CONNECTIONS(WORKLOAD("b")), "7");
	/* it is in no other series, and not forgotten */
	expect_sample(text, CONNECTIONS(OTHER), "");
	expect_sample(text, IN_OTHER, "0");
	expect_sample(text, "whocalls_callers{" SERVICE "}", "2");
	opened(f, POD(1, &a), 6, AT(90));
	text = scrape(f, AT(91));
	expect_sample(text, CONNECTIONS(WORKLOAD("a")), "6");
}

/* What is over is in no series, also when there was no scrape before. */
static void stale_at_first(void **state)
{
	struct fixture *f = *state;
	const char *text;

	f->metrics.stale_ns = 60 * SECOND;
	opened(f, POD(1, &a), 5, AT(1));
	opened(f, POD(2, &b), 7, AT(50));
	text = scrape(f, AT(70));
	expect_sample(text, CONNECTIONS(WORKLOAD("a")), "");
	expect_sample(text, CONNECTIONS(WORKLOAD("b")), "7");
	assert_int_equal(count_samples(text, "whocalls_connections_total"), 1);
	opened(f, POD(1, &a), 6, AT(71));
	text = scrape(f, AT(72));
	expect_sample(text, CONNECTIONS(WORKLOAD("a")), "6");
}

/* A place gets free: who takes it begins at what comes now, and `other` keeps what it had. */
static void from_other_to_its_own(void **state)
{
	struct fixture *f = *state;
	const char *text;

	f->metrics.stale_ns = 60 * SECOND;
	f->metrics.max_callers = 1;
	opened(f, POD(1, &a), 100, AT(1));
	scrape(f, AT(2));
	opened(f, POD(2, &b), 30, AT(50));
	text = scrape(f, AT(51));
	expect_sample(text, CONNECTIONS(WORKLOAD("a")), "100");
	expect_sample(text, CONNECTIONS(OTHER), "30");
	opened(f, POD(2, &b), 34, AT(100));
	text = scrape(f, AT(101));
	expect_sample(text, CONNECTIONS(WORKLOAD("a")), "");
	expect_sample(text, CONNECTIONS(WORKLOAD("b")), "4");
	expect_sample(text, CONNECTIONS(OTHER), "30");

	/* and the first one waits when it is back */
	opened(f, POD(1, &a), 103, AT(105));
	opened(f, POD(2, &b), 36, AT(105));
	text = scrape(f, AT(106));
	expect_sample(text, CONNECTIONS(WORKLOAD("a")), "");
	expect_sample(text, CONNECTIONS(WORKLOAD("b")), "6");
	expect_sample(text, CONNECTIONS(OTHER), "33");
	expect_sample(text, IN_OTHER, "1");

	/* until it has a place again: it goes on from where it was */
	opened(f, POD(1, &a), 104, AT(200));
	text = scrape(f, AT(201));
	expect_sample(text, CONNECTIONS(WORKLOAD("a")), "101");
	expect_sample(text, CONNECTIONS(WORKLOAD("b")), "");
	expect_sample(text, CONNECTIONS(OTHER), "33");
}

/* The API tells late whose an address was. */
static void named_late(void **state)
{
	struct fixture *f = *state;
	struct peer known = POD(2, &b);
	const char *text;

	known.who.since = INT64_MIN;
	opened(f, OF_CLASS(CLASS_EXTERNAL, 1), 1000, AT(1));
	opened(f, OF_CLASS(CLASS_EXTERNAL, 2), 3, AT(1));
	text = scrape(f, AT(2));
	expect_sample(text, CONNECTIONS(CLASS("external")), "1003");
	opened(f, known, 4, AT(3));
	text = scrape(f, AT(4));
	expect_sample(text, CONNECTIONS(WORKLOAD("b")), "4");
	expect_sample(text, CONNECTIONS(CLASS("external")), "1003");
	opened(f, OF_CLASS(CLASS_EXTERNAL, 1), 1002, AT(5));
	text = scrape(f, AT(6));
	expect_sample(text, CONNECTIONS(CLASS("external")), "1003");
	opened(f, OF_CLASS(CLASS_EXTERNAL, 1), 1010, AT(5));
	text = scrape(f, AT(6));
	expect_sample(text, CONNECTIONS(CLASS("external")), "1010");
}

/* The only one of a name gets another: its series ends, and what it put into sums stays. */
static void named_late_and_gone(void **state)
{
	struct fixture *f = *state;
	struct histograms times = {};
	struct peer known = POD(2, &b);
	const char *text;

#define ENDED(class)                                                                               \
	"whocalls_connection_duration_seconds_count{" SERVICE ",caller_class=\"" class "\"}"
	known.who.since = INT64_MIN;
	times.bucket[OPEN_TIME][histogram_bucket(SECOND)] = 3;
	f->metrics.max_callers = 0;
	opened(f, OF_CLASS(CLASS_EXTERNAL, 2), 3, AT(1));
	service_times(f->service, OF_CLASS(CLASS_EXTERNAL, 2), &times);
	text = scrape(f, AT(2));
	expect_sample(text, CONNECTIONS(OTHER), "3");
	expect_sample(text, ENDED("external"), "3");
	opened(f, known, 4, AT(3));
	text = scrape(f, AT(4));
	/* 3 of these under the first name, and all 4 under the second: the price of never less */
	expect_sample(text, CONNECTIONS(OTHER), "7");
	expect_sample(text, ENDED("external"), "3");
	expect_sample(text, ENDED("workload"), "3");
}

/* The kernel's buckets count modulo 2^32. */
static void wrapped(void **state)
{
	struct fixture *f = *state;
	static struct histograms times;
	uint32_t fast = histogram_bucket(MS / 4), slow = histogram_bucket(20 * SECOND);
	const char *text;
	char before[64], after[64];

#define DURATION(what) "whocalls_request_duration_seconds_" what
	times = (struct histograms){};
	times.bucket[SERVICE_TIME][fast] = UINT32_MAX;
	times.bucket[SERVICE_TIME][slow] = 1;
	opened(f, POD(1, &a), 1, AT(1));
	service_times(f->service, POD(1, &a), &times);
	text = scrape(f, AT(2));
	expect_sample(text, DURATION("count{" WORKLOAD("a") "}"), "4294967296");
	sample(text, DURATION("sum{" WORKLOAD("a") "}"), before);
	times.bucket[SERVICE_TIME][fast] = 9;
	service_times(f->service, POD(1, &a), &times);
	text = scrape(f, AT(3));
	expect_sample(text, DURATION("count{" WORKLOAD("a") "}"), "4294967306");
	expect_sample(text, DURATION("bucket{" WORKLOAD("a") ",le=\"0.0005\"}"), "4294967305");
	sample(text, DURATION("sum{" WORKLOAD("a") "}"), after);
	assert_string_equal(after, before);
	times.bucket[SERVICE_TIME][slow] = 101;
	service_times(f->service, POD(1, &a), &times);
	text = scrape(f, AT(4));
	expect_sample(text, DURATION("count{" WORKLOAD("a") "}"), "4294967406");
	sample(text, DURATION("sum{" WORKLOAD("a") "}"), after);
	assert_in_range((uint64_t)(strtod(after, NULL) - strtod(before, NULL)), 1941, 2059);
}

/* A Service is watched no more, and again. */
static void targets_come_and_go(void **state)
{
	struct fixture *f = *state;
	const char *text;

	f->metrics.max_callers = 1;
	opened(f, POD(1, &a), 5, AT(1));
	scrape(f, AT(2));
	f->metrics.n_targets = 0;
	text = scrape(f, AT(3));
	assert_null(strstr(text, "{" SERVICE));
	f->metrics.n_targets = 1;
	text = scrape(f, AT(4));
	expect_sample(text, CONNECTIONS(WORKLOAD("a")), "5");
}

/* --- what holds of all expositions --- */

static int compare_lines(const void *p, const void *q)
{
	return strcmp(*(char *const *)p, *(char *const *)q);
}

/* Name and labels of all samples, sorted: none twice. The text is cut into pieces. */
static void expect_no_duplicates(char *text)
{
	size_t n = 0, room = 1024;
	char **keys = malloc(room * sizeof(*keys)), *save = NULL;

	for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		if (*line == '#')
			continue;
		*strrchr(line, ' ') = '\0';
		if (n == room) {
			room *= 2;
			keys = reallocarray(keys, room, sizeof(*keys));
		}
		assert_non_null(keys);
		keys[n++] = line;
	}
	qsort(keys, n, sizeof(*keys), compare_lines);
	for (size_t i = 1; i < n; i++)
		assert_string_not_equal(keys[i - 1], keys[i]);
	free(keys);
}

/* The family that a sample must be of, by the TYPE that was written last. */
static bool sample_is_of(const char *line, const char *family, size_t n, const char *type)
{
	static const char *const suffixes[] = {"_total", "_info", "_bucket", "_sum", "_count", ""};
	const char *rest = line + n;

	if (strncmp(line, family, n) != 0)
		return false;
	for (size_t i = 0; i < 6; i++) {
		size_t length = strlen(suffixes[i]);
		bool histogram = i >= 2 && i <= 4;

		if (!strncmp(rest, suffixes[i], length) &&
		    (rest[length] == '{' || rest[length] == ' '))
			return histogram == !strncmp(type, "histogram", 9);
	}
	return false;
}

/* HELP, then TYPE, then samples, each family once. */
static void expect_families(const char *text)
{
	const char *name = NULL, *type = NULL, *seen[128];
	size_t n = 0, n_seen = 0;

	for (const char *line = text; *line; line = strchr(line, '\n') + 1) {
		if (!strncmp(line, "# HELP ", 7)) {
			name = line + 7;
			n = strcspn(name, " ");
			type = NULL;
			for (size_t i = 0; i < n_seen; i++)
				assert_false(!strncmp(seen[i], name, n + 1));
			assert_true(n_seen < 128);
			seen[n_seen++] = name;
		} else if (!strncmp(line, "# TYPE ", 7)) {
			assert_null(type);
			assert_non_null(name);
			assert_int_equal(strncmp(line + 7, name, n + 1), 0);
			type = line + 7 + n + 1;
		} else if (*line != '#') {
			assert_non_null(type);
			assert_true(sample_is_of(line, name, n, type));
		}
	}
}

static uint64_t value_of(const char *line)
{
	const char *end = strchr(line, '\n');

	while (end[-1] != ' ')
		end--;
	return strtoull(end, NULL, 10);
}

/* Buckets don't fall, and the last one's is the count. */
static void expect_histograms(const char *text)
{
	uint64_t last = 0;
	bool within = false, ended = false;
	size_t n = 0;

	for (const char *line = text; *line; line = strchr(line, '\n') + 1) {
		size_t name = strcspn(line, "{ \n");

		if (*line == '#')
			continue;
		if (name > 7 && !strncmp(line + name - 7, "_bucket", 7)) {
			uint64_t value = value_of(line);
			size_t length = strcspn(line, "\n");

			assert_true(!within || value >= last);
			last = value;
			within = true;
			ended = memmem(line, length, "le=\"+Inf\"", 9);
		} else if (name > 6 && !strncmp(line + name - 6, "_count", 6)) {
			assert_true(within && ended);
			assert_int_equal(value_of(line), last);
			within = false;
			n++;
		}
	}
	assert_true(n);
}

/* The sum of all samples of a name whose labels begin so. */
static uint64_t sum_of(const char *text, const char *name)
{
	size_t n = strlen(name);
	uint64_t sum = 0;

	for (const char *line = text; *line; line = strchr(line, '\n') + 1) {
		if (!strncmp(line, name, n))
			sum += value_of(line);
	}
	return sum;
}

#define TARGETS 500
#define CALLERS 10 /* of each */

/* Of any class and name, often the same as another's. */
static struct peer random_peer(struct pod_name *pod, char workload[16])
{
	static const char *const kinds[] = {"Deployment", "Job", "DaemonSet"};
	struct peer peer = {.address = (uint32_t)rand()};

	snprintf(workload, 16, "w-%d", rand() % 12);
	*pod = (struct pod_name){"dev", "p", "", kinds[rand() % 3], workload, "node"};
	peer.who.class = rand() % 3 ? CLASS_WORKLOAD : (enum caller_class)(rand() % CLASSES);
	if (peer.who.class == CLASS_WORKLOAD && rand() % 20)
		peer.who.pod = pod;
	if (peer.who.class == CLASS_NODE)
		peer.who.node = workload;
	if (peer.who.class == CLASS_PROCESS)
		peer.comm = workload;
	return peer;
}

struct many {
	struct service *services[TARGETS];
	struct metrics_target targets[TARGETS];
	char names[TARGETS][16];
	struct pod_name pods[TARGETS * CALLERS];
	char workloads[TARGETS * CALLERS][16];
	uint64_t opened;
	uint64_t received;
};

static void add_random(struct many *many, size_t target, size_t caller)
{
	struct service *service = many->services[target];
	struct caller_counts counts = {
		.opened = rand() % 100 + 1,
		.bytes_received = rand(),
		.requests = rand() % 100,
		.overlaps = rand() % 10 == 0,
		.refused = rand() % 3,
		.last = AT(rand() % 100),
	};
	struct histograms times = {};
	struct peer peer = random_peer(&many->pods[caller], many->workloads[caller]);

	for (int i = 0; i < 8; i++) {
		times.bucket[SERVICE_TIME][rand() % HISTOGRAM_BUCKETS] += rand() % 100;
		times.bucket[OPEN_TIME][rand() % HISTOGRAM_BUCKETS] += rand() % 100;
	}
	service_counts(service, peer, counts);
	service_times(service, peer, &times);
	many->opened += counts.opened;
	many->received += counts.bytes_received;
}

static struct many *many_new(void)
{
	struct many *many = calloc(1, sizeof(*many));

	assert_non_null(many);
	for (size_t i = 0; i < TARGETS; i++) {
		many->services[i] = service_new();
		for (size_t j = 0; j < CALLERS; j++)
			add_random(many, i, i * CALLERS + j);
		service_group(many->services[i]);
		snprintf(many->names[i], sizeof(many->names[i]), "svc-%zu", i);
		many->targets[i] = (struct metrics_target){"ns", many->names[i],
							   &many->services[i]->report, SECOND, 1};
	}
	return many;
}

static void many_free(struct many *many)
{
	for (size_t i = 0; i < TARGETS; i++)
		service_free(many->services[i]);
	free(many);
}

static void large_random(void **state)
{
	struct fixture *f = *state;
	struct many *many;
	char *text;

	srand(7);
	many = many_new();
	for (size_t i = 0; i < REPORT_HOOKS; i++)
		f->capture.hooks[i].program = &"abcdef"[i];
	f->metrics.targets = many->targets;
	f->metrics.n_targets = TARGETS;
	f->metrics.max_callers = 3000;
	f->metrics.service_graph = true;
	f->metrics.now_ns = AT(100);
	for (enum metrics_format format = METRICS_TEXT; format <= METRICS_OPENMETRICS; format++) {
		text = expose(&f->metrics, format);
		expect_families(text);
		expect_histograms(text);
		assert_int_equal(sum_of(text, "whocalls_connections_total{"), many->opened);
		assert_int_equal(sum_of(text, "whocalls_received_bytes_total{"), many->received);
		assert_true(sum_of(text, "whocalls_callers_in_other{") > 0);
		expect_no_duplicates(text);
		free(text);
	}
	many_free(many);
}

static void not_told(const struct row *into, const struct row *from, void *arg)
{
	(void)into;
	(void)from;
	(void)arg;
}

/* Callers that are forgotten: what their series had is neither gone nor there twice; whether each
 * address has a series, and one of its own, or not. */
static void forgotten(struct fixture *f, bool by_address, size_t max_callers)
{
	struct peer one = OF_CLASS(CLASS_EXTERNAL, 1), two = OF_CLASS(CLASS_EXTERNAL, 2);
	const struct caller_counts counts = {
		.opened = 3, .closed = 3, .first = AT(0), .last = AT(1)};
	struct caller_key key = peer_key(&one);
	struct histograms times = {};
	const char *text;

	times.bucket[OPEN_TIME][histogram_bucket(SECOND)] = 3;
	f->metrics.by_address = by_address;
	f->metrics.max_callers = max_callers;
	service_counts(f->service, one, counts);
	service_times(f->service, one, &times);
	opened(f, two, 5, AT(1));
	text = scrape(f, AT(2));
	assert_int_equal(sum_of(text, "whocalls_connections_total{"), 8);
	expect_sample(text, ENDED("external"), "3");
	assert_int_equal(ledger_forget(f->service->ledger, &key, &counts, &times, not_told, NULL),
			 0);
	ledger_end_forget(f->service->ledger);
	text = scrape(f, AT(3));
	expect_sample(text, ENDED("external"), "3");
	opened(f, two, 6, AT(4));
	text = scrape(f, AT(5));
	expect_sample(text, ENDED("external"), "3");
	/* a series that has ended is not shown any more */
	assert_int_equal(sum_of(text, "whocalls_connections_total{"),
			 by_address && max_callers ? 6 : 9);
}

static void forgotten_of_a_class(void **state)
{
	forgotten(*state, false, 100);
}

static void forgotten_by_address(void **state)
{
	forgotten(*state, true, 100);
}

static void forgotten_without_a_series_of_its_own(void **state)
{
	forgotten(*state, true, 0);
}

/* What an address did since its series was last written, if it ever was, is in "other". */
static void forgotten_before_it_was_written(void **state)
{
	struct fixture *f = *state;
	struct peer one = OF_CLASS(CLASS_EXTERNAL, 1), two = OF_CLASS(CLASS_EXTERNAL, 2);
	struct caller_counts counts = {.opened = 3, .closed = 3, .first = AT(0), .last = AT(1)};
	struct caller_key keys[] = {peer_key(&one), peer_key(&two)};
	const char *text;

	f->metrics.by_address = true;
	service_counts(f->service, one, counts);
	scrape(f, AT(2));
	counts.opened = 10;
	counts.last = AT(3);
	service_counts(f->service, one, counts);
	service_counts(f->service, two, counts);
	service_group(f->service);
	assert_int_equal(metrics_take(&f->metrics), 0);
	for (size_t i = 0; i < 2; i++)
		assert_int_equal(
			ledger_forget(f->service->ledger, &keys[i], &counts, NULL, not_told, NULL),
			0);
	ledger_end_forget(f->service->ledger);
	service_group(f->service);
	f->metrics.forgotten = true;
	assert_int_equal(metrics_take(&f->metrics), 0);
	f->metrics.forgotten = false;
	for (uint64_t i = 4; i < 6; i++) {
		text = scrape(f, AT(i));
		expect_sample(text, CONNECTIONS(OTHER), "17");
		assert_int_equal(sum_of(text, "whocalls_connections_total{"), 17);
	}
}

/* --- over time --- */

#define WORKLOADS 12

/* The highest value of each series so far. */
struct watched {
	char labels[WORKLOADS + 1][256];
	uint64_t connections[WORKLOADS + 1];
	uint64_t requests[WORKLOADS + 1];
	size_t n;
};

static void expect_never_less(uint64_t *highest, const char *name, const char *labels,
			      const char *text)
{
	char full[400], value[64];

	snprintf(full, sizeof(full), "%s{%s}", name, labels);
	sample(text, full, value);
	if (!*value)
		return;
	assert_true(strtoull(value, NULL, 10) >= *highest);
	*highest = strtoull(value, NULL, 10);
}

/* Callers come and go, wait for a place, get one and lose it: whatever was counted was seen in one
 * series, once. */
static void nothing_lost_or_twice(void **state)
{
	struct fixture *f = *state;
	struct pod_name pods[WORKLOADS];
	char names[WORKLOADS][16];
	uint64_t n[WORKLOADS] = {}, last[WORKLOADS] = {};
	struct watched w = {};

	srand(11);
	f->metrics.stale_ns = 20 * SECOND;
	f->metrics.max_callers = 4;
	for (size_t i = 0; i < WORKLOADS; i++) {
		snprintf(names[i], sizeof(names[i]), "w-%zu", i);
		pods[i] = (struct pod_name){"dev", "p", "", "Deployment", names[i], ""};
		snprintf(w.labels[i], sizeof(w.labels[i]), WORKLOAD("%s"), names[i]);
	}
	snprintf(w.labels[WORKLOADS], sizeof(w.labels[WORKLOADS]), "%s", OTHER);
	for (uint64_t now = 1; now < 2000; now += 5) {
		uint64_t all = 0, seen = 0, seen_requests = 0;
		const char *text;

		for (size_t i = 0; i < WORKLOADS; i++) {
			if (rand() % 8 == 0) {
				n[i] += rand() % 50 + 1;
				last[i] = AT(now);
			}
			if (n[i])
				service_counts(f->service, POD(i + 1, &pods[i]),
					       (struct caller_counts){.opened = n[i],
								      .requests = 2 * n[i],
								      .first = AT(0),
								      .last = last[i]});
			all += n[i];
		}
		text = scrape(f, AT(now));
		assert_true(count_samples(text, "whocalls_connections_total") <= 4 + 1);
		for (size_t i = 0; i <= WORKLOADS; i++) {
			expect_never_less(&w.connections[i], "whocalls_connections_total",
					  w.labels[i], text);
			expect_never_less(&w.requests[i], "whocalls_requests_total", w.labels[i],
					  text);
			seen += w.connections[i];
			seen_requests += w.requests[i];
		}
		assert_int_equal(seen, all);
		assert_int_equal(seen_requests, 2 * all);
	}
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(most_connections_first),
		TEST(most_connections_of_all_targets),
		TEST(none_but_probes),
		TEST(stale_series_end),
		TEST(stale_at_first),
		TEST(from_other_to_its_own),
		TEST(named_late),
		TEST(named_late_and_gone),
		TEST(forgotten_of_a_class),
		TEST(forgotten_by_address),
		TEST(forgotten_before_it_was_written),
		TEST(forgotten_without_a_series_of_its_own),
		TEST(wrapped),
		TEST(targets_come_and_go),
		TEST(large_random),
		TEST(nothing_lost_or_twice),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
