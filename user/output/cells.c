/* SPDX-License-Identifier: MIT */
#include "cells.h"

#include <inttypes.h>

#include "format.h"

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

/* A number of turns says what it is. */
static void cell_requests(const struct report *report, const struct caller *caller, char *buf)
{
	(void)report;
	format_append(buf, CELL, "%" PRIu64 "%s", caller->requests,
		      !caller->overlaps       ? ""
		      : caller->requests == 1 ? " turn"
					      : " turns");
}

static void cell_request_rate(const struct report *report, const struct caller *caller, char *buf)
{
	if (!caller->overlaps)
		format_rate(caller->requests, report->end_ns - report->start_ns, buf);
}

/* A histogram takes no time for 0: that is none. */
static void append_span(uint64_t ns, char *buf)
{
	char text[FORMAT_TEXT];

	if (ns)
		format_append(buf, CELL, "%s", format_span(ns, text));
}

static struct times times_of(const struct caller *caller, enum duration of)
{
	struct times times;

	caller_times(caller, of, &times);
	return times;
}

static void cell_p50(const struct report *report, const struct caller *caller, char *buf)
{
	(void)report;
	append_span(times_of(caller, SERVICE_TIME).p50, buf);
}

static void cell_p90(const struct report *report, const struct caller *caller, char *buf)
{
	(void)report;
	append_span(times_of(caller, SERVICE_TIME).p90, buf);
}

static void cell_p99(const struct report *report, const struct caller *caller, char *buf)
{
	(void)report;
	append_span(times_of(caller, SERVICE_TIME).p99, buf);
}

static void cell_max(const struct report *report, const struct caller *caller, char *buf)
{
	(void)report;
	append_span(times_of(caller, SERVICE_TIME).max, buf);
}

static void cell_response_p50(const struct report *report, const struct caller *caller, char *buf)
{
	(void)report;
	append_span(times_of(caller, RESPONSE_TIME).p50, buf);
}

static void cell_response_p99(const struct report *report, const struct caller *caller, char *buf)
{
	(void)report;
	append_span(times_of(caller, RESPONSE_TIME).p99, buf);
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

void cell_idle(const struct report *report, const struct caller *caller, char *buf)
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
		caller_append_process(caller, buf);
}

/* A few of them; -o json has all. */
static void cell_addresses(const struct report *report, const struct caller *caller, char *buf)
{
	size_t i, n = caller->n_addresses > 4 ? 3 : caller->n_addresses;

	(void)report;
	for (i = 0; i < n; i++) {
		format_append(buf, CELL, "%s", i ? "," : "");
		caller_append_address(caller, i, buf);
	}
	if (n < caller->n_addresses)
		format_append(buf, CELL, ",+%zu", caller->n_addresses - n);
}

const struct column columns_all[COLUMNS] = {
	{"CALLER", cell_caller, 0, 20, false, false, false},
	{"CLASS", cell_class, 7, 0, false, false, false},
	{"KIND", cell_kind, 23, 0, false, true, false},
	{"CONNS", cell_opened, 1, 0, true, false, false},
	{"RATE", cell_rate, 9, 0, true, false, false},
	{"REQ", cell_requests, 2, 0, true, false, true},
	{"REQ/S", cell_request_rate, 8, 0, true, false, true},
	{"P50", cell_p50, 5, 0, true, false, true},
	{"P90", cell_p90, 14, 0, true, true, true},
	{"P99", cell_p99, 3, 0, true, false, true},
	{"MAX", cell_max, 13, 0, true, true, true},
	{"RESP P50", cell_response_p50, 20, 0, true, true, true},
	{"RESP P99", cell_response_p99, 19, 0, true, true, true},
	{"ACCEPTED", cell_accepted, 16, 0, true, true, false},
	{"OPEN", cell_open, 6, 0, true, false, false},
	{"IDLE", cell_idle, 10, 0, true, false, false},
	{"RECEIVED", cell_received, 17, 0, true, true, false},
	{"SENT", cell_sent, 18, 0, true, true, false},
	{"MEAN OPEN", cell_mean, 21, 0, true, true, false},
	{"FIRST", cell_first, 22, 0, true, true, false},
	{"LAST", cell_last, 4, 0, true, false, false},
	{"PODS", cell_pods, 11, 12, false, false, false},
	{"NODE", cell_node, 24, 10, false, true, false},
	{"PROCESS", cell_process, 15, 10, false, true, false},
	{"ADDRESSES", cell_addresses, 12, 15, false, true, false},
};
