/* SPDX-License-Identifier: MIT */
/*
 * The two questions and their answers, as JSON: TokenReview of authentication.k8s.io/v1 (who has
 * this token?) and SubjectAccessReview of authorization.k8s.io/v1 (may they get this path?). Both
 * stand in "Kubernetes API Reference", and are there since Kubernetes 1.6.
 */
#ifndef KUBE_REVIEW_JSON_H
#define KUBE_REVIEW_JSON_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "secret.h"

/* Body of a TokenReview. Without audiences: the API server's own are meant. 0 or -ENOMEM. */
int review_who_body(const char *token, size_t length, struct secret *body);

/*
 * Takes the answer apart. 0: *user is who has the token, as a SubjectAccessReview's spec names them
 * (user, uid, groups, extra; a reference for the caller), or NULL: the API server does not know the
 * token. -EBADMSG: it is no TokenReview that was answered; -ENOMEM.
 */
int review_who_read(const struct secret *answer, json_t **user);

/* Body of a SubjectAccessReview: may the user get this nonResourceURL? 0 or -ENOMEM. */
int review_may_body(const json_t *user, const char *path, struct secret *body);

/* 0, -EBADMSG or -ENOMEM, as above. What was neither allowed nor denied is not allowed. */
int review_may_read(const struct secret *answer, bool *allowed);

#endif
