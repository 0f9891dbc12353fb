/* SPDX-License-Identifier: MIT */
/* The server's side: who listens, how full the accept queues are, what was dropped from them, who
 * accepts. */
#ifndef CAPTURE_QUEUES_H
#define CAPTURE_QUEUES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../callers/report.h"

struct bpf_map;

/* /proc/net/netstat of a network namespace: SNMP counters of the TCP extensions (TcpExt). */
struct queue_drops {
	uint64_t overflows; /* ListenOverflows: handshakes dropped because an accept queue was full
			     */
	uint64_t drops;     /* ListenDrops: those, and the ones dropped for other reasons */
};

/*
 * A listening socket, from when it was first found. What it had dropped then counts only if the
 * socket is younger than the watch of its endpoint.
 */
struct queue_listener {
	uint64_t socket;      /* address of its struct sock */
	struct listener last; /* as of the last sweep that found it */
	uint32_t base;        /* drops that it had when the watch of its endpoint began */
	uint32_t early;       /* drops since, when its namespace was first met */
	bool replaced;        /* another socket has its place in memory: it has ended */
};

struct queue_netns; /* private */

/* All zero to begin with. */
struct queues {
	struct queue_listener *listeners; /* those that have ended, too */
	size_t n_listeners;
	size_t known; /* endpoints that were watched already in the sweep before */
	struct queue_netns *netns;
	size_t n_netns;
	uint32_t everywhere; /* number of the last sweep of all namespaces */
	struct listening *listening;
	size_t n_listening;
	uint64_t unattributed_drops; /* as of struct report */
	struct serving *serving;
	size_t n_serving;
};

/* Finds both counters in the text of /proc/net/netstat. False if one is missing. */
bool queues_parse(const char *text, struct queue_drops *drops);

/* A sweep has found this listening socket, whose struct sock is at `socket`. Entries of `queues`
 * move. 0 or -ENOMEM. */
int queues_found(struct queues *queues, uint64_t socket, const struct listener *listener);

/* Handshakes that a listener has dropped, when `drops` is how many its namespace has (ListenDrops),
 * since that was first met: so never more than it could be. */
uint64_t queues_dropped(const struct queue_listener *listener, uint64_t drops);

/*
 * After a sweep, the `sweep`th; `everywhere`: one of all namespaces, so that a listener which it
 * did not find has ended. Reads the listeners that the sweep found and the counters of their
 * namespaces; those of a namespace count from when it is first met. `n_endpoints`: of the target.
 * 0 or a negative errno.
 */
int queues_update(struct queues *queues, struct bpf_map *listeners, uint32_t sweep, bool everywhere,
		  size_t n_endpoints);

/* Reads who has accepted. 0 or a negative errno. */
int queues_update_serving(struct queues *queues, struct bpf_map *servers);

void queues_deinit(struct queues *queues);

#endif
