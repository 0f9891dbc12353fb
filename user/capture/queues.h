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

struct queue_netns; /* private */

/* All zero to begin with. */
struct queues {
	struct queue_netns *netns;
	size_t n_netns;
	uint32_t everywhere; /* number of the last sweep of all namespaces */
	struct listening *listening;
	size_t n_listening;
	struct serving *serving;
	size_t n_serving;
};

/* Finds both counters in the text of /proc/net/netstat. False if one is missing. */
bool queues_parse(const char *text, struct queue_drops *drops);

/*
 * After a sweep, the `sweep`th; `everywhere`: one of all namespaces, so that a listener which it
 * did not find has ended. Reads the listeners that the sweep found and the counters of their
 * namespaces; those of a namespace count from when it is first met. 0 or a negative errno.
 */
int queues_update(struct queues *queues, struct bpf_map *listeners, uint32_t sweep,
		  bool everywhere);

/* Reads who has accepted. 0 or a negative errno. */
int queues_update_serving(struct queues *queues, struct bpf_map *servers);

void queues_deinit(struct queues *queues);

#endif
