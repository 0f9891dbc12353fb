/* SPDX-License-Identifier: MIT */
/*
 * The table for people. Pure functions of the report (and of the time zone). ASCII only; names from
 * outside are escaped. With a width no line is longer, with a height there are no more lines, so
 * that a live view can be drawn over the one before.
 */
#ifndef OUTPUT_TABLE_H
#define OUTPUT_TABLE_H

#include <stdbool.h>
#include <stdio.h>

#include "../callers/report.h"

struct table_options {
	bool wide;   /* more columns: addresses, bytes, processes, times */
	bool colour; /* probes dimmed, warnings yellow */
	int width;   /* of the terminal; 0: no limit */
	int height;  /* lines to use at most, the cut rows said; 0: no limit */
};

/* The live view or, if report->final, the summary: headline, callers, totals, what it rests on,
 * losses. */
void table_print(FILE *file, const struct report *report, const struct table_options *options);

/* The rows of all callers alone, under their titles, and an empty line; nothing if there are none.
 */
void table_print_callers(FILE *file, const struct report *report,
			 const struct table_options *options);

/* One line: elapsed of planned, connections, callers, losses. No newline. */
void table_progress(FILE *file, const struct report *report);

/* One line for a caller just seen, for when the output is not a terminal. */
void table_new_caller(FILE *file, const struct report *report, const struct row *row);

#endif
