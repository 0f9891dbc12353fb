/* SPDX-License-Identifier: MIT */
/* One Service that is watched: what was told of it, so that only what is new is told. */
#ifndef KUBE_SERVICE_WATCHED_H
#define KUBE_SERVICE_WATCHED_H

#include <jansson.h>

#include "services.h"

struct slice_copy;

/* To whom it is told, and what is known of pods. */
struct watched_told {
	struct kube_services_ops ops;
	void *arg;
	struct kube_services_pods pods;
};

struct service_watched;

/* Nothing is told yet. `told` outlives it. NULL: no memory. */
struct service_watched *service_watched_new(const struct watched_told *told, const char *namespace,
					    const char *name, const char *uid);
/* Accepts NULL. Tells nothing. */
void service_watched_free(struct service_watched *watched);

/* Tells that it is watched. If that is refused, all that follows tells nothing. */
void service_watched_begin(struct service_watched *watched);
bool service_watched_is_refused(const struct service_watched *watched);

/* Tells that all its endpoints went down, and that it is not watched any more; frees it. */
void service_watched_end(struct service_watched *watched);

/* It has this UID. */
bool service_watched_is(const struct service_watched *watched, const char *uid);

/* Reads the Service's object, and tells what may be dialled. True: whether the endpoints of its
 * slices are its own has changed, so that all are to be given again. */
bool service_watched_read(struct service_watched *watched, const json_t *object);

/* What a slice has now; NULL: nothing. Tells what comes up and goes down. True: something is kept
 * only since its pod is alive. */
bool service_watched_give(struct service_watched *watched, const char *key,
			  const struct slice_copy *copy);

/* Ends what was kept and is not alive any more. True: some are still. */
bool service_watched_check(struct service_watched *watched);

/* Adds what the Service's object itself has that is not watched. */
void service_watched_note(const struct service_watched *watched, struct not_watched *not_watched);

/* Tells all that is not watched, if it is news. */
void service_watched_not_watched(struct service_watched *watched, const struct not_watched *all);

/* How much memory it takes, but for its endpoints. */
size_t service_watched_size(const struct service_watched *watched);

#endif
