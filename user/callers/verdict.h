/* SPDX-License-Identifier: MIT */
/*
 * The verdict over one target and one window: a pure function of what was counted, what was covered
 * and what was asked (design section 5). TRAFFIC outranks UNPROVEN, which outranks QUIET.
 */
#ifndef CALLERS_VERDICT_H
#define CALLERS_VERDICT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "coverage.h"
#include "report.h"

enum verdict_is {
	VERDICT_QUIET = 0, /* these numbers are the exit status */
	VERDICT_TRAFFIC = 1,
	VERDICT_UNPROVEN = 2,
};

struct verdict_options {
	bool allow_idle;   /* a connection that is held open and idle is no traffic */
	bool count_probes; /* probes are traffic */
};

/* What some callers did in the window. Times are ns since 1970. */
struct tally {
	uint64_t callers; /* of several nodes: each node's, added up */
	uint64_t opened;
	uint64_t refused;   /* attempts at a port where nobody listened */
	uint64_t stray;     /* segments with data for a connection that was not there */
	uint64_t pending;   /* attempts whose handshake did not complete */
	uint64_t active;    /* connections from before that carried data, open still or not */
	uint64_t held;      /* connections from before that carried none, likewise */
	int64_t held_since; /* the oldest time since which one of those is idle; 0: none known */
	int64_t last;       /* of all that, the newest; 0: none */
};

/* What was counted, by what it means for the verdict. */
struct traffic {
	struct tally callers; /* neither probes nor ignored, and unknown ones */
	struct tally probes;
	struct tally ignored;
	uint64_t dropped; /* handshakes that listeners of the target dropped: whose is not known */
};

/* Sums up a report's callers; those that have no row are one. */
void traffic_make(struct traffic *traffic, const struct report *report);
/* Where a caller's tally belongs: a probe that is ignored is ignored. */
struct tally *traffic_part(struct traffic *traffic, enum caller_class class, bool ignored);
/* What one caller of a report did. */
struct tally tally_of(const struct report *report, const struct caller *caller);
/* Whether that is anything. */
bool tally_any(const struct tally *tally);
/* Adds another node's, in any order. */
void traffic_merge(struct traffic *into, const struct traffic *more);
void tally_add(struct tally *sum, const struct tally *more);

/* Each has a code for scripts (reason_code()), which never changes its meaning. The manual has what
 * each means. */
enum reason_is {
	/* TRAFFIC */
	REASON_OPENED,
	REASON_ACTIVE,
	REASON_HELD,
	REASON_REFUSED,
	REASON_DROPPED,
	REASON_PENDING,
	REASON_STRAY,
	/* UNPROVEN */
	REASON_ENDED_EARLY,
	REASON_NO_ENDPOINTS,
	REASON_OTHER_NODE,
	REASON_NOT_HERE,
	REASON_LATE,
	REASON_UNWATCHED_PROTOCOL,
	REASON_UNWATCHED_NO_PORT,
	REASON_UNWATCHED_TOO_LARGE,
	REASON_UNWATCHED_NO_ROOM,
	REASON_NOT_FOLLOWED,
	REASON_API_BLIND,
	REASON_API_UNCONFIRMED,
	REASON_SUSPENDED,
	REASON_GAP,
	REASON_WITNESSES_MISSED,
	REASON_DETACHED,
	REASON_ATTEMPTS_UNSEEN,
	REASON_DROPS_UNKNOWN,
	REASON_EVENTS_LOST,
	REASON_UNTRACKED,
	REASON_ENDS_UNSEEN,
	REASON_NAMESPACES_UNSEEN,
	REASON_MISCOUNTED,
	REASONS,
};

struct reason {
	enum reason_is is;
	enum verdict_is verdict; /* that it makes by itself */
	/* A sentence, and one on what to do about it. They hold names as they came from outside:
	 * not safe for a terminal. */
	char text[768];
	char next[512];
};

struct verdict {
	enum verdict_is is;
	struct reason reasons[REASONS]; /* those of TRAFFIC first; in the order of enum reason_is */
	size_t n_reasons;
	struct verdict_options options; /* that it was decided by */
	struct tally counted;           /* whoever can make it TRAFFIC: callers, or probes too */
	/* 95 %: if calls come independently, fewer than that come in a second; 0: the window had no
	 * length */
	double rate_below;
};

/* What is known so far makes it TRAFFIC, whatever is covered. */
bool verdict_is_traffic(const struct traffic *traffic, const struct verdict_options *options);

/*
 * Decides. What is in *verdict is overwritten. QUIET needs a window of some length, as long as was
 * wanted, with an endpoint in it, and nothing that the coverage has against it.
 */
void verdict_decide(struct verdict *verdict, const struct traffic *traffic,
		    const struct coverage *coverage, const struct verdict_options *options);

/* One more reason for UNPROVEN, copied, in its place; unless it is there. */
void verdict_add(struct verdict *verdict, const struct reason *reason);
bool verdict_has(const struct verdict *verdict, enum reason_is is);

/* "QUIET", "TRAFFIC", "UNPROVEN". Static. */
const char *verdict_name(enum verdict_is is);
/* "connections-opened", "endpoint-late" … Static. */
const char *reason_code(enum reason_is is);
/* What stands against QUIET, as a clause: "an endpoint is on another node". "" for those of
 * TRAFFIC. Static. */
const char *reason_brief(enum reason_is is);

#endif
