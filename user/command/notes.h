/* SPDX-License-Identifier: MIT */
/* Sentences that a report carries: what can't be seen from where it runs, and what the API does not
 * tell. */
#ifndef COMMAND_NOTES_H
#define COMMAND_NOTES_H

#include <stddef.h>

#include "../callers/target.h"
#include "cluster.h"

struct notes {
	char *text[12];
	size_t n;
};

/* Fills *notes anew; all zero at first. `now`:
 * CLOCK_MONOTONIC ns. */
void notes_make(struct notes *notes, const struct target *target, const struct cluster *cluster,
		uint64_t now);
void notes_deinit(struct notes *notes);

#endif
