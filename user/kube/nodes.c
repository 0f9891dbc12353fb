/* SPDX-License-Identifier: MIT */
#define HASH_NONFATAL_OOM 1
#include "nodes.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include <uthash.h>

#include "pods.h"
#include "service.h"

struct range {
	struct address start;
	UT_hash_handle hh;
};

#define BITS 128

struct kubelet {
	UT_hash_handle hh;
	uint16_t port;
	char node[];
};

struct nodes {
	struct kube_watch *watch;
	struct pods *names;             /* holds the addresses of nodes */
	struct range *ranges[BITS + 1]; /* by the length of their prefix */
	struct kubelet *kubelets;       /* by the name of their node */
};

static struct address first_of(const struct address *address, int bits)
{
	struct address start = {};

	for (int i = 0; i < 4 && bits > 0; i++, bits -= 32)
		start.word[i] =
			address->word[i] & htonl(bits < 32 ? ~(UINT32_MAX >> bits) : UINT32_MAX);
	return start;
}

/* "10.244.1.0/24", "fd00:10:244:1::/64" */
static void add_range(struct nodes *nodes, const char *text)
{
	const char *slash = strchr(text, '/');
	char address_text[ADDRESS_TEXT];
	struct address address, start;
	struct range *range;
	long bits;

	if (!slash || (size_t)(slash - text) >= sizeof(address_text))
		return;
	memcpy(address_text, text, slash - text);
	address_text[slash - text] = '\0';
	bits = strtol(slash + 1, NULL, 10) + (strchr(address_text, ':') ? 0 : 96);
	if (address_parse(address_text, &address) || bits < 1 || bits > BITS)
		return;
	start = first_of(&address, (int)bits);
	HASH_FIND(hh, nodes->ranges[bits], &start, sizeof(start), range);
	if (range)
		return;
	range = calloc(1, sizeof(*range));
	if (!range)
		return;
	range->start = start;
	HASH_ADD(hh, nodes->ranges[bits], start, sizeof(range->start), range);
	if (!range->hh.tbl)
		free(range);
}

static struct kubelet *find_kubelet(const struct nodes *nodes, const char *name)
{
	struct kubelet *kubelet;

	HASH_FIND_STR(nodes->kubelets, name, kubelet);
	return kubelet;
}

/* "Port" is written so: the field's Go name, from before there were rules for names in JSON. */
static void take_kubelet(struct nodes *nodes, const char *name, const json_t *status)
{
	const json_t *daemons = json_object_get(status, "daemonEndpoints");
	const json_t *endpoint = json_object_get(daemons, "kubeletEndpoint");
	json_int_t port = json_integer_value(json_object_get(endpoint, "Port"));
	struct kubelet *kubelet = find_kubelet(nodes, name);
	size_t length = strlen(name);

	/* what is not told any more stays as it was: the object, not the kubelet, has changed */
	if (port < 1 || port > UINT16_MAX)
		return;
	if (!kubelet) {
		kubelet = calloc(1, sizeof(*kubelet) + length + 1);
		if (!kubelet)
			return;
		memcpy(kubelet->node, name, length + 1);
		HASH_ADD_KEYPTR(hh, nodes->kubelets, kubelet->node, length, kubelet);
		if (!kubelet->hh.tbl) {
			free(kubelet);
			return;
		}
	}
	kubelet->port = (uint16_t)port;
}

void nodes_take(struct nodes *nodes, const json_t *object)
{
	const char *name = service_text(json_object_get(object, "metadata"), "name");
	const json_t *spec = json_object_get(object, "spec");
	json_t *entry;
	size_t i;

	if (!*name)
		return;
	take_kubelet(nodes, name, json_object_get(object, "status"));
	json_array_foreach (json_object_get(json_object_get(object, "status"), "addresses"), i,
			    entry) {
		struct address address;

		/* the others of its addresses are names */
		if (!address_parse(service_text(entry, "address"), &address))
			pods_put_node(nodes->names, &address, name);
	}
	add_range(nodes, service_text(spec, "podCIDR"));
	json_array_foreach (json_object_get(spec, "podCIDRs"), i, entry)
		if (json_is_string(entry))
			add_range(nodes, json_string_value(entry));
}

/* What was one's address stays known as such: it did call from there. */
static void take(void *arg, enum kube_event event, const json_t *object)
{
	if (event != KUBE_DELETED)
		nodes_take(arg, object);
}

static void nothing(void *arg)
{
	(void)arg;
}

struct nodes *nodes_new(struct kube_client *client, bool only_list)
{
	static const struct kube_watch_ops ops = {nothing, nothing, take, NULL};
	const struct kube_collection collection = {
		.group = "", .resource = "nodes", .only_list = only_list};
	struct nodes *nodes = calloc(1, sizeof(*nodes));

	if (!nodes)
		return NULL;
	nodes->names = pods_new();
	if (nodes->names && client)
		nodes->watch = kube_watch_new(client, &collection, &ops, nodes);
	if (nodes->watch || (nodes->names && !client))
		return nodes;
	nodes_free(nodes);
	return NULL;
}

void nodes_free(struct nodes *nodes)
{
	struct range *range, *next;
	struct kubelet *kubelet, *next_kubelet;

	if (!nodes)
		return;
	HASH_ITER (hh, nodes->kubelets, kubelet, next_kubelet) {
		HASH_DELETE(hh, nodes->kubelets, kubelet);
		free(kubelet);
	}
	kube_watch_free(nodes->watch);
	for (int bits = 0; bits <= BITS; bits++) {
		HASH_ITER (hh, nodes->ranges[bits], range, next) {
			HASH_DELETE(hh, nodes->ranges[bits], range);
			free(range);
		}
	}
	pods_free(nodes->names);
	free(nodes);
}

const char *nodes_by_address(const struct nodes *nodes, const struct address *address)
{
	return pods_node_by_address(nodes->names, address);
}

bool nodes_have_pod_address(const struct nodes *nodes, const struct address *address)
{
	for (int bits = 0; bits <= BITS; bits++) {
		struct address start = first_of(address, bits);
		struct range *range;

		HASH_FIND(hh, nodes->ranges[bits], &start, sizeof(start), range);
		if (range)
			return true;
	}
	return false;
}

uint16_t nodes_kubelet_port(const struct nodes *nodes, const char *name)
{
	const struct kubelet *kubelet = find_kubelet(nodes, name);

	return kubelet ? kubelet->port : 0;
}

void nodes_refresh(struct nodes *nodes)
{
	kube_watch_again(nodes->watch);
}

const struct kube_watch *nodes_watch(const struct nodes *nodes)
{
	return nodes->watch;
}
