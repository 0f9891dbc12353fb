/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../user/kube/pods-store.h"
#include "../../user/kube/pods.h"
#include "../../user/kube/selector.h"

#ifndef TEST_DATA
#define TEST_DATA "tests/unit/data"
#endif

#define SECOND INT64_C(1000000000)
#define STORY_START (INT64_C(1795333704) * SECOND) /* 2026-11-22T07:48:24Z */

/* The parts of a small pod; `status` may hold anything. */
#define POD(name, uid, more, status)                                                               \
	"{\"kind\":\"Pod\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":\"" name                   \
	"\",\"namespace\":\"dev\",\"uid\":\"" uid "\"" more "},\"spec\":{},\"status\":{" status    \
	"}}"
#define LIST(items) "{\"kind\":\"List\",\"apiVersion\":\"v1\",\"items\":[" items "]}"
#define STARTED(time) "\"startTime\":\"" time "\""
#define IP(ip) "\"podIP\":\"" ip "\""
#define ADVICE "kubectl get pods -A -o json"

static int setup(void **state)
{
	*state = pods_new();
	return *state ? 0 : -1;
}

static int teardown(void **state)
{
	pods_free(*state);
	return 0;
}

static int read_text(struct pods *pods, const char *text, size_t size, char error[512])
{
	FILE *file = tmpfile();
	int r;

	assert_non_null(file);
	assert_int_equal(fwrite(text, 1, size, file), size);
	rewind(file);
	error[0] = '\0';
	r = pods_read(pods, file, "pods.json", error, 512);
	fclose(file);
	return r;
}

static void assert_read(struct pods *pods, const char *text)
{
	char error[512];
	int r = read_text(pods, text, strlen(text), error);

	assert_string_equal(error, "");
	assert_int_equal(r, 0);
}

/* Refused with this errno, by a sentence that starts with the name, says `part`, and what to do. */
static void assert_refused(struct pods *pods, const char *text, int want, const char *part)
{
	char error[512];
	int r = read_text(pods, text, strlen(text), error);

	if (r != want || !strstr(error, part))
		print_error("for %.200s\ngot %d: %s\nwant: %s\n", text, r, error, part);
	assert_int_equal(r, want);
	assert_non_null(strstr(error, part));
	assert_memory_equal(error, "pods.json: ", 11);
	assert_non_null(strstr(error, ADVICE));
}

static void read_data(struct pods *pods, const char *name)
{
	char path[256];
	char error[512] = "";

	snprintf(path, sizeof(path), "%s/%s", TEST_DATA, name);
	if (pods_read_file(pods, path, error, sizeof(error)) < 0)
		fail_msg("%s", error);
}

static const struct pod_name *by_address(const struct pods *pods, const char *text, int64_t when)
{
	struct address address;

	assert_int_equal(address_parse(text, &address), 0);
	return pods_by_address(pods, &address, when);
}

static const struct pod *find(const struct pods *pods, const char *name)
{
	const struct pod *pod;

	for (pod = pods_next(pods, NULL); pod; pod = pods_next(pods, pod))
		if (strcmp(pod->name.pod, name) == 0)
			return pod;
	return NULL;
}

static const struct pod *nth(const struct pods *pods, size_t n)
{
	const struct pod *pod = pods_next(pods, NULL);

	while (pod && n--)
		pod = pods_next(pods, pod);
	return pod;
}

static void assert_workload(const struct pods *pods, const char *pod, const char *kind,
			    const char *workload, const char *owner)
{
	const struct pod *found = find(pods, pod);

	assert_non_null(found);
	assert_string_equal(found->name.kind, kind);
	assert_string_equal(found->name.workload, workload);
	assert_string_equal(found->owner, owner);
}

/* --- what is read --- */

static void test_story(void **state)
{
	struct pods *pods = *state;
	const struct pod_name *name;

	read_data(pods, "story-pods.json");
	name = by_address(pods, "100.96.31.125", INT64_MAX);
	assert_non_null(name);
	assert_string_equal(name->pod,
			    "buffer-login-task-acc-203-add-clientside-validation-s-buff95cnm");
	assert_string_equal(name->namespace, "dev");
	assert_string_equal(name->kind, "Deployment");
	assert_string_equal(name->workload,
			    "buffer-login-task-acc-203-add-clientside-validation-s-buffer-login");
	assert_string_equal(name->node, "node-2");
	name = by_address(pods, "::ffff:100.96.14.170", INT64_MAX);
	assert_non_null(name);
	assert_string_equal(name->pod, "login-6d4cf56db6-x7k2p");
	assert_string_equal(name->workload, "login");
	assert_ptr_equal(by_address(pods, "fd00:10:96::eaa", INT64_MAX), name);
	assert_ptr_equal(pods_by_uid(pods, name->uid), name);
	assert_null(pods_by_uid(pods, "00000000-0000-0000-0000-000000000000"));
	assert_null(by_address(pods, "100.96.99.99", INT64_MAX));
}

static void test_workloads(void **state)
{
	struct pods *pods = *state;

	read_data(pods, "story-pods.json");
	assert_workload(pods, "session-service-v1-55559c8d4b-c2xxf", "Deployment",
			"session-service-v1", "session-service-v1-55559c8d4b");
	assert_workload(pods, "session-service-v1-master-57d7d67dd6-w6wmk", "Deployment",
			"session-service-v1-master", "session-service-v1-master-57d7d67dd6");
	assert_workload(pods, "bare-5f6d7-q2w3e", "ReplicaSet", "bare-5f6d7", "bare-5f6d7");
	assert_workload(pods, "redis-0", "StatefulSet", "redis", "redis");
	assert_workload(pods, "kube-proxy-q8wnl", "DaemonSet", "kube-proxy", "kube-proxy");
	assert_workload(pods, "report-29880000-k2v9s", "CronJob", "report", "report-29880000");
	assert_workload(pods, "migrate-9k4wq", "Job", "migrate", "migrate");
	assert_workload(pods, "legacy-7h2xk", "ReplicationController", "legacy", "legacy");
	assert_workload(pods, "etcd-node-1", "Pod", "etcd-node-1", "");
	assert_workload(pods, "canary-abc12", "Rollout", "canary", "canary");
	assert_workload(pods, "shell", "Pod", "shell", "");
	assert_workload(pods, "waiting", "Pod", "waiting", "");
}

static void read_owned(struct pods *pods, const char *kind, const char *name, const char *started)
{
	char text[1024];

	snprintf(text, sizeof(text),
		 LIST(POD("%s-x", "u-%s",
			  ",\"ownerReferences\":[{\"kind\":\"Other\",\"name\":\"other\","
			  "\"controller\":false},{\"kind\":\"%s\",\"name\":\"%s\","
			  "\"controller\":true}]",
			  STARTED("%s"))),
		 name, name, kind, name, started);
	assert_read(pods, text);
}

/* Only what can be the time of a CronJob is one: a date that somebody put into a Job's name isn't.
 */
static void test_cron_jobs(void **state)
{
	static const struct {
		const char *job;
		const char *started;
		const char *kind;
		const char *workload;
	} cases[] = {
		{"a-29880000", "2026-11-22T07:48:24Z", "CronJob", "a"},
		{"b-c-26900000", "2021-03-01T00:00:00Z", "CronJob", "b-c"},
		{"c-1611111120", "2021-01-20T02:52:05Z", "CronJob", "c"},
		{"d-20260131", "2026-01-31T00:00:00Z", "Job", "d-20260131"},
		{"e-2026013112", "2026-01-31T12:00:00Z", "Job", "e-2026013112"},
		{"f-2988000", "2026-11-22T07:48:24Z", "Job", "f-2988000"},
		{"g-29880000111", "2026-11-22T07:48:24Z", "Job", "g-29880000111"},
		{"h-29880000x", "2026-11-22T07:48:24Z", "Job", "h-29880000x"},
		{"i29880000", "2026-11-22T07:48:24Z", "Job", "i29880000"},
		{"-29880000", "2026-11-22T07:48:24Z", "Job", "-29880000"},
		{"k-123456789", "2026-11-22T07:48:24Z", "Job", "k-123456789"},
	};
	struct pods *pods = *state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct pod_name *name;

		read_owned(pods, "Job", cases[i].job, cases[i].started);
		name = &nth(pods, i)->name;
		assert_string_equal(name->kind, cases[i].kind);
		assert_string_equal(name->workload, cases[i].workload);
	}
}

#define OWNED(name, uid, kind, owner)                                                              \
	POD(name, uid,                                                                             \
	    ",\"labels\":{\"pod-template-hash\":\"abc\"},\"ownerReferences\":[{\"kind\":\"" kind   \
	    "\",\"name\":\"" owner "\",\"controller\":true}]",                                     \
	    "")

static void test_hash_must_match(void **state)
{
	struct pods *pods = *state;

	assert_read(pods, OWNED("a", "1", "ReplicaSet", "webabc"));
	assert_read(pods, OWNED("b", "2", "ReplicaSet", "-abc"));
	assert_read(pods, OWNED("c", "3", "StatefulSet", "x-abc"));
	assert_read(pods, POD("d", "4", ",\"ownerReferences\":[{\"kind\":\"Job\"}]", ""));
	assert_workload(pods, "a", "ReplicaSet", "webabc", "webabc");
	assert_workload(pods, "b", "ReplicaSet", "-abc", "-abc");
	assert_workload(pods, "c", "StatefulSet", "x-abc", "x-abc");
	assert_workload(pods, "d", "Pod", "d", "");
}

static void test_ports(void **state)
{
	static const uint16_t want[] = {3000, 9090, 15006};
	struct pods *pods = *state;
	const struct pod *pod;

	read_data(pods, "story-pods.json");
	pod = find(pods, "session-service-v1-master-57d7d67dd6-rtj8r");
	assert_int_equal(pod->n_ports, 3);
	assert_memory_equal(pod->ports, want, sizeof(want));
	assert_int_equal(find(pods, "shell")->n_ports, 0);
}

static void test_completed_left_out(void **state)
{
	struct pods *pods = *state;

	read_data(pods, "story-pods.json");
	assert_int_equal(pods_count(pods), 19);
	assert_null(find(pods, "report-29870000-done1"));
	assert_null(find(pods, "crashed"));
	/* Before login started, its address was that of a pod which is completed now. */
	assert_null(by_address(pods, "100.96.14.170", STORY_START - 1));
}

static void test_host_network(void **state)
{
	struct pods *pods = *state;
	const struct pod *pod;
	struct address address;

	read_data(pods, "story-pods.json");
	pod = find(pods, "kube-proxy-q8wnl");
	assert_true(pod->host_network);
	assert_int_equal(pod->n_addresses, 1);
	assert_null(by_address(pods, "192.0.2.1", INT64_MAX));
	assert_ptr_equal(pods_by_uid(pods, pod->name.uid), &pod->name);
	assert_int_equal(address_parse("192.0.2.1", &address), 0);
	assert_string_equal(pods_node_by_address(pods, &address), "node-1");
	assert_int_equal(address_parse("192.0.2.9", &address), 0);
	assert_null(pods_node_by_address(pods, &address));
}

static void test_pending(void **state)
{
	struct pods *pods = *state;
	const struct pod *pod;

	read_data(pods, "story-pods.json");
	pod = find(pods, "waiting");
	assert_int_equal(pod->n_addresses, 0);
	assert_int_equal(pod->started, 0);
	assert_string_equal(pod->name.node, "");
}

static void test_real_kubectl(void **state)
{
	struct pods *pods = *state;
	const struct pod_name *name;

	read_data(pods, "pods-core.json");
	assert_int_equal(pods_count(pods), 4);
	name = by_address(pods, "10.244.0.3", INT64_MAX);
	assert_non_null(name);
	assert_string_equal(name->pod, "web-9968c59df-ggglj");
	assert_string_equal(name->workload, "web");
	assert_string_equal(name->node, "node1");
	assert_true(find(pods, "agent-4mlfs")->host_network);
	assert_int_equal(find(pods, name->pod)->started, STORY_START);
}

/* The API's own list, whose items have no kind. */
static void test_real_api(void **state)
{
	struct pods *pods = *state;
	const struct pod_name *name;

	read_data(pods, "podlist-node-a.json");
	assert_int_equal(pods_count(pods), 3);
	name = by_address(pods, "10.244.0.15", INT64_MAX);
	assert_non_null(name);
	assert_string_equal(name->workload, "web");
	assert_string_equal(name->kind, "Deployment");
}

static void test_forms(void **state)
{
	struct pods *pods = *state;

	assert_read(pods, "{\"kind\":\"List\",\"items\":[]}");
	assert_read(pods, "{\"items\":[],\"kind\":\"PodList\",\"apiVersion\":\"v1\"}");
	assert_read(pods, " \r\n\t{ \"items\" : null , \"kind\" : \"PodList\" } \n");
	assert_read(pods, "{\"extra\":[1,-2.5e3,{\"a\":\"]}\"}],\"x\":\"\\\"}\",\"n\":-1.5,\"t\":"
			  "true,\"kind\":\"List\",\"items\":[],\"metadata\":{\"continue\":\"\"}}");
	assert_int_equal(pods_count(pods), 0);
	assert_read(pods, POD("one", "u1", "", IP("100.96.14.170")));
	assert_int_equal(pods_count(pods), 1);
	assert_read(pods, "{\"items\":[" POD("two", "u2", "", IP("100.96.31.125")) " , " POD(
				  "three", "u3", "", "") "\n],\"kind\":\"List\"}");
	assert_int_equal(pods_count(pods), 3);
	assert_string_equal(by_address(pods, "100.96.14.170", 0)->pod, "one");
	assert_string_equal(pods_by_uid(pods, "u2")->pod, "two");
}

static void test_missing_and_null_fields(void **state)
{
	struct pods *pods = *state;

	assert_read(pods, LIST("{\"kind\":\"Pod\",\"metadata\":{\"name\":\"a\",\"namespace\":\"b\","
			       "\"uid\":\"c\"}}"));
	assert_read(pods, LIST(POD("d", "e", ",\"labels\":null,\"ownerReferences\":null",
				   "\"podIPs\":null,\"podIP\":null,\"startTime\":null,"
				   "\"hostIP\":\"\",\"phase\":null")));
	assert_int_equal(pods_count(pods), 2);
	assert_int_equal(nth(pods, 1)->n_addresses, 0);
}

static void test_addresses(void **state)
{
	struct pods *pods = *state;

	assert_read(pods, POD("both", "1", "",
			      IP("192.0.2.7") ",\"podIPs\":[{\"ip\":\"100.96.1.1\"},"
					      "{\"ip\":\"fd00::1\"}]"));
	assert_read(pods, POD("mapped", "2", "", IP("::ffff:100.96.1.2")));
	assert_read(pods, POD("empty", "3", "", "\"podIPs\":[]," IP("fd00::3")));
	assert_string_equal(by_address(pods, "100.96.1.1", 0)->pod, "both");
	assert_string_equal(by_address(pods, "fd00::1", 0)->pod, "both");
	assert_null(by_address(pods, "192.0.2.7", 0));
	assert_string_equal(by_address(pods, "100.96.1.2", 0)->pod, "mapped");
	assert_string_equal(by_address(pods, "fd00::3", 0)->pod, "empty");
}

#define HELD(name, uid, ip, time) POD(name, uid, "", IP(ip) "," STARTED(time))

/* An address went from one pod to the next, in whatever order they are listed. */
static void test_address_over_time(void **state)
{
	struct pods *pods = *state;
	const int64_t one = INT64_C(1795305600) * SECOND; /* 2026-11-22T00:00:00Z */

	assert_read(pods, HELD("second", "2", "100.96.1.1", "2026-11-22T00:00:01Z"));
	assert_read(pods, POD("unknown", "0", "", IP("100.96.1.1")));
	assert_read(pods, HELD("first", "1", "100.96.1.1", "2026-11-22T00:00:00Z"));
	assert_read(pods, HELD("other", "3", "100.96.1.2", "2026-11-22T00:00:02Z"));
	assert_string_equal(by_address(pods, "100.96.1.1", INT64_MAX)->pod, "second");
	assert_string_equal(by_address(pods, "100.96.1.1", one + SECOND)->pod, "second");
	assert_string_equal(by_address(pods, "100.96.1.1", one + SECOND - 1)->pod, "first");
	assert_string_equal(by_address(pods, "100.96.1.1", one)->pod, "first");
	assert_string_equal(by_address(pods, "100.96.1.1", one - 1)->pod, "unknown");
	assert_null(by_address(pods, "100.96.1.2", one + SECOND));
	assert_string_equal(by_address(pods, "100.96.1.2", one + 2 * SECOND)->pod, "other");
}

static void test_nodes(void **state)
{
	struct pods *pods = *state;
	struct address address;

	assert_read(
		pods,
		LIST("{\"kind\":\"Pod\",\"metadata\":{\"name\":\"a\",\"namespace\":\"b\",\"uid\":"
		     "\"c\"},\"spec\":{\"nodeName\":\"node-7\"},\"status\":{\"hostIP\":"
		     "\"192.0.2.7\",\"hostIPs\":[{\"ip\":\"192.0.2.7\"},{\"ip\":\"fd00::7\"}]}}"
		     ",{\"kind\":\"Pod\",\"metadata\":{\"name\":\"d\",\"namespace\":\"b\",\"uid\":"
		     "\"e\"},\"spec\":{\"nodeName\":\"node-8\"},\"status\":{\"hostIP\":"
		     "\"192.0.2.8\"}}"));
	assert_int_equal(address_parse("fd00::7", &address), 0);
	assert_string_equal(pods_node_by_address(pods, &address), "node-7");
	assert_int_equal(address_parse("192.0.2.7", &address), 0);
	assert_string_equal(pods_node_by_address(pods, &address), "node-7");
	assert_int_equal(address_parse("192.0.2.8", &address), 0);
	assert_string_equal(pods_node_by_address(pods, &address), "node-8");
}

/* Names stay where they are while more is read, and so does what was found before. */
static void test_many(void **state)
{
	struct pods *pods = *state;
	const struct pod_name *first;
	char error[512] = "";
	FILE *file = tmpfile();
	char text[32];

	assert_non_null(file);
	assert_read(pods, LIST(POD("first", "first", "", IP("192.0.2.1"))));
	first = pods_by_uid(pods, "first");
	fputs("{\"kind\":\"List\",\"items\":[", file);
	for (unsigned int i = 0; i < 20000; i++)
		fprintf(file, "%s" POD("pod-%u", "uid-%u", "", IP("10.1.%u.%u")), i ? "," : "", i,
			i, i >> 8, i & 255);
	fputs("]}", file);
	rewind(file);
	assert_int_equal(pods_read(pods, file, "many", error, sizeof(error)), 0);
	fclose(file);
	assert_int_equal(pods_count(pods), 20001);
	assert_ptr_equal(pods_by_uid(pods, "first"), first);
	assert_string_equal(first->pod, "first");
	for (unsigned int i = 0; i < 20000; i += 7) {
		const struct pod_name *name;

		snprintf(text, sizeof(text), "10.1.%u.%u", i >> 8, i & 255);
		name = by_address(pods, text, 0);
		snprintf(text, sizeof(text), "uid-%u", i);
		assert_non_null(name);
		assert_string_equal(name->uid, text);
		assert_ptr_equal(pods_by_uid(pods, text), name);
		assert_ptr_equal(name->namespace, first->namespace);
	}
}

static void test_nothing_read(void **state)
{
	assert_int_equal(pods_count(*state), 0);
	assert_null(by_address(*state, "100.96.14.170", INT64_MAX));
	assert_null(pods_by_uid(*state, "x"));
	pods_free(NULL);
}

/* --- what is refused --- */

static void test_not_json(void **state)
{
	struct pods *pods = *state;

	assert_refused(pods, "", -EINVAL, "is empty");
	assert_refused(pods, " \n\t", -EINVAL, "is empty");
	assert_refused(pods, "apiVersion: v1\n", -EINVAL, "byte 0 is 'a'");
	assert_refused(pods, "\xff\xfe{", -EINVAL, "byte 0 is 0xff");
	assert_refused(pods, "[]", -EINVAL, "byte 0 is '['");
	assert_refused(pods, "{kind:1}", -EINVAL, "byte 1 is 'k' where a key");
	assert_refused(pods, "{\"kind\" \"List\"}", -EINVAL, "where a colon");
	assert_refused(pods, "{\"kind\":\"List\" \"a\":1}", -EINVAL, "where a comma");
	assert_refused(pods, "{\"kind\":\"List\",}", -EINVAL, "where a key");
	assert_refused(pods, "{\"kind\":}", -EINVAL, "where a value");
	assert_refused(pods, "{\"kind\":nul}", -EINVAL, "near byte 11: invalid token");
	assert_refused(pods, "{\"x\":01}", -EINVAL, "near byte 6");
	assert_refused(pods, "{\"items\":{}}", -EINVAL, "where the array of items");
	assert_refused(pods, "{\"items\":7}", -EINVAL, "where the array of items");
	assert_refused(pods, "{\"items\":[1]}", -EINVAL, "item 1: ");
	assert_refused(pods, "{\"items\":[null]}", -EINVAL, "where the object of a Pod");
	assert_refused(pods, LIST(POD("a", "b", "", "") POD("c", "d", "", "")), -EINVAL,
		       "where a comma between items");
	assert_refused(pods, LIST(POD("a", "b", "", "") ","), -EINVAL, "item 2: ");
	assert_refused(pods, LIST("{\"kind\":\"Pod\",\"a\":\"\xc3\x28\"}"), -EINVAL, "item 1: ");
	assert_refused(pods, LIST("{\"kind\" 1}"), -EINVAL, "item 1: is not JSON near byte 51");
}

static void test_trailing(void **state)
{
	assert_refused(*state, LIST("") "x", -EINVAL, "is 'x' where the end");
	assert_refused(*state, LIST("") "\n" LIST(""), -EINVAL, "is '{' where the end");
}

/* However it is cut, it is refused; and what was whole before stays. */
static void test_truncated(void **state)
{
	static const char text[] = "{\"kind\":\"List\",\"n\":12,\"items\":[" POD(
		"a", "b", "", IP("100.96.14.170")) "," POD("c", "d", "", "") "],\"last\":true}";
	char error[512];

	for (size_t size = 1; size < sizeof(text) - 1; size++) {
		struct pods *pods = pods_new();

		assert_non_null(pods);
		assert_int_equal(read_text(pods, text, size, error), -EINVAL);
		assert_non_null(strstr(error, "ends in the middle"));
		assert_non_null(strstr(error, ADVICE));
		if (pods_count(pods))
			assert_string_equal(by_address(pods, "100.96.14.170", 0)->pod, "a");
		pods_free(pods);
	}
	assert_read(*state, text);
	assert_int_equal(pods_count(*state), 2);
}

static void test_kinds(void **state)
{
	struct pods *pods = *state;

	assert_refused(pods, "{\"kind\":\"DeploymentList\",\"apiVersion\":\"apps/v1\",\"items\":[",
		       -EINVAL, "is a DeploymentList, not a list of pods");
	assert_refused(pods, "{\"items\":[],\"kind\":\"ServiceList\"}", -EINVAL,
		       "is a ServiceList, not a list of pods");
	assert_refused(pods, "{\"kind\":\"Status\",\"status\":\"Failure\"}", -EINVAL,
		       "is a Status");
	assert_refused(pods, "{\"kind\":\"Pod\",\"items\":[]}", -EINVAL, "is a Pod, not a list");
	assert_refused(pods, "{}", -EINVAL, "has no kind");
	assert_refused(pods, "{\"items\":[]}", -EINVAL, "has no kind");
	assert_refused(pods, "{\"kind\":7,\"items\":[]}", -EINVAL, "kind is a whole number");
	assert_refused(pods, "{\"kind\":\"List\"}", -EINVAL, "is a List without items");
	assert_refused(pods, "{\"kind\":\"List\",\"items\":[],\"items\":[]}", -EINVAL, "twice");
	assert_refused(pods, "{\"kind\":\"List\",\"apiVersion\":\"v2\",\"items\":[]}", -EINVAL,
		       "apiVersion v2");
	assert_refused(pods, LIST(POD("a", "b", "", "") ",{\"kind\":\"Deployment\"}"), -EINVAL,
		       "item 2: is a Deployment, not a Pod");
	assert_refused(pods, LIST("{\"kind\":\"Pod\",\"apiVersion\":\"x/v1\"}"), -EINVAL,
		       "item 1: has apiVersion x/v1");
	assert_refused(
		pods,
		"{\"items\":[{\"metadata\":{\"name\":\"a\",\"namespace\":\"b\",\"uid\":\"c\"}}"
		"],\"kind\":\"List\"}",
		-EINVAL, "item 1 has no kind");
	assert_refused(pods,
		       "{\"kind\":\"PodList\",\"metadata\":{\"continue\":\"abc\"},\"items\":[]}",
		       -EINVAL, "only a page");
}

static void test_damaged_items(void **state)
{
	static const struct {
		const char *text;
		const char *part;
	} cases[] = {
		{"{\"kind\":\"Pod\"}", "has no metadata.name"},
		{"{\"kind\":\"Pod\",\"metadata\":[]}", "metadata is an array where an object"},
		{"{\"kind\":\"Pod\",\"metadata\":{\"name\":\"a\"}}", "has no metadata.namespace"},
		{"{\"kind\":\"Pod\",\"metadata\":{\"name\":\"a\",\"namespace\":\"b\"}}",
		 "item 1 (b/a): has no metadata.uid"},
		{"{\"kind\":\"Pod\",\"metadata\":{\"name\":7}}", "metadata.name is a whole number"},
		{"{\"kind\":\"Pod\",\"metadata\":{\"name\":\"a\\u001b[2J\"}}",
		 "metadata.name is not a name: \"a?[2J\""},
		{POD("a", "b", ",\"labels\":7", ""), "metadata.labels is a whole number"},
		{POD("a", "b", ",\"labels\":{\"pod-template-hash\":1.5}", ""),
		 "labels.pod-template-hash is a number"},
		{POD("a", "b", ",\"ownerReferences\":{}", ""), "ownerReferences is an object"},
		{POD("a", "b", ",\"ownerReferences\":[true]", ""), "ownerReferences is true"},
		{POD("a", "b", ",\"ownerReferences\":[{\"controller\":\"yes\"}]", ""),
		 "ownerReferences.controller is a string"},
		{POD("a", "b", ",\"ownerReferences\":[{\"controller\":true}]", ""),
		 "has no ownerReferences.kind"},
		{POD("a", "b", ",\"ownerReferences\":[{\"controller\":true,\"kind\":\"Job\"}]", ""),
		 "has no ownerReferences.name"},
		{POD("a", "b", "", "\"phase\":false"), "status.phase is false"},
		{POD("a", "b", "", IP("100.96.14")),
		 "status.podIP is not an address: \"100.96.14\""},
		{POD("a", "b", "", "\"podIP\":7"), "status.podIP is a whole number"},
		{POD("a", "b", "", "\"podIPs\":\"100.96.14.170\""), "status.podIPs is a string"},
		{POD("a", "b", "", "\"podIPs\":[\"100.96.14.170\"]"), "status.podIPs is a string"},
		{POD("a", "b", "", "\"podIPs\":[{}]"), "has no ip"},
		{POD("a", "b", "", "\"podIPs\":[{\"ip\":\"x\"}]"),
		 "status.podIPs is not an address"},
		{POD("a", "b", "", "\"hostIP\":\"x\""), "status.hostIP is not an address"},
		{POD("a", "b", "", "\"hostIPs\":[{\"ip\":\"x\"}]"), "status.hostIPs is not"},
		{POD("a", "b", "", "\"phase\":\"Failed\",\"podIP\":\"x\""), "status.podIP is not"},
		{POD("a", "b", "", STARTED("yesterday")), "status.startTime is not a time"},
		{POD("a", "b", "", STARTED("2026-02-30T00:00:00Z")), "status.startTime is not"},
		{POD("a", "b", "", STARTED("2026-02-28T00:00:00Zx")), "status.startTime is not"},
		{POD("a", "b", "", STARTED("2026-02-28T00:00:00")), "status.startTime is not"},
		{POD("a", "b", "", STARTED("1969-12-31T23:59:59Z")), "status.startTime is not"},
		{POD("a", "b", "", STARTED("9999-01-01T00:00:00Z")), "status.startTime is not"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char text[1024];

		snprintf(text, sizeof(text), LIST("%s"), cases[i].text);
		assert_refused(*state, text, -EINVAL, cases[i].part);
		assert_refused(*state, text, -EINVAL, "item 1");
		/* A single pod is read by the same rules, and has no number. */
		assert_refused(*state, cases[i].text, -EINVAL,
			       strchr(cases[i].part, ':') ? "pods.json: " : cases[i].part);
	}
	assert_int_equal(pods_count(*state), 0);
}

static void test_damaged_specs(void **state)
{
	static const struct {
		const char *spec;
		const char *part;
	} cases[] = {
		{"[]", "spec is an array"},
		{"{\"nodeName\":7}", "spec.nodeName is a whole number"},
		{"{\"hostNetwork\":\"true\"}", "spec.hostNetwork is a string"},
		{"{\"containers\":{}}", "spec.containers is an object"},
		{"{\"containers\":[7]}", "spec.containers is a whole number"},
		{"{\"initContainers\":[[]]}", "spec.initContainers is an array"},
		{"{\"containers\":[{\"ports\":7}]}", "containers.ports is a whole number"},
		{"{\"containers\":[{\"ports\":[80]}]}", "ports is a whole number"},
		{"{\"containers\":[{\"ports\":[{}]}]}", "containerPort is not a port: 0"},
		{"{\"containers\":[{\"ports\":[{\"containerPort\":65536}]}]}", "not a port: 65536"},
		{"{\"containers\":[{\"ports\":[{\"containerPort\":-1}]}]}", "not a port: -1"},
		{"{\"containers\":[{\"ports\":[{\"containerPort\":\"http\"}]}]}",
		 "containerPort is a string"},
		{"{\"containers\":[{\"ports\":[{\"containerPort\":80,\"protocol\":6}]}]}",
		 "protocol is a whole number"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char text[1024];

		snprintf(text, sizeof(text),
			 LIST("{\"kind\":\"Pod\",\"metadata\":{\"name\":\"a\",\"namespace\":\"b\","
			      "\"uid\":\"c\"},\"spec\":%s}"),
			 cases[i].spec);
		assert_refused(*state, text, -EINVAL, cases[i].part);
	}
	assert_refused(*state,
		       LIST("{\"kind\":\"Pod\",\"metadata\":{\"name\":\"a\",\"namespace\":\"b\","
			    "\"uid\":\"c\"},\"status\":7}"),
		       -EINVAL, "item 1 (b/a): status is a whole number");
	assert_int_equal(pods_count(*state), 0);
}

static void test_before_error_stays(void **state)
{
	assert_refused(*state, LIST(POD("a", "u", "", IP("100.96.14.170")) ",{}"), -EINVAL,
		       "item 2: has no metadata.name");
	assert_int_equal(pods_count(*state), 1);
	assert_string_equal(by_address(*state, "100.96.14.170", 0)->pod, "a");
	assert_string_equal(pods_by_uid(*state, "u")->pod, "a");
}

static void fill(char *text, size_t at, size_t n, char c)
{
	memset(text + at, c, n);
	text[at + n] = '\0';
}

static void test_too_deep(void **state)
{
	static const char start[] = "{\"kind\":\"List\",\"items\":[{\"kind\":\"Pod\",\"x\":";
	char *text = malloc(sizeof(start) + 100000);

	assert_non_null(text);
	strcpy(text, start);
	fill(text, sizeof(start) - 1, 100000, '[');
	assert_refused(*state, text, -EINVAL, "item 1: is not JSON near byte");
	assert_refused(*state, text, -EINVAL, "depth");
	free(text);
}

static void test_too_large(void **state)
{
	static const char start[] = "{\"kind\":\"List\",\"items\":[{\"kind\":\"Pod\",\"x\":\"";
	const size_t size = (size_t)9 << 20;
	char *text = malloc(sizeof(start) + size);

	assert_non_null(text);
	strcpy(text, start);
	fill(text, sizeof(start) - 1, size, 'x');
	assert_refused(*state, text, -E2BIG, "item 1: is larger than 8 MiB");
	free(text);
}

/* A short buffer gets a short sentence. */
static void test_error_is_cut(void **state)
{
	char error[8] = "0123456";
	FILE *file = fmemopen((void *)"x", 1, "r");

	assert_non_null(file);
	assert_int_equal(pods_read(*state, file, "pods.json", error, 5), -EINVAL);
	assert_string_equal(error, "pods");
	fclose(file);
}

static void test_files(void **state)
{
	char error[512];

	assert_int_equal(pods_read_file(*state, "no/such", error, sizeof(error)), -ENOENT);
	assert_non_null(strstr(error, "no/such: cannot be opened: No such file"));
	assert_non_null(strstr(error, ADVICE));
	assert_int_equal(pods_read_file(*state, "/", error, sizeof(error)), -EISDIR);
	assert_non_null(strstr(error, "/: cannot be read: Is a directory"));
	assert_non_null(strstr(error, ADVICE));
	assert_int_equal(pods_read_file(*state, "/dev/null", error, sizeof(error)), -EINVAL);
	assert_non_null(strstr(error, "/dev/null: is empty"));
}

/* A pipe gives what it has, in pieces. */
static void test_standard_input(void **state)
{
	static const char text[] = LIST(POD("piped", "u", "", IP("100.96.31.125")));
	char error[512] = "";
	int saved = dup(STDIN_FILENO);
	int ends[2];

	assert_int_equal(pipe(ends), 0);
	assert_int_equal(write(ends[1], text, sizeof(text) - 1), sizeof(text) - 1);
	close(ends[1]);
	assert_int_equal(dup2(ends[0], STDIN_FILENO), STDIN_FILENO);
	close(ends[0]);
	assert_int_equal(pods_read_file(*state, "-", error, sizeof(error)), 0);
	assert_string_equal(by_address(*state, "100.96.31.125", 0)->pod, "piped");
	assert_int_equal(pods_read_file(*state, "-", error, sizeof(error)), -EINVAL);
	assert_non_null(strstr(error, "standard input: is empty"));
	dup2(saved, STDIN_FILENO);
	close(saved);
}

/* --- labels --- */

static void test_selected(void **state)
{
	struct pods *pods = *state;
	struct selectors selectors = {};
	struct selector *own[2];
	const struct pod_name *name;
	char error[256];

	assert_int_equal(selector_parse(&own[0], "app=web", error, sizeof(error)), 0);
	assert_int_equal(selector_parse(&own[1], "!tier", error, sizeof(error)), 0);
	selectors.at[selectors.n++] = own[0];
	selectors.at[selectors.n++] = own[1];
	pods_select(pods, &selectors);
	assert_read(pods, LIST(POD("a", "ua", ",\"labels\":{\"app\":\"web\"}",
				   "") "," POD("b", "ub", "", "")));
	name = pods_by_uid(pods, "ua");
	assert_int_equal(name->selected, 3);
	assert_int_equal(pods_by_uid(pods, "ub")->selected, 2);
	/* what was handed out follows the labels */
	assert_read(pods, LIST(POD("a", "ua", ",\"labels\":{\"app\":\"api\",\"tier\":\"x\"}", "")));
	assert_int_equal(name->selected, 0);
	assert_read(pods, LIST(POD("a", "ua", ",\"labels\":null", "")));
	assert_int_equal(name->selected, 2);
	selector_free(own[0]);
	selector_free(own[1]);
}

/* --- over time --- */

static void test_gone(void **state)
{
	struct pods *pods = *state;

	assert_read(pods,
		    LIST(POD("a", "ua", "", STARTED("1970-01-01T00:00:10Z") "," IP("10.0.0.1"))));
	pods_gone(pods, "ua", 20 * SECOND, true);
	assert_string_equal(by_address(pods, "10.0.0.1", 19 * SECOND)->pod, "a");
	assert_null(by_address(pods, "10.0.0.1", 20 * SECOND));
	assert_null(by_address(pods, "10.0.0.1", 9 * SECOND));
	/* the address goes to another namespace's pod */
	assert_read(pods,
		    LIST(POD("b", "ub", "", STARTED("1970-01-01T00:00:30Z") "," IP("10.0.0.1"))));
	assert_string_equal(by_address(pods, "10.0.0.1", 15 * SECOND)->pod, "a");
	assert_null(by_address(pods, "10.0.0.1", 25 * SECOND));
	assert_string_equal(by_address(pods, "10.0.0.1", 31 * SECOND)->pod, "b");
	assert_int_equal(pods_next(pods, NULL)->ended, 20 * SECOND);
	pods_gone(pods, "nobody", 1, true);
}

/* What no list has any more is gone; what comes twice is the same. */
static void test_lists(void **state)
{
	struct pods *pods = *state;

	assert_read(pods, LIST(POD("a", "ua", "", IP("10.0.0.1")) "," POD("b", "ub", "",
									  IP("10.0.0.2"))));
	pods_list_begin(pods);
	assert_read(pods, LIST(POD("b", "ub", "", IP("10.0.0.2"))));
	pods_list_end(pods, 7 * SECOND);
	assert_int_equal(pods_count(pods), 2);
	assert_int_equal(find(pods, "a")->ended, 7 * SECOND);
	assert_int_equal(find(pods, "b")->ended, 0);
	assert_null(by_address(pods, "10.0.0.1", 8 * SECOND));
	assert_non_null(by_address(pods, "10.0.0.2", 8 * SECOND));
}

static void put(struct pods *pods, const char *name, const char *start, const char *ip, int64_t now)
{
	struct reader *reader;
	struct pod_item item = {};
	char text[512], error[256] = "";
	json_t *json;

	snprintf(text, sizeof(text),
		 "{\"metadata\":{\"name\":\"%s\",\"namespace\":\"dev\",\"uid\":\"%s\"},"
		 "\"status\":{\"startTime\":\"%s\",\"podIP\":\"%s\"}}",
		 name, name, start, ip);
	json = json_loads(text, 0, NULL);
	reader = reader_new(NULL, "test", "", error, sizeof(error));
	assert_int_equal(pod_item_read(&item, reader, json), 0);
	assert_int_equal(pods_put(pods, &item, now), 0);
	pod_item_deinit(&item);
	free(reader);
	json_decref(json);
}

/* A pod starts before it has its address, and that it is gone is told after it lost its own. */
static void test_address_reused(void **state)
{
	struct pods *pods = *state;

	put(pods, "a", "1970-01-01T00:00:10Z", "10.0.0.1", 11 * SECOND);
	pods_gone(pods, "a", 22 * SECOND, true);
	put(pods, "b", "1970-01-01T00:00:20Z", "10.0.0.1", 23 * SECOND);
	assert_string_equal(by_address(pods, "10.0.0.1", 21 * SECOND)->pod, "a");
	assert_string_equal(by_address(pods, "10.0.0.1", 22 * SECOND)->pod, "b");
	/* who it was can't be told from when this one began to when we heard of it */
	put(pods, "c", "1970-01-01T00:00:30Z", "10.0.0.1", 33 * SECOND);
	assert_string_equal(by_address(pods, "10.0.0.1", 29 * SECOND)->pod, "b");
	assert_null(by_address(pods, "10.0.0.1", 30 * SECOND));
	assert_null(by_address(pods, "10.0.0.1", 32 * SECOND));
	assert_string_equal(by_address(pods, "10.0.0.1", 33 * SECOND)->pod, "c");
	/* a completed one's address is in its status for long */
	assert_read(pods, LIST(POD("d", "ud", "",
				   "\"phase\":\"Succeeded\"," STARTED(
					   "1970-01-01T00:00:34Z") "," IP("10.0.0.1"))));
	assert_string_equal(by_address(pods, "10.0.0.1", 35 * SECOND)->pod, "c");
	/* that b is gone is no news */
	pods_gone(pods, "b", 40 * SECOND, true);
	assert_string_equal(by_address(pods, "10.0.0.1", 35 * SECOND)->pod, "c");
}

/* That a pod is gone was heard late: the next one may have had the address for some time. */
static void test_gone_heard_late(void **state)
{
	struct pods *pods = *state;
	struct address address;

	assert_int_equal(address_parse("10.0.0.1", &address), 0);
	put(pods, "a", "1970-01-01T00:00:10Z", "10.0.0.1", 11 * SECOND);
	pods_gone(pods, "a", 25 * SECOND, false);
	put(pods, "b", "1970-01-01T00:00:20Z", "10.0.0.1", 26 * SECOND);
	assert_string_equal(by_address(pods, "10.0.0.1", 19 * SECOND)->pod, "a");
	assert_null(by_address(pods, "10.0.0.1", 20 * SECOND));
	assert_null(by_address(pods, "10.0.0.1", 24 * SECOND));
	assert_int_equal(pods_look_up(pods, &address, 24 * SECOND).doubt, 20 * SECOND);
	assert_int_equal(pods_look_up(pods, &address, 25 * SECOND).doubt, 0);
	assert_string_equal(by_address(pods, "10.0.0.1", 25 * SECOND)->pod, "b");
}

/* A watch of a part of all pods says of one that has left it that it is deleted. */
static void test_back_again(void **state)
{
	struct pods *pods = *state;

	put(pods, "a", "1970-01-01T00:00:10Z", "10.0.0.1", 11 * SECOND);
	pods_gone(pods, "a", 20 * SECOND, false);
	put(pods, "a", "1970-01-01T00:00:10Z", "10.0.0.1", 30 * SECOND);
	assert_int_equal(find(pods, "a")->ended, 0);
	assert_string_equal(by_address(pods, "10.0.0.1", 19 * SECOND)->pod, "a");
	assert_string_equal(by_address(pods, "10.0.0.1", 30 * SECOND)->pod, "a");
}

/* Of one that moved all that it ever had is forgotten with it. */
static void test_moved_and_expired(void **state)
{
	struct pods *pods = *state;

	put(pods, "a", "1970-01-01T00:00:10Z", "10.0.0.1", 11 * SECOND);
	put(pods, "a", "1970-01-01T00:00:10Z", "10.0.0.2", 12 * SECOND);
	pods_gone(pods, "a", 20 * SECOND, true);
	pods_expire(pods, 4000 * SECOND);
	assert_int_equal(pods_count(pods), 0);
	assert_null(by_address(pods, "10.0.0.1", 11 * SECOND));
	assert_null(by_address(pods, "10.0.0.2", 13 * SECOND));
}

/* Nobody forgets whom somebody was named after. */
static void test_expire(void **state)
{
	struct pods *pods = *state;

	assert_read(pods, LIST(POD("a", "ua", "", IP("10.0.0.1")) "," POD("b", "ub", "",
									  IP("10.0.0.2"))));
	pods_gone(pods, "ua", 1 * SECOND, true);
	pods_gone(pods, "ub", 1 * SECOND, true);
	assert_non_null(by_address(pods, "10.0.0.2", 0));
	pods_expire(pods, 3600 * SECOND);
	assert_int_equal(pods_count(pods), 2);
	pods_expire(pods, 3601 * SECOND);
	assert_int_equal(pods_count(pods), 1);
	assert_null(by_address(pods, "10.0.0.1", 0));
	assert_string_equal(by_address(pods, "10.0.0.2", 0)->pod, "b");
}

/* ... until it is told that nobody has that name any more; whether it was passed over before or
 * not. */
static void test_names_that_are_kept_no_more(void **state)
{
	struct pods *pods = *state;
	const struct pod_name *kept, stranger = {.uid = "ub"};

	assert_read(pods,
		    LIST(POD("a", "ua", "", IP("10.0.0.1")) "," POD(
			    "b", "ub", "", IP("10.0.0.2")) "," POD("c", "uc", "", IP("10.0.0.3"))));
	assert_non_null(kept = by_address(pods, "10.0.0.1", 0));
	assert_non_null(by_address(pods, "10.0.0.2", 0));
	assert_non_null(by_address(pods, "10.0.0.3", 0));
	pods_gone(pods, "ua", 1 * SECOND, true);
	pods_gone(pods, "ub", 1 * SECOND, true);
	pods_expire(pods, 3601 * SECOND);
	assert_int_equal(pods_count(pods), 3);
	pods_gone(pods, "uc", 2 * SECOND, true);
	for (int i = 0; i < 2; i++) {
		pods_names_begin(pods);
		pods_name_used(pods, kept);
		pods_name_used(pods, &stranger);
		pods_names_end(pods);
		pods_expire(pods, 3602 * SECOND);
		assert_int_equal(pods_count(pods), 1);
		assert_string_equal(kept->pod, "a");
	}
	pods_names_begin(pods);
	pods_names_end(pods);
	pods_expire(pods, 3602 * SECOND);
	assert_int_equal(pods_count(pods), 0);
}

/* A pod whose sandbox was made anew. */
static void test_address_changes(void **state)
{
	struct pods *pods = *state;

	assert_read(pods, LIST(POD("a", "ua", "", IP("10.0.0.1"))));
	assert_read(pods, LIST(POD("a", "ua", "", IP("10.0.0.3"))));
	assert_int_equal(pods_count(pods), 1);
	assert_null(by_address(pods, "10.0.0.1", 1 * SECOND));
	assert_string_equal(by_address(pods, "10.0.0.3", 1 * SECOND)->pod, "a");
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_story),
		TEST(test_workloads),
		TEST(test_cron_jobs),
		TEST(test_hash_must_match),
		TEST(test_ports),
		TEST(test_completed_left_out),
		TEST(test_host_network),
		TEST(test_pending),
		TEST(test_real_kubectl),
		TEST(test_real_api),
		TEST(test_forms),
		TEST(test_missing_and_null_fields),
		TEST(test_addresses),
		TEST(test_address_over_time),
		TEST(test_selected),
		TEST(test_gone),
		TEST(test_lists),
		TEST(test_expire),
		TEST(test_names_that_are_kept_no_more),
		TEST(test_address_reused),
		TEST(test_gone_heard_late),
		TEST(test_back_again),
		TEST(test_moved_and_expired),
		TEST(test_address_changes),
		TEST(test_nodes),
		TEST(test_many),
		TEST(test_nothing_read),
		TEST(test_not_json),
		TEST(test_trailing),
		TEST(test_truncated),
		TEST(test_kinds),
		TEST(test_damaged_items),
		TEST(test_damaged_specs),
		TEST(test_before_error_stays),
		TEST(test_too_deep),
		TEST(test_too_large),
		TEST(test_error_is_cut),
		TEST(test_files),
		TEST(test_standard_input),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
