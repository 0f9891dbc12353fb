/* SPDX-License-Identifier: MIT */
/* Where the pods are kept. */
#ifndef KUBE_PODS_STORE_H
#define KUBE_PODS_STORE_H

#include <stddef.h>

/* A hash that has no memory to grow leaves the element out (hh.tbl is NULL), and doesn't exit(). */
#define HASH_NONFATAL_OOM 1
#include <uthash.h>
#include <utlist.h>

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

struct stored {
	struct pod pod;
	struct holding *holdings;   /* all that it has or had */
	struct stored *prev, *next; /* of those that have not ended, or of those that have */
	uint32_t list;              /* the last list that had it */
	bool named;                 /* somebody has its pod_name: it is not freed */
	bool used;                  /* still, by what pods_name_used() told */
	UT_hash_handle hh;          /* by UID */
	char text[];                /* strings of its own */
};

/* For how long a pod had an address. */
struct holding {
	struct stored *stored;
	struct holder *holder;
	struct holding *next;  /* of the same pod */
	struct holding *older; /* of the same address, by `from` */
	int64_t from;
	int64_t until; /* 0: it still has it */
	bool exact;    /* it had it until then, and not only until we heard of the end */
};

struct holder {
	struct address address;
	struct holding *newest;
	UT_hash_handle hh;
};

struct pods {
	struct arena arena; /* strings that many share, and nodes: there are few */
	struct interned *strings;
	struct node *nodes;
	struct stored *pods;
	struct stored *live;  /* those not put for longest first */
	struct stored *ended; /* those that ended first first; without those that are kept */
	struct holder *holders;
	uint32_t list; /* number of the list that is read, or was read last */
	const struct selectors *selectors;
};

/*
 * Adds a pod or brings it up to date, by its UID. `now` (ns since 1970): when that was told. A
 * completed pod holds its addresses no more from when its last container ended. 0 or -ENOMEM.
 */
int pods_put(struct pods *pods, const struct pod_item *item, int64_t now);

#endif
