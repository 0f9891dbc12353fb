/* SPDX-License-Identifier: MIT */
/*
 * Which Services are to be watched, of thousands, and what is behind them, live: one watch of
 * Services and one of all EndpointSlices (discovery.k8s.io/v1, else v1beta1, else Endpoints), as
 * follow.h has it for one.
 *
 * Memory: service-store.h.
 */
#ifndef KUBE_SERVICES_H
#define KUBE_SERVICES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "follow.h"

/* The annotation of a Service that is watched where neither all are nor a selector chooses. */
#define KUBE_SERVICES_ANNOTATION "whocalls.dev/watch"

/* Which. At most one of `all` and `selector`. */
struct kube_services_wish {
	bool all;             /* every Service */
	const char *selector; /* of labels, sent to the API: "team=core" */
	/* neither: those with the annotation whocalls.dev/watch: "true" */
	const char *namespace; /* NULL: all namespaces */
};

/* Strings are valid until unwatch() of it has returned. */
struct kube_service_name {
	const char *namespace;
	const char *name;
	const char *uid;
};

/*
 * Called from within kube_run() and kube_tick(), and not otherwise. For one Service: watch(); then
 * dialled(), up(), down() and not_watched() as things are and change, in any order; then down() of
 * all that is up, and unwatch(). A Service that is deleted and made again has another UID:
 * unwatch(), watch(). kube_close() calls none.
 */
struct kube_services_ops {
	/* A Service is to be watched from now on; what is returned stands for it below. NULL: it is
	 * not watched, and never tried again while it is there: kube_troubles() tells how many. */
	void *(*watch)(void *arg, const struct kube_service_name *name);
	/* No longer: gone, or without its annotation or label. */
	void (*unwatch)(void *arg, void *service);
	/*
	 * Its ports, and node ports: what callers may dial in place of the endpoints' own, as
	 * kube_follow_dialled(). In place of those told before; none before the first call. Valid
	 * until the next call for this Service.
	 */
	void (*dialled)(void *arg, void *service, const uint16_t *ports, size_t n);
	/*
	 * As kube_follow_ops, for that Service: endpoints on all nodes; endpoint->pod->node, or
	 * endpoint->node where it is no pod, tells which. The endpoint's strings and pod are valid
	 * until down() of it has returned.
	 */
	uint32_t (*up)(void *arg, void *service, const struct kube_endpoint *endpoint);
	void (*down)(void *arg, void *service, uint32_t id);
	/* What of the Service is not watched (UDP ports, ExternalName …) has changed; as things are
	 * now. Nothing is before the first call. Valid until the next call for this Service. */
	void (*not_watched)(void *arg, void *service, const struct not_watched *what);
};

/* What the pods that are known tell of an endpoint's. */
struct kube_services_pods {
	/* As of kube_follow_ops. */
	bool (*alive)(void *arg, const char *uid, const struct address *address);
	/* As kube_started(). */
	int64_t (*started)(void *arg, const char *uid);
	void *arg;
};

struct kube_services;

/* 0, or -EINVAL (a wish that contradicts itself) or -ENOMEM with a sentence. The wish and the ops
 * are copied. */
int kube_services_new(struct kube_services **out, struct kube_client *client,
		      const struct kube_services_wish *wish, const struct kube_services_ops *ops,
		      void *arg, const struct kube_services_pods *pods, char *error,
		      size_t error_size);
/* Accepts NULL. */
void kube_services_free(struct kube_services *services);

/* Both first lists are complete: all Services and all that is behind them was told. */
bool kube_services_complete(const struct kube_services *services);

/* Looks again at what was kept only since its pod was alive. */
void kube_services_tick(struct kube_services *services);

/* Trouble number `i`, from 0: a sentence, or NULL: no trouble of this number, but there may be of
 * the next, below KUBE_SERVICES_TROUBLES. `since` as of kube_watch_trouble(); 0: not known. Valid
 * until the loop. */
#define KUBE_SERVICES_TROUBLES 4
const char *kube_services_trouble(const struct kube_services *services, size_t i, uint64_t *since);

/* When the watch of the Services (0) or of what is behind them (1) did not stand:
 * kube_watch_gaps(). NULL: there is no such watch. */
const struct gaps *kube_services_gaps(struct kube_services *services, size_t i);

/* As kube_watch_confirm() with a list, of both watches. */
void kube_services_confirm(struct kube_services *services);
enum kube_confirmed kube_services_confirmed(const struct kube_services *services, const char **why);

#endif
