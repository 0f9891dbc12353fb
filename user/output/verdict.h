/* SPDX-License-Identifier: MIT */
/*
 * The verdict for people: in one line, then why, what it rests on, and what to do next. Pure
 * functions of a report whose traffic, coverage and verdict are set. ASCII only; names from outside
 * are escaped.
 */
#ifndef OUTPUT_VERDICT_H
#define OUTPUT_VERDICT_H

#include <stddef.h>
#include <stdio.h>

#include "../callers/report.h"
#include "table.h"

/*
 * TRAFFIC is red, UNPROVEN yellow, QUIET green, with options->colour. Lines fit options->width;
 * wide and height have no effect. Lists are cut after VERDICT_LINES lines, and say so.
 */
void verdict_print(FILE *file, const struct report *report, const struct table_options *options);
#define VERDICT_LINES 20

/* The one line: "QUIET: nobody called svc/web in buffer in 10m". Appends to buf, as
 * format_append(); not escaped. */
const char *verdict_statement(const struct report *report, char *buf, size_t size);

#endif
