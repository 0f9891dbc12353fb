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
#include "services.h"

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

/* What asks the API, for other questions; the kube's. */
struct kube_client *kube_client(const struct kube *kube);

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

/* In place of a target: many Services. Once, before the first kube_run(). As kube_services_new().
 */
int kube_watch_services(struct kube *kube, const struct kube_services_wish *wish,
			const struct kube_services_ops *ops, void *arg, char *error,
			size_t error_size);

/* All Services that there were, and all that was behind them, has been told once. */
bool kube_services_synced(const struct kube *kube);

/*
 * When the target's endpoints (or Services, and any of theirs) could come and go without being told
 *at once, since kube_target() or kube_watch_services().
 *
 *	lost 0, ends 0   what came and went then was told afterwards: late
 *	lost 1, ends 0   what came and went then was never told, if anything did
 *	ends 1           of a Service that dropped an endpoint then it is not known whether its pod
 *	                 had ended: it may have run, and been called, after it was no longer watched
 *
 * Where a watch began it is lost until the first list: see that it is before the window. A gap that
 * is lost begins when something was told last.
 */
struct kube_blind {
	uint64_t since; /* CLOCK_MONOTONIC ns */
	uint64_t until; /* 0: still */
	bool lost;
	bool ends;
	const char *why; /* a sentence; "": none */
};
/* Returns how many, at most GAPS_MAX of each watch; at most `max` are written. Valid until
 * kube_run(). */
size_t kube_blind(const struct kube *kube, struct kube_blind *out, size_t max);

/*
 * At the end of the window: begins the proof that all was told of the target that the API had when
 * this was called (watch.h tells how, and where that ends). To be called outside of ops; kube_run()
 * goes on with it, and endpoints come and go by it as usual.
 *
 * Nothing came and went untold in a window, where all of these are so:
 *
 *	- kube_target() was FOLLOW_ON, or kube_services_synced(), before the window began
 *	- kube_confirm() was called when it had ended, and kube_confirmed() is
 *	  KUBE_CONFIRM_DONE; or KUBE_CONFIRM_COPY, where the copy of its store that the
 *	  API server keeps is believed to have been up to date; or KUBE_CONFIRM_BUT_ENDS,
 *	  where no endpoint went down in the window
 *	- no kube_blind() that is lost, and does not only concern ends, reaches into the window
 *	- no endpoint went down within one that concerns ends and is lost, or still open
 *	- kube_follow_not_watched(), or not_watched() of the Service, has nothing but
 *NOT_WATCHED_PENDING
 *
 * Endpoints that come up in between (also after kube_confirm()) were there since their pod started,
 * or the watch was blind, and not watched before they came up. What the proof is of: that these are
 * the endpoints by the API. That a Service's EndpointSlices have all its pods is its controller's
 * word.
 */
void kube_confirm(struct kube *kube);

/*
 * *why: of all but KUBE_CONFIRM_DONE a sentence; valid until kube_run(). Seconds go by until it is
 * no longer pending: servers send a bookmark about 3 s after the question, and where that is out of
 * date another after 6 s more. The caller sets the limit, 30 s, say.
 */
enum kube_confirmed kube_confirmed(const struct kube *kube, const char **why);

/* When the pod with this UID started (status.startTime, ns since 1970); 0: not known. */
int64_t kube_started(const struct kube *kube, const char *uid);

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

/* Which pods' names are still kept: for each kube_name_used(), in between the other two; as
 * pods_names_begin() has it. */
void kube_names_begin(struct kube *kube);
void kube_name_used(struct kube *kube, const struct pod_name *name);
void kube_names_end(struct kube *kube);

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
