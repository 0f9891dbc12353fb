/* SPDX-License-Identifier: MIT */
/*
 * Asks for the pod behind one address at a time (status.podIP=), so that no node needs to watch all
 * pods of the cluster: each answer is remembered, also that there is none, and only so many
 * questions are asked a second.
 */
#ifndef KUBE_LOOKUPS_H
#define KUBE_LOOKUPS_H

#include <stdbool.h>
#include <stdint.h>

#include "../callers/who.h"
#include "client.h"
#include "pods.h"

struct lookups;

/* NULL: no memory. */
struct lookups *lookups_new(struct kube_client *client);
/* Accepts NULL. */
void lookups_free(struct lookups *lookups);

/*
 * As pods_look_up(), as far as was asked. Asks if the last answer is older than `when` (ns since
 * 1970), and not from just now. *known: there was an answer that is newer than `when`.
 */
struct pods_found lookups_by_address(struct lookups *lookups, const struct address *address,
				     int64_t when, bool *known);

/* As pods_select(), before the first pod is asked for. */
void lookups_select(struct lookups *lookups, const struct selectors *selectors);

/* Where they are kept. */
struct pods *lookups_pods(struct lookups *lookups);

/* Forgets pods that ended more than an hour ago. `now`: ns since 1970. */
void lookups_expire(struct lookups *lookups, int64_t now);

/* The last question that failed, if the last one did: a sentence; NULL: it went well. `since` as of
 * kube_watch_trouble(). */
const char *lookups_trouble(const struct lookups *lookups, uint64_t *since);

/* Addresses that could not be asked for, since there are too many. */
uint64_t lookups_dropped(const struct lookups *lookups);

#endif
