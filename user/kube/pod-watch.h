/* SPDX-License-Identifier: MIT */
/* A watch of pods that keeps a store of them up to date. */
#ifndef KUBE_POD_WATCH_H
#define KUBE_POD_WATCH_H

#include <stdbool.h>
#include <stdint.h>

#include "pods.h"
#include "watch.h"

struct pod_watch;

struct pod_watch_ops {
	/* After a pod was put into the store, or ended there. */
	void (*changed)(void *arg, const struct pod *pod);
	/* All that there are have been told. */
	void (*listed)(void *arg);
};

/* `selector`: see kube_collection. `ops` and what is in it may be NULL. NULL: no memory. */
struct pod_watch *pod_watch_new(struct kube_client *client, const char *namespace,
				const char *selector, const struct pod_watch_ops *ops, void *arg);
/* Accepts NULL. Frees the store, too. */
void pod_watch_free(struct pod_watch *watch);

struct pods *pod_watch_pods(const struct pod_watch *watch);
struct kube_watch *pod_watch_watch(const struct pod_watch *watch);

/* There are objects that are not in the store: too large, or no pods. */
bool pod_watch_left_out(const struct pod_watch *watch);

/* Why the first object, of all at any time, could not be read as a pod; NULL: all could. */
const char *pod_watch_ever_damaged(const struct pod_watch *watch);

/* As kube_watch_trouble(); or that there are objects which can't be read as a pod, and why the
 * first one can't. */
const char *pod_watch_trouble(const struct pod_watch *watch, uint64_t *since);

/* One object of an answer, put into a store as of now; `reader` tells why not. 0 or a negative
 * errno. */
struct pod_reader;
struct pod_reader *pod_reader_new(void);
void pod_reader_free(struct pod_reader *reader);
int pod_reader_put(struct pod_reader *reader, struct pods *pods, const json_t *object, bool deleted,
		   const char **uid);
const char *pod_reader_error(const struct pod_reader *reader);

#endif
