/* SPDX-License-Identifier: MIT */
#include "pod-workload.h"

#include <stdlib.h>
#include <string.h>

#include "json-fields.h"

static const json_t *find_controller(struct reader *reader, const json_t *metadata)
{
	const json_t *owners = field_get(reader, metadata, "metadata.ownerReferences", JSON_ARRAY);
	const json_t *found = NULL;
	json_t *owner;
	size_t i;

	json_array_foreach (owners, i, owner) {
		if (field_check(reader, owner, "metadata.ownerReferences", JSON_OBJECT) &&
		    field_bool(reader, owner, "ownerReferences.controller"))
			found = owner;
	}
	return found;
}

/* The length of `name` without "-" and the hash; 0 if it doesn't end so. */
static size_t without_hash(const char *name, const char *hash)
{
	size_t all = strlen(name);
	size_t tail = strlen(hash) + 1;

	if (tail < 2 || all <= tail)
		return 0;
	if (name[all - tail] != '-' || strcmp(name + all - tail + 1, hash) != 0)
		return 0;
	return all - tail;
}

/*
 * The length of a Job's name without "-" and the time for which a CronJob planned it: in minutes
 * since 1970 (8 digits; Kubernetes 1.21 and later) or in seconds (10 digits); 0 if it doesn't end
 * so. Somebody's import-20260131 or import-2026013112 is a plain Job: these would be times long
 * before there were CronJobs, or long after the pod started (ns since 1970; 0: not known).
 */
static size_t without_schedule(const char *name, int64_t started)
{
	const int64_t first = INT64_C(1450000000); /* end of 2015; CronJobs came in 2016 */
	const char *dash = strrchr(name, '-');
	int64_t seconds;
	size_t digits;

	if (!dash || dash == name)
		return 0;
	digits = strspn(dash + 1, "0123456789");
	if (digits < 8 || digits > 10 || dash[1 + digits])
		return 0;
	seconds = strtoll(dash + 1, NULL, 10);
	if (digits < 10)
		seconds *= 60;
	if (seconds < first || (started && seconds > started / 1000000000 + INT64_C(24) * 60 * 60))
		return 0;
	return dash - name;
}

size_t pod_workload_read(struct pod *pod, struct reader *reader, const json_t *metadata)
{
	const json_t *labels = field_get(reader, metadata, "metadata.labels", JSON_OBJECT);
	const char *hash = field_text(reader, labels, "labels.pod-template-hash");
	const json_t *owner = find_controller(reader, metadata);
	struct pod_name *name = &pod->name;
	size_t shorter = 0;

	name->kind = "Pod";
	name->workload = name->pod;
	pod->owner = "";
	if (owner) {
		const char *kind = field_required(reader, owner, "ownerReferences.kind");
		const char *controller = field_required(reader, owner, "ownerReferences.name");

		/* A Node's is the mirror of a static pod: the kubelet runs it, from a file. */
		if (strcmp(kind, "Node") != 0) {
			name->kind = kind;
			name->workload = controller;
			pod->owner = controller;
		}
	}
	if (!strcmp(name->kind, "ReplicaSet")) {
		shorter = without_hash(name->workload, hash);
		name->kind = shorter ? "Deployment" : name->kind;
	} else if (!strcmp(name->kind, "Job")) {
		shorter = without_schedule(name->workload, pod->started);
		name->kind = shorter ? "CronJob" : name->kind;
	}
	return shorter ? shorter : strlen(name->workload);
}
