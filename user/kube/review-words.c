/* SPDX-License-Identifier: MIT */
#include "review-words.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "client.h"
#include "exec-credential.h"
#include "problem.h"
#include "review.h"

#define BLANKS " \t"
#define SEND "send that of a ServiceAccount, as \"Authorization: Bearer TOKEN\""

const char *review_token(const char *authorization, size_t *length, const char **why)
{
	const char *token;
	size_t scheme, n;

	if (!authorization || !*authorization) {
		*why = "this needs a token of the cluster: " SEND;
		return NULL;
	}
	scheme = strcspn(authorization, BLANKS);
	token = authorization + scheme + strspn(authorization + scheme, BLANKS);
	n = strlen(token);
	while (n && strchr(BLANKS, token[n - 1]))
		n--;
	if (scheme != strlen("Bearer") || strncasecmp(authorization, "Bearer", scheme) != 0 || !n) {
		*why = "there is no token in the Authorization header: " SEND;
		return NULL;
	}
	if (n > KUBE_REVIEW_TOKEN_MAX) {
		*why = "the token has more than 16 KiB, as none of the cluster has: " SEND;
		return NULL;
	}
	if (!token_is(token, n)) {
		*why = "the token has a byte that no token has: " SEND;
		return NULL;
	}
	*length = n;
	return token;
}

bool review_path_is(const char *path)
{
	size_t length = strlen(path);

	return *path == '/' && length <= KUBE_REVIEW_PATH_MAX && token_is(path, length);
}

void review_forbidden(const char *user, const char *path, char why[REVIEW_WHY])
{
	snprintf(why, REVIEW_WHY,
		 "%.400s may not get %s; bind a ClusterRole to it that has nonResourceURLs: "
		 "[\"%s\"], verbs: [\"get\"]",
		 user, path, path);
	problem_printable(why);
}

/* Messages of the server are repeated only of a 403, which are the authorizer's and name whocalls'
 * own user: another could hold what was sent. */
void review_failed(const struct kube_outcome *outcome, int r, bool who, char why[REVIEW_WHY])
{
	const char *what =
		who ? "who has a token (a TokenReview)" : "what they may (a SubjectAccessReview)";
	const char *resource = who ? "tokenreviews.authentication.k8s.io"
				   : "subjectaccessreviews.authorization.k8s.io";

	if (r == -ENOMEM || outcome->r == -ENOMEM)
		snprintf(why, REVIEW_WHY, "asking the API %s: there is no memory for it", what);
	else if (outcome->r == -E2BIG)
		snprintf(why, REVIEW_WHY,
			 "asking the API %s: the answer is longer than any; is it an API server?",
			 what);
	else if (r)
		snprintf(why, REVIEW_WHY,
			 "asking the API %s: the answer is not what an API server has; is it one?",
			 what);
	else if (outcome->r)
		snprintf(why, REVIEW_WHY, "asking the API %s: %.400s; try again", what,
			 outcome->error);
	else if (outcome->status == 403)
		snprintf(why, REVIEW_WHY,
			 "whocalls may not ask the API %s (%.400s); bind the ClusterRole "
			 "system:auth-delegator to its ServiceAccount, so that it may create %s",
			 what, outcome->error, resource);
	else if (outcome->status == 401)
		snprintf(why, REVIEW_WHY,
			 "asking the API %s: it does not accept the token of whocalls itself (HTTP "
			 "401); see that its ServiceAccount exists",
			 what);
	else if (outcome->status == 404)
		snprintf(
			why, REVIEW_WHY,
			"asking the API %s: it has no %s (HTTP 404); see that the API server serves "
			"them as v1",
			what, resource);
	else
		snprintf(why, REVIEW_WHY, "asking the API %s: HTTP %ld; try again", what,
			 outcome->status);
	problem_printable(why);
}
