/* SPDX-License-Identifier: MIT */
/* What a credential plugin prints: an ExecCredential of client.authentication.k8s.io. */
#ifndef KUBE_EXEC_CREDENTIAL_H
#define KUBE_EXEC_CREDENTIAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "problem.h"
#include "secret.h"

struct exec_credential {
	struct secret token; /* none, or usable in a header */
	struct secret certificate;
	struct secret key;
	int64_t expires; /* ns since 1970; INT64_MAX: not told */
};

/* Sets *out, as all zero before. 0; or -EINVAL or -ENOMEM and a clause of what was found
 * ("printed no token"), with nothing of the output in it. */
int exec_credential_parse(const char *text, size_t size, const char *api_version,
			  struct exec_credential *out, const struct problem *problem);

void exec_credential_deinit(struct exec_credential *credential);

/* A token can stand in a header: printable ASCII without spaces, at least one. */
bool token_is(const char *text, size_t size);

#endif
