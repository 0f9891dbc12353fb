/* SPDX-License-Identifier: MIT */
#include "pod-item.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "json-fields.h"
#include "pod-workload.h"

static void add_address(struct reader *reader, struct addresses *addresses, const char *path,
			const char *text)
{
	struct address *at = reallocarray(addresses->at, addresses->n + 1, sizeof(*at));

	if (!at) {
		reader_fail_memory(reader);
		return;
	}
	addresses->at = at;
	if (!address_parse(text, &at[addresses->n]))
		addresses->n++;
	else
		reader_fail(reader, -EINVAL, "%s is not an address: \"%.80s\"", path, text);
}

/* Reads status.podIPs (or hostIPs), and status.podIP (or hostIP) where that is missing. */
static void read_addresses(struct reader *reader, const json_t *status, const char *many,
			   const char *one, struct addresses *addresses)
{
	const json_t *array = field_get(reader, status, many, JSON_ARRAY);
	const char *text;
	json_t *entry;
	size_t i;

	addresses->n = 0;
	json_array_foreach (array, i, entry) {
		if (!field_check(reader, entry, many, JSON_OBJECT))
			return;
		add_address(reader, addresses, many, field_required(reader, entry, "ip"));
	}
	text = field_text(reader, status, one);
	if (*text && !addresses->n)
		add_address(reader, addresses, one, text);
}

static void add_port(struct reader *reader, struct pod *pod, uint16_t port)
{
	uint16_t *ports;

	for (size_t i = 0; i < pod->n_ports; i++)
		if (pod->ports[i] == port)
			return;
	ports = reallocarray(pod->ports, pod->n_ports + 1, sizeof(*ports));
	if (!ports) {
		reader_fail_memory(reader);
		return;
	}
	ports[pod->n_ports++] = port;
	pod->ports = ports;
}

static void read_port(struct reader *reader, const json_t *entry, struct pod *pod)
{
	const char *protocol = field_text(reader, entry, "ports.protocol");
	json_int_t port =
		json_integer_value(field_get(reader, entry, "ports.containerPort", JSON_INTEGER));

	if (port < 1 || port > UINT16_MAX)
		reader_fail(reader, -EINVAL,
			    "ports.containerPort is not a port: %" JSON_INTEGER_FORMAT, port);
	else if (!*protocol || !strcmp(protocol, "TCP"))
		add_port(reader, pod, port);
	else if (!pod->other_port) {
		pod->other_port = (uint16_t)port;
		pod->other_sctp = !strcmp(protocol, "SCTP");
	}
}

/* An init container is gone once the pod runs, but for a sidecar. */
static void read_containers(struct reader *reader, const json_t *spec, const char *path,
			    bool only_sidecars, struct pod *pod)
{
	const json_t *containers = field_get(reader, spec, path, JSON_ARRAY);
	json_t *container;
	size_t i;

	json_array_foreach (containers, i, container) {
		const char *restart;
		const json_t *ports;
		json_t *entry;
		size_t j;

		if (!field_check(reader, container, path, JSON_OBJECT))
			return;
		restart = field_text(reader, container, "initContainers.restartPolicy");
		ports = field_get(reader, container, "containers.ports", JSON_ARRAY);
		if (only_sidecars && strcmp(restart, "Always") != 0)
			continue;
		json_array_foreach (ports, j, entry)
			if (field_check(reader, entry, "containers.ports", JSON_OBJECT))
				read_port(reader, entry, pod);
	}
}

static void read_metadata(struct reader *reader, const json_t *metadata, struct pod_name *name)
{
	name->pod = field_required(reader, metadata, "metadata.name");
	name->namespace = field_required(reader, metadata, "metadata.namespace");
	snprintf(reader->item_name, sizeof(reader->item_name), " (%s/%s)", name->namespace,
		 name->pod);
	name->uid = field_required(reader, metadata, "metadata.uid");
}

static void read_spec(struct reader *reader, const json_t *spec, struct pod *pod)
{
	pod->name.node = field_text(reader, spec, "spec.nodeName");
	pod->host_network = field_bool(reader, spec, "spec.hostNetwork");
	pod->n_ports = 0;
	pod->other_port = 0;
	read_containers(reader, spec, "spec.containers", false, pod);
	read_containers(reader, spec, "spec.initContainers", true, pod);
}

/* In whole seconds: it may have called for the rest of that one. */
static int64_t read_finished(struct reader *reader, const json_t *status)
{
	const json_t *containers =
		field_get(reader, status, "status.containerStatuses", JSON_ARRAY);
	int64_t last = 0;
	json_t *container;
	size_t i;

	json_array_foreach (containers, i, container) {
		const json_t *state, *terminated;
		int64_t finished;

		if (!field_check(reader, container, "status.containerStatuses", JSON_OBJECT))
			return 0;
		state = field_get(reader, container, "containerStatuses.state", JSON_OBJECT);
		terminated = field_get(reader, state, "state.terminated", JSON_OBJECT);
		finished = field_time(reader, terminated, "terminated.finishedAt");
		if (!finished)
			return 0;
		if (finished > last)
			last = finished;
	}
	return last ? last + INT64_C(1000000000) : 0;
}

static void read_status(struct reader *reader, const json_t *status, struct pod_item *item)
{
	const char *phase = field_text(reader, status, "status.phase");
	struct addresses own = {.at = item->pod.addresses};

	item->completed = !strcmp(phase, "Succeeded") || !strcmp(phase, "Failed");
	item->finished = read_finished(reader, status);
	item->pod.started = field_time(reader, status, "status.startTime");
	read_addresses(reader, status, "status.podIPs", "status.podIP", &own);
	item->pod.addresses = own.at;
	item->pod.n_addresses = own.n;
	read_addresses(reader, status, "status.hostIPs", "status.hostIP", &item->hosts);
}

int pod_item_read(struct pod_item *item, struct reader *reader, const json_t *json)
{
	const json_t *metadata = field_get(reader, json, "metadata", JSON_OBJECT);

	read_metadata(reader, metadata, &item->pod.name);
	read_spec(reader, field_get(reader, json, "spec", JSON_OBJECT), &item->pod);
	read_status(reader, field_get(reader, json, "status", JSON_OBJECT), item);
	item->labels = field_get(reader, metadata, "metadata.labels", JSON_OBJECT);
	item->workload_length = pod_workload_read(&item->pod, reader, metadata);
	return reader->r;
}

void pod_item_deinit(struct pod_item *item)
{
	free(item->pod.addresses);
	free(item->pod.ports);
	free(item->hosts.at);
	*item = (struct pod_item){};
}
