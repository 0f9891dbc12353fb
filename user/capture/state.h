/* SPDX-License-Identifier: MIT */
/* What the files of this room share: one capture. Private to user/capture/. */
#ifndef CAPTURE_STATE_H
#define CAPTURE_STATE_H

#include <time.h>

#include "attempts.h"
#include "capture.h"
#include "gone.h"
#include "hooks.h"
#include "kretprobe.h"
#include "queues.h"
#include "sums.h"
#include "whocalls.skel.h" /* the same for both builds of the BPF side */

/* A hook can be several functions. */
#define HOOK_PROGRAMS 4

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

/* Of capture.hooks, and of the report's. */
enum { STATE, SOCKOPS, ACCEPT, SNAPSHOT, REFUSED, REQUESTS };

struct attached {
	struct bpf_program *programs[HOOK_PROGRAMS]; /* the first NULL ends them; none: no hook */
	struct bpf_link *links[HOOK_PROGRAMS];
	struct kretprobe kretprobe; /* if one of them is one */
	char name[64];              /* "": none is attached */
	char why[HOOK_WHY];
};

struct capture {
	bool old; /* the build for kernels before 5.12 is loaded: bpf/kernel.h */
	struct whocalls_bpf *bpf;
	struct ring_buffer *ring;
	struct target *target;
	struct attached hooks[REPORT_HOOKS];
	void (*take)(const struct event *event, void *arg);
	void *arg;
	uint64_t started;
	uint64_t bad_events;     /* records of the ring that made no sense */
	uint64_t unlooked;       /* namespaces whose loopback could not be watched, at most */
	uint64_t unswept;        /* namespaces that a sweep of all could not look into, at most */
	uint64_t unlistened;     /* listeners that found no room, of the sweep that had most */
	uint32_t room;           /* callers that have room in the kernel, beside the slots */
	struct sums sums;        /* counts that the kernel doesn't have any more */
	struct retired *retired; /* histograms of callers that were forgotten (forget.c) */
	size_t n_retired;
	uint64_t untimed;         /* requests whose times were lost with those */
	struct attempts attempts; /* half-open connections */
	struct gone gone;         /* connections that sweeps found gone */
	struct queues queues;     /* who listens, and who accepts */
	uint32_t kubelet_seen;    /* kubelet_listens when the kubelet was last looked for */
	uint32_t kubelet_listens; /* and the time before: what both looks have seen is done */
	uint64_t next_kubelet;    /* not before this time is it looked for again */
	uint32_t pendings_lost;   /* half-open connections without room, of the sweep with most */
	bool pending_lost;        /* any, since capture_pending_lost() */
	uint64_t next_burial;     /* of records that linger: see capture_bury() */
	uint32_t *netns;          /* where connections were when they were last looked at, sorted */
	size_t n_netns;
};

static inline uint64_t monotonic_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/*
 * Chooses the hooks that need a choice, sizes the maps and loads all programs (load.c). 0, or a
 * negative errno and a sentence in `error`.
 */
int capture_load(struct capture *capture, const struct capture_options *options, char *error,
		 size_t error_size);

/* Sweeps that don't go everywhere look into this network namespace, too, until the connections are
 * read again. 0 or -ENOMEM. */
int capture_note_netns(struct capture *capture, uint32_t inum);

/* Reads a whole hash map (read.c), and empties it if told to. 0, what `take` returned, or a
 * negative errno. */
int capture_batch(const struct bpf_map *map, bool empty,
		  int (*take)(const void *key, const void *value, void *arg), void *arg);

/* Calls `take` for each record of a connection (read.c), whether that is open or only waits for its
 * accept. 0, what `take` returned, or a negative errno. */
int capture_each_connection(const struct capture *capture,
			    int (*take)(const struct connection *connection, void *arg), void *arg);

/* Where callers are counted now (read.c): see bpf/caller.h. */
struct caller_slot *capture_caller_slots(const struct capture *capture);
const struct bpf_map *capture_caller_map(const struct capture *capture);

/* Waits until every program that runs now has ended. 0 or -errno. */
int capture_grace_period(struct capture *capture);

/* All histograms are free (forget.c). 0 or -errno. */
int capture_fill_histograms(const struct capture *capture);

/* Deletes the records of connections that are over and that no hook will come for: those that
 * lingered for their accept, and those that sweeps found gone (read.c). 0 or a negative errno. */
int capture_bury(struct capture *capture);

/* After a sweep: deletes the half-open connections that are gone (read.c). 0 or a negative errno.
 */
int capture_bury_pending(struct capture *capture);

/* Looks for the kubelet again if somebody has begun to listen on its port (kubelet.c). Where that
 * fails it is tried again the next time. */
void capture_kubelet_check(struct capture *capture);

/* Runs the iterator over files for the first time: who the clients of open connections are, and the
 * kubelet (kubelet.c). 0 or a negative errno. */
int capture_look_at_files(struct capture *capture);

/*
 * Chooses the hooks that see what the application reads and writes (requests.c). Where a hook for
 * accepts is asked for, fexit is taken only if it is that. `none`: no program of them loads here.
 */
void capture_choose_requests(struct capture *capture, const struct capture_options *options,
			     bool none);

/* Adds a clause to why a hook is not a better one. */
void capture_add_why(struct attached *hook, const char *why);

/* After a call of libbpf that gave NULL: negative, whatever it left in errno. */
int capture_failure(void);

#endif
