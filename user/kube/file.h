/* SPDX-License-Identifier: MIT */
/* Small files that are read whole, and again when they have changed: tokens, certificates, keys. */
#ifndef KUBE_FILE_H
#define KUBE_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include "problem.h"
#include "secret.h"
#include "user.h"

/*
 * Reads the file; *out as all zero before. With `as`, with that user's rights to files instead of
 * root's. `regular`: nothing else than a regular file will do, which a pipe would be that never
 * ends.
 *
 * -E2BIG: it has more than `max` bytes; -ENOMEM; or what the system said, with a sentence
 * "PATH: what was found; what to do".
 */
int file_read(const char *path, size_t max, const struct kube_user *as, bool regular,
	      struct secret *out, const struct problem *problem);

/* A file that is followed. All zero but for the path: not read yet. */
struct watched_file {
	const char *path; /* the owner's */
	struct secret content;
	struct stat stat; /* of what was read */
	int64_t checked;  /* ns of CLOCK_MONOTONIC */
	bool read;        /* once, at least */
};

#define FILE_CHECK_INTERVAL INT64_C(1000000000)

/*
 * Reads the file if it has another inode, size or time than what was read; looks at most once
 * in FILE_CHECK_INTERVAL. Symbolic links are followed each time. `check` says whether the content
 * is what it should be (0 or -errno with a sentence); what it refuses is not taken.
 *
 * 1: there is another content; 0: the same; -errno and a sentence as from file_read():
 * the content is what was last read.
 */
int file_follow(struct watched_file *file, int64_t now, const struct kube_user *as,
		int (*check)(const struct watched_file *file, struct secret *content,
			     const struct problem *problem),
		const struct problem *problem);

void file_deinit(struct watched_file *file);

#endif
