/* SPDX-License-Identifier: MIT */
#include "names.h"

#include <stdlib.h>
#include <string.h>

#include <uthash.h>

#include "../capture/cgroup.h"
#include "../capture/sweep.h"
#include "../kube/clock.h"

/* Cgroups remembered at most; of what comes then no path is known. The ledger's rows point to them:
 * they are kept until names_end_used(). */
#define MAX_CGROUPS 16384

struct cgroup {
	uint64_t id;
	char *path;                   /* NULL: gone before we looked */
	char pod_uid[CGROUP_POD_UID]; /* "": not a pod's */
	bool used;
	UT_hash_handle hh;
};

struct names {
	const struct pods *pods;
	struct kube *kube;
	const struct ignore *ignore;
	int64_t realtime_offset;
	uint32_t node_netns;
	struct cgroup *cgroups;
};

struct names *names_new(const struct pods *pods, struct kube *kube, const struct ignore *ignore,
			int64_t realtime_offset)
{
	struct names *names = calloc(1, sizeof(*names));

	if (!names)
		return NULL;
	names->pods = pods;
	names->kube = kube;
	names->ignore = ignore;
	names->realtime_offset = realtime_offset;
	names->node_netns = sweep_own_netns();
	return names;
}

void names_free(struct names *names)
{
	struct cgroup *cgroup, *next;

	if (!names)
		return;
	cgroup = names->cgroups;
	HASH_CLEAR(hh, names->cgroups);
	for (; cgroup; cgroup = next) {
		next = cgroup->hh.next;
		free(cgroup->path);
		free(cgroup);
	}
	free(names);
}

/* What is known of a cgroup, or NULL: no memory, or too many. */
static const struct cgroup *find_cgroup(struct names *names, uint64_t id)
{
	char path[4096], container[CGROUP_CONTAINER];
	struct cgroup *cgroup;

	HASH_FIND(hh, names->cgroups, &id, sizeof(id), cgroup);
	if (cgroup)
		return cgroup;
	if (HASH_COUNT(names->cgroups) >= MAX_CGROUPS)
		return NULL;
	cgroup = calloc(1, sizeof(*cgroup));
	if (!cgroup)
		return NULL;
	cgroup->id = id;
	if (!cgroup_path(id, path, sizeof(path))) {
		cgroup->path = strdup(path);
		cgroup_pod(path, cgroup->pod_uid, container);
	}
	HASH_ADD(hh, names->cgroups, id, sizeof(id), cgroup);
	return cgroup;
}

static void find_pod(struct names *names, const struct address *peer, int64_t when,
		     struct evidence *evidence)
{
	const char *uid = evidence->cgroup_pod_uid;
	int64_t since = 0, doubt = 0;

	if (names->pods) {
		struct pods_found found = pods_look_up(names->pods, peer, when);

		if (uid)
			evidence->pod_by_uid = pods_by_uid(names->pods, uid);
		evidence->pod_by_address = found.pod;
		evidence->node_name = pods_node_by_address(names->pods, peer);
		evidence->pods_known = true;
		since = found.since;
	} else if (names->kube) {
		struct kube_owner owner = {};

		if (uid)
			evidence->pod_by_uid = kube_by_uid(names->kube, uid);
		/* who is known is not to be asked for */
		if (!evidence->pod_by_uid)
			owner = kube_by_address(names->kube, peer, when);
		evidence->pod_by_address = owner.pod;
		evidence->node_name = owner.node;
		evidence->pods_known = owner.is == KUBE_OUTSIDE;
		since = owner.since;
		doubt = owner.doubt;
	}
	evidence->doubt_since = doubt ? doubt - names->realtime_offset : INT64_MAX;
	evidence->pod_since = since ? since - names->realtime_offset : INT64_MIN;
}

struct who names_find(struct names *names, const struct caller_key *key, int64_t when)
{
	struct evidence evidence = {.key = key, .node_netns = names->node_netns};
	const struct cgroup *cgroup = NULL;
	struct address peer;
	struct who who;

	if (key->flags & CALLER_LOCAL)
		cgroup = find_cgroup(names, key->cgroup);
	if (cgroup) {
		evidence.cgroup_path = cgroup->path;
		evidence.cgroup_pod_uid = cgroup->pod_uid[0] ? cgroup->pod_uid : NULL;
	}
	memcpy(peer.word, key->peer, sizeof(peer.word));
	find_pod(names, &peer, when, &evidence);
	who = who_decide(&evidence);
	who.ignored = ignore_find(names->ignore, key, &who);
	return who;
}

struct who names_find_last(struct names *names, const struct caller_key *key,
			   const struct caller_counts *counts)
{
	uint64_t last = counts->last_opened > counts->last_attempt ? counts->last_opened
								   : counts->last_attempt;

	return names_find(names, key,
			  (int64_t)(last ? last : monotonic_ns()) + names->realtime_offset);
}

void names_begin_used(struct names *names)
{
	for (struct cgroup *cgroup = names->cgroups; cgroup; cgroup = cgroup->hh.next)
		cgroup->used = false;
	if (names->kube)
		kube_names_begin(names->kube);
}

void names_used(struct names *names, const struct caller_key *key, const struct who *who)
{
	struct cgroup *cgroup;

	HASH_FIND(hh, names->cgroups, &key->cgroup, sizeof(key->cgroup), cgroup);
	if (cgroup)
		cgroup->used = true;
	if (who->pod && names->kube)
		kube_name_used(names->kube, who->pod);
}

void names_end_used(struct names *names)
{
	struct cgroup *cgroup, *next;

	HASH_ITER (hh, names->cgroups, cgroup, next) {
		if (cgroup->used)
			continue;
		HASH_DEL(names->cgroups, cgroup);
		free(cgroup->path);
		free(cgroup);
	}
	if (names->kube)
		kube_names_end(names->kube);
}
