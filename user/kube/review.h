/* SPDX-License-Identifier: MIT */
/*
 * Who may ask us, by Kubernetes' own word, as metrics-server and kube-rbac-proxy do it: a
 * TokenReview tells whose token came, a SubjectAccessReview whether they may get the path. For both
 * the client's own user needs the ClusterRole system:auth-delegator. What can't be asked is not
 * allowed.
 *
 * Answers are kept for a while. In a cluster as many ask as it has nodes, each for every scrape, so
 * what is allowed is kept for a minute: the kubelet, which is on every node too, keeps it for 2
 * minutes (whose token) and 5 (what they may), the servers that are there once 10 s
 * (DelegatingAuthentication- Options in k8s.io/apiserver). Nobody is let in for longer than that
 * after their right was taken. A refusal is kept for 10 s: what mends it is to work soon. That the
 * API could not be asked is not kept.
 *
 * Who sends tokens that the API does not know costs it KUBE_REVIEW_STRANGERS questions a second,
 * and takes no room that those have whose token was valid before. While that goes on a token that
 * is new to us may be told to come again. So that anybody with a valid token can't do better, each
 * of them has a rate of its own.
 *
 * A token is in our memory only until the API has answered, and nowhere in a message.
 */
#ifndef KUBE_REVIEW_H
#define KUBE_REVIEW_H

#include <stddef.h>
#include <stdint.h>

/* Seconds for which an answer is kept, from when it was asked for. */
#define KUBE_REVIEW_KEPT_S 60
#define KUBE_REVIEW_REFUSED_S 10
/* Questions to the API about tokens that were never valid: a second, and at once. */
#define KUBE_REVIEW_STRANGERS 5
#define KUBE_REVIEW_STRANGERS_AT_ONCE 20
/* About one token that was valid before. */
#define KUBE_REVIEW_KNOWN 2
#define KUBE_REVIEW_KNOWN_AT_ONCE 16
/* Longer ones are refused without asking. */
#define KUBE_REVIEW_TOKEN_MAX 16384
#define KUBE_REVIEW_PATH_MAX 256

struct kube_client;
struct kube_review;

enum kube_review_answer {
	KUBE_REVIEW_ALLOWED,
	KUBE_REVIEW_NO_TOKEN,    /* none, or one that the API does not know: 401 */
	KUBE_REVIEW_FORBIDDEN,   /* who it is may not: 403 */
	KUBE_REVIEW_UNAVAILABLE, /* the API could not be asked, or not now: 503 */
};

/* 0: as it says here. */
struct kube_review_limits {
	size_t entries; /* tokens remembered that were valid, and as many that were not: 128 */
	/* Questions (a token and a path) that wait for the API: 32. At most half of them about
	 * tokens that were never valid, at most a quarter about any one. */
	size_t pending;
	size_t askers; /* that wait for these: 256 */
	/* ns; not before what it said last. For tests; CLOCK_MONOTONIC. */
	uint64_t (*now)(void);
};

/* The client outlives it. `limits` may be NULL. NULL: no memory, or no random numbers. */
struct kube_review *kube_review_new(struct kube_client *client,
				    const struct kube_review_limits *limits);
/* Who still waits is answered with UNAVAILABLE first. Not from within done(). Accepts NULL. */
void kube_review_free(struct kube_review *review);

/*
 * May whoever sent this header get this path? `authorization`: its value as it came ("Bearer ..."),
 * or NULL: there was none. `path`: without its query. Neither is used after the call.
 *
 * done() is called exactly once: from within this call if the answer is clear or known, else later
 * from kube_client_run(). `why`: a sentence for the answer's body, printable ASCII without a new
 * line, valid during the call; "" if allowed. done() may ask and cancel.
 */
void kube_review_ask(struct kube_review *review, const char *authorization, const char *path,
		     void (*done)(void *arg, enum kube_review_answer answer, const char *why),
		     void *arg);

/* Whoever asked with this `arg` is not called any more. The API's answer is still remembered. */
void kube_review_cancel(struct kube_review *review, const void *arg);

/* A sentence for whoever runs us: why the API could not be asked, the last time; NULL: it could.
 * `since`: when that began. Valid until kube_client_run(). */
const char *kube_review_trouble(const struct kube_review *review, uint64_t *since);

#endif
