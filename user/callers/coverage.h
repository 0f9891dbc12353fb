/* SPDX-License-Identifier: MIT */
/*
 * What was covered: which endpoints existed and which were watched, from when to when, by which
 * witnesses, and what was lost meanwhile. Pure: no I/O, no clock.
 *
 * Each node that watches makes one; coverage_merge() puts those of several nodes together, so all
 * times are nanoseconds since 1970, UTC, as of the node's clock when its window began.
 */
#ifndef CALLERS_COVERAGE_H
#define CALLERS_COVERAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "address.h"
#include "report.h"

/* From, up to but not including. */
struct span {
	int64_t since;
	int64_t until;
};

/* Why an endpoint could not be watched, the least of what those that watched say. */
enum covered_place {
	COVERED_HERE,
	COVERED_NO_ROOM,   /* it is here, and the kernel's table had no room for it */
	COVERED_ABSENT,    /* its address was not found on the node that should have it */
	COVERED_ELSEWHERE, /* it is on another node than those that watched */
};

/*
 * One endpoint: a pod's UID, address and port; without a UID address and port. What each node has
 * of its own ("any", loopback) is another endpoint on each.
 */
struct covered {
	/* "" where not known; they belong to whoever made the report */
	const char *namespace;
	const char *pod;
	const char *uid;
	const char
		*node; /* that the pod is on, by the API or the list of pods; of "any": this one */
	struct address address;
	uint16_t port;
	/*
	 * As far as was told; until <= since: not in the window. These and what else has times is
	 * as each node told it, so after a merge it can reach beyond the window: coverage_within().
	 */
	struct span existed;
	struct span *watched; /* sorted, disjoint; none: never */
	size_t n_watched;
	enum covered_place place;
};

enum gap_cause {
	GAP_STOPPED,   /* the program did not run: stopped, or starved */
	GAP_SUSPENDED, /* the whole machine did not */
};

/*
 * A time in which the tracer did not run, by its own heartbeat. The kernel counts all the same.
 * While a machine is suspended CLOCK_MONOTONIC stands still: such a gap begins when it stood and is
 * as long as the machine slept, so it may reach beyond the window, or be of no length.
 */
struct gap {
	struct span span;
	enum gap_cause cause;
};
/* More than that are told by their number alone, and nothing that is uncertain of them is taken to
 * be well. */
#define COVERAGE_GAPS 32

/* A time in which the API did not tell the target's endpoints. */
struct blind {
	struct span span;
	/* afterwards the watch went on from where it stood, so that all that happened was told */
	bool bridged;
	char text[256]; /* what was asked, and the answer */
};
#define COVERAGE_BLIND 32

/* Where the endpoints are from. */
enum endpoints_from {
	ENDPOINTS_NAMED,    /* the user: a port, or addresses */
	ENDPOINTS_FILE,     /* a list of pods, which can be out of date */
	ENDPOINTS_FOLLOWED, /* the API, live */
};

/* Of the target and not watched, by the API. */
enum unwatched {
	UNWATCHED_PROTOCOL = 1,  /* a port of the Service that is not TCP */
	UNWATCHED_NO_PORT = 2,   /* a pod that names no TCP port */
	UNWATCHED_TOO_LARGE = 4, /* an object that was too large to be taken */
	UNWATCHED_NO_ROOM = 8,   /* an endpoint that found no room in the kernel */
};

struct coverage {
	const char *node;   /* this node's name; of a merged one, or not known: "" */
	struct span window; /* until <= since: there is none */
	int64_t wanted;     /* ns that the window was to last; 0: until interrupted */
	enum endpoints_from from;
	struct covered *endpoints; /* by namespace, pod, address and port */
	size_t n_endpoints;
	unsigned int unwatched; /* enum unwatched */
	char unwatched_text[512];
	struct gap gaps[COVERAGE_GAPS];
	size_t n_gaps;
	uint64_t more_gaps;
	struct blind blind[COVERAGE_BLIND];
	size_t n_blind;
	uint64_t more_blind;
	/* at the end the API confirmed what it had told; true if it is not ENDPOINTS_FOLLOWED */
	bool confirmed;
	char unconfirmed[512]; /* why not, or how far that goes */
	/* at least one witness of the handshake missed nothing; and all are attached still */
	bool witnesses_complete;
	bool intact;
	/* processes outside of the pid namespace that the tracer runs in are not seen, nor are the
	 * network namespaces that only they are in */
	bool own_pid_namespace;
	/* attempts at a closed port are seen */
	bool attempts_seen;
	char attempts_why[128]; /* why not */
	struct losses lost;
	/* counted by the kernel, but under no caller, not even an unknown one */
	uint64_t miscounted;
	/* handshakes dropped in a namespace where a listener of the target ended meanwhile: it may
	 * have been that one's, or another's */
	uint64_t drops_unknown;
};

/* What a report does not tell. Strings are copied, but `node`. NULL strings are "". */
struct coverage_facts {
	const char *node;
	enum endpoints_from from;
	unsigned int unwatched;
	const char *unwatched_text;
	const struct gap *gaps; /* times as in the report: CLOCK_MONOTONIC */
	size_t n_gaps;
	uint64_t more_gaps;
	const struct blind *blind; /* likewise; until 0: still */
	size_t n_blind;
	uint64_t more_blind;
	bool confirmed;
	const char *unconfirmed;
	bool intact;
	bool own_pid_namespace;
};

/*
 * Makes the coverage of one node, of a report that is final. What is in *coverage is overwritten. 0
 * or -ENOMEM; free with coverage_deinit(), also after an error. Strings of the endpoints and `node`
 * stay the caller's.
 *
 * An endpoint that came in the window existed since its pod does, where that is in the window; else
 * it is taken to have been there from the beginning.
 */
int coverage_make(struct coverage *coverage, const struct report *report,
		  const struct coverage_facts *facts);

/*
 * Adds another node's: the window is what both have in common, an endpoint is watched whenever
 * either watched it, and everything else that was wrong with either is wrong with both. In which
 * order nodes are added makes no difference but to the order of sentences, and to which gaps and
 * blind times are kept when there are too many. 0 or -ENOMEM, with *into unchanged. *more can go
 * afterwards, but for the strings of its endpoints.
 */
int coverage_merge(struct coverage *into, const struct coverage *more);

void coverage_deinit(struct coverage *coverage);

/* The first time within the window at which this endpoint existed and was not watched. False: there
 * is none, and *hole is unchanged. */
bool coverage_hole(const struct coverage *coverage, const struct covered *endpoint,
		   struct span *hole);

/* What of it is in the window; until <= since: nothing. */
struct span coverage_within(const struct coverage *coverage, struct span span);

/* Whether it touches the window: also what has no length. */
bool coverage_touches(const struct coverage *coverage, struct span span);

/* Half-open connections are looked for by the program alone, and the kernel keeps one that nobody
 * answers for a minute: a gap that is longer than this can hide one. */
#define GAP_PROVEN_NS (INT64_C(30) * 1000000000)

/* Whether what happened in a gap is known all the same: the kernel counted on, and the API told
 * later. A suspended machine's never is, nor is a long one's. */
bool coverage_gap_proven(const struct coverage *coverage, const struct gap *gap);

/* The API was asked, and there is a time within the window whose changes it never told. */
bool coverage_blind(const struct coverage *coverage);

/* The endpoint of a report's target in a coverage that was made from it. NULL: not in the window.
 */
const struct covered *coverage_find(const struct coverage *coverage,
				    const struct endpoint *endpoint);

/*
 * Handshakes: the state tracepoint and sockops, both with the program tcp_accept. The tracepoint is
 * sure to have missed none only if the kernel skipped no run of it. How many are attached, and
 * whether one of them is sure to have missed none.
 */
size_t coverage_witnesses(const struct report *report);
bool coverage_witnesses_complete(const struct report *report);

#endif
