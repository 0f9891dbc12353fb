/* SPDX-License-Identifier: MIT */
/* What a review says to those who ask, and what they say to it. Pure. */
#ifndef KUBE_REVIEW_WORDS_H
#define KUBE_REVIEW_WORDS_H

#include <stdbool.h>
#include <stddef.h>

#define REVIEW_WHY 1024
#define REVIEW_NO_MEMORY "there is no memory to ask the API; try again"
#define REVIEW_ENDS "whocalls is ending here; try again"
#define REVIEW_UNKNOWN                                                                             \
	"the API server does not know this token: it has expired, was deleted, or is for another " \
	"audience"

struct kube_outcome;

/*
 * The token of an Authorization header's value (RFC 6750): of the scheme Bearer, in any case. It is
 * within that text. NULL: there is none, or none that could be valid, and *why is a sentence that
 * tells.
 */
const char *review_token(const char *authorization, size_t *length, const char **why);

/* A path that anybody could be allowed to get: absolute, printable, of at most
 * KUBE_REVIEW_PATH_MAX bytes. */
bool review_path_is(const char *path);

/* Who that is may not, and what would let them. */
void review_forbidden(const char *user, const char *path, char why[REVIEW_WHY]);

/* What was asked, and what came of it, where that is no answer: `who` a TokenReview, else a
 * SubjectAccessReview. `r`: of reading an answer that did come, or 0. */
void review_failed(const struct kube_outcome *outcome, int r, bool who, char why[REVIEW_WHY]);

#endif
