/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

#include "target.h"

static bool target_has(const struct target *target, const struct address *address, uint16_t port)
{
	for (size_t i = 0; i < target->n_endpoints; i++) {
		const struct endpoint *endpoint = &target->endpoints[i];

		if (endpoint->port == port && address_equal(&endpoint->address, address))
			return true;
	}
	return false;
}

/* The room is always the next power of two, so that it need not be kept beside the count. */
static int target_grow(struct target *target)
{
	size_t n = target->n_endpoints;
	struct endpoint *endpoints;

	if (n & (n - 1))
		return 0;
	endpoints = reallocarray(target->endpoints, n ? 2 * n : 1, sizeof(*endpoints));
	if (!endpoints)
		return -ENOMEM;
	target->endpoints = endpoints;
	return 0;
}

int target_append(struct target *target, const struct address *address, uint16_t port,
		  const struct pod_name *pod)
{
	int r = target_grow(target);

	if (r < 0)
		return r;
	target->endpoints[target->n_endpoints++] =
		(struct endpoint){.address = *address, .port = port, .pod = pod};
	return 0;
}

int target_add(struct target *target, const struct address *address, uint16_t port,
	       const struct pod_name *pod)
{
	return target_has(target, address, port) ? 0 : target_append(target, address, port, pod);
}

size_t target_count(const struct target *target)
{
	size_t n = 0;

	for (size_t i = 0; i < target->n_endpoints; i++)
		n += !target->endpoints[i].until;
	return n;
}

void target_deinit(struct target *target)
{
	free(target->text);
	free(target->endpoints);
	*target = (struct target){0};
}
