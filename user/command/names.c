/* SPDX-License-Identifier: MIT */
#include "names.h"

#include <stdlib.h>
#include <string.h>

#include <uthash.h>

#include "../capture/cgroup.h"
#include "../capture/sweep.h"

/* Cgroups remembered at most; then all are forgotten and looked up anew. */
#define MAX_CGROUPS 16384

struct cgroup {
	uint64_t id;
	char pod_uid[CGROUP_POD_UID]; /* "": not a pod's, or gone before we looked */
	UT_hash_handle hh;
};

struct names {
	const struct pods *pods;
	uint32_t node_netns;
	struct cgroup *cgroups;
};

struct names *names_new(const struct pods *pods)
{
	struct names *names = calloc(1, sizeof(*names));

	if (!names)
		return NULL;
	names->pods = pods;
	names->node_netns = sweep_own_netns();
	return names;
}

static void forget(struct names *names)
{
	struct cgroup *cgroup = names->cgroups, *next;

	HASH_CLEAR(hh, names->cgroups);
	for (; cgroup; cgroup = next) {
		next = cgroup->hh.next;
		free(cgroup);
	}
}

void names_free(struct names *names)
{
	if (!names)
		return;
	forget(names);
	free(names);
}

/* The UID of the pod that the cgroup belongs to, or NULL. */
static const char *pod_uid(struct names *names, uint64_t id)
{
	char path[4096], container[CGROUP_CONTAINER];
	struct cgroup *cgroup;

	HASH_FIND(hh, names->cgroups, &id, sizeof(id), cgroup);
	if (!cgroup) {
		if (HASH_COUNT(names->cgroups) >= MAX_CGROUPS)
			forget(names);
		cgroup = calloc(1, sizeof(*cgroup));
		if (!cgroup)
			return NULL;
		cgroup->id = id;
		if (!cgroup_path(id, path, sizeof(path)))
			cgroup_pod(path, cgroup->pod_uid, container);
		HASH_ADD(hh, names->cgroups, id, sizeof(id), cgroup);
	}
	return cgroup->pod_uid[0] ? cgroup->pod_uid : NULL;
}

struct who names_find(struct names *names, const struct caller_key *key, int64_t when)
{
	struct evidence evidence = {
		.key = key,
		.node_netns = names->node_netns,
		.pods_known = names->pods,
	};
	struct address peer;

	if (key->flags & CALLER_LOCAL)
		evidence.cgroup_pod_uid = pod_uid(names, key->cgroup);
	if (names->pods) {
		memcpy(peer.word, key->peer, sizeof(peer.word));
		if (evidence.cgroup_pod_uid)
			evidence.pod_by_uid = pods_by_uid(names->pods, evidence.cgroup_pod_uid);
		evidence.pod_by_address = pods_by_address(names->pods, &peer, when);
		evidence.node_name = pods_node_by_address(names->pods, &peer);
	}
	return who_decide(&evidence);
}
