/* SPDX-License-Identifier: MIT */
/* Where the pods are kept. */
#ifndef KUBE_PODS_STORE_H
#define KUBE_PODS_STORE_H

#include <stddef.h>

/* A hash that has no memory to grow leaves the element out (hh.tbl is NULL), and doesn't exit(). */
#define HASH_NONFATAL_OOM 1
#include <uthash.h>

#include "arena.h"
#include "pod-item.h"
#include "pods.h"

/* A string that many pods share. */
struct interned {
	UT_hash_handle hh;
	char text[];
};

struct node {
	struct address address;
	const char *name;
	UT_hash_handle hh;
};

/* An address and one pod that holds it. */
struct holding {
	const struct address *address;
	const struct pod *pod;
};

struct pods {
	struct arena arena; /* the pods, and all that they point to */
	struct interned *strings;
	struct node *nodes;
	struct pod **pods; /* in the order of reading; each stays where it is */
	size_t n_pods;
	size_t pods_room;
	/* Sorted arrays and no hashes: a hash costs 56 bytes more for each pod and each address. */
	struct holding *holdings; /* by address, then by start */
	size_t n_holdings;
	size_t holdings_room;
	const struct pod **by_uid;
	size_t n_by_uid;
};

/* Keeps a copy of the pod and of what it tells of its node. It is found once pods_index() was
 * called. 0 or -ENOMEM. */
int pods_store(struct pods *pods, const struct pod_item *item);

/* Sorts what was stored, so that it is found. 0 or -ENOMEM (some may not be found by UID). */
int pods_index(struct pods *pods);

/* The order of holdings: negative, 0 or positive. */
int pods_compare(const struct address *a, int64_t a_started, const struct address *b,
		 int64_t b_started);

/* The order of by_uid; each is a const struct pod **. */
int pods_compare_uids(const void *a, const void *b);

#endif
