/* SPDX-License-Identifier: MIT */
#include "queues.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/libbpf.h>

#include "cgroup.h"
#include "sweep.h"

struct queue_netns {
	uint32_t inum;
	bool known;
	struct queue_drops first, last;
};

/* The number in `values` that stands where `name` stands in `names`, word for word. */
static bool find(const char *names, const char *values, const char *name, uint64_t *out)
{
	size_t length = strlen(name);

	while (*names && *names != '\n' && *values && *values != '\n') {
		size_t word = strcspn(names, " \n");

		if (word == length && !strncmp(names, name, length)) {
			*out = strtoull(values, NULL, 10);
			return true;
		}
		names += word;
		values += strcspn(values, " \n");
		names += strspn(names, " ");
		values += strspn(values, " ");
	}
	return false;
}

bool queues_parse(const char *text, struct queue_drops *drops)
{
	const char *names = strstr(text, "TcpExt: "), *values;

	if (!names)
		return false;
	values = strstr(names + 1, "TcpExt: ");
	return values && find(names, values, "ListenOverflows", &drops->overflows) &&
	       find(names, values, "ListenDrops", &drops->drops);
}

static bool read_netstat(struct queue_drops *drops)
{
	FILE *file = fopen("/proc/thread-self/net/netstat", "re");
	char text[16384];
	size_t size;

	if (!file)
		return false;
	size = fread(text, 1, sizeof(text) - 1, file);
	fclose(file);
	text[size] = '\0';
	return queues_parse(text, drops);
}

static struct queue_netns *netns_find(struct queues *queues, uint32_t inum)
{
	for (size_t i = 0; i < queues->n_netns; i++)
		if (queues->netns[i].inum == inum)
			return &queues->netns[i];
	return NULL;
}

static int netns_add(struct queues *queues, uint32_t inum)
{
	struct queue_netns *netns;

	if (netns_find(queues, inum))
		return 0;
	netns = realloc(queues->netns, (queues->n_netns + 1) * sizeof(*netns));
	if (!netns)
		return -ENOMEM;
	queues->netns = netns;
	netns[queues->n_netns++] = (struct queue_netns){.inum = inum};
	return 0;
}

static int look(uint32_t inum, void *arg)
{
	struct queue_netns *netns = netns_find(arg, inum);

	if (!netns || !read_netstat(&netns->last))
		return 0;
	if (!netns->known)
		netns->first = netns->last;
	netns->known = true;
	/* another namespace has its number now */
	if (netns->last.overflows < netns->first.overflows ||
	    netns->last.drops < netns->first.drops)
		netns->first = (struct queue_drops){};
	return 0;
}

static int compare(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static int look_all(struct queues *queues)
{
	uint32_t *only = calloc(queues->n_netns, sizeof(*only));
	int r;

	if (!only)
		return -ENOMEM;
	for (size_t i = 0; i < queues->n_netns; i++)
		only[i] = queues->netns[i].inum;
	qsort(only, queues->n_netns, sizeof(*only), compare);
	r = sweep_look(look, queues, only, queues->n_netns);
	free(only);
	return r < 0 ? r : 0;
}

/* The one that is there now; NULL: none was found there yet. */
static struct queue_listener *listener_at(struct queues *queues, uint64_t socket)
{
	for (size_t i = 0; i < queues->n_listeners; i++)
		if (queues->listeners[i].socket == socket && !queues->listeners[i].replaced)
			return &queues->listeners[i];
	return NULL;
}

int queues_found(struct queues *queues, uint64_t socket, const struct listener *listener)
{
	struct queue_listener *known = listener_at(queues, socket);

	if (known && known->last.cookie == listener->cookie &&
	    known->last.netns == listener->netns && known->last.drops <= listener->drops) {
		known->last = *listener;
		return 0;
	}
	if (known)
		known->replaced = true;
	known = realloc(queues->listeners, (queues->n_listeners + 1) * sizeof(*known));
	if (!known)
		return -ENOMEM;
	queues->listeners = known;
	known += queues->n_listeners++;
	*known = (struct queue_listener){.socket = socket, .last = *listener};
	if (listener->endpoint >= queues->known)
		known->base = listener->drops;
	if (!netns_find(queues, listener->netns))
		known->early = listener->drops - known->base;
	return 0;
}

uint64_t queues_dropped(const struct queue_listener *listener, uint64_t drops)
{
	uint64_t own = listener->last.drops - listener->base;

	/* sk_drops counts what else came to no use there, such as the bare ACKs of
	 * TCP_DEFER_ACCEPT; but each handshake that is dropped counts in both */
	return own < drops + listener->early ? own : drops + listener->early;
}

static bool listener_ended(const struct queues *queues, const struct queue_listener *listener)
{
	return listener->replaced || listener->last.swept < queues->everywhere;
}

/*
 * Takes what the sweep found. The map's entry of one that has ended goes: it is known here, and the
 * next needs the room.
 */
static int take_listeners(struct queues *queues, struct bpf_map *listeners)
{
	struct listener listener;
	__u64 key, next;
	int r = 0, last = bpf_map__get_next_key(listeners, NULL, &next, sizeof(next));

	while (!r && !last) {
		key = next;
		last = bpf_map__get_next_key(listeners, &key, &next, sizeof(next));
		if (bpf_map__lookup_elem(listeners, &key, sizeof(key), &listener, sizeof(listener),
					 0))
			continue;
		r = queues_found(queues, key, &listener);
		if (!r && listener.swept < queues->everywhere)
			bpf_map__delete_elem(listeners, &key, sizeof(key), 0);
	}
	return r;
}

static void listening_fill(struct listening *listening, const struct queues *queues,
			   const struct queue_listener *listener, const struct queue_netns *netns)
{
	const struct listener *last = &listener->last;
	bool ended = listener_ended(queues, listener);
	uint64_t drops = netns->last.drops - netns->first.drops;

	*listening = (struct listening){
		.endpoint = last->endpoint,
		.netns = last->netns,
		.port = (uint16_t)last->port,
		.ended = ended,
		.queue = ended ? 0 : last->queue,
		.limit = last->limit,
		.counted = netns->known,
		.overflows = netns->last.overflows - netns->first.overflows,
		.drops = drops,
		.dropped = queues_dropped(listener, netns->known ? drops : UINT32_MAX),
	};
	memcpy(listening->address.word, last->local, sizeof(last->local));
}

/* What a namespace dropped beyond what its listeners are known to have, where one has ended. */
static uint64_t unattributed_drops(const struct queues *queues, const struct queue_netns *netns)
{
	uint64_t drops = netns->last.drops - netns->first.drops, known = 0;
	bool ended = false;

	for (size_t i = 0; i < queues->n_listening; i++) {
		const struct listening *one = &queues->listening[i];

		if (one->netns != netns->inum)
			continue;
		ended |= one->ended;
		known += one->dropped;
	}
	return ended && drops > known ? drops - known : 0;
}

int queues_update(struct queues *queues, struct bpf_map *listeners, uint32_t sweep, bool everywhere,
		  size_t n_endpoints)
{
	struct listening *listening;
	int r;

	if (everywhere)
		queues->everywhere = sweep;
	r = take_listeners(queues, listeners);
	queues->known = n_endpoints;
	for (size_t i = 0; i < queues->n_listeners && !r; i++)
		r = netns_add(queues, queues->listeners[i].last.netns);
	if (!r && queues->n_netns)
		r = look_all(queues);
	if (r || !queues->n_listeners)
		return r;
	listening = realloc(queues->listening, queues->n_listeners * sizeof(*listening));
	if (!listening)
		return -ENOMEM;
	queues->listening = listening;
	queues->n_listening = queues->n_listeners;
	for (size_t i = 0; i < queues->n_listeners; i++)
		listening_fill(&listening[i], queues, &queues->listeners[i],
			       netns_find(queues, queues->listeners[i].last.netns));
	queues->unattributed_drops = 0;
	for (size_t i = 0; i < queues->n_netns; i++)
		queues->unattributed_drops += unattributed_drops(queues, &queues->netns[i]);
	return 0;
}

static bool serving_known(const struct queues *queues, const struct server_key *key)
{
	for (size_t i = 0; i < queues->n_serving; i++)
		if (queues->serving[i].endpoint == key->endpoint &&
		    queues->serving[i].pid == key->pid)
			return true;
	return false;
}

static int serving_add(struct queues *queues, const struct server_key *key,
		       const struct server *server)
{
	struct serving *serving =
		realloc(queues->serving, (queues->n_serving + 1) * sizeof(*serving));
	char container[CGROUP_CONTAINER], path[sizeof(serving->cgroup_path)];

	if (!serving)
		return -ENOMEM;
	queues->serving = serving;
	serving += queues->n_serving++;
	*serving = (struct serving){
		.endpoint = key->endpoint, .pid = key->pid, .cgroup = server->cgroup};
	memcpy(serving->process, server->comm, sizeof(server->comm));
	if (!cgroup_path(server->cgroup, path, sizeof(path))) {
		memcpy(serving->cgroup_path, path, sizeof(path));
		cgroup_pod(path, serving->pod_uid, container);
	}
	return 0;
}

int queues_update_serving(struct queues *queues, struct bpf_map *servers)
{
	struct server_key key, *previous = NULL;
	struct server server;
	int r = 0;

	while (!r && !bpf_map__get_next_key(servers, previous, &key, sizeof(key))) {
		previous = &key;
		if (!serving_known(queues, &key) &&
		    !bpf_map__lookup_elem(servers, &key, sizeof(key), &server, sizeof(server), 0))
			r = serving_add(queues, &key, &server);
	}
	return r;
}

void queues_deinit(struct queues *queues)
{
	free(queues->listeners);
	free(queues->netns);
	free(queues->listening);
	free(queues->serving);
}
