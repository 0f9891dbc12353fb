/* SPDX-License-Identifier: MIT */
/*
 * Which endpoints a target has, by the objects that tell of them (a pod, an EndpointSlice): an
 * endpoint is there as long as one of them has it.
 */
#ifndef KUBE_MEMBERS_H
#define KUBE_MEMBERS_H

#include "follow.h"

struct members;

struct members *members_new(const struct kube_follow_ops *ops, void *arg);
/* Accepts NULL. Calls no down(). */
void members_free(struct members *members);

/* What this object has now, in place of what it had: members_add() for each, between the two. */
void members_begin(struct members *members, const char *object);
void members_add(struct members *members, const struct address *address, uint16_t port,
		 const struct pod_name *pod);
/* The same of one whose name is not the caller's to keep: it is copied, and goes when the endpoint
 * does, after down(). */
void members_add_copy(struct members *members, const struct kube_endpoint *endpoint);
void members_end(struct members *members);

/* A list of all objects: those that it did not have are gone at its end. */
void members_list_begin(struct members *members);
void members_list_end(struct members *members);

/* Ends those that no object has any more and whose pod is not alive any more either. */
void members_check(struct members *members);

/* There may be some of these since the last members_check(). */
bool members_to_check(const struct members *members);

/* Ends all, alive or not. */
void members_clear(struct members *members);

/* A copy of a name, one for each UID; as long as the members. NULL: no memory. */
const struct pod_name *members_name(struct members *members, const struct pod_name *name);

#endif
