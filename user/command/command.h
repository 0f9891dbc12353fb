/* SPDX-License-Identifier: MIT */
/*
 * The subcommands. Each takes its own name as argv[0] and returns the exit status: 0, or one of
 * sysexits.h (64 usage, 65 bad data, 66 no such input, 69 not possible here, 71 system, 73 a file
 * can't be made, 74 output, 77 not permitted, 78 configuration), so that none can be taken for a
 * verdict, which verify alone has: 0, 1 and 2.
 */
#ifndef COMMAND_COMMAND_H
#define COMMAND_COMMAND_H

#include <stdbool.h>
#include <stdio.h>

#include "../output/table.h"

int trace_main(int argc, char **argv);
int verify_main(int argc, char **argv);
int doctor_main(int argc, char **argv);
int agent_main(int argc, char **argv);

/*
 * Flushes standard output at the end. 0; EX_IOERR with a message if it could not be written; 0
 * without one if the reader of a pipe has gone (as `head` does).
 */
int command_finish(FILE *file);

/* As large as the terminal and in colour, where standard output is one. */
struct table_options command_table(bool wide);

#endif
