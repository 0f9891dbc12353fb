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

/* One endpoint, by pod UID; without one by its address. */
struct covered {
	/* "" where not known; they belong to whoever made the report */
	const char *namespace;
	const char *pod;
	const char *uid;
	const char *node; /* that the pod is on, by the API or the list of pods */
	struct address address;
	uint16_t port;
	struct span existed;  /* within the window, as far as was told */
	struct span *watched; /* sorted, disjoint; none: never */
	size_t n_watched;
	bool elsewhere; /* on another node than those that watched */
	bool absent;    /* its address was not found on the node that should have it */
};

enum gap_cause {
	GAP_STOPPED,   /* the program did not run: stopped, or starved */
	GAP_SUSPENDED, /* the whole machine did not */
};

/* A time in which the tracer did not run, by its own heartbeat. The kernel counts all the same. */
struct gap {
	struct span span;
	enum gap_cause cause;
};
/* More than that are told by their number, and the last one is widened. */
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
	const char *node; /* this node's name; of a merged one: "" */
	struct span window;
	int64_t wanted; /* ns that the window was to last; 0: until interrupted */
	enum endpoints_from from;
	struct covered *endpoints;
	size_t n_endpoints;
	unsigned int unwatched; /* enum unwatched */
	char unwatched_text[512];
	struct gap gaps[COVERAGE_GAPS];
	size_t n_gaps;
	uint64_t more_gaps;
	struct blind blind[COVERAGE_BLIND];
	size_t n_blind;
	uint64_t more_blind;
	/* ENDPOINTS_FOLLOWED: at the end the API confirmed what it had told */
	bool confirmed;
	char unconfirmed[512]; /* why not */
	/* at least one witness of the handshake missed nothing; and all are attached still */
	bool witnesses_complete;
	bool intact;
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

/* What a report does not tell. Strings are copied. */
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
};

/*
 * Makes the coverage of one node. What is in *coverage is overwritten. 0 or -ENOMEM; free with
 * coverage_deinit(), also after an error. Strings of the endpoints and `node` stay the caller's.
 */
int coverage_make(struct coverage *coverage, const struct report *report,
		  const struct coverage_facts *facts);

/*
 * Adds another node's: the window is what both have in common, an endpoint is watched whenever
 * either watched it, and everything else that was wrong with either is wrong with both. 0 or
 * -ENOMEM, with *into still valid.
 */
int coverage_merge(struct coverage *into, const struct coverage *more);

void coverage_deinit(struct coverage *coverage);

/* The first time within the window at which this endpoint existed and was not watched. False: there
 * is none. */
bool coverage_hole(const struct coverage *coverage, const struct covered *endpoint,
		   struct span *hole);

#endif
