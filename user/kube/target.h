/* SPDX-License-Identifier: MIT */
/* Targets named in Kubernetes' words, resolved to the endpoints behind them. */
#ifndef KUBE_TARGET_H
#define KUBE_TARGET_H

#include <stddef.h>
#include <stdint.h>

#include "../callers/target.h"
#include "pods.h"

/*
 * Adds the endpoints of `what` to *target: pod/NAME, deploy/NAME, rs/NAME, sts/NAME, ds/NAME,
 * job/NAME, cj/NAME, rc/NAME (and the long forms kubectl takes: pods/, deployment/,
 * deployments.apps/ …), in `namespace` ("default" if NULL), each address of each running pod with
 * `port`, or with every TCP containerPort of the pod where `port` is 0. Host-network pods are taken
 * with their node's address. A Deployment's ReplicaSet and a CronJob's Job can be named too.
 *
 * 0, or a negative errno with one sentence in `error` and *target as it was: -EINVAL (no such form;
 * svc/, which needs the API and is named as such; a pod without a TCP containerPort where `port` is
 * 0, for it would go unwatched), -ENOENT (no such object among the pods: lists what is near, if
 * anything; or none of its pods has an address yet), -ENOMEM (some may have been added).
 * target->text is left to the caller.
 */
int kube_target_add(struct target *target, const struct pods *pods, const char *namespace,
		    const char *what, uint16_t port, char *error, size_t error_size);

#endif
