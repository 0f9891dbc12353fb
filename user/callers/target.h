/* SPDX-License-Identifier: MIT */
/* What is watched: endpoints, each an (address, TCP port) on this node, and the pod behind it if
 * one is known. */
#ifndef CALLERS_TARGET_H
#define CALLERS_TARGET_H

#include <stddef.h>
#include <stdint.h>

#include "address.h"
#include "who.h"

struct endpoint {
	struct address address; /* any: every address of this node, in every network namespace */
	uint16_t port;
	const struct pod_name *pod; /* NULL: none known */
};

struct target {
	char *text; /* as it was asked: "deploy/session-service-v1 in buffer", "port 3000" */
	struct endpoint *endpoints;
	size_t n_endpoints;
};

/* Adds an endpoint unless it is there already. 0 or -ENOMEM. The target starts as all zero. */
int target_add(struct target *target, const struct address *address, uint16_t port,
	       const struct pod_name *pod);
void target_deinit(struct target *target);

#endif
