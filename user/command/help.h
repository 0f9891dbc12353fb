/* SPDX-License-Identifier: MIT */
/* What --help prints of the commands that watch. */
#ifndef COMMAND_HELP_H
#define COMMAND_HELP_H

#include <stdio.h>

#include "options.h"

void help_print(FILE *file, enum options_of of);

#endif
