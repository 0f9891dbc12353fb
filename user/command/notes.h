/* SPDX-License-Identifier: MIT */
/* Sentences that every report of this trace carries: what it can't see from where it runs. */
#ifndef COMMAND_NOTES_H
#define COMMAND_NOTES_H

#include <stddef.h>

#include "../callers/target.h"

struct notes {
	char *text[4];
	size_t n;
};

/* Fills *notes, which starts as all zero. Looks at this process's PID namespace and this node's
 * name. */
void notes_make(struct notes *notes, const struct target *target);
void notes_deinit(struct notes *notes);

#endif
