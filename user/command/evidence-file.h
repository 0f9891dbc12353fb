/* SPDX-License-Identifier: MIT */
/* --evidence FILE: the whole document, or no file. */
#ifndef COMMAND_EVIDENCE_FILE_H
#define COMMAND_EVIDENCE_FILE_H

#include <stddef.h>

#include "../callers/report.h"

/* Whether the file can be made, before a long watch: 0, or -errno and a sentence. */
int evidence_file_check(const char *path, char *error, size_t error_size);

/*
 * Writes the report as JSON beside the file, and puts it in the file's place when all of it is on
 * the disk. What is no regular file (a FIFO, /dev/fd/3) is written to directly. 0, or -errno and a
 * sentence; then what was there before is there still.
 */
int evidence_file_write(const char *path, const struct report *report, char *error,
			size_t error_size);

#endif
