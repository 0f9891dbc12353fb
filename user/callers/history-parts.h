/* SPDX-License-Identifier: MIT */
/* What the history is made of: not for others. */
#ifndef CALLERS_HISTORY_PARTS_H
#define CALLERS_HISTORY_PARTS_H

#include "history.h"

#include <uthash.h>

#define NAME_MAX_BYTES 255 /* names of Kubernetes have 253 at most (RFC 1123) */
#define NAME_ROOM ((size_t)NAME_MAX_BYTES + 1)
#define NONE UINT32_MAX /* no record */
/* The last minutes of which int64_t has the nanoseconds are in the year 2262; and 28 bits are
 * enough. */
#define MINUTE_MAX 153000000U
#define MINUTE_NS (INT64_C(60) * 1000000000)

enum record_kind {
	RECORD_USE,      /* count: opened, accepted, closed, requests; wide: received, sent */
	RECORD_ATTEMPTS, /* count: stray; wide: refused, pending: what goes to another caller, or
			  * completes, is taken off again, so each is a difference modulo 2^64 */
	RECORD_TARGET,   /* count: dropped, drops_unknown; wide: causes */
	RECORD_KINDS,
};

struct record {
	uint32_t next; /* the one before it in time, or NONE; of a free one the next free one */
	uint32_t minute : 28; /* first of what it sums up */
	uint32_t kind : 2;
	uint32_t held : 1;  /* a connection was open when it began */
	uint32_t doubt : 1; /* a counter went down */
	uint32_t count[4];
	uint64_t wide[2];
};

_Static_assert(sizeof(struct record) == 40, "history.h says 40");

/* What is to be added to a record. */
struct amount {
	enum record_kind kind;
	bool held;
	bool doubt;
	uint64_t count[4];
	uint64_t wide[2];
};

/* A caller by its strings, however many targets it calls. */
struct identity {
	enum caller_class class;
	bool ignored;   /* by these rules: */
	uint32_t rules; /* as limits.ignoring was; 0 unless ignored */
	uint32_t references;
	uint32_t number; /* in the file that is being written */
	const char *kind;
	const char *namespace;
	const char *name;
	const char *process;
	const char *node;
	UT_hash_handle hh;
	size_t key_size;
	char key[]; /* class, ignored, rules, and the strings, each with its end */
};

/* One caller of one target. */
struct pair {
	struct identity *identity;
	uint32_t head; /* newest record; they are sorted by minute */
	uint32_t rows; /* of the ledger, that are taken for it */
	uint64_t open; /* as of the last take, and of the one before it */
	uint64_t was_open;
	int64_t last_seen;
	UT_hash_handle hh; /* by identity */
};

/* What was taken of a counter that grows only. */
struct marks {
	uint64_t opened, accepted, closed, stray;
	uint64_t refused, pending;
	uint64_t attempted; /* time of the last attempt */
	uint64_t requests, received, sent;
	uint8_t below; /* takes in a row in which one of the last three was below its mark */
};

struct row_key {
	const struct row *row;
	uint64_t check; /* of what it is, should another row be where it was */
};

struct row_base {
	struct row_key key;
	struct marks marks;
	struct pair *pair; /* that the last amount went to */
	uint32_t taken;    /* number of the take that it was in */
	UT_hash_handle hh;
};

struct covered_span {
	struct span span;
	uint64_t causes;
};
#define SPANS_MAX 256

struct target_history {
	struct history_target name;
	uint32_t complete_since; /* before that, something that was counted is missing */
	/* the ledger that was taken from last; 0: none */
	uint64_t ledger_start; /* its report's start_ns, and 1 */
	struct row_base *rows; /* hash */
	struct marks others_marks;
	struct pair *pairs; /* hash */
	struct pair self;   /* its RECORD_TARGETs */
	struct pair others; /* callers without a pair of their own */
	uint32_t takes;     /* number of the last take */
	uint64_t dropped, drops_unknown;
	struct losses losses;
	uint64_t missed[REPORT_HOOKS], skipped[REPORT_HOOKS];
	struct covered_span *spans; /* sorted, disjoint */
	size_t n_spans, room_spans;
	bool restarted; /* they are of another run: what comes next does not go on with them */
	UT_hash_handle hh;
	size_t key_size;
	char key[]; /* namespace, service, UID, each with its end */
};

struct history {
	struct history_limits limits;
	struct record *records;
	uint32_t free;  /* first of those that are free again */
	uint32_t fresh; /* first that was never in use */
	uint32_t n_records;
	uint32_t tens_since; /* older minutes are hours; a multiple of 60 */
	uint32_t fine_since; /* older minutes are tens, or hours; a multiple of 10 */
	uint32_t cut;        /* what was before is gone */
	uint32_t purged;     /* hour of the last purge */
	size_t n_pairs;
	size_t n_rows;
	struct identity *identities;
	struct target_history *targets;
	int64_t clock; /* of the last history_clock() */
	uint64_t monotonic;
	int64_t stepped; /* the clock was set to that; 0: it was not */
};

/* --- history-store.c: records --- */

/* The first minute of the record that a minute is, or would be, in. */
uint32_t store_label(const struct history *history, uint32_t minute);
bool amount_any(const struct amount *amount);
/* Adds, to a record of that minute or a new one; makes room if there is none. */
void store_add(struct history *history, struct pair *pair, uint32_t minute,
	       const struct amount *amount);
/* A record that is not in use, or NONE: the limit is reached. */
uint32_t store_alloc(struct history *history);
void store_free(struct history *history, uint32_t record);
/* Forgets all that is before the history's cut. */
void store_purge(struct history *history);
/* Forgets all records. */
void store_clear(struct history *history);
void store_free_pair(struct history *history, struct pair *pair);

/* --- history-names.c: targets, callers --- */

struct identity *identity_get(struct history *history, const struct identity *like);
void identity_put(struct history *history, struct identity *identity);
struct target_history *target_find(const struct history *history,
				   const struct history_target *target);
/* Makes it if need be. 0, -ENOSPC or -ENOMEM. */
int target_get(struct history *history, const struct history_target *target,
	       struct target_history **out);
void target_free(struct history *history, struct target_history *target);
void target_forget_row(struct history *history, struct target_history *target,
		       struct row_base *base);
void target_forget_rows(struct history *history, struct target_history *target);
/* The pair of a caller, or that of the others if there is no room. */
struct pair *pair_get(struct history *history, struct target_history *target,
		      const struct identity *like);
/* Frees callers and targets of which nothing is left. */
void names_purge(struct history *history);
void names_clear(struct history *history);

/* --- history-causes.c --- */

/* Sets a RECORD_TARGET's counts and causes. */
void causes_since(struct target_history *target, const struct report *report,
		  struct amount *amount);

/* --- history-spans.c --- */

/* Forgets what was before a minute. */
void spans_purge(struct target_history *target, uint32_t minute);

#endif
