/* SPDX-License-Identifier: MIT */
/*
 * A program that is run for what it prints: never through a shell, with nothing of ours open, with
 * a time limit, without a terminal. What it says on standard error goes to ours, without a byte
 * that a terminal would obey, the first 64 KiB.
 */
#ifndef KUBE_PROCESS_H
#define KUBE_PROCESS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "file.h"
#include "problem.h"
#include "secret.h"

#define PROCESS_TIME_MAX (INT64_C(30) * 1000000000)
#define PROCESS_OUTPUT_MAX ((size_t)1 << 20)

/* All zero: nothing runs. */
struct process {
	pid_t pid; /* 0: nothing runs */
	/* For epoll (EPOLLIN): readable when process_proceed() has something to do. */
	int fd;
	int64_t deadline; /* ns of CLOCK_MONOTONIC: it is killed then */
	/* private: */
	int out; /* -1: closed */
	int err;
	int pidfd;
	size_t said; /* bytes on standard error */
	struct secret output;
};

/*
 * Starts it. A command without a slash is looked for in $PATH. `args` without the command, and
 * `env`, which is added to our environment, end with NULL; both may be NULL. `user`: who is to run
 * it, with their groups, and their HOME, USER and LOGNAME; it never runs as root instead. Ignored
 * if all zero, or if we are not root.
 *
 * 0; or -errno without a sentence of who it was: -ENOENT (no such program), -EACCES, ... *stage
 * says what failed: "run it", "become the user".
 */
int process_start(struct process *process, const char *command, char *const *args, char *const *env,
		  const struct kube_user *user, int64_t now, const char **stage);

/*
 * Reads what there is. -EINPROGRESS: it still runs. 0: it has ended; *status is as waitpid() has
 * it. -ETIMEDOUT, -E2BIG (its output is) or what the system said: it was killed, with all that it
 * had started and that stayed in its group. All but -EINPROGRESS: process_deinit() is to follow.
 */
int process_proceed(struct process *process, int64_t now, int *status);

/* Kills what still runs, overwrites the output. */
void process_deinit(struct process *process);

#endif
