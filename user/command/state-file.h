/* SPDX-License-Identifier: MIT */
/* --state DIR of the agent: the file "history" in it, and what is done with a damaged one. */
#ifndef COMMAND_STATE_FILE_H
#define COMMAND_STATE_FILE_H

#include <stddef.h>
#include <stdint.h>

#include "../callers/history.h"

/*
 * Reads DIR/history into a history that is empty. 0: it was read, or there is none, and *said is
 * "". 1: it was no good, and put aside as history.damaged-TIMESTAMP, or else of no use; the history
 * is empty and *said has a sentence. A negative errno and a sentence: DIR can't be used. `now`:
 * seconds since 1970, UTC.
 */
int state_file_load(const char *dir, struct history *history, int64_t now, char *said,
		    size_t said_size);

/*
 * Writes DIR/history: beside it first, and into its place when all of it is on the disk. 0, or
 * -errno and a sentence; then what was there before is there still, and nothing else.
 */
int state_file_save(const char *dir, const struct history *history, char *said, size_t said_size);

#endif
