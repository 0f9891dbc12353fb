/* SPDX-License-Identifier: MIT */
/* Targets named in Kubernetes' words, resolved to the endpoints behind them. */
#ifndef KUBE_TARGET_H
#define KUBE_TARGET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../callers/target.h"
#include "pods.h"

/* What was asked for. */
struct kube_wanted {
	const struct kube_form *form; /* the kind */
	const char *name;
	const char *namespace;
	uint16_t port; /* 0: all TCP ports that its containers name */
};

/* Takes "deploy/NAME" apart, all forms of kube_target_add() and svc/. -EINVAL and a sentence: it is
 * none. The strings stay the caller's. */
int kube_wanted_parse(struct kube_wanted *wanted, const char *what, const char *namespace,
		      uint16_t port, char *error, size_t error_size);

bool kube_wanted_is_service(const struct kube_wanted *wanted);

/* Whether the pod is one of it, and has not ended. */
bool kube_wanted_has(const struct kube_wanted *wanted, const struct pod *pod);

/* Whether there is anything to watch: a pod, each with a port. 0, or -ENOENT or -EINVAL and a
 * sentence that tells what is near. `need_address`: one must have an address, too. */
int kube_wanted_check(const struct kube_wanted *wanted, const struct pods *pods, bool need_address,
		      char *error, size_t error_size);

/*
 * Adds the endpoints of `what` to *target: pod/NAME, deploy/NAME, rs/NAME, sts/NAME, ds/NAME,
 * job/NAME, cj/NAME, rc/NAME (and the long forms kubectl takes: pods/, deployment/,
 * deployments.apps/ …), in `namespace` ("default" if NULL), each address of each running pod with
 * `port`, or with every TCP containerPort of the pod where `port` is 0. Host-network pods are taken
 * with their node's address. A Deployment's ReplicaSet and a CronJob's Job can be named too.
 *
 * 0, or a negative errno with one sentence in `error` and *target as it was: -EINVAL (no such form;
 * svc/, which needs the API; a pod without a TCP containerPort where `port` is
 * 0, for it would go unwatched), -ENOENT (no such object among the pods: lists what is near, if
 * anything; or none of its pods has an address yet), -ENOMEM (some may have been added).
 * target->text is left to the caller.
 */
int kube_target_add(struct target *target, const struct pods *pods, const char *namespace,
		    const char *what, uint16_t port, char *error, size_t error_size);

#endif
