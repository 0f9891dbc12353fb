/* SPDX-License-Identifier: MIT */
/* What the API is asked, and what becomes of its answers. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client.h"
#include "review-json.h"
#include "review-parts.h"

#define SECOND UINT64_C(1000000000)
/* A user may be in thousands of groups; no more than this is read. */
#define ANSWER_MAX ((size_t)128 << 10)
/* A connection that died without a word looks alive, and a POST would go into it again. The watches
 * that are on it find out after 100 s (client.c); until then questions have connections of their
 * own.
 */
#define FRESH_NS (120 * SECOND)

/* --- those who wait --- */

static void question_free(struct question *question)
{
	secret_deinit(&question->came);
	free(question->path);
	free(question);
}

/* They may ask and cancel meanwhile, so each is taken off before it is called. */
void questions_done(struct kube_review *review)
{
	struct question *question;

	if (review->answering)
		return;
	review->answering = true;
	while ((question = review->answered)) {
		struct asker *asker = question->askers;

		if (!asker) {
			review->answered = question->next;
			question_free(question);
			continue;
		}
		question->askers = asker->next;
		review->n_askers--;
		asker->done(asker->arg, question->answer, question->why);
		free(asker);
	}
	review->answering = false;
}

void question_answer(struct question *question, enum kube_review_answer answer, const char *why)
{
	struct question **at = &question->review->questions;

	while (*at != question)
		at = &(*at)->next;
	*at = question->next;
	kube_cancel(question->request);
	question->request = NULL;
	question->answer = answer;
	if (why != question->why)
		snprintf(question->why, sizeof(question->why), "%s", why);
	for (at = &question->review->answered; *at; at = &(*at)->next)
		;
	question->next = NULL;
	*at = question;
}

/* --- the API's answers --- */

static int take_data(void *arg, const char *bytes, size_t length)
{
	struct question *question = arg;
	struct secret more;

	if (length > ANSWER_MAX - question->came.size)
		return -E2BIG;
	more.size = question->came.size + length;
	more.data = malloc(more.size);
	if (!more.data)
		return -ENOMEM;
	if (question->came.size)
		memcpy(more.data, question->came.data, question->came.size);
	memcpy(more.data + question->came.size, bytes, length);
	secret_deinit(&question->came);
	question->came = more;
	return 0;
}

/* An answer came, which may still be none that can be read. */
static bool came(const struct kube_outcome *outcome)
{
	return !outcome->r && (outcome->status == 200 || outcome->status == 201);
}

/* Of what came, and of reading it (`r`). False: the API could not be asked, and `why`. */
static bool went_well(struct kube_review *review, const struct kube_outcome *outcome, int r,
		      bool who, char why[REVIEW_WHY])
{
	uint64_t now = review->limits.now();

	if (outcome->retry_ms)
		review->not_before = now + outcome->retry_ms * UINT64_C(1000000);
	if (outcome->r)
		review->fresh_until = now + FRESH_NS;
	if (came(outcome) && !r) {
		review->failing_since = 0;
		return true;
	}
	if (!review->failing_since)
		review->failing_since = now;
	review_failed(outcome, r, who, why);
	snprintf(review->trouble, sizeof(review->trouble), "%s", why);
	return false;
}

static uint64_t kept_until(const struct question *question, bool well)
{
	return question->asked + SECOND * (well ? KUBE_REVIEW_KEPT_S : KUBE_REVIEW_REFUSED_S);
}

static void may_done(void *arg, const struct kube_outcome *outcome)
{
	struct question *question = arg;
	struct kube_review *review = question->review;
	struct review_known *known = review_cache_find(review->cache, &question->key);
	bool allowed = false;
	int r = came(outcome) ? review_may_read(&question->came, &allowed) : 0;
	char why[REVIEW_WHY];

	question->request = NULL;
	if (!went_well(review, outcome, r, false, why)) {
		question_answer(question, KUBE_REVIEW_UNAVAILABLE, why);
	} else {
		/* their place may have been taken meanwhile */
		if (known)
			review_known_decide(known, question->path, allowed,
					    kept_until(question, allowed));
		question_answer(question, allowed ? KUBE_REVIEW_ALLOWED : KUBE_REVIEW_FORBIDDEN,
				allowed ? "" : question->why);
	}
	questions_done(review);
}

/* All that wait to be told who has this token: nobody, or that can't be told. */
static void answer_all(struct kube_review *review, const struct review_key *key,
		       enum kube_review_answer answer, const char *why)
{
	struct question *question = review->questions, *next;

	for (; question; question = next) {
		next = question->next;
		if (!question->may && review_key_equal(&question->key, key))
			question_answer(question, answer, why);
	}
}

static void go_on_all(struct kube_review *review, const struct review_known *known)
{
	struct question *question = review->questions, *next;

	for (; question; question = next) {
		next = question->next;
		if (!question->may && review_key_equal(&question->key, &known->key) &&
		    question_may(question, known))
			question_answer(question, KUBE_REVIEW_UNAVAILABLE, REVIEW_NO_MEMORY);
	}
}

static void who_done(void *arg, const struct kube_outcome *outcome)
{
	struct question *question = arg;
	struct kube_review *review = question->review;
	struct review_key key = question->key;
	json_t *user = NULL;
	int r = came(outcome) ? review_who_read(&question->came, &user) : 0;
	char why[REVIEW_WHY];

	question->request = NULL;
	secret_deinit(&question->came);
	if (!went_well(review, outcome, r, true, why)) {
		answer_all(review, &key, KUBE_REVIEW_UNAVAILABLE, why);
	} else if (!user) {
		review_cache_refuse(review->cache, &key, kept_until(question, false));
		answer_all(review, &key, KUBE_REVIEW_NO_TOKEN, REVIEW_UNKNOWN);
	} else {
		go_on_all(review, review_cache_put(review->cache, &key, user, review->limits.now(),
						   kept_until(question, true)));
	}
	questions_done(review);
}

/* --- requests --- */

static int ask(struct question *question, const char *path, const struct secret *body,
	       const struct kube_request_ops *ops)
{
	struct kube_review *review = question->review;

	question->asked = review->limits.now();
	question->request = kube_post(review->client, path, body, ops, question);
	if (question->asked < review->fresh_until)
		kube_fresh(question->request);
	return question->request ? 0 : -ENOMEM;
}

int question_who(struct question *question, const char *token, size_t length)
{
	static const struct kube_request_ops ops = {take_data, who_done};
	struct secret body = {};
	int r = review_who_body(token, length, &body);

	if (!r)
		r = ask(question, "/apis/authentication.k8s.io/v1/tokenreviews", &body, &ops);
	secret_deinit(&body);
	return r;
}

int question_may(struct question *question, const struct review_known *known)
{
	static const struct kube_request_ops ops = {take_data, may_done};
	struct secret body = {};
	int r = review_may_body(known->user, question->path, &body);

	question->may = true;
	review_forbidden(review_known_name(known), question->path, question->why);
	if (!r)
		r = ask(question, "/apis/authorization.k8s.io/v1/subjectaccessreviews", &body,
			&ops);
	secret_deinit(&body);
	return r;
}
