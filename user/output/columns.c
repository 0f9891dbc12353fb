/* SPDX-License-Identifier: MIT */
#include "columns.h"

#include <string.h>

#include "cells.h"

#define GAP 2 /* between columns */

static void cell_make(const struct columns *columns, size_t i, const struct caller *caller,
		      char buf[CELL])
{
	buf[0] = '\0';
	columns_all[i].cell(columns->report, caller, buf);
	if (!buf[0])
		snprintf(buf, CELL, "-");
}

static void widen(struct columns *columns, const struct caller *caller)
{
	char buf[CELL];
	size_t i;

	for (i = 0; i < COLUMNS; i++) {
		int n;

		if (!columns->width[i])
			continue;
		cell_make(columns, i, caller, buf);
		n = strlen(buf);
		if (n > columns->width[i])
			columns->width[i] = n;
	}
}

static bool any_idle(const struct report *report)
{
	size_t i;

	if (report->others.open.idle)
		return true;
	for (i = 0; i < report->n_callers; i++) {
		if (report->callers[i].open.idle)
			return true;
	}
	return false;
}

static int min_width(size_t i, int natural)
{
	int min = columns_all[i].min;

	return min && min < natural ? min : natural;
}

static int min_total(const struct columns *columns)
{
	int total = -GAP;
	size_t i;

	for (i = 0; i < COLUMNS; i++) {
		if (columns->width[i])
			total += GAP + min_width(i, columns->width[i]);
	}
	return total;
}

/* The shown column of the greatest rank not above `below`; COLUMNS if there is none. */
static size_t least_important(const struct columns *columns, int below)
{
	size_t i, found = COLUMNS;

	for (i = 0; i < COLUMNS; i++) {
		if (!columns->width[i] || columns_all[i].rank > below)
			continue;
		if (found == COLUMNS || columns_all[i].rank > columns_all[found].rank)
			found = i;
	}
	return found;
}

static void squeeze(struct columns *columns, int limit)
{
	int natural[COLUMNS], spare, rank;
	size_t i;

	while (min_total(columns) > limit) {
		i = least_important(columns, COLUMNS);
		if (!columns_all[i].rank)
			break;
		columns->width[i] = 0;
	}
	spare = limit - min_total(columns);
	memcpy(natural, columns->width, sizeof(natural));
	for (i = 0; i < COLUMNS; i++)
		columns->width[i] = min_width(i, natural[i]);
	if (spare < 0) {
		columns->width[0] = limit > 4 ? limit : 4;
		return;
	}
	/* what is left over goes to the names, the most important first */
	for (rank = 0; rank <= COLUMNS; rank++) {
		i = least_important(columns, rank);
		if (i == COLUMNS || columns_all[i].rank != rank)
			continue;
		if (natural[i] - columns->width[i] <= spare) {
			spare -= natural[i] - columns->width[i];
			columns->width[i] = natural[i];
		} else {
			columns->width[i] += spare;
			spare = 0;
		}
	}
}

void columns_fit(struct columns *columns, const struct report *report, size_t shown, bool wide,
		 int limit)
{
	struct caller others = caller_of_others(report);
	size_t i;

	*columns = (struct columns){.report = report};
	for (i = 0; i < COLUMNS; i++) {
		const struct column *column = &columns_all[i];

		if (column->wide && !wide)
			continue;
		if (column->requests && !report_requests_known(report))
			continue;
		if (column->cell == cell_idle && !any_idle(report))
			continue;
		columns->width[i] = strlen(column->title);
	}
	for (i = 0; i < report->n_callers; i++) {
		if (i < shown || report->callers[i].class == CLASS_PROBE)
			widen(columns, &report->callers[i]);
	}
	if (others.counts.opened || others.open.open)
		widen(columns, &others);
	if (limit > 0)
		squeeze(columns, limit);
}

static void print_cell(FILE *file, const struct columns *columns, size_t i, const char *text,
		       bool last)
{
	int width = columns->width[i], n = strlen(text);

	if (n > width)
		fprintf(file, "%.*s...", width - 3, text);
	else if (columns_all[i].right)
		fprintf(file, "%*s", width, text);
	else
		fprintf(file, "%-*s", last ? 0 : width, text);
	if (!last)
		fputs("  ", file);
}

static void print_line(FILE *file, const struct columns *columns, const struct caller *caller)
{
	char buf[CELL];
	size_t i, last = 0;

	for (i = 0; i < COLUMNS; i++) {
		if (columns->width[i])
			last = i;
	}
	for (i = 0; i <= last; i++) {
		if (!columns->width[i])
			continue;
		if (caller)
			cell_make(columns, i, caller, buf);
		print_cell(file, columns, i, caller ? buf : columns_all[i].title, i == last);
	}
}

void columns_print_titles(FILE *file, const struct columns *columns)
{
	print_line(file, columns, NULL);
}

void columns_print_caller(FILE *file, const struct columns *columns, const struct caller *caller)
{
	print_line(file, columns, caller);
}
