/* SPDX-License-Identifier: MIT */
/* The rules of who_decide(), each alone and in their order. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "../../user/callers/who.h"

#define NODE_NETNS 100
#define POD_NETNS 200

static const struct pod_name by_uid = {"dev", "a-1", "uid-a", "Deployment", "a", "node-1"};
static const struct pod_name by_address = {"dev", "b-1", "uid-b", "Deployment", "b", "node-1"};

static struct who decide(uint32_t flags, uint32_t netns, struct evidence evidence)
{
	struct caller_key key = {.flags = flags, .netns = netns, .comm = "kubelet"};

	evidence.key = &key;
	evidence.node_netns = NODE_NETNS;
	return who_decide(&evidence);
}

static void expect(struct who who, enum caller_class class, const struct pod_name *pod,
		   const char *node)
{
	assert_string_equal(who_class_name(who.class), who_class_name(class));
	assert_ptr_equal(who.pod, pod);
	assert_ptr_equal(who.node, node);
}

#define ALL                                                                                        \
	{                                                                                          \
		.pod_by_uid = &by_uid, .pod_by_address = &by_address, .cgroup_pod_uid = "uid-a",   \
		.node_name = "node-2", .pods_known = true                                          \
	}

static void the_kubelet_is_a_probe(void **state)
{
	struct evidence all = ALL;

	(void)state;
	expect(decide(CALLER_LOCAL | CALLER_KUBELET, NODE_NETNS, (struct evidence){}), CLASS_PROBE,
	       NULL, NULL);
	expect(decide(CALLER_LOCAL | CALLER_KUBELET | CALLER_SAME_NETNS, POD_NETNS, all),
	       CLASS_PROBE, NULL, NULL);
	/* never by name alone: this one calls itself kubelet */
	expect(decide(CALLER_LOCAL, NODE_NETNS, (struct evidence){.node_name = "n"}), CLASS_PROCESS,
	       NULL, NULL);
}

static void the_pod_itself_is_loopback(void **state)
{
	struct evidence all = ALL;
	uint32_t flags = CALLER_LOCAL | CALLER_SAME_NETNS;

	(void)state;
	expect(decide(flags, POD_NETNS, all), CLASS_LOOPBACK, &by_uid, NULL);
	all.pod_by_uid = NULL;
	expect(decide(flags, POD_NETNS, all), CLASS_LOOPBACK, &by_address, NULL);
	expect(decide(flags, POD_NETNS, (struct evidence){}), CLASS_LOOPBACK, NULL, NULL);
	/* the node's own namespace is no pod */
	expect(decide(flags, NODE_NETNS, (struct evidence){}), CLASS_PROCESS, NULL, NULL);
	all = (struct evidence)ALL;
	expect(decide(flags, NODE_NETNS, all), CLASS_WORKLOAD, &by_uid, NULL);
}

static void a_cgroup_outranks_an_address(void **state)
{
	struct evidence all = ALL;

	(void)state;
	expect(decide(CALLER_LOCAL, POD_NETNS, all), CLASS_WORKLOAD, &by_uid, NULL);
	/* host network: the cgroup says which pod */
	expect(decide(CALLER_LOCAL, NODE_NETNS, all), CLASS_WORKLOAD, &by_uid, NULL);
	/* a pod that is not on the list is not given another's name */
	all.pod_by_uid = NULL;
	expect(decide(CALLER_LOCAL, POD_NETNS, all), CLASS_WORKLOAD, NULL, NULL);
	expect(decide(CALLER_LOCAL, NODE_NETNS, all), CLASS_WORKLOAD, NULL, NULL);
}

static void an_address_names_a_pod(void **state)
{
	struct evidence e = {
		.pod_by_address = &by_address, .node_name = "node-2", .pods_known = true};

	(void)state;
	expect(decide(0, 0, e), CLASS_WORKLOAD, &by_address, NULL);
	/* a local process in a pod's namespace, cgroup without a pod's name */
	expect(decide(CALLER_LOCAL, POD_NETNS, e), CLASS_WORKLOAD, &by_address, NULL);
	/* but a process of the host is one, whatever the list says of its address */
	expect(decide(CALLER_LOCAL, NODE_NETNS, e), CLASS_PROCESS, NULL, NULL);
	/* not local: the namespace is not known, and may be 0 as that of the node */
	struct caller_key key = {};
	e.key = &key;
	e.node_netns = 0;
	expect(who_decide(&e), CLASS_WORKLOAD, &by_address, NULL);
}

static void the_rest(void **state)
{
	(void)state;
	expect(decide(CALLER_LOCAL, NODE_NETNS, (struct evidence){.pods_known = true}),
	       CLASS_PROCESS, NULL, NULL);
	expect(decide(CALLER_LOCAL, POD_NETNS, (struct evidence){}), CLASS_PROCESS, NULL, NULL);

	static const char *const node = "node-2";

	expect(decide(0, 0, (struct evidence){.node_name = node, .pods_known = true}), CLASS_NODE,
	       NULL, node);
	expect(decide(0, 0, (struct evidence){.pods_known = true}), CLASS_EXTERNAL, NULL, NULL);
	expect(decide(0, 0, (struct evidence){}), CLASS_UNKNOWN, NULL, NULL);
}

/* Every combination has exactly one class, and only these have a pod or a node. */
static void every_combination(void **state)
{
	unsigned int bits;

	(void)state;
	for (bits = 0; bits < 512; bits++) {
		struct evidence e = {
			.pod_by_uid = bits & 8 ? &by_uid : NULL,
			.pod_by_address = bits & 16 ? &by_address : NULL,
			.cgroup_pod_uid = bits & 32 ? "uid-a" : NULL,
			.node_name = bits & 64 ? "node-2" : NULL,
			.pods_known = bits & 128,
		};
		struct who who = decide(bits & 7, bits & 256 ? NODE_NETNS : POD_NETNS, e);

		assert_true(who.class < CLASSES);
		assert_int_equal(who.class == CLASS_PROBE, !!(bits & CALLER_KUBELET));
		if (who.class == CLASS_PROCESS)
			assert_true(bits & CALLER_LOCAL);
		if (who.pod)
			assert_true(who.class == CLASS_WORKLOAD || who.class == CLASS_LOOPBACK);
		assert_int_equal(!!who.node, who.class == CLASS_NODE);
	}
}

static void names_of_classes(void **state)
{
	static const char *const names[CLASSES] = {"workload", "process", "node", "loopback",
						   "external", "unknown", "probe"};
	int i;

	(void)state;
	for (i = 0; i < CLASSES; i++)
		assert_string_equal(who_class_name(i), names[i]);
	assert_string_equal(who_class_name(CLASSES), "unknown");
}

static void equal(void **state)
{
	struct pod_name again = by_uid, bare = {"dev", "a-1", "", "Pod", "a-1", ""};
	struct pod_name bare_again = bare, renamed = bare;
	struct who a = {CLASS_WORKLOAD, &by_uid, NULL}, b = a;
	char node[] = "node-1";

	(void)state;
	assert_true(who_equal(&a, &b));
	/* read again: elsewhere in memory, with a workload that got known */
	again.workload = "other";
	b.pod = &again;
	assert_true(who_equal(&a, &b));
	/* the same name, but another pod (of a StatefulSet, say) */
	again.uid = "uid-new";
	assert_false(who_equal(&a, &b));
	b.pod = NULL;
	assert_false(who_equal(&a, &b));
	assert_false(who_equal(&b, &a));
	a = (struct who){CLASS_WORKLOAD, &bare, NULL};
	b = (struct who){CLASS_WORKLOAD, &bare_again, NULL};
	assert_true(who_equal(&a, &b));
	renamed.pod = "a-2";
	b.pod = &renamed;
	assert_false(who_equal(&a, &b));
	b = a;
	b.ignored = 1;
	assert_false(who_equal(&a, &b));
	a.ignored = 1;
	assert_true(who_equal(&a, &b));
	b = a;
	b.class = CLASS_LOOPBACK;
	assert_false(who_equal(&a, &b));
	a = (struct who){CLASS_NODE, NULL, "node-1"};
	b = (struct who){CLASS_NODE, NULL, node};
	assert_true(who_equal(&a, &b));
	node[5] = '2';
	assert_false(who_equal(&a, &b));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_kubelet_is_a_probe),
		cmocka_unit_test(the_pod_itself_is_loopback),
		cmocka_unit_test(a_cgroup_outranks_an_address),
		cmocka_unit_test(an_address_names_a_pod),
		cmocka_unit_test(the_rest),
		cmocka_unit_test(every_combination),
		cmocka_unit_test(names_of_classes),
		cmocka_unit_test(equal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
