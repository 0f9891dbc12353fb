/* SPDX-License-Identifier: MIT */
/* Who a caller is: its class (design: every connection is shown under exactly one) and what is
 * known of it. */
#ifndef CALLERS_WHO_H
#define CALLERS_WHO_H

#include <stdbool.h>
#include <stdint.h>

#include "../../bpf/whocalls.h"

enum caller_class {
	CLASS_WORKLOAD, /* the peer's address belonged to a pod then, or its process is in a pod */
	CLASS_PROCESS,  /* a process of this node outside any pod */
	CLASS_NODE,     /* the address of a node, and nothing more can be known from here */
	CLASS_LOOPBACK, /* from inside the pod itself */
	CLASS_EXTERNAL, /* none of these, and the pods are known */
	CLASS_UNKNOWN,  /* an address, and no list of pods to look in */
	CLASS_PROBE,    /* proven to be this node's kubelet */
	CLASSES,
};

/* One pod as far as callers are named by it. Strings belong to whoever made it and outlive the
 * ledger. */
struct pod_name {
	const char *namespace;
	const char *pod;
	const char *uid;
	/* of the workload: Deployment, StatefulSet, DaemonSet, Job, CronJob, ReplicaSet, Pod … */
	const char *kind;
	const char *workload; /* its name; a bare pod's own */
	const char *node;     /* "" if not scheduled */
	/* bit i: selector i of those that were asked for matches its labels now */
	uint32_t selected;
};

/* What is known of a caller when it is first seen. */
struct evidence {
	const struct caller_key *key;
	/* the pod whose cgroup the process is in, or NULL */
	const struct pod_name *pod_by_uid;
	/* the pod that held the peer's address then, or NULL */
	const struct pod_name *pod_by_address;
	/* path of the process's cgroup, and the pod's UID that it tells, or NULL; both outlive the
	 * ledger */
	const char *cgroup_path;
	const char *cgroup_pod_uid;
	/* since when that pod has had it; CLOCK_MONOTONIC ns, may be before 0; INT64_MIN: always */
	int64_t pod_since;
	/* the address may have been either of two pods': since when, likewise; INT64_MAX: no */
	int64_t doubt_since;
	const char *node_name; /* the node whose address the peer has, or NULL */
	uint32_t node_netns;   /* inode number of this node's own network namespace */
	bool pods_known;       /* there is a list of pods to look in */
};

struct who {
	enum caller_class class;
	/* CLASS_WORKLOAD and, if known, CLASS_LOOPBACK; NULL: pod not known */
	const struct pod_name *pod;
	const char *node;        /* CLASS_NODE: its name */
	const char *pod_uid;     /* as the process's cgroup tells it, or NULL */
	const char *cgroup_path; /* of the process, or NULL */
	/* 0: it counts; else the number, from 1, of the option --ignore that takes it out */
	uint8_t ignored;
	/* Since when the peer's address is theirs, where only that tells who it is: what was
	 * counted before is not theirs. As pod_since. */
	int64_t since;
	/* Who had the address from then on can't be told; INT64_MAX: it can. */
	int64_t doubt;
};

/* The rules of design section 4, in their order. Pure. `ignored` is 0. */
struct who who_decide(const struct evidence *evidence);

/* "workload", "probe" … as in the JSON. Static. */
const char *who_class_name(enum caller_class class);

/* NULL is equal to itself alone. */
bool string_equal(const char *a, const char *b);

/* The same class, pod (by UID where both have one: a pod that was read again is still that pod)
 * and node, and ignored or not by the same option. */
bool who_equal(const struct who *a, const struct who *b);

#endif
