/* SPDX-License-Identifier: MIT */
/* What a caller is called. */
#ifndef OUTPUT_CALLER_NAME_H
#define OUTPUT_CALLER_NAME_H

#include <stddef.h>

#include "../callers/report.h"

#define CALLER_NAME_SIZE 1400 /* namespace/workload, every byte escaped */

/*
 * What a caller is called in one word or a few: namespace/workload, process and pid, node, address.
 * A caller of no class in particular and without an address is "(others)".
 */
const char *caller_name(const struct caller *caller, char buf[CALLER_NAME_SIZE]);

/* The row of those whose caller is not known, as a caller. */
struct caller caller_of_others(const struct report *report);

/* Both append to a buffer of CALLER_NAME_SIZE: "curl (pid 812)", and one of the addresses. */
void caller_append_process(const struct caller *caller, char *buf);
void caller_append_address(const struct caller *caller, size_t i, char *buf);

#endif
