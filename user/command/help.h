/* SPDX-License-Identifier: MIT */
/* What --help prints of the commands that watch a target. */
#ifndef COMMAND_HELP_H
#define COMMAND_HELP_H

#include <stdbool.h>
#include <stdio.h>

/* Of `verify`, or of `trace`. */
void help_print(FILE *file, bool verify);

#endif
