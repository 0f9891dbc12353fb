/* SPDX-License-Identifier: MIT */
#include "review.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "review-parts.h"

#define ENTRIES 128
#define PENDING 32
#define ASKERS 256

/* Within the header that was sent. */
struct token {
	const char *text;
	size_t length;
};

/* --- what is clear without the API --- */

/* The answer, if it is clear or known; or -1. */
static int known_answer(struct kube_review *review, const struct review_key *key,
			struct review_known *known, const char *path, char why[REVIEW_WHY])
{
	uint64_t now = review->limits.now();

	why[0] = '\0';
	if (review_cache_refused(review->cache, key, now)) {
		snprintf(why, REVIEW_WHY, "%s", REVIEW_UNKNOWN);
		return KUBE_REVIEW_NO_TOKEN;
	}
	switch (known ? review_known_look(known, path, now) : REVIEW_UNDECIDED) {
	case REVIEW_MAY:
		return KUBE_REVIEW_ALLOWED;
	case REVIEW_MAY_NOT:
		review_forbidden(review_known_name(known), path, why);
		return KUBE_REVIEW_FORBIDDEN;
	default:
		return -1;
	}
}

/* --- what the API is asked --- */

static struct question *find(struct kube_review *review, const struct review_key *key,
			     const char *path)
{
	struct question *question = review->questions;

	while (question &&
	       (!review_key_equal(&question->key, key) || strcmp(question->path, path) != 0))
		question = question->next;
	return question;
}

/* It is being asked who has the token. */
static bool who_is_asked(const struct kube_review *review, const struct review_key *key)
{
	for (const struct question *q = review->questions; q; q = q->next)
		if (!q->may && review_key_equal(&q->key, key))
			return true;
	return false;
}

/* One more is not too much for us. `known`: who has the token; NULL: it was never valid. */
static bool has_room(const struct kube_review *review, const struct review_key *key,
		     const struct review_known *known)
{
	size_t all = review->limits.pending, n = 0, strangers = 0, same = 0;

	for (const struct question *q = review->questions; q; q = q->next) {
		n++;
		strangers += q->stranger;
		same += review_key_equal(&q->key, key);
	}
	return n < all && (known || strangers < (all + 1) / 2) && same < (all + 3) / 4;
}

/* One more is not too much for the API. */
static bool has_turn(struct kube_review *review, const struct review_key *key,
		     struct review_known *known)
{
	uint64_t now = review->limits.now();

	if (known)
		return review_rate_take(&known->rate, now, KUBE_REVIEW_KNOWN,
					KUBE_REVIEW_KNOWN_AT_ONCE);
	return who_is_asked(review, key) ||
	       review_rate_take(&review->strangers, now, KUBE_REVIEW_STRANGERS,
				KUBE_REVIEW_STRANGERS_AT_ONCE);
}

static struct question *question_new(struct kube_review *review, const struct review_key *key,
				     const char *path)
{
	struct question *question = calloc(1, sizeof(*question));

	if (!question)
		return NULL;
	question->path = strdup(path);
	if (!question->path) {
		free(question);
		return NULL;
	}
	question->review = review;
	question->key = *key;
	question->next = review->questions;
	review->questions = question;
	return question;
}

/* 0 or -ENOMEM. */
static int begin(struct question *question, const struct review_known *known,
		 const struct token *token)
{
	if (known && question->review->limits.now() < known->until)
		return question_may(question, known);
	return question_who(question, token->text, token->length);
}

/* Asks the API. NULL, and *why: it is not asked. */
static struct question *ask_api(struct kube_review *review, const struct review_key *key,
				struct review_known *known, const struct token *token,
				const char *path, const char **why)
{
	struct question *question;
	bool waits = who_is_asked(review, key);

	if (review->limits.now() < review->not_before)
		*why = "the API server asks not to be asked for a while; try again";
	else if (!has_room(review, key, known))
		*why = "too many questions wait for the API already; try again";
	else if (!has_turn(review, key, known))
		*why = "too many tokens that are not known came, or too many questions about this "
		       "one; try again in some seconds";
	else
		*why = NULL;
	if (*why)
		return NULL;
	question = question_new(review, key, path);
	if (question)
		question->stranger = !known;
	if (question && (waits || !begin(question, known, token)))
		return question;
	*why = REVIEW_NO_MEMORY;
	if (question)
		question_answer(question, KUBE_REVIEW_UNAVAILABLE, *why);
	questions_done(review);
	return NULL;
}

static void add_asker(struct question *question, struct asker *asker)
{
	struct asker **last = &question->askers;

	while (*last)
		last = &(*last)->next;
	*last = asker;
	question->review->n_askers++;
}

/* It waits for the question that there is about this, or for a new one. False, and *why. */
static bool wait_for(struct kube_review *review, const struct review_key *key,
		     struct review_known *known, const struct token *token, const char *path,
		     const struct asker *asker, const char **why)
{
	struct question *question;
	struct asker *copy;

	*why = "too many wait for the API already; try again";
	if (review->n_askers >= review->limits.askers)
		return false;
	*why = REVIEW_NO_MEMORY;
	copy = malloc(sizeof(*copy));
	if (!copy)
		return false;
	question = find(review, key, path);
	if (!question)
		question = ask_api(review, key, known, token, path, why);
	if (!question) {
		free(copy);
		return false;
	}
	*copy = *asker;
	add_asker(question, copy);
	return true;
}

/* --- those who ask --- */

void kube_review_ask(struct kube_review *review, const char *authorization, const char *path,
		     void (*done)(void *arg, enum kube_review_answer answer, const char *why),
		     void *arg)
{
	struct token token;
	const struct asker asker = {.done = done, .arg = arg};
	const char *why;
	char text[REVIEW_WHY];
	struct review_key key;
	struct review_known *known;
	int answer;

	token.text = review_token(authorization, &token.length, &why);
	if (!token.text) {
		done(arg, KUBE_REVIEW_NO_TOKEN, why);
		return;
	}
	if (!review_path_is(path)) {
		done(arg, KUBE_REVIEW_FORBIDDEN, "nobody may get a path like this");
		return;
	}
	if (review->closing || review_cache_key(review->cache, token.text, token.length, &key)) {
		done(arg, KUBE_REVIEW_UNAVAILABLE,
		     review->closing ? REVIEW_ENDS : REVIEW_NO_MEMORY);
		return;
	}
	known = review_cache_find(review->cache, &key);
	answer = known_answer(review, &key, known, path, text);
	if (answer >= 0)
		done(arg, (enum kube_review_answer)answer, text);
	else if (!wait_for(review, &key, known, &token, path, &asker, &why))
		done(arg, KUBE_REVIEW_UNAVAILABLE, why);
}

static void cancel_in(struct question *questions, const void *arg)
{
	for (struct question *question = questions; question; question = question->next) {
		struct asker **at = &question->askers;

		while (*at) {
			struct asker *asker = *at;

			if (asker->arg != arg) {
				at = &asker->next;
				continue;
			}
			*at = asker->next;
			question->review->n_askers--;
			free(asker);
		}
	}
}

void kube_review_cancel(struct kube_review *review, const void *arg)
{
	cancel_in(review->questions, arg);
	cancel_in(review->answered, arg);
}

const char *kube_review_trouble(const struct kube_review *review, uint64_t *since)
{
	*since = review->failing_since;
	return review->failing_since ? review->trouble : NULL;
}

/* --- all of it --- */

struct kube_review *kube_review_new(struct kube_client *client,
				    const struct kube_review_limits *limits)
{
	struct kube_review *review = calloc(1, sizeof(*review));

	if (!review)
		return NULL;
	review->client = client;
	if (limits)
		review->limits = *limits;
	if (!review->limits.entries)
		review->limits.entries = ENTRIES;
	if (!review->limits.pending)
		review->limits.pending = PENDING;
	if (!review->limits.askers)
		review->limits.askers = ASKERS;
	if (!review->limits.now)
		review->limits.now = monotonic_ns;
	review->cache = review_cache_new(review->limits.entries);
	if (review->cache)
		return review;
	free(review);
	return NULL;
}

void kube_review_free(struct kube_review *review)
{
	if (!review)
		return;
	review->closing = true;
	while (review->questions)
		question_answer(review->questions, KUBE_REVIEW_UNAVAILABLE, REVIEW_ENDS);
	questions_done(review);
	review_cache_free(review->cache);
	free(review);
}
