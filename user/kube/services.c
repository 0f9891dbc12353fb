/* SPDX-License-Identifier: MIT */
#include "services.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "escape.h"
#include "service-store.h"
#include "service.h"
#include "watch.h"

struct kube_services {
	struct kube_client *client;
	struct service_store *store;
	char *namespace; /* NULL: all */
	char *selector;  /* of Services, as a query; NULL: none */
	struct kube_watch *services;
	size_t source; /* of what is behind them */
	struct kube_watch *slices;
	struct kube_timer timer;
	bool missing; /* there is no such source */
};

/* --- Services --- */

static void services_begin(void *arg)
{
	struct kube_services *services = arg;

	service_store_services_begin(services->store);
}

static void services_end(void *arg)
{
	struct kube_services *services = arg;

	service_store_services_end(services->store);
}

static void take_service(void *arg, enum kube_event event, const json_t *object)
{
	struct kube_services *services = arg;

	service_store_service(services->store, event, object);
}

static int watch_services(struct kube_services *services)
{
	static const struct kube_watch_ops ops = {services_begin, services_end, take_service, NULL};
	const struct kube_collection collection = {
		.group = "",
		.namespace = services->namespace,
		.resource = "services",
		.selector = services->selector,
	};

	services->services = kube_watch_new(services->client, &collection, &ops, services);
	return services->services ? 0 : -ENOMEM;
}

/* --- what is behind them --- */

static void slices_begin(void *arg)
{
	struct kube_services *services = arg;

	service_store_slices_begin(services->store);
}

static void slices_end(void *arg)
{
	struct kube_services *services = arg;

	service_store_slices_end(services->store);
}

static void take_slice(void *arg, enum kube_event event, const json_t *object)
{
	struct kube_services *services = arg;

	service_store_slice(services->store, event, object,
			    service_sources[services->source].named);
}

static int watch_slices(struct kube_services *services);

/* Not from within the watch itself: it is the one to be replaced. */
static void next_source(void *arg)
{
	struct kube_services *services = arg;

	kube_watch_free(services->slices);
	services->slices = NULL;
	services->source++;
	if (services->source == SERVICE_SOURCES || watch_slices(services))
		services->missing = true;
}

static void source_missing(void *arg)
{
	struct kube_services *services = arg;

	kube_timer_start(services->client, &services->timer, 0, next_source, services);
}

static int watch_slices(struct kube_services *services)
{
	static const struct kube_watch_ops ops = {slices_begin, slices_end, take_slice,
						  source_missing};
	const struct service_source *source = &service_sources[services->source];
	const struct kube_collection collection = {
		.group = source->group,
		.namespace = services->namespace,
		.resource = source->resource,
		.selector = source->of_all,
	};

	services->slices = kube_watch_new(services->client, &collection, &ops, services);
	return services->slices ? 0 : -ENOMEM;
}

/* --- both --- */

static int set_selector(struct kube_services *services, const char *labels)
{
	char *escaped = kube_escape(labels);

	if (!escaped || asprintf(&services->selector, "labelSelector=%s", escaped) < 0)
		services->selector = NULL;
	free(escaped);
	return services->selector ? 0 : -ENOMEM;
}

int kube_services_new(struct kube_services **out, struct kube_client *client,
		      const struct kube_services_wish *wish, const struct kube_services_ops *ops,
		      void *arg, const struct kube_services_pods *pods, char *error,
		      size_t error_size)
{
	bool annotated = !wish->all && !wish->selector;
	struct kube_services *services;

	if (wish->all && wish->selector) {
		snprintf(error, error_size,
			 "all Services, and those with labels %s: choose one of the two",
			 wish->selector);
		return -EINVAL;
	}
	services = calloc(1, sizeof(*services));
	if (!services)
		goto no_memory;
	services->client = client;
	services->store = service_store_new(annotated, ops, arg, pods, SERVICE_STORE_MAX);
	services->namespace = wish->namespace ? strdup(wish->namespace) : NULL;
	if (!services->store || (wish->namespace && !services->namespace) ||
	    (wish->selector && set_selector(services, wish->selector)) ||
	    watch_services(services) || watch_slices(services))
		goto no_memory;
	*out = services;
	return 0;
no_memory:
	kube_services_free(services);
	snprintf(error, error_size, "out of memory");
	return -ENOMEM;
}

void kube_services_free(struct kube_services *services)
{
	if (!services)
		return;
	kube_timer_stop(services->client, &services->timer);
	kube_watch_free(services->slices);
	kube_watch_free(services->services);
	service_store_free(services->store);
	free(services->selector);
	free(services->namespace);
	free(services);
}

bool kube_services_complete(const struct kube_services *services)
{
	return kube_watch_synced(services->services) && services->slices &&
	       kube_watch_synced(services->slices);
}

void kube_services_tick(struct kube_services *services)
{
	if (services->slices)
		service_store_too_large(services->store, kube_watch_left_out(services->slices));
	service_store_check(services->store);
}

const char *kube_services_trouble(const struct kube_services *services, size_t i, uint64_t *since)
{
	*since = 0;
	switch (i) {
	case 0:
		return kube_watch_trouble(services->services, since);
	case 1:
		if (services->missing)
			return "the API has neither EndpointSlices nor Endpoints, so that it is "
			       "not known what is behind Services; trace a workload, with "
			       "deploy/NAME";
		return services->slices ? kube_watch_trouble(services->slices, since) : NULL;
	default:
		return service_store_trouble(services->store, i - 2);
	}
}

const struct gaps *kube_services_gaps(struct kube_services *services, size_t i)
{
	struct kube_watch *watch = i == 0 ? services->services : services->slices;

	return watch && i < 2 ? kube_watch_gaps(watch) : NULL;
}

/* --- the proof --- */

void kube_services_confirm(struct kube_services *services)
{
	kube_watch_confirm(services->services, true);
	if (services->slices)
		kube_watch_confirm(services->slices, true);
}

/* The worse of two. */
static bool is_worse(enum kube_confirmed a, enum kube_confirmed b)
{
	static const enum kube_confirmed worst_first[] = {
		KUBE_CONFIRM_FAILED,   KUBE_CONFIRM_NONE, KUBE_CONFIRM_PENDING,
		KUBE_CONFIRM_BUT_ENDS, KUBE_CONFIRM_COPY, KUBE_CONFIRM_DONE,
	};

	for (size_t i = 0; worst_first[i] != b; i++)
		if (worst_first[i] == a)
			return true;
	return false;
}

enum kube_confirmed kube_services_confirmed(const struct kube_services *services, const char **why)
{
	enum kube_confirmed first, second;
	const char *why_second;

	first = kube_watch_confirmed(services->services, why);
	if (!services->slices) {
		*why = "it is not known what is behind Services";
		return KUBE_CONFIRM_FAILED;
	}
	second = kube_watch_confirmed(services->slices, &why_second);
	if (!is_worse(second, first))
		return first;
	*why = why_second;
	return second;
}
