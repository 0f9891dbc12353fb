/* SPDX-License-Identifier: MIT */
/* Pods: read from `kubectl get pods -A -o json`, found by address at a time, by UID, and by
 * workload. */
#ifndef KUBE_PODS_H
#define KUBE_PODS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "../callers/address.h"
#include "../callers/who.h"

struct pod {
	struct pod_name name;
	/* The controller itself, where name.workload is what stands above it: the ReplicaSet of a
	 * Deployment's pod, the Job of a CronJob's; else as name.workload; "" if there is none. */
	const char *owner;
	/* status.podIPs, both families; status.podIP where that is missing */
	struct address *addresses;
	size_t n_addresses;
	/* containerPorts with protocol TCP (the default), of all containers and of init containers
	 * that stay (restartPolicy Always), no duplicates */
	uint16_t *ports;
	size_t n_ports;
	uint16_t other_port; /* the first containerPort that is not TCP; 0: all are */
	bool other_sctp;     /* that one is SCTP, not UDP */
	int64_t started;     /* status.startTime, ns since 1970, UTC; 0: not given */
	int64_t ended;       /* completed or deleted, likewise; 0: not yet */
	bool host_network;   /* shares the node's address: never found by address */
};

struct pods;
struct selectors;

struct pods *pods_new(void);
void pods_free(struct pods *pods);

/* Before any pod is read: name.selected of each is what of these matches its labels. The selectors
 * outlive the pods; NULL: none. */
void pods_select(struct pods *pods, const struct selectors *selectors);

/*
 * Reads a List or PodList (apiVersion v1) item by item: memory is that of one item and of the pods
 * kept. A single Pod is taken as a list of one. Completed pods (phase Succeeded or Failed) are left
 * out: their address may be another's by now. One page of a longer list (metadata.continue) is
 * refused: the pods it lacks would pass for something outside the cluster.
 *
 * Returns 0, or a negative errno (-EINVAL: not such a list, or damaged; -E2BIG: an item above 8
 * MiB; -ENOMEM; or what reading failed with); then `error` holds one sentence for people, with
 * nothing of the file in it that a terminal would obey: "NAME: [item N (NAMESPACE/POD): ]what was
 * found; what to do". Pods read before the error stay in *pods. All that was found in *pods before
 * stays where it is.
 */
int pods_read(struct pods *pods, FILE *file, const char *name, char *error, size_t error_size);

/* Opens the file ("-": standard input) and reads it. */
int pods_read_file(struct pods *pods, const char *path, char *error, size_t error_size);

/*
 * A list of all of them begins, and ends: what was there before and is not on it any more is gone
 * since `now` (ns since 1970, UTC), as far as we know.
 */
void pods_list_begin(struct pods *pods);
void pods_list_end(struct pods *pods, int64_t now);

/*
 * The pod is gone: its addresses may be another's from then on. It is still found for times before.
 * `exact`: that is when it ended, and not only when we heard of it.
 */
void pods_gone(struct pods *pods, const char *uid, int64_t when, bool exact);

/* Of those with this address, who were not put since pods_list_begin() have it no more. */
void pods_release(struct pods *pods, const struct address *address, int64_t when);

/* Forgets some of those that ended more than an hour ago and that nobody was named after: to be
 * called now and then. */
void pods_expire(struct pods *pods, int64_t now);

/* A node has this address. 0 or -ENOMEM. */
int pods_put_node(struct pods *pods, const struct address *address, const char *name);

/*
 * The pod that held the address at `when` (ns since 1970, UTC): host-network pods never, none that
 * started later or had ended; of several the one that started last. One with no start time counts
 * as the first. NULL if there is none, or if it may have been either of two. What is handed out
 * stays until pods_free().
 */
const struct pod_name *pods_by_address(const struct pods *pods, const struct address *address,
				       int64_t when);

/* The same, with since when. */
struct pods_found {
	const struct pod_name *pod;
	int64_t since; /* it has had it (ns since 1970, UTC); 0: not known */
	int64_t doubt; /* there is none, since it may have been either of two: since when; 0: no */
};
struct pods_found pods_look_up(const struct pods *pods, const struct address *address,
			       int64_t when);

/* Whether any pod that is remembered has, or had, this address. */
bool pods_had_address(const struct pods *pods, const struct address *address);

/* The pod with this UID, or NULL. */
const struct pod_name *pods_by_uid(const struct pods *pods, const char *uid);

/* The name of the node with this address (status.hostIP, status.hostIPs of any pod that was
 * kept), or NULL. */
const char *pods_node_by_address(const struct pods *pods, const struct address *address);

/* How many there are, those that ended too. */
size_t pods_count(const struct pods *pods);

/* Walks all, in the order in which they came, from NULL to NULL. */
const struct pod *pods_next(const struct pods *pods, const struct pod *pod);

/* The pod with this UID, to look at, or NULL: not named yet. */
const struct pod *pods_find(const struct pods *pods, const char *uid);

/* Whether its name was handed out. */
bool pods_is_named(const struct pod *pod);

/* Its name, to be kept: until pods_free(), or until it is told that it is kept no more. */
const struct pod_name *pods_name(const struct pod *pod);

/* Which of the names that were handed out are still kept: pods_names_begin(), pods_name_used() for
 * each (another store's are ignored), pods_names_end(): the others' pods are forgotten when they
 * have ended. */
void pods_names_begin(struct pods *pods);
void pods_name_used(struct pods *pods, const struct pod_name *name);
void pods_names_end(struct pods *pods);

#endif
