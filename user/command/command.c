/* SPDX-License-Identifier: MIT */
#include "command.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio_ext.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sysexits.h>
#include <unistd.h>

/* stdio keeps that a write failed, but not why: of a pipe, poll() tells whether its reader has
 * gone. */
static bool reader_gone(FILE *file)
{
	struct pollfd fd = {.fd = fileno(file)};

	return poll(&fd, 1, 0) == 1 && fd.revents & POLLERR;
}

int command_finish(FILE *file)
{
	errno = 0;
	if (ferror(file))
		__fpurge(file); /* else it would be tried again, here and at the exit */
	else if (!fflush(file))
		return 0;
	if (errno == EPIPE || reader_gone(file))
		return 0;
	fprintf(stderr,
		"whocalls: writing to standard output: %s; what was written is not complete\n",
		errno ? strerror(errno) : "it failed");
	return EX_IOERR;
}

struct table_options command_table(bool wide)
{
	struct winsize window = {};
	bool terminal = isatty(STDOUT_FILENO);

	if (terminal)
		ioctl(STDOUT_FILENO, TIOCGWINSZ, &window);
	return (struct table_options){
		.wide = wide,
		.colour = terminal && !getenv("NO_COLOR"),
		.width = window.ws_col,
		.height = window.ws_row,
	};
}
