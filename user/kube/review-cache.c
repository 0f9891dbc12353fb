/* SPDX-License-Identifier: MIT */
#include "review-cache.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>

struct refused {
	struct review_key key;
	uint64_t until;
};

struct review_cache {
	unsigned char secret[32]; /* of the HMAC */
	size_t entries;
	struct review_known *known;
	struct refused *refused;
	size_t next_refused; /* the oldest: a ring */
};

bool review_rate_take(struct review_rate *rate, uint64_t now, unsigned per_second, unsigned at_once)
{
	uint64_t each = UINT64_C(1000000000) / per_second;
	uint64_t next = rate->next > now ? rate->next : now;

	if (next - now > each * (at_once - 1))
		return false;
	rate->next = next + each;
	return true;
}

/* --- keys --- */

int review_cache_key(const struct review_cache *cache, const char *token, size_t length,
		     struct review_key *key)
{
	if (gnutls_hmac_fast(GNUTLS_MAC_SHA256, cache->secret, sizeof(cache->secret), token, length,
			     key->digest))
		return -EIO;
	return 0;
}

bool review_key_equal(const struct review_key *a, const struct review_key *b)
{
	return gnutls_memcmp(a->digest, b->digest, sizeof(a->digest)) == 0;
}

/* --- those whose token was valid --- */

static void forget_paths(struct review_known *known)
{
	for (size_t i = 0; i < REVIEW_PATHS; i++) {
		free(known->paths[i].path);
		known->paths[i] = (struct review_path){};
	}
}

static void forget(struct review_known *known)
{
	forget_paths(known);
	json_decref(known->user);
	*known = (struct review_known){};
}

struct review_known *review_cache_find(struct review_cache *cache, const struct review_key *key)
{
	struct review_known *found = NULL;

	for (size_t i = 0; i < cache->entries; i++)
		if (cache->known[i].user && review_key_equal(&cache->known[i].key, key))
			found = &cache->known[i];
	return found;
}

/* Whose place is rather taken. */
static bool goes_before(const struct review_known *a, const struct review_known *b)
{
	if (!a->user || !b->user)
		return !a->user;
	return a->trusted == b->trusted ? a->used < b->used : b->trusted;
}

static struct review_known *make_room(struct review_cache *cache)
{
	struct review_known *first = &cache->known[0];

	for (size_t i = 1; i < cache->entries && first->user; i++)
		if (goes_before(&cache->known[i], first))
			first = &cache->known[i];
	forget(first);
	return first;
}

static void no_more_refused(struct review_cache *cache, const struct review_key *key)
{
	for (size_t i = 0; i < cache->entries; i++)
		if (cache->refused[i].until && review_key_equal(&cache->refused[i].key, key))
			cache->refused[i].until = 0;
}

struct review_known *review_cache_put(struct review_cache *cache, const struct review_key *key,
				      json_t *user, uint64_t now, uint64_t until)
{
	struct review_known *known = review_cache_find(cache, key);

	no_more_refused(cache, key);
	if (!known) {
		known = make_room(cache);
		known->key = *key;
	}
	forget_paths(known);
	json_decref(known->user);
	known->user = user;
	known->used = now;
	known->until = until;
	return known;
}

const char *review_known_name(const struct review_known *known)
{
	return json_string_value(json_object_get(known->user, "user"));
}

/* --- those that were refused --- */

void review_cache_refuse(struct review_cache *cache, const struct review_key *key, uint64_t until)
{
	struct review_known *known = review_cache_find(cache, key);

	if (known)
		forget(known);
	no_more_refused(cache, key);
	cache->refused[cache->next_refused] = (struct refused){*key, until};
	cache->next_refused = (cache->next_refused + 1) % cache->entries;
}

bool review_cache_refused(const struct review_cache *cache, const struct review_key *key,
			  uint64_t now)
{
	bool found = false;

	for (size_t i = 0; i < cache->entries; i++)
		if (cache->refused[i].until > now && review_key_equal(&cache->refused[i].key, key))
			found = true;
	return found;
}

/* --- what they may --- */

enum review_decision review_known_look(struct review_known *known, const char *path, uint64_t now)
{
	known->used = now;
	for (size_t i = 0; i < REVIEW_PATHS && now < known->until; i++) {
		const struct review_path *at = &known->paths[i];

		if (at->path && now < at->until && !strcmp(at->path, path))
			return at->allowed ? REVIEW_MAY : REVIEW_MAY_NOT;
	}
	return REVIEW_UNDECIDED;
}

/* The place of this path; else the one that is over first, a free one before all. */
static struct review_path *place(struct review_known *known, const char *path)
{
	struct review_path *first = &known->paths[0];

	for (size_t i = 0; i < REVIEW_PATHS; i++) {
		struct review_path *at = &known->paths[i];

		if (at->path && !strcmp(at->path, path))
			return at;
		if (at->until < first->until)
			first = at;
	}
	return first;
}

void review_known_decide(struct review_known *known, const char *path, bool allowed, uint64_t until)
{
	struct review_path *at = place(known, path);

	known->trusted = known->trusted || allowed;
	free(at->path);
	at->path = strdup(path);
	at->allowed = at->path && allowed;
	at->until = at->path ? until : 0;
}

/* --- all of it --- */

struct review_cache *review_cache_new(size_t entries)
{
	struct review_cache *cache = calloc(1, sizeof(*cache));

	if (!cache)
		return NULL;
	cache->entries = entries;
	cache->known = calloc(entries, sizeof(*cache->known));
	cache->refused = calloc(entries, sizeof(*cache->refused));
	if (cache->known && cache->refused &&
	    gnutls_rnd(GNUTLS_RND_KEY, cache->secret, sizeof(cache->secret)) == 0)
		return cache;
	review_cache_free(cache);
	return NULL;
}

void review_cache_free(struct review_cache *cache)
{
	if (!cache)
		return;
	for (size_t i = 0; i < cache->entries && cache->known; i++)
		forget(&cache->known[i]);
	free(cache->known);
	free(cache->refused);
	explicit_bzero(cache->secret, sizeof(cache->secret));
	free(cache);
}
