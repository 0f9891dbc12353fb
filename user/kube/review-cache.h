/* SPDX-License-Identifier: MIT */
/*
 * What the API server said of tokens and of who has them, for a while; and how often it may be
 * asked. No token is kept: they are told apart by an HMAC-SHA256 of them, under a key that this
 * process has drawn and nobody else knows. So neither a dump of the memory nor how long a look
 * takes tells anything of one.
 *
 * Two bounded tables: of tokens that were valid once, and of those that were not. The second can be
 * filled by anybody; it takes no place of the first. Times are ns of one clock, given by the
 * caller.
 */
#ifndef KUBE_REVIEW_CACHE_H
#define KUBE_REVIEW_CACHE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Paths that are remembered for one token; another takes the place of the oldest. */
#define REVIEW_PATHS 8

struct review_cache;

struct review_key {
	unsigned char digest[32];
};

/* So many a second, after so many at once (the generic cell rate algorithm). All zero: full. */
struct review_rate {
	uint64_t next;
};
/* True: one more is allowed, and counted. */
bool review_rate_take(struct review_rate *rate, uint64_t now, unsigned per_second,
		      unsigned at_once);

enum review_decision {
	REVIEW_UNDECIDED, /* not known, or no more */
	REVIEW_MAY,
	REVIEW_MAY_NOT,
};

/* Whose token was valid once. */
struct review_known {
	struct review_key key;
	json_t *user;   /* as review_who_read() gives it; NULL: this place is free */
	uint64_t until; /* that they are who has it is believed before this; then asked again */
	uint64_t used;
	bool trusted; /* they were allowed something once */
	struct review_rate rate;
	struct review_path {
		char *path; /* NULL: free */
		bool allowed;
		uint64_t until;
	} paths[REVIEW_PATHS];
};

/* `entries`: in each of the tables. NULL: no memory, or no random numbers. */
struct review_cache *review_cache_new(size_t entries);
/* Accepts NULL. */
void review_cache_free(struct review_cache *cache);

/* 0 or a negative errno. */
int review_cache_key(const struct review_cache *cache, const char *token, size_t length,
		     struct review_key *key);
/* In constant time. */
bool review_key_equal(const struct review_key *a, const struct review_key *b);

/* Of a token that was valid once; also where that is so long ago that it is to be asked again. The
 * cache's, until the next review_cache_put() or _refuse(). NULL: it is not known. */
struct review_known *review_cache_find(struct review_cache *cache, const struct review_key *key);

/* The token is valid. What was decided on it before is forgotten. Takes the user over. Where there
 * is no room it takes the place of who was not used for the longest time, of those that were never
 * allowed anything if there are such. */
struct review_known *review_cache_put(struct review_cache *cache, const struct review_key *key,
				      json_t *user, uint64_t now, uint64_t until);

/* It is not valid, and not asked about before `until`. */
void review_cache_refuse(struct review_cache *cache, const struct review_key *key, uint64_t until);
bool review_cache_refused(const struct review_cache *cache, const struct review_key *key,
			  uint64_t now);

/* Marks them as used. */
enum review_decision review_known_look(struct review_known *known, const char *path, uint64_t now);
/* Where there is no memory it is not remembered. */
void review_known_decide(struct review_known *known, const char *path, bool allowed,
			 uint64_t until);

/* "system:serviceaccount:monitoring:prometheus"; as the server writes it, any UTF-8. */
const char *review_known_name(const struct review_known *known);

#endif
