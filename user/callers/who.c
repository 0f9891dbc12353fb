/* SPDX-License-Identifier: MIT */
#include "who.h"

#include <string.h>

static struct who decide(const struct evidence *e)
{
	bool local = e->key->flags & CALLER_LOCAL;
	bool in_node_netns = e->key->netns == e->node_netns;
	const struct pod_name *pod = e->pod_by_uid ? e->pod_by_uid : e->pod_by_address;

	if (e->key->flags & CALLER_KUBELET)
		return (struct who){.class = CLASS_PROBE};

	/* In the node's own namespace everything shares it: that says nothing of a pod. */
	if (e->key->flags & CALLER_SAME_NETNS && !in_node_netns)
		return (struct who){.class = CLASS_LOOPBACK, .pod = pod};

	/* The process's cgroup is proof; an address is only as good as the list is fresh. So a
	 * cgroup of a pod that is not on the list is not given the name its address suggests. */
	if (e->pod_by_uid || e->cgroup_pod_uid)
		return (struct who){.class = CLASS_WORKLOAD, .pod = e->pod_by_uid};

	/* A process in the node's own namespace can use any address of the node, but never a
	 * pod's: what the list says of that address is old. */
	if (e->pod_by_address && !(local && in_node_netns))
		return (struct who){.class = CLASS_WORKLOAD, .pod = e->pod_by_address};

	if (local)
		return (struct who){.class = CLASS_PROCESS};
	if (e->node_name)
		return (struct who){.class = CLASS_NODE, .node = e->node_name};
	return (struct who){.class = e->pods_known ? CLASS_EXTERNAL : CLASS_UNKNOWN};
}

struct who who_decide(const struct evidence *evidence)
{
	struct who who = decide(evidence);

	who.pod_uid = evidence->cgroup_pod_uid;
	who.cgroup_path = evidence->cgroup_path;
	who.since =
		who.pod && who.pod == evidence->pod_by_address ? evidence->pod_since : INT64_MIN;
	who.doubt = who.pod || !evidence->doubt_since ? INT64_MAX : evidence->doubt_since;
	return who;
}

const char *who_class_name(enum caller_class class)
{
	static const char *const names[CLASSES] = {
		[CLASS_WORKLOAD] = "workload", [CLASS_PROCESS] = "process",
		[CLASS_NODE] = "node",         [CLASS_LOOPBACK] = "loopback",
		[CLASS_EXTERNAL] = "external", [CLASS_UNKNOWN] = "unknown",
		[CLASS_PROBE] = "probe",
	};

	return class < CLASSES ? names[class] : "unknown";
}

bool string_equal(const char *a, const char *b)
{
	return a == b || (a && b && !strcmp(a, b));
}

static bool pod_equal(const struct pod_name *a, const struct pod_name *b)
{
	if (a == b)
		return true;
	if (!a || !b)
		return false;
	if (a->uid && b->uid && *a->uid && *b->uid)
		return !strcmp(a->uid, b->uid);
	return string_equal(a->namespace, b->namespace) && string_equal(a->pod, b->pod);
}

bool who_equal(const struct who *a, const struct who *b)
{
	return a->class == b->class && a->ignored == b->ignored && pod_equal(a->pod, b->pod) &&
	       string_equal(a->node, b->node);
}
