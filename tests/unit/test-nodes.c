/* SPDX-License-Identifier: MIT */
/* What is kept of Node objects. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "../../user/kube/nodes.h"

static void take(struct nodes *nodes, const char *text)
{
	json_t *object = json_loads(text, 0, NULL);

	assert_non_null(object);
	nodes_take(nodes, object);
	json_decref(object);
}

#define NODE(name, status) "{\"metadata\":{\"name\":\"" name "\"},\"status\":{" status "}}"
#define KUBELET(port) "\"daemonEndpoints\":{\"kubeletEndpoint\":{\"Port\":" port "}}"

static void test_kubelet_port(void **state)
{
	struct nodes *nodes = nodes_new(NULL, false);

	(void)state;
	assert_non_null(nodes);
	assert_int_equal(nodes_kubelet_port(nodes, "a"), 0);
	take(nodes, NODE("a", KUBELET("10250")));
	take(nodes, NODE("b", KUBELET("10350")));
	take(nodes, NODE("c", ""));
	assert_int_equal(nodes_kubelet_port(nodes, "a"), 10250);
	assert_int_equal(nodes_kubelet_port(nodes, "b"), 10350);
	assert_int_equal(nodes_kubelet_port(nodes, "c"), 0);
	assert_int_equal(nodes_kubelet_port(nodes, ""), 0);
	/* it is another, and then the status says nothing of it for a while */
	take(nodes, NODE("a", KUBELET("10251")));
	take(nodes, NODE("a", ""));
	assert_int_equal(nodes_kubelet_port(nodes, "a"), 10251);
	nodes_free(nodes);
}

static void test_what_is_no_port(void **state)
{
	struct nodes *nodes = nodes_new(NULL, false);

	(void)state;
	take(nodes, NODE("a", KUBELET("0")));
	take(nodes, NODE("a", KUBELET("65536")));
	take(nodes, NODE("a", KUBELET("-1")));
	take(nodes, NODE("a", KUBELET("\"10250\"")));
	take(nodes, NODE("a", "\"daemonEndpoints\":[1]"));
	take(nodes, NODE("", KUBELET("10250")));
	take(nodes, "[]");
	take(nodes, "{}");
	assert_int_equal(nodes_kubelet_port(nodes, "a"), 0);
	assert_int_equal(nodes_kubelet_port(nodes, ""), 0);
	nodes_free(nodes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_kubelet_port),
		cmocka_unit_test(test_what_is_no_port),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
