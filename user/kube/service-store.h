/* SPDX-License-Identifier: MIT */
/*
 * All Services that are to be watched, and all EndpointSlices, whoever's they are: one may come
 * before the other, or be watched only later. Pure: objects come in as JSON, the ops are called.
 *
 * Memory: what is kept of Services and slices is at most the limit, SERVICE_STORE_MAX but in tests.
 * A slice takes about 350 bytes, and 100 to 150 for each pod of it (slice-copy.h); a Service that
 * is watched about 600. So 64 MiB hold 400,000 endpoints and more. Endpoints of Services that are
 * watched take about 550 bytes each besides, which are not counted: 5,000 of them are 3 MiB. What
 * finds no room is left out, and that is told: service_store_trouble(), and NOT_WATCHED_TOO_LARGE
 * of each Service, since it may be any one's.
 */
#ifndef KUBE_SERVICE_STORE_H
#define KUBE_SERVICE_STORE_H

#include <jansson.h>

#include "services.h"
#include "watch.h"

#define SERVICE_STORE_MAX ((size_t)64 << 20)

struct service_store;

/* `annotated`: only Services with the annotation are watched, else all that are told. `pods` may
 * be NULL: nothing is known of them. NULL: no memory. */
struct service_store *service_store_new(bool annotated, const struct kube_services_ops *ops,
					void *arg, const struct kube_services_pods *pods,
					size_t limit);
/* Accepts NULL. Calls no ops. */
void service_store_free(struct service_store *store);

/* A Service as a list or a watch tells it. */
void service_store_service(struct service_store *store, enum kube_event event,
			   const json_t *object);

/* An EndpointSlice, which a label gives to a Service; or, if `named`, an Endpoints object, which
 * has the Service's name. */
void service_store_slice(struct service_store *store, enum kube_event event, const json_t *object,
			 bool named);

/* A list of all Services, or of all slices, begins and ends: what it did not have is gone. One that
 * begins again before it has ended counts from there. */
void service_store_services_begin(struct service_store *store);
void service_store_services_end(struct service_store *store);
void service_store_slices_begin(struct service_store *store);
void service_store_slices_end(struct service_store *store);

/* Whether a slice was too large to be read at all, and may be any Service's. */
void service_store_too_large(struct service_store *store, bool too_large);

/* Ends endpoints that no slice has any more and whose pod is not alive any more either. */
void service_store_check(struct service_store *store);

/* Trouble number `i`, 0 or 1: a sentence; NULL: none. Valid until the next call. */
const char *service_store_trouble(struct service_store *store, size_t i);

/* Memory as it is counted against the limit, in bytes. */
size_t service_store_size(const struct service_store *store);

#endif
