/* SPDX-License-Identifier: MIT */
#include "kube.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

#include "access.h"
#include "client.h"
#include "escape.h"
#include "lookups.h"
#include "nodes.h"
#include "pod-watch.h"

struct kube {
	struct kube_access *access;
	struct kube_client *client;
	char *node;
	char *selector; /* of the pods that are watched; NULL: all */
	struct pod_watch *pods;
	struct nodes *nodes;
	struct lookups *lookups; /* NULL: all pods are watched */
	bool moved;
	struct kube_follow *follow;
	struct kube_follow_ops ops;
	void *arg;
};

static void pod_changed(void *arg, const struct pod *pod)
{
	struct kube *kube = arg;

	if (pod->ended && pods_is_named(pod))
		kube->moved = true;
}

static const struct pod_watch_ops pod_ops = {pod_changed, NULL};

static int find_node(struct kube *kube, const char *node)
{
	struct utsname name;

	if (!node)
		node = uname(&name) ? "" : name.nodename;
	kube->node = strdup(node);
	return kube->node ? 0 : -ENOMEM;
}

static int watch_own_node(struct kube *kube)
{
	char *escaped = kube_escape(kube->node);

	if (!escaped || asprintf(&kube->selector, "fieldSelector=spec.nodeName%%3D%s", escaped) < 0)
		kube->selector = NULL;
	free(escaped);
	kube->lookups = lookups_new(kube->client);
	return kube->selector && kube->lookups ? 0 : -ENOMEM;
}

int kube_open(struct kube **out, struct kube_config *config, const char *node, bool own_node,
	      char *error, size_t error_size)
{
	struct kube *kube = calloc(1, sizeof(*kube));
	int r = -ENOMEM;

	if (!kube) {
		kube_config_free(config);
		goto no_memory;
	}
	kube->access = kube_access_new(config);
	if (!kube->access)
		goto no_memory;
	r = kube_client_new(&kube->client, kube->access, error, error_size);
	if (r)
		goto failed;
	if (find_node(kube, node) || (own_node && watch_own_node(kube)))
		goto no_memory;
	kube->pods = pod_watch_new(kube->client, NULL, kube->selector, &pod_ops, kube);
	kube->nodes = nodes_new(kube->client, own_node);
	if (!kube->pods || !kube->nodes)
		goto no_memory;
	*out = kube;
	return 0;
no_memory:
	r = -ENOMEM;
	snprintf(error, error_size, "out of memory");
failed:
	kube_close(kube);
	return r;
}

void kube_close(struct kube *kube)
{
	if (!kube)
		return;
	kube_follow_free(kube->follow);
	lookups_free(kube->lookups);
	nodes_free(kube->nodes);
	pod_watch_free(kube->pods);
	kube_client_free(kube->client);
	kube_access_free(kube->access);
	free(kube->selector);
	free(kube->node);
	free(kube);
}

int kube_fd(const struct kube *kube)
{
	return kube_client_fd(kube->client);
}

void kube_run(struct kube *kube)
{
	kube_client_run(kube->client);
}

void kube_tick(struct kube *kube)
{
	if (kube->follow)
		kube_follow_tick(kube->follow);
}

/* --- the target --- */

static uint32_t target_up(void *arg, const struct kube_endpoint *endpoint)
{
	struct kube *kube = arg;

	return kube->ops.up(kube->arg, endpoint);
}

static void target_down(void *arg, uint32_t id)
{
	struct kube *kube = arg;

	kube->ops.down(kube->arg, id);
}

/* Of a pod that nobody tells of nothing is known: then a Service's word is taken. */
static bool target_alive(void *arg, const char *uid)
{
	struct kube *kube = arg;
	const struct pod *pod = pods_find(pod_watch_pods(kube->pods), uid);

	return pod && !pod->ended;
}

int kube_target(struct kube *kube, const struct kube_wish *wish, const struct kube_follow_ops *ops,
		void *arg, char *error, size_t error_size)
{
	static const struct kube_follow_ops own = {target_up, target_down, target_alive};

	kube->ops = *ops;
	kube->arg = arg;
	return kube_follow_new(&kube->follow, kube->client, wish, &own, kube, error, error_size);
}

const struct kube_follow *kube_followed(const struct kube *kube)
{
	return kube->follow;
}

/* --- names --- */

struct kube_owner kube_by_address(struct kube *kube, const struct address *address, int64_t when)
{
	const struct pods *pods = pod_watch_pods(kube->pods);
	const struct pod_name *pod = pods_by_address(pods, address, when);
	bool known = kube_watch_synced(pod_watch_watch(kube->pods));
	int64_t since = pods_address_since(pods, address, when);
	const char *node;

	if (pod)
		return (struct kube_owner){.is = KUBE_POD, .pod = pod, .since = since};
	node = nodes_by_address(kube->nodes, address);
	if (!node)
		node = pods_node_by_address(pods, address);
	if (node)
		return (struct kube_owner){.is = KUBE_NODE, .node = node};
	if (kube->lookups) {
		pod = lookups_by_address(kube->lookups, address, when, &since, &known);
		if (pod)
			return (struct kube_owner){.is = KUBE_POD, .pod = pod, .since = since};
		if (known)
			nodes_refresh(kube->nodes);
	}
	if (!known || pod_watch_left_out(kube->pods) ||
	    !kube_watch_synced(nodes_watch(kube->nodes)) || pods_had_address(pods, address) ||
	    nodes_have_pod_address(kube->nodes, address))
		return (struct kube_owner){.is = KUBE_UNKNOWN};
	return (struct kube_owner){.is = KUBE_OUTSIDE};
}

const struct pod_name *kube_by_uid(const struct kube *kube, const char *uid)
{
	return pods_by_uid(pod_watch_pods(kube->pods), uid);
}

const char *kube_node(const struct kube *kube)
{
	return kube->node;
}

bool kube_synced(const struct kube *kube)
{
	return kube_watch_synced(pod_watch_watch(kube->pods)) &&
	       kube_watch_synced(nodes_watch(kube->nodes));
}

bool kube_moved(struct kube *kube)
{
	bool moved = kube->moved;

	kube->moved = false;
	return moved;
}

/* --- troubles --- */

static size_t add_trouble(struct kube_trouble *out, size_t n, size_t max, const char *text,
			  uint64_t since)
{
	if (!text || n >= max)
		return n;
	for (size_t i = 0; i < n; i++)
		if (!strcmp(out[i].text, text))
			return n;
	out[n] = (struct kube_trouble){text, since};
	return n + 1;
}

size_t kube_troubles(const struct kube *kube, struct kube_trouble *out, size_t max)
{
	const char *text;
	uint64_t since = 0;
	size_t n = 0;

	text = pod_watch_trouble(kube->pods, &since);
	n = add_trouble(out, n, max, text, since);
	text = kube_watch_trouble(nodes_watch(kube->nodes), &since);
	n = add_trouble(out, n, max, text, since);
	if (kube->follow) {
		text = kube_follow_error(kube->follow, &since);
		n = add_trouble(out, n, max, text, since);
	}
	if (kube->lookups) {
		text = lookups_trouble(kube->lookups, &since);
		n = add_trouble(out, n, max, text, since);
	}
	return n;
}

struct kube_traffic kube_traffic(const struct kube *kube)
{
	return kube_client_traffic(kube->client);
}
