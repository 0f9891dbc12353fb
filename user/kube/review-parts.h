/* SPDX-License-Identifier: MIT */
/* What the files of a review share; not for others. */
#ifndef KUBE_REVIEW_PARTS_H
#define KUBE_REVIEW_PARTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "review-cache.h"
#include "review-words.h"
#include "review.h"
#include "secret.h"

struct kube_request;

struct asker {
	void (*done)(void *arg, enum kube_review_answer answer, const char *why);
	void *arg;
	struct asker *next;
};

/* A token and a path that somebody asks about. First the API is asked who has the token, then
 * whether they may; if that first is asked for another question already, this one waits for it. */
struct question {
	struct kube_review *review;
	struct review_key key;
	char *path;
	bool stranger;  /* the token was never valid before */
	bool may;       /* it is known who has the token */
	uint64_t asked; /* the last request */
	struct kube_request *request;
	struct secret came; /* of its answer */
	struct asker *askers;
	/* Once it is answered; of one that may be forbidden, `why` is already what that would be.
	 */
	enum kube_review_answer answer;
	char why[REVIEW_WHY];
	struct question *next;
};

struct kube_review {
	struct kube_client *client;
	struct kube_review_limits limits;
	struct review_cache *cache;
	struct review_rate strangers;
	struct question *questions;
	struct question *answered; /* whose askers are to be called */
	size_t n_askers;
	bool answering;
	bool closing;
	uint64_t not_before;    /* the API asks not to be asked before */
	uint64_t fresh_until;   /* no connection that is there is used before */
	uint64_t failing_since; /* 0: it does not */
	char trouble[REVIEW_WHY];
};

/* --- questions (review-question.c) --- */

/* Asks the API who has the token. 0 or -ENOMEM. */
int question_who(struct question *question, const char *token, size_t length);
/* Asks whether they may. 0 or -ENOMEM. */
int question_may(struct question *question, const struct review_known *known);

/* It is no question any more; its askers are called by questions_done(). */
void question_answer(struct question *question, enum kube_review_answer answer, const char *why);
/* Calls those who waited. From within one of these calls it does nothing: they are called later. */
void questions_done(struct kube_review *review);

#endif
