/* SPDX-License-Identifier: MIT */
/*
 * Follows one collection of the API: a list in pages, then a watch with bookmarks from the list's
 * resourceVersion, for as long as it is wanted; again from the start when the server no longer has
 * that version (410), after a pause when something fails. What was told stays told meanwhile.
 */
#ifndef KUBE_WATCH_H
#define KUBE_WATCH_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "client.h"

enum kube_event {
	KUBE_LISTED,
	KUBE_ADDED,
	KUBE_MODIFIED,
	KUBE_DELETED,
};

/* What is followed. Strings outlive the watch. */
struct kube_collection {
	const char *group;     /* "" for v1, "discovery.k8s.io/v1" */
	const char *namespace; /* NULL: all */
	const char *resource;  /* "pods" */
	const char
		*selector; /* of the query, escaped: "fieldSelector=spec.nodeName%3Dnode1"; NULL */
	bool only_list;    /* no watch: a list, and again after kube_watch_again() */
};

struct kube_watch_ops {
	/* A list begins, and is complete: what it did not have is gone. */
	void (*list_begins)(void *arg);
	void (*list_ended)(void *arg);
	/* One object. An object that makes no sense is the callee's to count. */
	void (*object)(void *arg, enum kube_event event, const json_t *object);
	/* HTTP 404: the server has no such collection. The watch has ended; NULL: tried again. */
	void (*missing)(void *arg);
};

struct kube_watch;

/* NULL: no memory. The first request goes out when the loop comes by. */
struct kube_watch *kube_watch_new(struct kube_client *client,
				  const struct kube_collection *collection,
				  const struct kube_watch_ops *ops, void *arg);
/* Accepts NULL. Not from within ops. */
void kube_watch_free(struct kube_watch *watch);

/* Of one that only lists: lists again, if the last list is old enough that it does no harm. */
void kube_watch_again(struct kube_watch *watch);

/* The first list is complete. */
bool kube_watch_synced(const struct kube_watch *watch);

/* Why it stands still, or what it left out: a sentence with what was asked, what the answer was and
 * what to do; NULL: neither. `since`: CLOCK_MONOTONIC ns of the first failure in a row. */
const char *kube_watch_trouble(const struct kube_watch *watch, uint64_t *since);

/* Something of the list, or since, was too large. */
bool kube_watch_left_out(const struct kube_watch *watch);

/* HTTP status of that failure; 0: no answer came. */
long kube_watch_status(const struct kube_watch *watch);

/* The path of a collection, with its selector: "/api/v1/namespaces/core/pods?…&" or "…?". 0 or
 * -ENOMEM; free(). */
int kube_collection_path(const struct kube_collection *collection, char **path);

/* "list pods in namespace core", and what to add to a Role for it. */
void kube_forbidden(const struct kube_collection *collection, const char *verb, const char *answer,
		    char *text, size_t size);

#endif
