/* SPDX-License-Identifier: MIT */
#include "pods.h"

#include <stdlib.h>

#include "pods-store.h"

static struct stored *stored_of(const struct pod *pod)
{
	return (struct stored *)((char *)pod - offsetof(struct stored, pod));
}

static const struct pod_name *hand_out(struct stored *stored)
{
	if (!stored)
		return NULL;
	stored->named = true;
	return &stored->pod.name;
}

/* *doubt: it may be this one, or the one before, of which is only known that it had ended later. */
static struct holding *holding_at(const struct pods *pods, const struct address *address,
				  int64_t when, bool *doubt)
{
	struct holder *holder;
	struct holding *holding;

	HASH_FIND(hh, pods->holders, address, sizeof(*address), holder);
	holding = holder ? holder->newest : NULL;
	while (holding && (holding->from > when || (holding->until && holding->until <= when)))
		holding = holding->older;
	*doubt = false;
	for (struct holding *before = holding ? holding->older : NULL; before;
	     before = before->older)
		*doubt = *doubt || before->until > when;
	return holding;
}

struct pods_found pods_look_up(const struct pods *pods, const struct address *address, int64_t when)
{
	bool doubt;
	struct holding *holding = holding_at(pods, address, when, &doubt);

	if (!holding)
		return (struct pods_found){};
	if (doubt)
		return (struct pods_found){.doubt = holding->from};
	return (struct pods_found){.pod = hand_out(holding->stored), .since = holding->from};
}

const struct pod_name *pods_by_address(const struct pods *pods, const struct address *address,
				       int64_t when)
{
	return pods_look_up(pods, address, when).pod;
}

bool pods_had_address(const struct pods *pods, const struct address *address)
{
	struct holder *holder;

	HASH_FIND(hh, pods->holders, address, sizeof(*address), holder);
	return holder;
}

const struct pod *pods_find(const struct pods *pods, const char *uid)
{
	struct stored *stored;

	HASH_FIND(hh, pods->pods, uid, strlen(uid), stored);
	return stored ? &stored->pod : NULL;
}

const struct pod_name *pods_by_uid(const struct pods *pods, const char *uid)
{
	const struct pod *pod = pods_find(pods, uid);

	return pod ? pods_name(pod) : NULL;
}

const char *pods_node_by_address(const struct pods *pods, const struct address *address)
{
	struct node *node;

	HASH_FIND(hh, pods->nodes, address, sizeof(*address), node);
	return node ? node->name : NULL;
}

size_t pods_count(const struct pods *pods)
{
	return HASH_COUNT(pods->pods);
}

const struct pod *pods_next(const struct pods *pods, const struct pod *pod)
{
	struct stored *next = pod ? stored_of(pod)->hh.next : pods->pods;

	return next ? &next->pod : NULL;
}

const struct pod_name *pods_name(const struct pod *pod)
{
	return hand_out(stored_of(pod));
}

bool pods_is_named(const struct pod *pod)
{
	return stored_of(pod)->named;
}
