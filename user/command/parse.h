/* SPDX-License-Identifier: MIT */
/* Values as they stand on a command line, or in a question to the agent. */
#ifndef COMMAND_PARSE_H
#define COMMAND_PARSE_H

#include <stdint.h>

/* A whole number at the start of the text; no sign, no space. *end: what follows. 0, -EINVAL: none,
 * -ERANGE: too large. */
int number_parse(const char *text, const char **end, uint64_t *number);

/*
 * Reads a duration with its unit: 500ms, 10s, 5m, 2h, 1d, also 1h30m; at most 30 days. 0 and
 * nanoseconds, or -EINVAL and in *problem what is wrong with it, as a clause.
 */
int duration_parse(const char *text, uint64_t *ns, const char **problem);

/* Reads a size: 4096, 64k, 8M, with optional iB. 0, or -EINVAL. */
int size_parse(const char *text, uint64_t *bytes);

#endif
