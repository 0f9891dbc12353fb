/* SPDX-License-Identifier: MIT */
/*
 * The subcommands. Each takes its own name as argv[0] and returns the exit status: 0, or one of
 * sysexits.h (64 usage, 65 bad data, 66 no such input, 69 not possible here, 71 system, 74 output,
 * 77 not permitted), so that none can be taken for a verdict.
 */
#ifndef COMMAND_COMMAND_H
#define COMMAND_COMMAND_H

#include <stdio.h>

int trace_main(int argc, char **argv);
int doctor_main(int argc, char **argv);

/*
 * Flushes standard output at the end. 0; EX_IOERR with a message if it could not be written; 0
 * without one if the reader of a pipe has gone (as `head` does).
 */
int command_finish(FILE *file);

#endif
