/* SPDX-License-Identifier: MIT */
#include "json.h"

#include <errno.h>
#include <string.h>

#include "json-parts.h"

#define SCHEMA "whocalls/v1"

/* A document that is being written, member by member. */
struct writer {
	FILE *file;
	bool indented;
	bool begun; /* has a member or element already, on the level that is being written */
	int depth;
	int r; /* first error; then nothing more is written */
};

static void new_line(struct writer *w)
{
	if (w->indented)
		fprintf(w->file, "\n%*s", 2 * w->depth, "");
}

/* jansson indents from the left edge: move it in. A newline can't be inside a string. */
static int write_indented(const char *buffer, size_t size, void *data)
{
	struct writer *w = data;
	const char *end = buffer + size, *line;

	for (; (line = memchr(buffer, '\n', end - buffer)); buffer = line + 1) {
		fwrite(buffer, 1, line - buffer, w->file);
		new_line(w);
	}
	fwrite(buffer, 1, end - buffer, w->file);
	return 0;
}

/* Writes a value and drops it. `name` NULL: an element of an array. NULL: there was no memory. */
static void write_value(struct writer *w, const char *name, json_t *value)
{
	size_t flags =
		JSON_ENCODE_ANY | JSON_REAL_PRECISION(15) | (w->indented ? JSON_INDENT(2) : 0);

	if (!value)
		w->r = w->r ? w->r : -ENOMEM;
	if (w->r)
		goto out;
	if (w->begun)
		fputs(w->indented ? "," : ", ", w->file);
	w->begun = true;
	new_line(w);
	if (name)
		fprintf(w->file, "\"%s\": ", name);
	if (json_dump_callback(value, write_indented, w, flags))
		w->r = -ENOMEM;
out:
	json_decref(value);
}

static void begin(struct writer *w, const char *name, char bracket)
{
	if (w->r)
		return;
	if (w->begun)
		fputs(w->indented ? "," : ", ", w->file);
	if (name) {
		new_line(w);
		fprintf(w->file, "\"%s\": ", name);
	}
	fputc(bracket, w->file);
	w->depth++;
	w->begun = false;
}

static void end(struct writer *w, char bracket)
{
	if (w->r)
		return;
	w->depth--;
	if (w->begun)
		new_line(w);
	fputc(bracket, w->file);
	w->begun = true;
}

static int finish(struct writer *w, bool flush)
{
	fputc('\n', w->file);
	if (flush)
		fflush(w->file);
	if (ferror(w->file))
		return -EIO;
	return w->r;
}

/* Those that are shown, and the probes, which come after all. */
static void write_callers(struct writer *w, const struct report *report)
{
	size_t shown = report_shown(report), probes = report_no_probes(report), i;

	begin(w, "callers", '[');
	for (i = 0; i < report->n_callers && !w->r && !ferror(w->file); i++) {
		if (i < shown || i >= probes)
			write_value(w, NULL, json_caller(report, &report->callers[i]));
	}
	end(w, ']');
	if (report->top)
		write_value(w, "callers_left_out", json_integer((json_int_t)(probes - shown)));
}

static void write_document(struct writer *w, const struct report *report)
{
	write_value(w, "target", json_target(report));
	write_value(w, "window", json_window(report));
	write_callers(w, report);
	write_value(w, "others", json_others(report));
	write_value(w, "totals", json_totals(report));
	write_value(w, "coverage", json_coverage(report));
	if (report->verdict)
		write_value(w, "verdict", json_verdict(report));
}

int json_report(FILE *file, const struct report *report)
{
	struct writer w = {.file = file, .indented = true};

	begin(&w, NULL, '{');
	write_value(&w, "schema", json_string(SCHEMA));
	write_document(&w, report);
	end(&w, '}');
	return finish(&w, true);
}

static void begin_line(struct writer *w, const char *event, json_t *time)
{
	begin(w, NULL, '{');
	write_value(w, "schema", json_string(SCHEMA));
	write_value(w, "event", json_string(event));
	write_value(w, "time", time);
}

int json_start(FILE *file, const struct report *report)
{
	struct writer w = {.file = file};

	begin_line(&w, "start", json_time(report, report->start_ns));
	write_value(&w, "target", json_target(report));
	write_value(&w, "window", json_window(report));
	write_value(&w, "hooks", json_hooks(report));
	end(&w, '}');
	return finish(&w, true);
}

int json_summary(FILE *file, const struct report *report)
{
	struct writer w = {.file = file};

	begin_line(&w, "summary", json_time(report, report->end_ns));
	write_document(&w, report);
	end(&w, '}');
	return finish(&w, true);
}

static const char *event_name(const struct event *event)
{
	switch (event->type) {
	case EVENT_CALLER:
		return "caller";
	case EVENT_OPENED:
		return "opened";
	case EVENT_CLOSED:
		return "closed";
	default:
		return "unknown";
	}
}

/* The ways in which connections end by themselves; others by number. */
static json_t *json_error(uint32_t error)
{
	switch (error) {
	case 0:
		return json_null();
	case ECONNRESET:
		return json_string("ECONNRESET");
	case EPIPE:
		return json_string("EPIPE");
	case ETIMEDOUT:
		return json_string("ETIMEDOUT");
	case ECONNABORTED:
		return json_string("ECONNABORTED");
	case EHOSTUNREACH:
		return json_string("EHOSTUNREACH");
	case ENETUNREACH:
		return json_string("ENETUNREACH");
	default:
		return json_sprintf("errno %u", error);
	}
}

static void write_peer(struct writer *w, const struct event *event)
{
	struct address address;

	memcpy(&address, event->key.peer, sizeof(address));
	write_value(w, "peer",
		    json_pack("{s:o, s:i}", "address", json_address(&address), "port",
			      (int)event->peer_port));
}

static void write_who(struct writer *w, const struct who *who)
{
	const struct pod_name *pod = who->pod;
	const char *node = pod ? pod->node : who->node;

	write_value(w, "class", json_text(who_class_name(who->class)));
	write_value(w, "kind", json_name(pod ? pod->kind : NULL));
	write_value(w, "namespace", json_name(pod ? pod->namespace : NULL));
	write_value(w, "name", json_name(pod ? pod->workload : who->node));
	write_value(w, "pod", json_name(pod ? pod->pod : NULL));
	write_value(w, "node", json_name(node));
}

int json_event(FILE *file, const struct report *report, const struct event *event,
	       const struct who *who)
{
	struct writer w = {.file = file};
	uint32_t endpoint = event->key.endpoint;
	const struct target *target = report->target;

	begin_line(&w, event_name(event), json_time(report, event->time));
	write_value(&w, "connection", json_integer(event->connection));
	write_peer(&w, event);
	write_value(&w, "endpoint",
		    endpoint < target->n_endpoints ? json_endpoint(&target->endpoints[endpoint])
						   : json_null());
	if (who)
		write_who(&w, who);
	write_value(&w, "process",
		    event->key.comm[0] ? json_text_max(event->key.comm, COMM_SIZE) : json_null());
	write_value(&w, "pid", json_number_or_null(event->pid));
	write_value(&w, "cgroup", json_number_or_null(event->key.cgroup));
	if (event->type == EVENT_CLOSED) {
		write_value(&w, "open_seconds", json_seconds(event->open_time));
		write_value(&w, "bytes_received", json_integer(event->bytes_received));
		write_value(&w, "bytes_sent", json_integer(event->bytes_sent));
		write_value(&w, "error", json_error(event->error));
	}
	end(&w, '}');
	return finish(&w, false);
}
