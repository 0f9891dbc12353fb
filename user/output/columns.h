/* SPDX-License-Identifier: MIT */
/* The columns of the table: what each shows of a caller, and how they share a line. */
#ifndef OUTPUT_COLUMNS_H
#define OUTPUT_COLUMNS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "../callers/report.h"

#define COLUMNS 25

struct columns {
	const struct report *report;
	int width[COLUMNS]; /* 0: not shown */
};

/*
 * Lays the columns out for the first `shown` callers, the others' row and the probes. `limit`:
 * characters in a line, 0: any number. What does not fit is cut: first long names down to a
 * readable length, then whole columns, the least important first.
 */
void columns_fit(struct columns *columns, const struct report *report, size_t shown, bool wide,
		 int limit);

/* One line each, without its newline. */
void columns_print_titles(FILE *file, const struct columns *columns);
void columns_print_caller(FILE *file, const struct columns *columns, const struct caller *caller);

#endif
