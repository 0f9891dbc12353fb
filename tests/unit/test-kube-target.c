/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../user/kube/target.h"

#ifndef TEST_DATA
#define TEST_DATA "tests/unit/data"
#endif

static int setup(void **state)
{
	struct pods *pods = pods_new();
	char error[512];

	*state = pods;
	if (!pods)
		return -1;
	if (pods_read_file(pods, TEST_DATA "/story-pods.json", error, sizeof(error)) < 0) {
		print_error("%s\n", error);
		return -1;
	}
	return 0;
}

static int teardown(void **state)
{
	pods_free(*state);
	return 0;
}

static void add(struct target *target, const struct pods *pods, const char *namespace,
		const char *what, uint16_t port)
{
	char error[512] = "";
	int r = kube_target_add(target, pods, namespace, what, port, error, sizeof(error));

	assert_string_equal(error, "");
	assert_int_equal(r, 0);
}

static void assert_endpoint(const struct target *target, size_t i, const char *address,
			    uint16_t port, const char *pod)
{
	char text[ADDRESS_TEXT];

	assert_true(i < target->n_endpoints);
	address_format(&target->endpoints[i].address, text);
	assert_string_equal(text, address);
	assert_int_equal(target->endpoints[i].port, port);
	assert_non_null(target->endpoints[i].pod);
	assert_string_equal(target->endpoints[i].pod->pod, pod);
}

/* Refused with this errno and this whole sentence; the target is left alone. */
static void assert_refused(const struct pods *pods, const char *namespace, const char *what,
			   uint16_t port, int want, const char *sentence)
{
	struct target target = {0};
	char error[512] = "";
	int r = kube_target_add(&target, pods, namespace, what, port, error, sizeof(error));

	assert_string_equal(error, sentence);
	assert_int_equal(r, want);
	assert_int_equal(target.n_endpoints, 0);
	assert_null(target.endpoints);
}

/* The two of the story listen on the same port, and are never mixed. */
static void test_story(void **state)
{
	struct target target = {0};

	add(&target, *state, "buffer", "deploy/session-service-v1", 0);
	assert_int_equal(target.n_endpoints, 3);
	assert_endpoint(&target, 0, "100.96.10.11", 3000, "session-service-v1-55559c8d4b-c2xxf");
	assert_endpoint(&target, 1, "100.96.10.12", 3000, "session-service-v1-55559c8d4b-h2mh2");
	assert_endpoint(&target, 2, "100.96.10.13", 3000, "session-service-v1-55559c8d4b-z85vq");
	target_deinit(&target);
	add(&target, *state, "core", "deploy/session-service-v1-master", 3000);
	assert_int_equal(target.n_endpoints, 3);
	assert_endpoint(&target, 0, "100.96.20.11", 3000,
			"session-service-v1-master-57d7d67dd6-rtj8r");
	assert_endpoint(&target, 2, "100.96.20.13", 3000,
			"session-service-v1-master-57d7d67dd6-w6wmk");
	target_deinit(&target);
}

static void test_every_port(void **state)
{
	struct target target = {0};

	add(&target, *state, "core", "pod/session-service-v1-master-57d7d67dd6-t2vgr", 0);
	assert_int_equal(target.n_endpoints, 3);
	for (size_t i = 0; i < 3; i++)
		assert_endpoint(&target, i, "100.96.20.12", ((uint16_t[]){3000, 9090, 15006})[i],
				"session-service-v1-master-57d7d67dd6-t2vgr");
	target_deinit(&target);
}

static void test_both_families(void **state)
{
	struct target target = {0};

	add(&target, *state, "dev", "deploy/login", 8080);
	assert_int_equal(target.n_endpoints, 2);
	assert_endpoint(&target, 0, "100.96.14.170", 8080, "login-6d4cf56db6-x7k2p");
	assert_endpoint(&target, 1, "fd00:10:96::eaa", 8080, "login-6d4cf56db6-x7k2p");
	target_deinit(&target);
}

static void test_host_network(void **state)
{
	struct target target = {0};

	add(&target, *state, "kube-system", "ds/kube-proxy", 0);
	assert_int_equal(target.n_endpoints, 1);
	assert_endpoint(&target, 0, "192.0.2.1", 10249, "kube-proxy-q8wnl");
	target_deinit(&target);
}

/* Asked for twice, it is watched once; another one is added. */
static void test_added_up(void **state)
{
	struct target target = {0};

	add(&target, *state, "buffer", "deploy/session-service-v1", 0);
	add(&target, *state, "buffer", "rs/session-service-v1-55559c8d4b", 3000);
	assert_int_equal(target.n_endpoints, 3);
	add(&target, *state, "data", "sts/redis", 0);
	assert_int_equal(target.n_endpoints, 4);
	assert_endpoint(&target, 3, "100.96.1.1", 6379, "redis-0");
	target_deinit(&target);
}

static void test_forms(void **state)
{
	static const struct {
		const char *namespace;
		const char *what;
		size_t endpoints;
	} cases[] = {
		{"buffer", "deployment/session-service-v1", 3},
		{"buffer", "deployments/session-service-v1", 3},
		{"buffer", "deployments.apps/session-service-v1", 3},
		{"buffer", "deployment.v1.apps/session-service-v1", 3},
		{"buffer", "po/session-service-v1-55559c8d4b-c2xxf", 1},
		{"buffer", "pods/session-service-v1-55559c8d4b-c2xxf", 1},
		{"buffer", "pod.v1/session-service-v1-55559c8d4b-c2xxf", 1},
		{"buffer", "rs/session-service-v1-55559c8d4b", 3},
		{"buffer", "replicasets.apps/session-service-v1-55559c8d4b", 3},
		{"data", "rs/bare-5f6d7", 1},
		{"data", "replicaset/bare-5f6d7", 1},
		{"data", "sts/redis", 1},
		{"data", "statefulset/redis", 1},
		{"data", "statefulsets.apps/redis", 1},
		{"kube-system", "daemonset/kube-proxy", 1},
		{"kube-system", "daemonsets/kube-proxy", 1},
		{"data", "job/report-29880000", 1},
		{"data", "jobs.batch/import-20260131", 1},
		{"data", "job/migrate", 1},
		{"data", "cronjob/report", 1},
		{"data", "cj/report", 1},
		{"data", "rc/legacy", 1},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct target target = {0};

		add(&target, *state, cases[i].namespace, cases[i].what, 1234);
		assert_int_equal(target.n_endpoints, cases[i].endpoints);
		target_deinit(&target);
	}
}

static void assert_no_target(const struct pods *pods, const char *what)
{
	char sentence[512];

	snprintf(sentence, sizeof(sentence),
		 "\"%s\" is not a target; write svc/NAME, deploy/NAME, pod/NAME, sts/NAME, "
		 "ds/NAME, rs/NAME or job/NAME with -n NAMESPACE, or --port N",
		 what);
	assert_refused(pods, "buffer", what, 0, -EINVAL, sentence);
}

static void test_no_target(void **state)
{
	static const char *const texts[] = {"",
					    "/",
					    "deploy",
					    "deploy/",
					    "/session-service-v1",
					    "session-service-v1",
					    "deploy/session-service-v1/x",
					    "Deploy/session-service-v1",
					    "deploys/session-service-v1",
					    "deployments.batch/session-service-v1",
					    "deployments./session-service-v1",
					    ".apps/session-service-v1",
					    "node/node-1"};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		assert_no_target(*state, texts[i]);
}

static void test_service(void **state)
{
	static const char *const words[] = {"svc", "service", "services"};
	char what[64];

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		snprintf(what, sizeof(what), "%s/session-service", words[i]);
		assert_refused(
			*state, "buffer", what, 3000, -EINVAL,
			"svc/session-service: a list of pods does not tell which of them are "
			"behind a Service; leave --pods out, then the API is asked, or name the "
			"workload, with deploy/NAME -n buffer");
	}
}

static void test_other_namespace(void **state)
{
	assert_refused(*state, NULL, "deploy/session-service-v1", 0, -ENOENT,
		       "no running pod of deploy/session-service-v1 in namespace default; there is "
		       "one in namespace buffer: choose it with -n");
	assert_refused(*state, "core", "pod/login-6d4cf56db6-x7k2p", 0, -ENOENT,
		       "no running pod of pod/login-6d4cf56db6-x7k2p in namespace core; there is "
		       "one in namespace dev: choose it with -n");
}

static void test_near_names(void **state)
{
	assert_refused(*state, "buffer", "deploy/sesion-servce-v1", 0, -ENOENT,
		       "no running pod of deploy/sesion-servce-v1 in namespace buffer; near it "
		       "there: deploy/session-service-v1");
	assert_refused(*state, "core", "deploy/session-service", 0, -ENOENT,
		       "no running pod of deploy/session-service in namespace core; near it there: "
		       "deploy/session-service-v1-master");
	/* The right name, and another kind. */
	assert_refused(*state, "data", "deploy/redis", 0, -ENOENT,
		       "no running pod of deploy/redis in namespace data; near it there: "
		       "sts/redis");
	/* Pods' own names only for who looks for a pod. */
	assert_refused(*state, "buffer", "pod/session-service-v1-55559c8d4b-c2xxg", 0, -ENOENT,
		       "no running pod of pod/session-service-v1-55559c8d4b-c2xxg in namespace "
		       "buffer; near it there: pod/session-service-v1-55559c8d4b-c2xxf, "
		       "deploy/session-service-v1, pod/session-service-v1-55559c8d4b-h2mh2, "
		       "pod/session-service-v1-55559c8d4b-z85vq");
	/* Completed pods are not there. */
	assert_refused(*state, "data", "job/report-29870000", 0, -ENOENT,
		       "no running pod of job/report-29870000 in namespace data; near it there: "
		       "job/report-29880000, cj/report");
}

static void test_at_most_five_near(void **state)
{
	struct pods *pods = pods_new();
	struct target target = {0};
	char error[512] = "";
	char *text = NULL;
	size_t size;
	FILE *file = open_memstream(&text, &size);

	(void)state;
	assert_non_null(pods);
	assert_non_null(file);
	fputs("{\"kind\":\"PodList\",\"items\":[", file);
	for (int i = 9; i >= 0; i--)
		fprintf(file,
			"{\"metadata\":{\"name\":\"login-%d\",\"namespace\":\"dev\","
			"\"uid\":\"%d\"}}%s",
			i, i, i ? "," : "]}");
	fclose(file);
	file = fmemopen(text, size, "r");
	assert_int_equal(pods_read(pods, file, "ten", error, sizeof(error)), 0);
	fclose(file);
	free(text);
	assert_int_equal(
		kube_target_add(&target, pods, "dev", "pod/login-x", 1, error, sizeof(error)),
		-ENOENT);
	assert_string_equal(error, "no running pod of pod/login-x in namespace dev; near it there: "
				   "pod/login-9, pod/login-8, pod/login-7, pod/login-6, "
				   "pod/login-5");
	pods_free(pods);
}

static void test_nothing_near(void **state)
{
	struct pods *none = pods_new();

	assert_refused(*state, "buffer", "deploy/qqq", 0, -ENOENT,
		       "no running pod of deploy/qqq in namespace buffer; see what there is with: "
		       "kubectl get pods -n buffer");
	assert_refused(*state, "no-such", "deploy/qqq", 0, -ENOENT,
		       "no running pod of deploy/qqq in namespace no-such, and no other there; "
		       "choose a namespace with -n, and see that the list of pods has all of them "
		       "(kubectl get pods -A -o json)");
	assert_refused(none, NULL, "deploy/qqq", 0, -ENOENT,
		       "no running pod of deploy/qqq in namespace default, and no other there; "
		       "choose a namespace with -n, and see that the list of pods has all of them "
		       "(kubectl get pods -A -o json)");
	pods_free(none);
}

static void test_no_port(void **state)
{
	struct target target = {0};

	assert_refused(*state, "data", "pod/shell", 0, -EINVAL,
		       "pod/shell: pod shell names no TCP port (containerPort); say which it is, "
		       "with --port N");
	add(&target, *state, "data", "pod/shell", 22);
	assert_endpoint(&target, 0, "100.96.1.8", 22, "shell");
	target_deinit(&target);
}

static void test_no_address(void **state)
{
	assert_refused(*state, "data", "pod/waiting", 3000, -ENOENT,
		       "pod/waiting in namespace data has no pod with an address yet; wait until "
		       "one runs, and make the list of pods again");
}

static void test_error_is_cut(void **state)
{
	struct target target = {0};
	char error[16] = "012345678901234";

	assert_int_equal(kube_target_add(&target, *state, "data", "x", 0, error, 10), -EINVAL);
	assert_string_equal(error, "\"x\" is no");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_story),
		cmocka_unit_test(test_every_port),
		cmocka_unit_test(test_both_families),
		cmocka_unit_test(test_host_network),
		cmocka_unit_test(test_added_up),
		cmocka_unit_test(test_forms),
		cmocka_unit_test(test_no_target),
		cmocka_unit_test(test_service),
		cmocka_unit_test(test_other_namespace),
		cmocka_unit_test(test_near_names),
		cmocka_unit_test(test_at_most_five_near),
		cmocka_unit_test(test_nothing_near),
		cmocka_unit_test(test_no_port),
		cmocka_unit_test(test_no_address),
		cmocka_unit_test(test_error_is_cut),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
