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

static int listening_add(struct queues *queues, const struct listener *listener)
{
	bool ended = listener->swept < queues->everywhere;
	struct listening *listening =
		realloc(queues->listening, (queues->n_listening + 1) * sizeof(*listening));

	if (!listening)
		return -ENOMEM;
	queues->listening = listening;
	listening += queues->n_listening++;
	*listening = (struct listening){
		.endpoint = listener->endpoint,
		.netns = listener->netns,
		.port = (uint16_t)listener->port,
		.ended = ended,
		.queue = ended ? 0 : listener->queue,
		.limit = listener->limit,
	};
	memcpy(listening->address.word, listener->local, sizeof(listener->local));
	return netns_add(queues, listener->netns);
}

int queues_update(struct queues *queues, struct bpf_map *listeners, uint32_t sweep, bool everywhere)
{
	struct listener listener;
	__u64 key, *previous = NULL;
	int r = 0;

	if (everywhere)
		queues->everywhere = sweep;
	queues->n_listening = 0;
	while (!r && !bpf_map__get_next_key(listeners, previous, &key, sizeof(key))) {
		previous = &key;
		if (!bpf_map__lookup_elem(listeners, &key, sizeof(key), &listener, sizeof(listener),
					  0))
			r = listening_add(queues, &listener);
	}
	if (!r && queues->n_netns)
		r = look_all(queues);
	for (size_t i = 0; i < queues->n_listening && !r; i++) {
		struct listening *listening = &queues->listening[i];
		const struct queue_netns *netns = netns_find(queues, listening->netns);

		listening->counted = netns->known;
		listening->overflows = netns->last.overflows - netns->first.overflows;
		listening->drops = netns->last.drops - netns->first.drops;
	}
	return r;
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
	free(queues->netns);
	free(queues->listening);
	free(queues->serving);
}
