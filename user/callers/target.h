/* SPDX-License-Identifier: MIT */
/* What is watched: endpoints, each an (address, TCP port) on this node, and the pod behind it if
 * one is known. */
#ifndef CALLERS_TARGET_H
#define CALLERS_TARGET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "address.h"
#include "who.h"

struct endpoint {
	struct address address; /* any: every address of this node, in every network namespace */
	uint16_t port;
	const struct pod_name *pod; /* NULL: none known */
	/* it was watched from then (0: the window's start) to then (0: its end); CLOCK_MONOTONIC ns
	 */
	uint64_t since;
	uint64_t until;
	/* since when its pod has been able to have the address, by the API; ns since 1970, 0: not
	 * known */
	int64_t existed;
	/* The address was found in a network namespace of this node, at some time while it was
	 * watched; of any address: always. The capture sets it. */
	bool here;
};

struct target {
	char *text; /* as it was asked: "deploy/session-service-v1 in buffer", "port 3000" */
	struct endpoint *endpoints;
	size_t n_endpoints;
};

/* Adds an endpoint unless it is there already. 0 or -ENOMEM. The target starts as all zero. */
int target_add(struct target *target, const struct address *address, uint16_t port,
	       const struct pod_name *pod);

/* Adds it in any case: an address that another pod has now is another endpoint. */
int target_append(struct target *target, const struct address *address, uint16_t port,
		  const struct pod_name *pod);

/* Endpoints that are watched now. */
size_t target_count(const struct target *target);
void target_deinit(struct target *target);

#endif
