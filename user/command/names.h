/* SPDX-License-Identifier: MIT */
/* Names callers: puts together what the pods, the cgroups and the kernel's key tell. */
#ifndef COMMAND_NAMES_H
#define COMMAND_NAMES_H

#include <stdint.h>

#include "../callers/who.h"
#include "../kube/kube.h"
#include "../kube/pods.h"
#include "ignore.h"

struct names;

/*
 * Looks in a list of pods, or asks what the API has told; both NULL: neither. `ignore` tells who is
 * ignored. They outlive the names. `realtime_offset`: as of struct report. NULL: no memory.
 */
struct names *names_new(const struct pods *pods, struct kube *kube, const struct ignore *ignore,
			int64_t realtime_offset);
void names_free(struct names *names);

/*
 * Who a caller is whose connection came at `when` (ns since 1970, UTC). A cgroup is looked up when
 * its id comes first and remembered, since it can be gone soon.
 */
struct who names_find(struct names *names, const struct caller_key *key, int64_t when);

/* Who a caller is that has these counts: an address is named as of the last connection, or attempt,
 * from it, since it may be another pod's by now. */
struct who names_find_last(struct names *names, const struct caller_key *key,
			   const struct caller_counts *counts);

/* Which of those that were told are still kept: names_begin_used(), names_used() for each with its
 * key, names_end_used(): strings of all others are freed. Pods are the API's, see there. */
void names_begin_used(struct names *names);
void names_used(struct names *names, const struct caller_key *key, const struct who *who);
void names_end_used(struct names *names);

#endif
