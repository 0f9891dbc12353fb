/* SPDX-License-Identifier: MIT */
/* All that is reported, in one place: what output/ renders. Made from the ledger and the coverage;
 * pure. */
#ifndef CALLERS_REPORT_H
#define CALLERS_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../../bpf/whocalls.h"
#include "address.h"
#include "ledger.h"
#include "target.h"
#include "times.h"
#include "who.h"

struct traffic;
struct coverage;
struct verdict;

/* A hook that was tried. */
struct hook {
	const char *program; /* tcp_accept, inet_csk_accept, snapshot, refused, requests */
	const char *hook;    /* tp_btf/inet_sock_set_state …; NULL: none could be attached */
	const char *why;     /* why not a better one; "" if it is the best */
	/* connections of the target; of `refused`: attempts; of `requests`: those, and
	 * report_group() sets it */
	uint64_t seen;
	/* likewise, that another witness saw; of `requests`: those that the numbers told, not it */
	uint64_t missed;
	uint64_t healed; /* likewise, that this one saw and the one before it missed */
	/* of all runs, the target's or not: bpf_prog_info.recursion_misses */
	uint64_t recursion_misses;
	/* likewise, of a kretprobe: calls for which it had no instance left */
	uint64_t nmissed;
	/* of `requests`: so many turns, at most, may not have been seen at all, since the kernel
	 * skipped runs of both sides' programs; they are missing from counts */
	uint64_t untold;
};
#define REPORT_HOOKS 6
#define REPORT_REFUSED 4  /* the row of the hook that sees attempts */
#define REPORT_REQUESTS 5 /* of those that see what the application reads and writes */

/* A listening socket of an endpoint, and its network namespace since it was first met. */
struct listening {
	uint32_t endpoint; /* index into the target's */
	uint32_t netns;    /* inode number */
	struct address address;
	uint16_t port;
	bool ended;         /* listens no more */
	uint32_t queue;     /* connections in the accept queue, as of the last sweep */
	uint32_t limit;     /* the queue is full when there are more */
	bool counted;       /* the kernel's counters could be read; otherwise both are 0 */
	uint64_t overflows; /* handshakes that were dropped because an accept queue was full */
	uint64_t drops;     /* those, and the ones dropped for other reasons */
	/* handshakes that this socket dropped in the window, each try of them: of all that its
	 * namespace dropped those that can be its own */
	uint64_t dropped;
};

/* A process that has accepted connections. */
struct serving {
	uint32_t endpoint;
	uint32_t pid;
	uint64_t cgroup;
	char process[COMM_SIZE];
	char cgroup_path[512]; /* "": not known */
	char pod_uid[64];      /* "": not in a pod */
};

/* Counters of things lost; all are shown. */
struct losses {
	/* single events without room in the ring, or that made no sense: counts are not touched */
	uint64_t events;
	/* connections counted but not followed: their end and bytes are not known */
	uint64_t untracked;
	/* connections whose end was not seen, found gone by sweeps: when they ended and what they
	 * carried last is not known exactly */
	uint64_t ends;
	/* of those: it is not known whether they were accepted either */
	uint64_t accepts;
	/* client processes not remembered: such a caller is known by its address only */
	uint64_t clients;
	/* network namespaces that could not be looked into for open connections */
	uint64_t namespaces;
	/* listeners without room in the kernel's table: handshakes that they dropped are not seen
	 */
	uint64_t listeners;
	/* requests counted whose times found no room: percentiles are without them */
	uint64_t times;
};

/* One line of the table: rows of the ledger that are the same caller. */
struct caller {
	enum caller_class class;
	uint8_t ignored; /* as struct who's */
	/* of the first row: kind, namespace, workload; NULL if none */
	const struct pod_name *pod;
	/* CLASS_NODE: name; CLASS_WORKLOAD: the pods' node if it is one, else NULL */
	const char *node;
	/* client's process, "" if not known, or not one; always terminated */
	char process[COMM_SIZE];
	uint32_t pid;            /* of the last to connect; 0 if not known */
	uint64_t cgroup;         /* cgroup2 id, if all rows agree on it; else 0 */
	const char *cgroup_path; /* likewise; NULL: not known */
	const char *pod_uid;     /* that the cgroup tells, likewise */
	struct caller_counts counts;
	struct open_counts open;
	/* of closed connections and of open ones; see report_requests_known() */
	uint64_t requests;
	uint64_t overlaps; /* above 0: those are turns, of any number of requests */
	/* NULL: none known; else until the ledger's next refresh: see caller_times() */
	const struct histograms *times;
	const char **pods; /* names, sorted, no duplicates */
	size_t n_pods;
	struct address *addresses; /* sorted, no duplicates */
	size_t n_addresses;
	/* the ledger's rows that it is made of, which are the ledger's */
	const struct row **rows;
	size_t n_rows;
	/* newest of a connection's opening or closing, data, or attempt; 0: none in the window */
	uint64_t last_seen;
	uint64_t first_seen; /* oldest opening or attempt in the window; 0: none */
	/* private: */
	struct histograms *merged; /* what `times` is, of more than one row */
	uint64_t place;            /* the greatest comes first, by what is sorted by */
};

/* What callers are sorted by: the greatest first, or by name. */
enum report_sort {
	SORT_CONNECTIONS,
	SORT_REQUESTS,
	SORT_P50, /* of service time */
	SORT_P99,
	SORT_OPEN,
	SORT_LAST, /* the most recent first */
	SORT_NAME,
	SORTS,
};

struct report {
	const struct target *target;
	uint64_t start_ns; /* of the window, CLOCK_MONOTONIC */
	uint64_t end_ns;
	/* add to a CLOCK_MONOTONIC time to get nanoseconds since 1970, UTC */
	int64_t realtime_offset;
	uint64_t for_ns; /* planned length; 0: until interrupted */
	bool final;      /* the trace has ended */
	enum report_sort sort;
	size_t top; /* so many callers are shown, see report_shown(); 0: all */
	/* as `sort` says, then most connections (opened, then open) first; probes after all others
	 */
	struct caller *callers;
	size_t n_callers;
	struct row others; /* callers unknown: no room in a table */
	uint64_t max_callers;
	uint64_t opened;     /* in the window, by the kernel's own total */
	uint64_t attributed; /* connections opened in the window whose caller has a row */
	uint64_t unattributed;
	uint64_t accepted;
	uint64_t open;
	uint64_t old;      /* connections that were open before the window */
	uint64_t requests; /* or turns, of all; known as report_requests_known() says */
	uint64_t requests_unattributed; /* of them: in `others` */
	/* Attempts, by the kernel's own totals; those of callers without a row are in `others`. As
	 * of struct caller_counts; refused and stray are known only where their hook is attached,
	 * see report_refused_known(). */
	uint64_t refused;
	uint64_t stray;
	uint64_t pending;
	uint64_t refused_unattributed; /* of them: in `others` */
	uint64_t stray_unattributed;
	uint64_t pending_unattributed;
	struct hook hooks[REPORT_HOOKS];
	size_t n_hooks;
	struct losses losses;
	const struct listening *listening;
	size_t n_listening;
	/* Handshakes dropped in namespaces where a listener of the target has ended, less those
	 * that its others there dropped: they can be the ended one's. */
	uint64_t unattributed_drops;
	const struct serving *serving;
	size_t n_serving;
	const char *const *notes; /* sentences for people, static */
	size_t n_notes;
	/* what `verify` makes of it, all three; NULL: it was not asked */
	const struct traffic *traffic;
	const struct coverage *coverage;
	const struct verdict *verdict;
	/* private: what the callers' addresses and pods point into */
	struct address *all_addresses;
	const char **all_pods;
	const struct row **all_rows;
};

/*
 * Groups the ledger's rows into report->callers, sorts them, and sets others, attributed,
 * unattributed, accepted, open, old, pending, requests, and what is unattributed of those and of
 * the attempts. Rows that count nothing are left out. Reads start_ns and sort; the rest of *report
 * is left alone. What an earlier call made is freed. 0 or -ENOMEM. Free with report_deinit(), also
 * after an error.
 */
int report_group(struct report *report, const struct ledger *ledger);

/* Handshakes that the target's listeners dropped in the window. */
uint64_t report_dropped(const struct report *report);

/* Whether attempts that are refused were seen: their hook was attached. */
bool report_refused_known(const struct report *report);

/* Whether requests were counted: a hook that sees what applications read and write was attached. */
bool report_requests_known(const struct report *report);

/* How many callers are no probes: those come first. */
size_t report_no_probes(const struct report *report);
/* How many of those are shown: the first, report->top at most. */
size_t report_shown(const struct report *report);

/* How long a caller's requests took, or its connections were open. False, and all 0, if that is not
 * known. */
bool caller_times(const struct caller *caller, enum duration of, struct times *times);

void report_deinit(struct report *report);

#endif
