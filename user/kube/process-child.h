/* SPDX-License-Identifier: MIT */
/* The new process, from fork() to the program. */
#ifndef KUBE_PROCESS_CHILD_H
#define KUBE_PROCESS_CHILD_H

#include <sys/types.h>

#include "file.h"

/* All that needs memory is made before fork(). */
struct child_plan {
	char **paths; /* to try one after the other; ends with NULL */
	char **args;
	char **env;
	const struct kube_user *user; /* NULL: as we are */
	gid_t *groups;
	int n_groups;
	int out;
	int err;
	int report; /* gets a struct child_failure, or ends when the program has begun */
	pid_t parent;
};

struct child_failure {
	int error;         /* errno */
	const char *stage; /* a constant of ours: the parent has it at the same address */
};

/* What process_start() has. 0, -ENOENT ($PATH has no folder) or -ENOMEM. */
int child_plan(struct child_plan *plan, const char *command, char *const *args, char *const *env,
	       const struct kube_user *user);
void child_plan_deinit(struct child_plan *plan);

_Noreturn void child_run(const struct child_plan *plan);

#endif
