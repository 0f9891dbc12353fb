/* SPDX-License-Identifier: MIT */
/* What a trace asks of Kubernetes: the target's endpoints as they come and go, and names. */
#ifndef COMMAND_CLUSTER_H
#define COMMAND_CLUSTER_H

#include <stdbool.h>
#include <sys/utsname.h>

#include "../callers/target.h"
#include "../capture/capture.h"
#include "../kube/kube.h"
#include "heartbeat.h"
#include "options.h"

/* Starts as all zero. */
struct cluster {
	struct kube *kube; /* NULL: the API is not asked */
	struct target *target;
	const char *command;     /* for messages */
	const char *node;        /* this one's name, as long as the API does not tell it */
	struct utsname host;     /* what that is, unless it was given */
	struct capture *capture; /* NULL: not yet */
	bool follows;            /* the target is the API's */
	bool changed;            /* endpoints came, since the capture last looked */
	bool say;                /* that they came and went, on standard error */
	uint64_t next_settle;    /* CLOCK_MONOTONIC ns */
	size_t settled;          /* endpoints before this one are watched as a whole */
	size_t unwatched;        /* endpoints that found no room in the kernel */
};

/*
 * Where the options ask for it, or where a configuration is found: begins to ask the API; and fills
 * in the target if it is the API's, waiting for it. Returns -1 to go on, or an exit status after a
 * message.
 */
int cluster_open(struct cluster *cluster, const struct options *options, struct target *target);

/*
 * Where the API is, and who asks it. -1 to go on, with *config NULL where there is none and it is
 * not needed; or an exit status after a message.
 */
int cluster_config(const struct options *options, bool needed, struct kube_config **config);

/* The port of this node's kubelet; the usual one as long as its own object does not tell it. `kube`
 * may be NULL. */
uint16_t cluster_kubelet_port(const struct kube *kube);

/* From now on endpoints that come and go are told to the capture, and, if `say`, on standard error.
 */
void cluster_attach(struct cluster *cluster, struct capture *capture, bool say);

/* Gives the API a moment to tell its lists, so that the first picture has names; the heart beats
 * meanwhile. */
void cluster_wait_for_names(struct cluster *cluster, struct heartbeat *heartbeat);

/* -1: nothing to wait for. */
int cluster_fd(const struct cluster *cluster);
/* Both look for what was open before at endpoints that came. 0 or -errno. The second: once a second
 * or so. */
int cluster_run(struct cluster *cluster);
int cluster_tick(struct cluster *cluster);

/* At the end: what has been told meanwhile of endpoints that came. */
void cluster_finish(struct cluster *cluster);

/* This node's name: by the API, else as it was given, else the host's; "": not known. As long as
 * the cluster. */
const char *cluster_node(const struct cluster *cluster);

/* After the ledger is gone. May be called twice. */
void cluster_close(struct cluster *cluster);

#endif
