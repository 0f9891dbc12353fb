/* SPDX-License-Identifier: MIT */
#include "columns.h"

#include <inttypes.h>
#include <string.h>

#include "format.h"

#define CELL CALLER_NAME_SIZE
#define GAP 2 /* between columns */

struct column {
	const char *title;
	void (*cell)(const struct report *report, const struct caller *caller, char *buf);
	int rank; /* the greatest is dropped first; 0: never */
	int min;  /* names are cut down to so many characters before a column goes; 0: never cut */
	bool right;
	bool wide; /* only then */
};

static void append_process(const struct caller *caller, char *buf)
{
	format_append_safe(buf, CELL, caller->process, COMM_SIZE);
	if (caller->pid)
		format_append(buf, CELL, " (pid %" PRIu32 ")", caller->pid);
}

static void append_address(const struct caller *caller, size_t i, char *buf)
{
	char text[ADDRESS_TEXT];

	format_append(buf, CELL, "%s", address_format(&caller->addresses[i], text));
}

static void append_workload(const struct caller *caller, char *buf)
{
	format_append_safe(buf, CELL, caller->pod->namespace, SIZE_MAX);
	format_append(buf, CELL, "/");
	format_append_safe(buf, CELL, caller->pod->workload, SIZE_MAX);
}

const char *caller_name(const struct caller *caller, char buf[CALLER_NAME_SIZE])
{
	buf[0] = '\0';
	if (caller->pod) {
		append_workload(caller, buf);
		/* of the same pod, the container is what tells one from another */
		if (caller->class == CLASS_LOOPBACK && caller->process[0]) {
			format_append(buf, CELL, " ");
			append_process(caller, buf);
		}
	} else if (caller->class == CLASS_NODE && caller->node) {
		format_append_safe(buf, CELL, caller->node, SIZE_MAX);
	} else if (caller->class == CLASS_WORKLOAD) {
		if (caller->process[0]) {
			append_process(caller, buf);
			format_append(buf, CELL, " in ");
		}
		format_append(buf, CELL, "unknown pod");
		if (caller->pod_uid) {
			format_append(buf, CELL, " ");
			format_append_safe(buf, CELL, caller->pod_uid, SIZE_MAX);
		}
	} else if (caller->process[0]) {
		append_process(caller, buf);
	} else if (caller->class == CLASS_PROBE) {
		format_append(buf, CELL, "kubelet");
	} else if (caller->n_addresses) {
		append_address(caller, 0, buf);
	} else {
		format_append(buf, CELL, "(others)");
	}
	return buf;
}

struct caller caller_of_others(const struct report *report)
{
	return (struct caller){
		.class = CLASS_UNKNOWN,
		.counts = report->others.counts,
		.open = report->others.open,
		.first_seen = report->others.counts.first,
		.last_seen = report->others.counts.last,
	};
}

static void cell_caller(const struct report *report, const struct caller *caller, char *buf)
{
	(void)report;
	caller_name(caller, buf);
}

static void cell_class(const struct report *report, const struct caller *caller, char *buf)
{
	(void)report;
	format_append(buf, CELL, "%s", who_class_name(caller->class));
}

static void cell_kind(const struct report *report, const struct caller *caller, char *buf)
{
	(void)report;
	if (caller->pod)
		format_append_safe(buf, CELL, caller->pod->kind, SIZE_MAX);
}

static void cell_opened(const struct report *report, const struct caller *caller, char *buf)
{
	(void)report;
	format_append(buf, CELL, "%" PRIu64, (uint64_t)caller->counts.opened);
}

static void cell_rate(const struct report *report, const struct caller *caller, char *buf)
{
	format_rate(caller->counts.opened, report->end_ns - report->start_ns, buf);
}

static void cell_accepted(const struct report *report, const struct caller *caller, char *buf)
{
	(void)report;
	format_append(buf, CELL, "%" PRIu64, (uint64_t)caller->counts.accepted);
}

static void cell_open(const struct report *report, const struct caller *caller, char *buf)
{
	(void)report;
	format_append(buf, CELL, "%" PRIu64, caller->open.open);
}

static void cell_idle(const struct report *report, const struct caller *caller, char *buf)
{
	(void)report;
	format_append(buf, CELL, "%" PRIu64, caller->open.idle);
}

static void append_ago(const struct report *report, uint64_t time, char *buf)
{
	char text[FORMAT_TEXT];

	if (!time)
		return;
	time = report->end_ns > time ? report->end_ns - time : 0;
	format_append(buf, CELL, "%s ago", format_age(time, text));
}

static void cell_last(const struct report *report, const struct caller *caller, char *buf)
{
	append_ago(report, caller->last_seen, buf);
}

static void cell_first(const struct report *report, const struct caller *caller, char *buf)
{
	append_ago(report, caller->first_seen, buf);
}

static void cell_pods(const struct report *report, const struct caller *caller, char *buf)
{
	(void)report;
	if (caller->n_pods == 1)
		format_append_safe(buf, CELL, caller->pods[0], SIZE_MAX);
	else if (caller->n_pods)
		format_append(buf, CELL, "%zu", caller->n_pods);
}

static void cell_received(const struct report *report, const struct caller *caller, char *buf)
{
	(void)report;
	format_bytes(caller->counts.bytes_received + caller->open.bytes_received, buf);
}

static void cell_sent(const struct report *report, const struct caller *caller, char *buf)
{
	(void)report;
	format_bytes(caller->counts.bytes_sent + caller->open.bytes_sent, buf);
}

static void cell_mean(const struct report *report, const struct caller *caller, char *buf)
{
	(void)report;
	if (caller->counts.closed)
		format_span(caller->counts.open_time / caller->counts.closed, buf);
}

static void cell_node(const struct report *report, const struct caller *caller, char *buf)
{
	(void)report;
	if (caller->node)
		format_append_safe(buf, CELL, caller->node, SIZE_MAX);
}

static void cell_process(const struct report *report, const struct caller *caller, char *buf)
{
	(void)report;
	if (caller->process[0])
		append_process(caller, buf);
}

/* A few of them; -o json has all. */
static void cell_addresses(const struct report *report, const struct caller *caller, char *buf)
{
	size_t i, n = caller->n_addresses > 4 ? 3 : caller->n_addresses;

	(void)report;
	for (i = 0; i < n; i++) {
		format_append(buf, CELL, "%s", i ? "," : "");
		append_address(caller, i, buf);
	}
	if (n < caller->n_addresses)
		format_append(buf, CELL, ",+%zu", caller->n_addresses - n);
}

/* In the order in which they stand. */
static const struct column columns_all[COLUMNS] = {
	{"CALLER", cell_caller, 0, 20, false, false},
	{"CLASS", cell_class, 2, 0, false, false},
	{"KIND", cell_kind, 15, 0, false, true},
	{"CONNS", cell_opened, 1, 0, true, false},
	{"RATE", cell_rate, 4, 0, true, false},
	{"ACCEPTED", cell_accepted, 10, 0, true, true},
	{"OPEN", cell_open, 3, 0, true, false},
	{"IDLE", cell_idle, 6, 0, true, false},
	{"RECEIVED", cell_received, 11, 0, true, true},
	{"SENT", cell_sent, 12, 0, true, true},
	{"MEAN OPEN", cell_mean, 13, 0, true, true},
	{"FIRST", cell_first, 14, 0, true, true},
	{"LAST", cell_last, 5, 0, true, false},
	{"PODS", cell_pods, 7, 12, false, false},
	{"NODE", cell_node, 16, 10, false, true},
	{"PROCESS", cell_process, 9, 10, false, true},
	{"ADDRESSES", cell_addresses, 8, 15, false, true},
};

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
