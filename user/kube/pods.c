/* SPDX-License-Identifier: MIT */
#include "pods.h"

#include <stdlib.h>

#include "pods-store.h"

struct pods *pods_new(void)
{
	return calloc(1, sizeof(struct pods));
}

void pods_free(struct pods *pods)
{
	if (!pods)
		return;
	HASH_CLEAR(hh, pods->strings);
	HASH_CLEAR(hh, pods->nodes);
	arena_free(&pods->arena);
	free(pods->pods);
	free(pods->holdings);
	free(pods->by_uid);
	free(pods);
}

const struct pod_name *pods_by_address(const struct pods *pods, const struct address *address,
				       int64_t when)
{
	size_t low = 0;
	size_t high = pods->n_holdings;

	/* The last holding that is not after (address, when). */
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const struct holding *holding = &pods->holdings[middle];

		if (pods_compare(holding->address, holding->pod->started, address, when) <= 0)
			low = middle + 1;
		else
			high = middle;
	}
	if (!low || !address_equal(pods->holdings[low - 1].address, address))
		return NULL;
	return &pods->holdings[low - 1].pod->name;
}

const struct pod_name *pods_by_uid(const struct pods *pods, const char *uid)
{
	const struct pod wanted = {.name.uid = uid};
	const struct pod *key = &wanted;
	const struct pod **found;

	if (!pods->n_by_uid)
		return NULL;
	found = bsearch(&key, pods->by_uid, pods->n_by_uid, sizeof(*found), pods_compare_uids);
	return found ? &(*found)->name : NULL;
}

const char *pods_node_by_address(const struct pods *pods, const struct address *address)
{
	struct node *node;

	HASH_FIND(hh, pods->nodes, address, sizeof(*address), node);
	return node ? node->name : NULL;
}

size_t pods_count(const struct pods *pods)
{
	return pods->n_pods;
}

const struct pod *pods_get(const struct pods *pods, size_t index)
{
	return pods->pods[index];
}
