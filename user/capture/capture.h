/* SPDX-License-Identifier: MIT */
/*
 * Capture: loads the kernel side, chooses among the hooks that this kernel has, attaches, takes the
 * snapshot, and hands out what the kernel counts. The only room that knows BPF.
 */
#ifndef CAPTURE_CAPTURE_H
#define CAPTURE_CAPTURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../../bpf/whocalls.h"
#include "../callers/report.h"
#include "../callers/target.h"

struct capture;

struct capture_options {
	struct target *target;    /* outlives the capture, which sets endpoint.here */
	uint32_t max_callers;     /* entries of the kernel's map of callers */
	bool folds;               /* there will be capture_fold(): then half of that, twice */
	uint32_t max_connections; /* entries of its map of open connections */
	uint32_t ring_size;       /* bytes: a power of two, at least a page */
	uint32_t more_endpoints;  /* room for those that come later, as many as there are at once */
	/* ports that clients of this node may dial to get to the target: their processes are known
	 * then. Those of the endpoints are, anyway. */
	const uint16_t *dialled;
	size_t n_dialled;
	uint16_t kubelet_port; /* 0: no probes can be proven, see capture_kubelet_port() */
	bool events;           /* single connections through the ring, too */
	const char *btf;       /* file with the kernel's BTF; NULL: /sys/kernel/btf/vmlinux */
	const char *
		accept_hook; /* "fexit", "kretprobe", "syscall", "none": that one; NULL: the best */
	bool verbose;        /* libbpf's own messages on standard error */
};

/*
 * Loads, attaches, takes the snapshot: when it returns 0, every connection from then on is counted.
 * On failure a negative errno, and in `error` what was tried, what the system said and what to do.
 */
int capture_open(struct capture **out, const struct capture_options *options, char *error,
		 size_t error_size);

/*
 * The target has got an endpoint, the `index`th, or it has lost that. What is counted there stays.
 * After some came, capture_endpoints_changed() looks for what was open there before. 0 or -errno:
 * -E2BIG: there have been too many.
 */
int capture_endpoint_add(struct capture *capture, size_t index);
void capture_endpoint_remove(struct capture *capture, size_t index);
int capture_endpoints_changed(struct capture *capture);

/*
 * The port that this node's kubelet listens on, told or changed later; 0: none. Who connects from
 * then on is known by it; connections of before keep what they were counted as. 0 or -errno.
 */
int capture_kubelet_port(struct capture *capture, uint16_t port);

/* The process that is known to be the kubelet, as its own pid namespace has it; 0: none. */
uint32_t capture_kubelet(const struct capture *capture);

/* Clients of this node may dial this port, too, to get to the target, as of capture_options. */
void capture_dialled(struct capture *capture, uint16_t port);

/*
 * Whether the witnesses of handshakes, and the hook that sees attempts, are attached as they were
 * at the beginning, by the kernel's word: a cgroup's program can be detached by force. Those that
 * could not be attached at all don't matter here. False after capture_stop().
 */
bool capture_intact(const struct capture *capture);

/* Detaches all hooks: nothing is counted any more. May be called twice. */
void capture_stop(struct capture *capture);

/* Accepts NULL. */
void capture_free(struct capture *capture);

/* A file descriptor for epoll: readable when the ring has news that is worth a wake-up. */
int capture_fd(const struct capture *capture);

/* Reads what is in the ring; `take` is called for each record. Returns their number. */
int capture_poll(struct capture *capture, void (*take)(const struct event *event, void *arg),
		 void *arg);

/*
 * Looks at every open connection (bytes, idle time, queue): in the namespaces that have any, or a
 * listener of the target, or, if
 * `everywhere`, in all of this node, which also finds what every witness missed; at half-open ones
 * and at listeners, too. Returns 0 or -errno.
 */
int capture_sweep(struct capture *capture, bool everywhere);

/* Whether a sweep since this was last asked had no room for half-open connections: then there may
 * be attempts that are counted nowhere. */
bool capture_pending_lost(struct capture *capture);

/* Before all namespaces are looked into anew (capture_endpoints_changed(), capture_last_sweep()):
 * forgets in how many that could not be done until now, and tells whether there were any. */
bool capture_forget_unseen(struct capture *capture);

/* Whether the tracepoint's program was skipped at times, so that ends may have been missed: then
 * sweeps are worth their cost. */
bool capture_misses(struct capture *capture);

/* The last sweep, everywhere, as many times as it takes to tell what is gone; looks again which
 * endpoints are here. What is half open counts at once, until the next sweep. 0 or -errno. */
int capture_last_sweep(struct capture *capture);

/* Calls `take` for each caller with its counts since the start, attempts too. Finds a kubelet
 * that began to listen since. 0, -errno, or what `take` returned.
 */
int capture_callers(struct capture *capture,
		    int (*take)(const struct caller_key *key, const struct caller_counts *counts,
				void *arg),
		    void *arg);

/*
 * Where a program runs for weeks, callers that are no more would fill the kernel's map. Whether it
 * is half full; and capture_fold() adds up here what is counted there, and empties it. 0 or -errno:
 * then what is counted can't be told any more. capture_callers() tells the same before and after.
 */
bool capture_crowded(const struct capture *capture);
int capture_fold(struct capture *capture);

/*
 * How many callers are added up here; and forgets those of them that were idle longest, for
 * 10 s at least and without an open connection, until `keep` are left, if there are so many. For
 * each `take` is called with all that was ever counted of it, times too (NULL: there are none).
 * Should it come back, its counts begin anew. 0, -errno, or what `take` returned.
 */
size_t capture_summed(const struct capture *capture);
int capture_forget(struct capture *capture, size_t keep,
		   int (*take)(const struct caller_key *key, const struct caller_counts *counts,
			       const struct histograms *times, void *arg),
		   void *arg);

/* Calls `take` for each caller whose times are known. The buckets only grow (modulo 2^32). 0,
 * -errno, or what `take` returned. */
int capture_times(struct capture *capture,
		  int (*take)(const struct caller_key *key, const struct histograms *times,
			      void *arg),
		  void *arg);

/* Calls `take` for each open connection, as of the last sweep. 0, -errno, or what `take` returned.
 */
int capture_connections(struct capture *capture,
			int (*take)(const struct connection *connection, void *arg), void *arg);

/* The counts of connections that found no place in the kernel's map of callers. */
int capture_unattributed(struct capture *capture, struct caller_counts *counts);

/* Sets window start, hooks, kernel totals and losses of the report. Strings live as long as
 * capture. */
int capture_report(struct capture *capture, struct report *report);

#endif
