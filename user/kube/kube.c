/* SPDX-License-Identifier: MIT */
#include "kube.h"

#include <errno.h>
#include <ifaddrs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

#include "access.h"
#include "client.h"
#include "clock.h"
#include "escape.h"
#include "lookups.h"
#include "nodes.h"
#include "pod-watch.h"

/* Our own addresses are read this often. */
#define OWN_NS (10 * UINT64_C(1000000000))
/* Pods that ended long ago are forgotten this often. */
#define EXPIRE_NS (60 * UINT64_C(1000000000))

/* So long it is waited for whether what a Service dropped has ended. */
#define ENDS_NS (15 * UINT64_C(1000000000))

struct kube {
	struct kube_access *access;
	struct kube_client *client;
	char *node;          /* as it was given, or the host name */
	char *found;         /* the node that has one of our addresses, if that is another name */
	struct address *own; /* addresses of this node */
	size_t n_own;
	uint64_t expired;  /* when pods were forgotten last, likewise */
	uint64_t own_read; /* when, CLOCK_MONOTONIC ns */
	bool node_known;   /* it was given, or looked for among the addresses of nodes */
	char *selector;    /* of the pods that are watched; NULL: all */
	struct pod_watch *pods;
	struct nodes *nodes;
	struct lookups *lookups; /* NULL: all pods are watched */
	bool moved;
	const struct selectors *selectors;
	uint64_t confirmed_at; /* kube_confirm(), CLOCK_MONOTONIC ns; 0: not yet */
	struct kube_follow *follow;
	struct kube_follow_ops ops;
	void *arg;
	struct kube_services *services;
};

static void pod_changed(void *arg, const struct pod *pod)
{
	struct kube *kube = arg;

	if (pod->ended && pods_is_named(pod))
		kube->moved = true;
}

static const struct pod_watch_ops pod_ops = {pod_changed, NULL};

static struct pod_watch *watch_pods(struct kube *kube)
{
	struct pod_watch *pods = pod_watch_new(kube->client, NULL, kube->selector, &pod_ops, kube);

	if (pods)
		pods_select(pod_watch_pods(pods), kube->selectors);
	return pods;
}

static int find_node(struct kube *kube, const char *node)
{
	struct utsname name;

	if (!node)
		node = uname(&name) ? "" : name.nodename;
	kube->node = strdup(node);
	return kube->node ? 0 : -ENOMEM;
}

/* The addresses of this node's own network namespace: bridges of pods, too, which NAT may use. */
static void read_own_addresses(struct kube *kube)
{
	struct ifaddrs *all, *one;
	size_t n = 0;

	if (getifaddrs(&all))
		return;
	for (one = all; one; one = one->ifa_next)
		n++;
	free(kube->own);
	kube->own = calloc(n + 1, sizeof(*kube->own));
	kube->n_own = 0;
	for (one = all; one && kube->own; one = one->ifa_next)
		if (!address_from(one->ifa_addr, &kube->own[kube->n_own]) &&
		    !address_is_loopback(&kube->own[kube->n_own]))
			kube->n_own++;
	freeifaddrs(all);
}

static bool is_own(const struct kube *kube, const struct address *address)
{
	for (size_t i = 0; i < kube->n_own; i++)
		if (address_equal(&kube->own[i], address))
			return true;
	return false;
}

/* The node that has one of our addresses, or NULL. */
static const char *node_by_own_address(const struct kube *kube)
{
	const char *name = NULL;

	for (size_t i = 0; i < kube->n_own && !name; i++)
		name = nodes_by_address(kube->nodes, &kube->own[i]);
	return name;
}

static int select_own_node(struct kube *kube)
{
	char *escaped = kube_escape(kube_node(kube));

	free(kube->selector);
	if (!escaped || asprintf(&kube->selector, "fieldSelector=spec.nodeName%%3D%s", escaped) < 0)
		kube->selector = NULL;
	free(escaped);
	return kube->selector ? 0 : -ENOMEM;
}

static int watch_own_node(struct kube *kube)
{
	kube->lookups = lookups_new(kube->client);
	return kube->lookups ? select_own_node(kube) : -ENOMEM;
}

/* The host name need not be the node's. Nobody has been named by a watch that had no pods. */
static void look_for_node(struct kube *kube)
{
	const char *name = node_by_own_address(kube);
	struct pod_watch *pods;
	char *copy;

	kube->node_known = true;
	copy = name && strcmp(name, kube->node) ? strdup(name) : NULL;
	if (!copy)
		return;
	kube->found = copy;
	if (!kube->lookups || pods_count(pod_watch_pods(kube->pods)) || select_own_node(kube))
		return;
	pods = watch_pods(kube);
	if (!pods)
		return;
	pod_watch_free(kube->pods);
	kube->pods = pods;
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
	kube->node_known = node;
	if (find_node(kube, node) || (own_node && watch_own_node(kube)))
		goto no_memory;
	kube->pods = watch_pods(kube);
	kube->nodes = nodes_new(kube->client, own_node);
	if (!kube->pods || !kube->nodes)
		goto no_memory;
	read_own_addresses(kube);
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
	kube_services_free(kube->services);
	kube_follow_free(kube->follow);
	lookups_free(kube->lookups);
	nodes_free(kube->nodes);
	pod_watch_free(kube->pods);
	kube_client_free(kube->client);
	kube_access_free(kube->access);
	free(kube->own);
	free(kube->selector);
	free(kube->found);
	free(kube->node);
	free(kube);
}

void kube_select(struct kube *kube, const struct selectors *selectors)
{
	kube->selectors = selectors;
	pods_select(pod_watch_pods(kube->pods), selectors);
	if (kube->lookups)
		lookups_select(kube->lookups, selectors);
	if (kube->follow)
		kube_follow_select(kube->follow, selectors);
}

struct kube_client *kube_client(const struct kube *kube)
{
	return kube->client;
}

int kube_fd(const struct kube *kube)
{
	return kube_client_fd(kube->client);
}

void kube_run(struct kube *kube)
{
	kube_client_run(kube->client);
}

static void expire(struct kube *kube)
{
	int64_t now = realtime_ns();

	pods_expire(pod_watch_pods(kube->pods), now);
	if (kube->lookups)
		lookups_expire(kube->lookups, now);
	if (kube->follow)
		kube_follow_expire(kube->follow, now);
}

void kube_tick(struct kube *kube, uint64_t now)
{
	if (now >= kube->own_read + OWN_NS) {
		kube->own_read = now;
		read_own_addresses(kube);
	}
	if (!kube->node_known && kube_watch_synced(nodes_watch(kube->nodes)))
		look_for_node(kube);
	if (now >= kube->expired + EXPIRE_NS) {
		kube->expired = now;
		expire(kube);
	}
	if (kube->follow)
		kube_follow_tick(kube->follow);
	if (kube->services)
		kube_services_tick(kube->services);
}

/* --- the target --- */

static uint32_t target_up(void *arg, const struct kube_endpoint *endpoint)
{
	struct kube *kube = arg;
	struct kube_endpoint known = *endpoint;

	if (known.pod)
		known.started = kube_started(kube, known.pod->uid);
	return kube->ops.up(kube->arg, &known);
}

static void target_down(void *arg, uint32_t id)
{
	struct kube *kube = arg;

	kube->ops.down(kube->arg, id);
}

/* Of a pod that nobody tells of nothing is known: then a Service's word is taken. */
static bool target_alive(void *arg, const char *uid, const struct address *address)
{
	struct kube *kube = arg;
	const struct pod *pod = pods_find(pod_watch_pods(kube->pods), uid);

	for (size_t i = 0; pod && !pod->ended && i < pod->n_addresses; i++)
		if (address_equal(&pod->addresses[i], address))
			return true;
	return false;
}

int kube_target(struct kube *kube, const struct kube_wish *wish, const struct kube_follow_ops *ops,
		void *arg, char *error, size_t error_size)
{
	static const struct kube_follow_ops own = {target_up, target_down, target_alive};
	int r;

	kube->ops = *ops;
	kube->arg = arg;
	r = kube_follow_new(&kube->follow, kube->client, wish, &own, kube, error, error_size);
	if (!r)
		kube_follow_select(kube->follow, kube->selectors);
	return r;
}

const struct kube_follow *kube_followed(const struct kube *kube)
{
	return kube->follow;
}

/* The pods of the target's namespace, if they are known apart: they may be all that may be asked
 * for. */
static const struct pods *target_pods(const struct kube *kube)
{
	return kube->follow ? kube_follow_pods(kube->follow) : NULL;
}

int64_t kube_started(const struct kube *kube, const char *uid)
{
	const struct pods *more = target_pods(kube);
	const struct pod *pod = pods_find(pod_watch_pods(kube->pods), uid);

	if (!pod && more)
		pod = pods_find(more, uid);
	return pod ? pod->started : 0;
}

/* --- many Services --- */

static int64_t pod_started(void *arg, const char *uid)
{
	return kube_started(arg, uid);
}

int kube_watch_services(struct kube *kube, const struct kube_services_wish *wish,
			const struct kube_services_ops *ops, void *arg, char *error,
			size_t error_size)
{
	const struct kube_services_pods pods = {target_alive, pod_started, kube};

	return kube_services_new(&kube->services, kube->client, wish, ops, arg, &pods, error,
				 error_size);
}

bool kube_services_synced(const struct kube *kube)
{
	return kube->services && kube_services_complete(kube->services);
}

/* --- what was not told --- */

/* Of a Service the pods tell whether what it dropped has ended. */
static struct kube_watch *ends_watch(const struct kube *kube)
{
	bool by_services = kube->services || (kube->follow && !target_pods(kube));

	return by_services ? pod_watch_watch(kube->pods) : NULL;
}

static size_t add_blind(const struct gaps *gaps, bool ends, struct kube_blind *out, size_t n,
			size_t max)
{
	for (size_t i = 0; gaps && i < gaps->n; i++, n++) {
		const struct watch_gap *gap = &gaps->at[i];

		if (n < max)
			out[n] = (struct kube_blind){gap->since, gap->until, gap->lost, ends,
						     gap->why};
	}
	return n;
}

size_t kube_blind(const struct kube *kube, struct kube_blind *out, size_t max)
{
	struct kube_watch *ends = ends_watch(kube);
	size_t n = 0;

	if (kube->follow)
		n = add_blind(kube_follow_gaps(kube->follow), false, out, n, max);
	for (size_t i = 0; i < 2 && kube->services; i++)
		n = add_blind(kube_services_gaps(kube->services, i), false, out, n, max);
	if (ends)
		n = add_blind(kube_watch_gaps(ends), true, out, n, max);
	return n;
}

void kube_confirm(struct kube *kube)
{
	struct kube_watch *ends = ends_watch(kube);

	if (!kube->follow && !kube->services)
		return;
	kube->confirmed_at = monotonic_ns();
	if (kube->follow)
		kube_follow_confirm(kube->follow);
	if (kube->services)
		kube_services_confirm(kube->services);
	if (ends)
		kube_watch_confirm(ends, false);
}

enum kube_confirmed kube_confirmed(const struct kube *kube, const char **why)
{
	const struct kube_watch *ends = ends_watch(kube);
	enum kube_confirmed target, ended;
	const char *why_ends;

	*why = "nothing is followed";
	if ((!kube->follow && !kube->services) || !kube->confirmed_at)
		return KUBE_CONFIRM_NONE;
	target = kube->services ? kube_services_confirmed(kube->services, why)
				: kube_follow_confirmed(kube->follow, why);
	if ((target != KUBE_CONFIRM_DONE && target != KUBE_CONFIRM_COPY) || !ends)
		return target;
	ended = kube_watch_confirmed(ends, &why_ends);
	if (ended == KUBE_CONFIRM_DONE || ended == KUBE_CONFIRM_COPY)
		return target;
	*why = why_ends;
	if (ended == KUBE_CONFIRM_PENDING && monotonic_ns() - kube->confirmed_at < ENDS_NS)
		return ended;
	return KUBE_CONFIRM_BUT_ENDS;
}

/* --- names --- */

static struct kube_owner owned_by(const struct pods_found *found)
{
	return (struct kube_owner){.is = KUBE_POD, .pod = found->pod, .since = found->since};
}

struct kube_owner kube_by_address(struct kube *kube, const struct address *address, int64_t when)
{
	const struct pods *pods = pod_watch_pods(kube->pods), *more = target_pods(kube);
	struct pods_found found = pods_look_up(pods, address, when);
	bool known = kube_watch_synced(pod_watch_watch(kube->pods));
	const char *node;
	uint64_t failing;

	if (!found.pod && more && !pods_had_address(pods, address))
		found = pods_look_up(more, address, when);
	if (found.pod)
		return owned_by(&found);
	node = nodes_by_address(kube->nodes, address);
	if (!node)
		node = pods_node_by_address(pods, address);
	if (!node && is_own(kube, address))
		node = kube_node(kube);
	if (node)
		return (struct kube_owner){.is = KUBE_NODE, .node = node};
	if (kube->lookups && !found.doubt) {
		found = lookups_by_address(kube->lookups, address, when, &known);
		if (found.pod)
			return owned_by(&found);
		if (known)
			nodes_refresh(kube->nodes);
	}
	/* what is not told is not known to be outside */
	known = known && !pod_watch_left_out(kube->pods) &&
		!kube_watch_trouble(pod_watch_watch(kube->pods), &failing) &&
		!kube_watch_trouble(nodes_watch(kube->nodes), &failing);
	if (!known || !kube_watch_synced(nodes_watch(kube->nodes)) ||
	    pods_had_address(pods, address) || nodes_have_pod_address(kube->nodes, address))
		return (struct kube_owner){.is = KUBE_UNKNOWN, .doubt = found.doubt};
	return (struct kube_owner){.is = KUBE_OUTSIDE};
}

const struct pod_name *kube_by_uid(const struct kube *kube, const char *uid)
{
	const struct pod_name *pod = pods_by_uid(pod_watch_pods(kube->pods), uid);

	return pod || !target_pods(kube) ? pod : pods_by_uid(target_pods(kube), uid);
}

void kube_names_begin(struct kube *kube)
{
	pods_names_begin(pod_watch_pods(kube->pods));
	if (kube->lookups)
		pods_names_begin(lookups_pods(kube->lookups));
}

void kube_name_used(struct kube *kube, const struct pod_name *name)
{
	pods_name_used(pod_watch_pods(kube->pods), name);
	if (kube->lookups)
		pods_name_used(lookups_pods(kube->lookups), name);
}

void kube_names_end(struct kube *kube)
{
	pods_names_end(pod_watch_pods(kube->pods));
	if (kube->lookups)
		pods_names_end(lookups_pods(kube->lookups));
}

const char *kube_node(const struct kube *kube)
{
	return kube->found ? kube->found : kube->node;
}

uint16_t kube_kubelet_port(const struct kube *kube)
{
	return nodes_kubelet_port(kube->nodes, kube_node(kube));
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
	for (size_t i = 0; i < KUBE_SERVICES_TROUBLES && kube->services; i++) {
		text = kube_services_trouble(kube->services, i, &since);
		n = add_trouble(out, n, max, text, since);
	}
	if (kube->lookups) {
		text = lookups_trouble(kube->lookups, &since);
		n = add_trouble(out, n, max, text, since);
	}
	if (kube->lookups && lookups_dropped(kube->lookups))
		n = add_trouble(out, n, max, "there are too many addresses to ask for", 0);
	return n;
}

struct kube_traffic kube_traffic(const struct kube *kube)
{
	return kube_client_traffic(kube->client);
}
