/* SPDX-License-Identifier: MIT */
/*
 * Follows one collection of the API: a list in pages, then a watch with bookmarks from the list's
 * resourceVersion, for as long as it is wanted; again from the start when the server no longer has
 * that version (410), after a pause when something fails. What was told stays told meanwhile.
 *
 * What proves that nothing came and went untold
 *
 * A watch tells every change after the version it began from, in their order, or ends. So the
 * history is whole from a list to the last version that was told as long as each watch begins where
 * the one before it had come to, however long nothing stood in between: what happened then is told
 * late, and not left out. It is broken only where that version is gone and all is listed again
 * (kube_watch_gaps(): lost).
 *
 * What is not known is how far the history reaches now: a connection that has died without a word
 * looks as one on which nothing happens. kube_watch_confirm() finds out:
 *
 *	1. A list without resourceVersion is asked for, of one object, after the call.
 *	   Its version is at least that of everything that was written before the call.
 *	2. The watch is begun anew where it is, on a connection of its own, and a short
 *	   one: servers send a bookmark shortly before a watch ends. It is read until it
 *	   has told an event or a bookmark that is not older than (1). By then it has
 *	   told all that was written before the call.
 *	3. Where that is asked for, all is listed once more, and taken: what is there and
 *	   was not told comes up then, though by (2) there is nothing.
 *	4. Where a bookmark comes, or the short watch ends as it should, and is not as far
 *	   as (1), it is begun anew. Of one that was begun after (1) was answered, and is
 *	   not as far either, it is known that it told all that the server's own copy of
 *	   its store had by then. That is less: KUBE_CONFIRM_COPY, after (3). Servers
 *	   before 1.31 may not know better: the version of (1) is of the whole store, that
 *	   of a bookmark the last which the server heard of for this kind.
 *
 * Where this ends: (2) compares versions as numbers (version.h); where they are none, nothing is
 * proven. The server is believed: that a list without resourceVersion is not out of date, that a
 * watch leaves nothing out, and that a bookmark comes after what it speaks of. With (4) also that
 * its copy was not behind its store for seconds, while something came and went that the list of (3)
 * has not any more; a kubelet that asks the same server would not have heard of that pod either,
 * one that asks another may. A store that was put back to an earlier state is noticed by a version
 * (1) that is older than what was told.
 */
#ifndef KUBE_WATCH_H
#define KUBE_WATCH_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "client.h"
#include "gaps.h"

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

/* The same, of any list and at any time. */
bool kube_watch_ever_left_out(const struct kube_watch *watch);

/* When it did not stand, since kube_watch_new(): the first is lost, and lasts until the first list
 * is complete. Valid until the next call, and the loop. */
const struct gaps *kube_watch_gaps(struct kube_watch *watch);

enum kube_confirmed {
	KUBE_CONFIRM_NONE, /* it was not asked for */
	KUBE_CONFIRM_PENDING,
	KUBE_CONFIRM_DONE,
	/* all that the server's own copy of its store had when it was asked; (4) above */
	KUBE_CONFIRM_COPY,
	/* only of kube_confirmed(): done (or as KUBE_CONFIRM_COPY), but for whether what a Service
	 * dropped had ended. That matters where an endpoint went down in the window */
	KUBE_CONFIRM_BUT_ENDS,
	KUBE_CONFIRM_FAILED, /* it can't be proven any more */
};

/* Begins the proof that all was told which was written before this call; see above. `list`: with
 * (3). Not from within ops. */
void kube_watch_confirm(struct kube_watch *watch, bool list);

/* *why: of a failure, and of what is pending: what it waits for. Valid until the loop. */
enum kube_confirmed kube_watch_confirmed(const struct kube_watch *watch, const char **why);

/* HTTP status of that failure; 0: no answer came. */
long kube_watch_status(const struct kube_watch *watch);

/* The path of a collection, with its selector: "/api/v1/namespaces/core/pods?…&" or "…?". 0 or
 * -ENOMEM; free(). */
int kube_collection_path(const struct kube_collection *collection, char **path);

/* "list pods in namespace core", and what to add to a Role for it. */
void kube_forbidden(const struct kube_collection *collection, const char *verb, const char *answer,
		    char *text, size_t size);

#endif
