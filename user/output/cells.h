/* SPDX-License-Identifier: MIT */
/* What each column of the table shows of a caller. */
#ifndef OUTPUT_CELLS_H
#define OUTPUT_CELLS_H

#include <stdbool.h>

#include "../callers/report.h"
#include "caller-name.h"
#include "columns.h"

#define CELL CALLER_NAME_SIZE

struct column {
	const char *title;
	/* appends to an empty buffer of CELL; nothing: there is none */
	void (*cell)(const struct report *report, const struct caller *caller, char *buf);
	int rank; /* the greatest is dropped first; 0: never */
	int min;  /* names are cut down to so many characters before a column goes; 0: never cut */
	bool right;
	bool wide;     /* only then */
	bool requests; /* only where they are known */
};

/* In the order in which they stand. */
extern const struct column columns_all[COLUMNS];

/* The one that is there only if any connection is idle. */
void cell_idle(const struct report *report, const struct caller *caller, char *buf);

#endif
