/* SPDX-License-Identifier: MIT */
/* What a caller is called in labels: those of a caller, and those of an edge in the service graph.
 */
#include "metrics-series.h"

#define OTHER "other"

static bool is_pod(const struct caller *caller)
{
	return caller->class == CLASS_WORKLOAD && caller->pod;
}

/* Its name; "" where there is none but its class. `buf`: what it may be written to. */
static const char *name_of(const struct caller *caller, bool by_address, char buf[ADDRESS_TEXT])
{
	switch (caller->class) {
	case CLASS_WORKLOAD:
		return caller->pod && caller->pod->workload ? caller->pod->workload : "";
	case CLASS_PROCESS:
		return caller->process;
	case CLASS_NODE:
		return caller->node ? caller->node : "";
	case CLASS_EXTERNAL:
	case CLASS_UNKNOWN:
		return by_address && caller->n_addresses
			       ? address_format(&caller->addresses[0], buf)
			       : "";
	default:
		return "";
	}
}

static int add(struct labels *labels, const char *class, const char *kind, const char *namespace,
	       const char *name)
{
	int r = labels_add(labels, "caller_class", class, SIZE_MAX);

	if (!r)
		r = labels_add(labels, "caller_kind", kind, SIZE_MAX);
	if (!r)
		r = labels_add(labels, "caller_namespace", namespace, SIZE_MAX);
	return r ? r : labels_add(labels, "caller", name, SIZE_MAX);
}

int series_caller_labels(struct labels *labels, const struct caller *caller, bool by_address)
{
	char buf[ADDRESS_TEXT];
	bool pod = is_pod(caller);

	return add(labels, who_class_name(caller->class), pod ? caller->pod->kind : NULL,
		   pod ? caller->pod->namespace : NULL, name_of(caller, by_address, buf));
}

int series_other_labels(struct labels *labels)
{
	return add(labels, OTHER, NULL, NULL, OTHER);
}

static int add_edge(struct labels *labels, const struct metrics_target *target, const char *client,
		    const char *namespace)
{
	int r = labels_add(labels, "client", client, SIZE_MAX);

	if (!r)
		r = labels_add(labels, "client_service_namespace", namespace, SIZE_MAX);
	if (!r)
		r = labels_add(labels, "server", target->service, SIZE_MAX);
	if (!r)
		r = labels_add(labels, "server_service_namespace", target->namespace, SIZE_MAX);
	return r ? r : labels_add(labels, "connection_type", NULL, 0);
}

int series_edge_labels(struct labels *labels, const struct metrics_target *target,
		       const struct caller *caller, bool by_address)
{
	char buf[ADDRESS_TEXT];
	const char *name = name_of(caller, by_address, buf);

	/* its pod is one of the Service's own */
	if (caller->class == CLASS_LOOPBACK)
		return add_edge(labels, target, target->service, target->namespace);
	return add_edge(labels, target, *name ? name : who_class_name(caller->class),
			is_pod(caller) ? caller->pod->namespace : NULL);
}

int series_other_edge_labels(struct labels *labels, const struct metrics_target *target)
{
	return add_edge(labels, target, OTHER, NULL);
}
