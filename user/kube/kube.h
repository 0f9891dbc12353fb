/* SPDX-License-Identifier: MIT */
/*
 * What the Kubernetes API tells a trace, kept up to date: who has which address, since when; and
 * the endpoints of the target. A lost API never stops anything: what was known stays known.
 */
#ifndef KUBE_KUBE_H
#define KUBE_KUBE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../callers/who.h"
#include "config.h"
#include "follow.h"

struct kube;

/*
 * Takes the configuration over, also on failure. `node`: this node's name, or NULL: the host name,
 * until the list of nodes tells which of them has an address of ours.
 * `own_node`: only the pods of this node are watched, and others asked for by their address as they
 * turn up; otherwise all pods of the cluster are. 0, or a negative errno and a sentence.
 */
int kube_open(struct kube **out, struct kube_config *config, const char *node, bool own_node,
	      char *error, size_t error_size);
/* Accepts NULL. */
void kube_close(struct kube *kube);

/* Before the first kube_run(): `selected` of each pod's name is what of these matches its labels,
 * as they change. They outlive the kube. */
struct selectors;
void kube_select(struct kube *kube, const struct selectors *selectors);

/* For epoll: readable when kube_run() has something to do. */
int kube_fd(const struct kube *kube);
void kube_run(struct kube *kube);

/* Once a second or so; `now`: CLOCK_MONOTONIC ns. */
void kube_tick(struct kube *kube, uint64_t now);

/* The one target; `alive` of ops is filled in here. As kube_follow_new(). */
int kube_target(struct kube *kube, const struct kube_wish *wish, const struct kube_follow_ops *ops,
		void *arg, char *error, size_t error_size);
/* NULL: there is no kube_target(). */
const struct kube_follow *kube_followed(const struct kube *kube);

/* What is known of an address. */
enum kube_address {
	KUBE_POD,     /* `pod` */
	KUBE_NODE,    /* `node` */
	KUBE_OUTSIDE, /* nobody's, and all pods and nodes are known */
	KUBE_UNKNOWN, /* nobody's yet */
};
struct kube_owner {
	enum kube_address is;
	const struct pod_name *pod;
	int64_t since; /* of the pod: when it got the address; 0: not known */
	int64_t doubt; /* it may have been either of two pods: since when; 0: no */
	const char *node;
};

/* Who had the address at `when` (ns since 1970). Names are valid until kube_close(). */
struct kube_owner kube_by_address(struct kube *kube, const struct address *address, int64_t when);

/* The pod with this UID, or NULL. */
const struct pod_name *kube_by_uid(const struct kube *kube, const char *uid);

/* This node's name, as the cluster has it. */
const char *kube_node(const struct kube *kube);

/* The port on which this node's kubelet listens, as its Node object has it; 0: not known (yet). */
uint16_t kube_kubelet_port(const struct kube *kube);

/* The names are all there: the lists were complete once. */
bool kube_synced(const struct kube *kube);

/* Since it was last asked: a pod that somebody was named after has ended. What was counted until
 * now is its own, so it is time to look at the counts. */
bool kube_moved(struct kube *kube);

/* Sentences about what can't be asked for now, with `since` each (CLOCK_MONOTONIC ns). Returns how
 * many; at most `max` are written. Valid until kube_run(). */
struct kube_trouble {
	const char *text;
	uint64_t since;
};
size_t kube_troubles(const struct kube *kube, struct kube_trouble *out, size_t max);

/* Requests and bytes so far. */
struct kube_traffic kube_traffic(const struct kube *kube);

#endif
