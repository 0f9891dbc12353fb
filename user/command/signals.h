/* SPDX-License-Identifier: MIT */
/* The signals that end a session, as a file descriptor, so that the end is always the same, orderly
 * one. */
#ifndef COMMAND_SIGNALS_H
#define COMMAND_SIGNALS_H

/* From now on SIGINT, SIGTERM, SIGHUP and SIGQUIT make it readable, and SIGPIPE is ignored. The
 * descriptor, to be closed, or -errno. */
int signals_open(void);

#endif
