/* SPDX-License-Identifier: MIT */
/* What this process may do. */
#ifndef CAPTURE_PRIVILEGES_H
#define CAPTURE_PRIVILEGES_H

#include <stddef.h>

/* One capability that tracing uses. */
struct privilege {
	int number; /* linux/capability.h */
	const char *name;
	const char *reason;
};

extern const struct privilege privileges[];
extern const size_t n_privileges;

/* 1: this process has it, 0: not, or a negative errno. */
int privilege_held(const struct privilege *privilege);

/* Writes the names of those that are missing, with commas; returns their number. */
int privileges_missing(char *names, size_t size);

/* All is loaded and attached: what only that took, or nothing takes, is given up for good. 0 or
 * -errno. */
int privileges_drop(void);

#endif
