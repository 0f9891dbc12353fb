/* SPDX-License-Identifier: MIT */
/* Where a function leaves its one sentence about what failed. */
#ifndef KUBE_PROBLEM_H
#define KUBE_PROBLEM_H

#include <stddef.h>

struct problem {
	char *text;
	size_t size;
};

/* What files and programs say goes to a terminal: each byte that isn't printable ASCII becomes
 * '?'. */
void problem_printable(char *text);

/* Writes the sentence, printable and as far as there is room for it. Returns r. */
int problem_set(const struct problem *problem, int r, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

int problem_no_memory(const struct problem *problem);

#endif
