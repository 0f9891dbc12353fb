/* SPDX-License-Identifier: MIT */
#include "json-history.h"

#include <errno.h>
#include <stdlib.h>

#include "json-parts.h"

#define MINUTE_NS (INT64_C(60) * 1000000000)

struct found_caller {
	json_t *json;
	uint64_t opened; /* to be sorted by */
};

struct found {
	struct found_caller *callers;
	size_t n, room;
	uint64_t sum_opened, sum_requests;
	int r;
};

/* null for UINT32_MAX. */
static json_t *json_minute(uint32_t minute)
{
	return minute == UINT32_MAX ? json_null() : json_real_time(minute * MINUTE_NS);
}

static json_t *json_row_connections(const struct history_row *row)
{
	return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "opened",
			 (json_int_t)row->opened, "accepted", (json_int_t)row->accepted, "closed",
			 (json_int_t)row->closed, "open", (json_int_t)row->open, "before",
			 (json_int_t)row->before, "refused", (json_int_t)row->refused, "stray",
			 (json_int_t)row->stray, "pending", (json_int_t)row->pending);
}

static json_t *json_row(const struct history_row *row)
{
	return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:b, s:o, s:I, s:I, s:I, s:o, s:o, s:o, "
			 "s:b}",
			 "class", json_text(who_class_name(row->class)), "kind",
			 json_name(row->kind), "namespace", json_name(row->namespace), "name",
			 json_name(row->name), "process", json_name(row->process), "node",
			 json_name(row->node), "ignored", row->ignored, "connections",
			 json_row_connections(row), "requests", (json_int_t)row->requests,
			 "bytes_received", (json_int_t)row->bytes_received, "bytes_sent",
			 (json_int_t)row->bytes_sent, "first_minute", json_minute(row->first),
			 "last_minute", json_minute(row->last), "last_seen",
			 json_real_time(row->last_seen), "uncertain", row->uncertain);
}

static int make_room(struct found *found)
{
	size_t room = found->room ? 2 * found->room : 16;
	struct found_caller *callers;

	if (found->n < found->room)
		return 0;
	callers = reallocarray(found->callers, room, sizeof(*callers));
	if (!callers)
		return -ENOMEM;
	found->callers = callers;
	found->room = room;
	return 0;
}

/* In its place: there are few. */
static void take(const struct history_row *row, void *arg)
{
	struct found *found = arg;
	json_t *json = json_row(row);
	size_t at;

	if (!json || make_room(found)) {
		json_decref(json);
		found->r = -ENOMEM;
		return;
	}
	for (at = found->n++; at && found->callers[at - 1].opened < row->opened; at--)
		found->callers[at] = found->callers[at - 1];
	found->callers[at] = (struct found_caller){json, row->opened};
	found->sum_opened += row->opened;
	found->sum_requests += row->requests;
}

/* Takes them over. NULL: no memory. */
static json_t *json_callers(struct found *found)
{
	json_t *array = json_array();

	for (size_t i = 0; i < found->n; i++)
		if (!array || json_array_append_new(array, found->callers[i].json))
			found->r = -ENOMEM;
	free(found->callers);
	if (!found->r)
		return array;
	json_decref(array);
	return NULL;
}

static json_t *json_document(const struct history *history, const struct history_question *question)
{
	uint32_t since = history_minute(question->asked);
	struct history_window window = {.start = since};
	struct found found = {};

	history_window(history, &question->target, since, question->now, &window);
	history_since(history, &question->target, since, take, &found);
	return json_pack(
		"{s:s, s:o, s:{s:o, s:o, s:o}, s:{s:o, s:o, s:o, s:b, s:o}, s:o, s:{s:I, s:I}}",
		"schema", "whocalls/v1", "node", json_name(question->node), "target", "namespace",
		json_text(question->target.namespace), "name", json_text(question->target.service),
		"uid", json_name(question->target.uid), "window", "asked",
		json_real_time(question->asked), "start", json_minute(window.start), "end",
		json_real_time(question->now), "complete", window.complete, "reaches",
		json_minute(history_reaches(history, &question->target)), "callers",
		json_callers(&found), "totals", "opened", (json_int_t)found.sum_opened, "requests",
		(json_int_t)found.sum_requests);
}

int json_history(FILE *file, const struct history *history, const struct history_question *question)
{
	return json_write(file, json_document(history, question));
}

/* What `more` has comes to the member of this name. */
static int add_members(json_t *document, const char *name, json_t *more)
{
	int r = json_object_update_missing(json_object_get(document, name), more);

	json_decref(more);
	return r;
}

int json_history_verdict(FILE *file, const struct history *history,
			 const struct history_question *question, const struct report *report)
{
	json_t *document = json_document(history, question);
	const struct span window = report->coverage->window;

	if (add_members(document, "target", json_target(report)) ||
	    add_members(document, "window",
			json_pack("{s:f, s:b}", "seconds", (window.until - window.since) / 1e9,
				  "final", report->final)) ||
	    json_object_set_new(document, "coverage", json_coverage(report)) ||
	    json_object_set_new(document, "verdict", json_verdict(report))) {
		json_decref(document);
		return -ENOMEM;
	}
	return json_write(file, document);
}
