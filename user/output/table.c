/* SPDX-License-Identifier: MIT */
#include "table.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "caller-name.h"
#include "columns.h"
#include "footer.h"
#include "format.h"

#define DIM "\033[2m"
#define NO_COLOUR "\033[0m"

static void append_elapsed(const struct report *report, char *buf, size_t size)
{
	char text[FORMAT_TEXT];

	format_append(buf, size, "%s", format_clock(report->end_ns - report->start_ns, text));
	if (report->for_ns)
		format_append(buf, size, " of %s", format_clock(report->for_ns, text));
}

/* The target's name is what is cut: how long it has run must stay readable. */
static void print_headline(FILE *file, const struct report *report, int width)
{
	char asked[1024] = "", right[128] = "";
	size_t n = target_count(report->target);
	int room;

	format_append_safe(asked, sizeof(asked), report->target->text, SIZE_MAX);
	format_append(right, sizeof(right), " (%zu endpoint%s)   ", n, n == 1 ? "" : "s");
	append_elapsed(report, right, sizeof(right));
	room = width - (int)strlen("Who calls ") - (int)strlen(right);
	if (width <= 0 || (int)strlen(asked) <= room) {
		fprintf(file, "Who calls %s%s\n", asked, right);
	} else if (room > 3) {
		fprintf(file, "Who calls %.*s...%s\n", room - 3, asked, right);
	} else {
		right[0] = '\0';
		append_elapsed(report, right, sizeof(right));
		fprintf(file, "%.*s\n", width, right);
	}
}

static bool has_others(const struct report *report)
{
	return report->unattributed || report->others.open.open;
}

static void print_cut(FILE *file, const struct report *report, size_t shown, int width)
{
	size_t n = report_no_probes(report), i;
	uint64_t connections = 0;
	char text[128] = "";

	for (i = shown; i < n; i++)
		connections += report->callers[i].counts.opened;
	format_append(text, sizeof(text), "... %zu more caller%s, %" PRIu64 " connection%s",
		      n - shown, n - shown == 1 ? "" : "s", connections,
		      connections == 1 ? "" : "s");
	fprintf(file, "%.*s\n", width > 0 ? width : (int)strlen(text), text);
}

static void print_probes(FILE *file, const struct columns *columns, bool colour)
{
	const struct report *report = columns->report;
	size_t i = report_no_probes(report);

	fputs("\n", file);
	for (; i < report->n_callers; i++) {
		fputs(colour ? DIM : "", file);
		columns_print_caller(file, columns, &report->callers[i]);
		fputs(colour ? NO_COLOUR "\n" : "\n", file);
	}
}

static void print_callers(FILE *file, const struct report *report, size_t shown,
			  const struct table_options *options)
{
	struct caller others = caller_of_others(report);
	struct columns columns;
	size_t n = report_no_probes(report), i;

	columns_fit(&columns, report, shown, options->wide, options->width);
	columns_print_titles(file, &columns);
	fputs("\n", file);
	for (i = 0; i < shown; i++) {
		columns_print_caller(file, &columns, &report->callers[i]);
		fputs("\n", file);
	}
	if (shown < n)
		print_cut(file, report, shown, options->width);
	if (has_others(report)) {
		columns_print_caller(file, &columns, &others);
		fputs("\n", file);
		footer_print_others(file, report, options);
	}
	if (n < report->n_callers)
		print_probes(file, &columns, options->colour);
	fputs("\n", file);
}

static void print_page(FILE *file, const struct report *report, size_t shown,
		       const struct table_options *options)
{
	print_headline(file, report, options->width);
	fputs("\n", file);
	if (report->n_callers || has_others(report))
		print_callers(file, report, shown, options);
	if (footer_is_quiet(report)) {
		footer_print_quiet(file, report, options);
		fputs("\n", file);
	}
	footer_print_totals(file, report, options);
	if (report->final || options->wide) {
		fputs("\n", file);
		footer_print_basis(file, report, options);
	}
}

/* The page as text, to be freed; NULL: no memory. */
static char *page_make(const struct report *report, size_t shown,
		       const struct table_options *options, int *lines)
{
	char *text = NULL, *at;
	size_t size;
	FILE *file;

	file = open_memstream(&text, &size);
	if (!file)
		return NULL;
	print_page(file, report, shown, options);
	if (fclose(file)) {
		free(text);
		return NULL;
	}
	*lines = 0;
	for (at = text; (at = strchr(at, '\n')); at++)
		++*lines;
	return text;
}

/* Prints at most so many lines. Colours end on the line where they begin. */
static void print_lines(FILE *file, const char *text, int lines)
{
	const char *end;

	for (; lines > 0 && (end = strchr(text, '\n')); lines--) {
		fwrite(text, 1, end - text + 1, file);
		text = end + 1;
	}
}

/* Fewer callers make room, as far as there are any; then the end of the page is cut. */
static void print_within_height(FILE *file, const struct report *report,
				const struct table_options *options)
{
	size_t n = report_no_probes(report), shown = report_shown(report);
	int lines, height = options->height;
	char *text;

	/* no more than could ever be shown: there may be 100,000 */
	if (shown > (size_t)height)
		shown = height;
	text = page_make(report, shown, options, &lines);
	if (text && lines > height && shown) {
		size_t over = lines - height + (shown == n);

		shown = shown > over ? shown - over : 1;
		free(text);
		text = page_make(report, shown, options, &lines);
	}
	if (text)
		print_lines(file, text, height);
	free(text);
}

void table_print(FILE *file, const struct report *report, const struct table_options *options)
{
	if (options->height > 0)
		print_within_height(file, report, options);
	else
		print_page(file, report, report_shown(report), options);
}

void table_print_callers(FILE *file, const struct report *report,
			 const struct table_options *options)
{
	if (report->n_callers || has_others(report))
		print_callers(file, report, report_shown(report), options);
}

void table_progress(FILE *file, const struct report *report)
{
	uint64_t opened = report->attributed + report->unattributed;
	uint64_t lost = report->losses.events + report->losses.untracked + report->losses.clients +
			report->losses.namespaces;
	char elapsed[128] = "";

	append_elapsed(report, elapsed, sizeof(elapsed));
	fprintf(file, "%s  %" PRIu64 " connection%s, %zu caller%s, %" PRIu64 " lost", elapsed,
		opened, opened == 1 ? "" : "s", report->n_callers,
		report->n_callers == 1 ? "" : "s", lost);
	if (report->unattributed)
		fprintf(file, ", %" PRIu64 " unattributed", report->unattributed);
}

/* A row is a caller with one address and at most one pod. */
static struct caller caller_of_row(const struct row *row, struct address *address)
{
	struct caller caller = {
		.class = row->who.class,
		.pod = row->who.pod,
		.node = row->who.node,
		.pid = row->counts.pid,
		.addresses = address,
		.n_addresses = 1,
	};

	memcpy(caller.process, row->key.comm, COMM_SIZE - 1);
	memcpy(address, row->key.peer, sizeof(*address));
	return caller;
}

void table_new_caller(FILE *file, const struct report *report, const struct row *row)
{
	uint64_t when = row->counts.first ? row->counts.first : report->end_ns;
	char name[CALLER_NAME_SIZE], pod[CALLER_NAME_SIZE] = "";
	char time[FORMAT_TEXT], text[ADDRESS_TEXT];
	struct address address;
	struct caller caller = caller_of_row(row, &address);

	if (row->who.pod) {
		format_append(pod, sizeof(pod), "  pod ");
		format_append_safe(pod, sizeof(pod), row->who.pod->pod, SIZE_MAX);
	}
	caller_name(&caller, name);
	address_format(&address, text);
	fprintf(file, "%s %s  %s%s", format_time_of_day(when + report->realtime_offset, time), name,
		who_class_name(caller.class), pod);
	if (strcmp(name, text))
		fprintf(file, "  %s", text);
	fputs("\n", file);
}
