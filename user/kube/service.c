/* SPDX-License-Identifier: MIT */
#include "service.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "members.h"

const struct service_source service_sources[SERVICE_SOURCES] = {
	{"discovery.k8s.io/v1", "endpointslices", "labelSelector=kubernetes.io%2Fservice-name%3D",
	 "labelSelector=kubernetes.io%2Fservice-name", false},
	{"discovery.k8s.io/v1beta1", "endpointslices",
	 "labelSelector=kubernetes.io%2Fservice-name%3D",
	 "labelSelector=kubernetes.io%2Fservice-name", false},
	{"", "endpoints", "fieldSelector=metadata.name%3D", NULL, true},
};

const char *service_text(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	for (const char *c = text; c && *c; c++)
		if (*c <= ' ' || *c > '~')
			return "";
	return text ? text : "";
}

static bool is_tcp(const json_t *port)
{
	const char *protocol = service_text(port, "protocol");

	return !*protocol || !strcmp(protocol, "TCP");
}

static void note_other_ports(struct service *service, const json_t *ports)
{
	char text[200] = "";
	size_t i, length;
	json_t *port;

	json_array_foreach (ports, i, port) {
		if (is_tcp(port))
			continue;
		length = strlen(text);
		snprintf(text + length, sizeof(text) - length, "%s%" JSON_INTEGER_FORMAT "/%s",
			 length ? ", " : "", json_integer_value(json_object_get(port, "port")),
			 service_text(port, "protocol"));
	}
	if (*text)
		not_watched_add(&service->not_watched, NOT_WATCHED_PROTOCOL,
				"Not watched, since not TCP: port %s", text);
}

static void add_dialled(struct service *service, const json_t *port, const char *key)
{
	json_int_t number = json_integer_value(json_object_get(port, key));

	if (is_tcp(port) && number > 0 && number <= UINT16_MAX &&
	    service->n_dialled < sizeof(service->dialled) / sizeof(service->dialled[0]))
		service->dialled[service->n_dialled++] = (uint16_t)number;
}

static int choose_port(struct service *service, const json_t *ports, uint16_t wanted)
{
	size_t i;
	json_t *port;

	json_array_foreach (ports, i, port) {
		if (!is_tcp(port) || json_integer_value(json_object_get(port, "port")) != wanted)
			continue;
		service->only_port = true;
		service->port_name = strdup(service_text(port, "name"));
		return service->port_name ? 0 : -ENOMEM;
	}
	return 0;
}

int service_read(struct service *service, const json_t *json, uint16_t wanted, char *error,
		 size_t error_size)
{
	const json_t *spec = json_object_get(json, "spec");
	const json_t *ports = json_object_get(spec, "ports");
	const char *name = service_text(json_object_get(json, "metadata"), "name");
	bool tcp = false;
	size_t i;
	json_t *port;

	if (!strcmp(service_text(spec, "type"), "ExternalName")) {
		snprintf(error, error_size,
			 "svc/%s is of type ExternalName: a name for %s, outside of this cluster's "
			 "pods, so there is nothing here to watch",
			 name, service_text(spec, "externalName"));
		return -EINVAL;
	}
	json_array_foreach (ports, i, port) {
		tcp = tcp || is_tcp(port);
		add_dialled(service, port, "port");
		add_dialled(service, port, "nodePort");
	}
	service->portless = !json_array_size(ports);
	if (!tcp && !(service->portless && wanted)) {
		snprintf(error, error_size, "svc/%s has no TCP port%s", name,
			 !service->portless ? ", and only TCP can be watched"
			 : service->many    ? ""
					    : "; say which it is, with --port N");
		return -EINVAL;
	}
	if (wanted)
		return choose_port(service, ports, wanted);
	note_other_ports(service, ports);
	return 0;
}

void service_deinit(struct service *service)
{
	free(service->port_name);
	service->port_name = NULL;
}

static bool port_wanted(const struct service *service, const json_t *port, uint16_t wanted)
{
	json_int_t number = json_integer_value(json_object_get(port, "port"));

	if (!is_tcp(port) || number < 1 || number > UINT16_MAX)
		return false;
	if (service->only_port)
		return !strcmp(service_text(port, "name"), service->port_name);
	return !wanted || number == wanted;
}

/* What is told of one object, and to whom. */
struct telling {
	struct service *service;
	uint16_t wanted;
	service_add *add;
	void *arg;
};

/* Who is behind an endpoint: targetRef of a Pod. False: no pod. */
static bool pod_of(const json_t *reference, const char *node, struct pod_name *name)
{
	*name = (struct pod_name){
		.namespace = service_text(reference, "namespace"),
		.pod = service_text(reference, "name"),
		.uid = service_text(reference, "uid"),
		.kind = "Pod",
		.workload = service_text(reference, "name"),
		.node = node,
	};
	return !strcmp(service_text(reference, "kind"), "Pod") && *name->uid && *name->pod;
}

static void tell(const struct telling *telling, const char *address_text, const json_t *ports,
		 const json_t *reference, const char *node)
{
	struct service *service = telling->service;
	struct pod_name name;
	struct kube_endpoint endpoint = {
		.pod = pod_of(reference, node, &name) ? &name : NULL,
		.node = node,
	};
	json_t *port;
	size_t i;

	if (address_parse(address_text, &endpoint.address)) {
		not_watched_add(&service->not_watched, NOT_WATCHED_UNREADABLE,
				"Not watched: an endpoint whose address can't be read");
		return;
	}
	endpoint.port = telling->wanted;
	if (service->portless && endpoint.port)
		telling->add(telling->arg, &endpoint);
	json_array_foreach (ports, i, port) {
		if (!port_wanted(service, port, telling->wanted))
			continue;
		endpoint.port = (uint16_t)json_integer_value(json_object_get(port, "port"));
		telling->add(telling->arg, &endpoint);
	}
}

/* A slice names its ports for all its endpoints, or none, which means all ports that there are; so
 * does a port without a number. */
static void note_no_port(struct service *service, const json_t *object, const json_t *ports,
			 uint16_t wanted)
{
	bool numbers = json_array_size(ports);
	json_t *port;
	size_t i;

	json_array_foreach (ports, i, port)
		numbers = numbers && json_is_integer(json_object_get(port, "port"));
	if (!wanted && !numbers)
		not_watched_add(&service->not_watched, NOT_WATCHED_NO_PORT,
				"EndpointSlice %.80s does not tell on which port its endpoints "
				"listen, and they are not watched%s",
				service_text(json_object_get(object, "metadata"), "name"),
				service->many ? "" : ": say which it is, with --port");
}

static void tell_slice(const struct telling *telling, const json_t *slice)
{
	struct service *service = telling->service;
	const json_t *ports = json_object_get(slice, "ports");
	const json_t *endpoints = json_object_get(slice, "endpoints");
	json_t *endpoint, *address;
	size_t i, j;

	if (json_array_size(endpoints) && !strcmp(service_text(slice, "addressType"), "FQDN")) {
		not_watched_add(&service->not_watched, NOT_WATCHED_NAME,
				"Not watched: EndpointSlice %.80s has names in place of addresses",
				service_text(json_object_get(slice, "metadata"), "name"));
		return;
	}
	if (json_array_size(endpoints))
		note_no_port(service, slice, ports, telling->wanted);
	json_array_foreach (endpoints, i, endpoint) {
		const char *node = service_text(endpoint, "nodeName");

		if (!*node)
			node = service_text(json_object_get(endpoint, "topology"),
					    "kubernetes.io/hostname");
		json_array_foreach (json_object_get(endpoint, "addresses"), j, address)
			if (json_is_string(address))
				tell(telling, json_string_value(address), ports,
				     json_object_get(endpoint, "targetRef"), node);
	}
}

static void tell_subset(const struct telling *telling, const json_t *subset, const char *key)
{
	json_t *address;
	size_t i;

	json_array_foreach (json_object_get(subset, key), i, address)
		tell(telling, service_text(address, "ip"), json_object_get(subset, "ports"),
		     json_object_get(address, "targetRef"), service_text(address, "nodeName"));
}

void service_each(struct service *service, const json_t *object, uint16_t wanted, service_add *add,
		  void *arg)
{
	const struct telling telling = {service, wanted, add, arg};
	const json_t *annotations =
		json_object_get(json_object_get(object, "metadata"), "annotations");
	json_t *subset;
	size_t i;

	if (!strcmp(service_text(annotations, "endpoints.kubernetes.io/over-capacity"),
		    "truncated"))
		not_watched_add(&service->not_watched, NOT_WATCHED_TRUNCATED,
				"The Endpoints object has not all endpoints: there are more than "
				"1000");
	tell_slice(&telling, object);
	json_array_foreach (json_object_get(object, "subsets"), i, subset) {
		tell_subset(&telling, subset, "addresses");
		tell_subset(&telling, subset, "notReadyAddresses");
	}
}

static void add_member(void *arg, const struct kube_endpoint *endpoint)
{
	struct members *members = arg;

	members_add(members, &endpoint->address, endpoint->port,
		    endpoint->pod ? members_name(members, endpoint->pod) : NULL);
}

void service_take(struct service *service, const json_t *object, uint16_t wanted,
		  struct members *members)
{
	service_each(service, object, wanted, add_member, members);
}
