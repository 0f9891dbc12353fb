/* SPDX-License-Identifier: MIT */
#include "json-parts.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "caller-name.h"
#include "format.h"

/* Length of the UTF-8 character at `text`; 0: it is none. jansson knows what it will take. */
static size_t character_length(const char *text, size_t max)
{
	size_t n;

	for (n = 1; n <= 4 && n <= max && text[n - 1]; n++) {
		json_t *character = json_stringn(text, n);

		if (character) {
			json_decref(character);
			return n;
		}
	}
	return 0;
}

static json_t *json_text_escaped(const char *text, size_t size)
{
	char *escaped = malloc(4 * size + 1), *at = escaped;
	json_t *json;
	size_t i = 0;

	if (!escaped)
		return NULL;
	while (i < size) {
		size_t n = character_length(text + i, size - i);

		if (n) {
			memcpy(at, text + i, n);
			at += n;
			i += n;
		} else {
			at += sprintf(at, "\\x%02x", (unsigned char)text[i++]);
		}
	}
	json = json_stringn(escaped, at - escaped);
	free(escaped);
	return json;
}

json_t *json_text_max(const char *text, size_t max)
{
	size_t size;
	json_t *json;

	if (!text)
		return json_null();
	size = strnlen(text, max);
	json = json_stringn(text, size);
	return json ? json : json_text_escaped(text, size);
}

json_t *json_text(const char *text)
{
	return json_text_max(text, SIZE_MAX);
}

json_t *json_name(const char *text)
{
	return json_text(text && *text ? text : NULL);
}

json_t *json_number_or_null(uint64_t number)
{
	return number ? json_integer(number) : json_null();
}

json_t *json_seconds(uint64_t ns)
{
	return json_real(ns / 1e9);
}

int json_write(FILE *file, json_t *document)
{
	int r;

	if (!document)
		return -ENOMEM;
	r = json_dumpf(document, file, JSON_INDENT(2)) ? -EIO : 0;
	json_decref(document);
	fputc('\n', file);
	return ferror(file) ? -EIO : r;
}

json_t *json_real_time(int64_t ns)
{
	char text[FORMAT_TEXT];

	return ns ? json_string(format_time(ns, text)) : json_null();
}

json_t *json_time(const struct report *report, uint64_t ns)
{
	char text[FORMAT_TEXT];

	return ns ? json_string(format_time(ns + report->realtime_offset, text)) : json_null();
}

json_t *json_address(const struct address *address)
{
	char text[ADDRESS_TEXT];

	return json_string(address_is_any(address) ? "any" : address_format(address, text));
}

json_t *json_endpoint(const struct endpoint *endpoint)
{
	const struct pod_name *pod = endpoint->pod;

	return json_pack("{s:o, s:o, s:o, s:o, s:o, s:i}", "namespace",
			 json_name(pod ? pod->namespace : NULL), "pod",
			 json_name(pod ? pod->pod : NULL), "uid", json_name(pod ? pod->uid : NULL),
			 "node", json_name(pod ? pod->node : NULL), "address",
			 json_address(&endpoint->address), "port", (int)endpoint->port);
}

json_t *json_target(const struct report *report)
{
	json_t *endpoints = json_array();
	size_t i;
	int r = 0;

	for (i = 0; i < report->target->n_endpoints && !r; i++)
		r = json_array_append_new(endpoints, json_endpoint(&report->target->endpoints[i]));
	if (r) {
		json_decref(endpoints);
		return NULL;
	}
	return json_pack("{s:o, s:o}", "asked", json_text(report->target->text), "endpoints",
			 endpoints);
}

json_t *json_counted(bool counted, uint64_t n)
{
	return counted ? json_integer((json_int_t)n) : json_null();
}

json_t *json_window(const struct report *report)
{
	return json_pack("{s:o, s:o, s:o, s:o, s:b}", "start", json_time(report, report->start_ns),
			 "end", json_time(report, report->end_ns), "seconds",
			 json_seconds(report->end_ns - report->start_ns), "planned_seconds",
			 report->for_ns ? json_seconds(report->for_ns) : json_null(), "final",
			 report->final);
}

json_t *json_connections(const struct report *report, const struct caller_counts *counts,
			 const struct open_counts *open)
{
	bool known = report_refused_known(report);

	return json_pack(
		"{s:I, s:I, s:I, s:I, s:o, s:o, s:I, s:I, s:I, s:o, s:I, s:I, s:I, s:I, s:I, s:o, s:o}",
		"opened", (json_int_t)counts->opened, "accepted", (json_int_t)counts->accepted,
		"open", (json_int_t)open->open, "idle", (json_int_t)open->idle, "refused",
		json_counted(known, counts->refused), "stray", json_counted(known, counts->stray),
		"pending", (json_int_t)counts->pending, "closed", (json_int_t)counts->closed,
		"resets", (json_int_t)counts->resets, "open_seconds",
		json_seconds(counts->open_time), "untracked", (json_int_t)counts->untracked, "old",
		(json_int_t)counts->old, "old_open", (json_int_t)open->old, "old_active",
		(json_int_t)(open->old_active + counts->old_active), "waiting",
		(json_int_t)open->waiting, "waiting_since", json_time(report, open->waiting_since),
		"idle_since", json_time(report, open->quiet_since));
}

static json_t *json_pods(const struct caller *caller)
{
	json_t *pods = json_array();
	size_t i;
	int r = 0;

	for (i = 0; i < caller->n_pods && !r; i++)
		r = json_array_append_new(pods, json_text(caller->pods[i]));
	if (!r)
		return pods;
	json_decref(pods);
	return NULL;
}

static json_t *json_addresses(const struct caller *caller)
{
	json_t *addresses = json_array();
	size_t i;
	int r = 0;

	for (i = 0; i < caller->n_addresses && !r; i++)
		r = json_array_append_new(addresses, json_address(&caller->addresses[i]));
	if (!r)
		return addresses;
	json_decref(addresses);
	return NULL;
}

/* Who it is. */
static json_t *json_identity(const struct caller *caller)
{
	const struct pod_name *pod = caller->pod;
	const char *name = pod ? pod->workload : caller->class == CLASS_NODE ? caller->node : NULL;

	return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "class",
			 json_text(who_class_name(caller->class)), "kind",
			 json_name(pod ? pod->kind : NULL), "namespace",
			 json_name(pod ? pod->namespace : NULL), "name", json_name(name), "pods",
			 json_pods(caller), "process", json_name(caller->process), "pid",
			 json_number_or_null(caller->pid), "cgroup",
			 json_number_or_null(caller->cgroup), "cgroup_path",
			 json_name(caller->cgroup_path), "pod_uid", json_name(caller->pod_uid),
			 "node", json_name(caller->node), "addresses", json_addresses(caller));
}

/* What it did: of callers, and of those that are not known. 0 or -1: no memory. */
static int json_add_counts(json_t *json, const struct report *report, const struct caller *caller)
{
	int r = json_object_set_new(json, "connections",
				    json_connections(report, &caller->counts, &caller->open));

	if (!r)
		r = json_add_requests(json, report, caller->requests, caller->overlaps);
	if (!r)
		r = json_object_set_new(json, "bytes_received",
					json_integer((json_int_t)(caller->counts.bytes_received +
								  caller->open.bytes_received)));
	if (!r)
		r = json_object_set_new(json, "bytes_sent",
					json_integer((json_int_t)(caller->counts.bytes_sent +
								  caller->open.bytes_sent)));
	return r;
}

json_t *json_caller(const struct report *report, const struct caller *caller)
{
	json_t *json = json_identity(caller);
	int r = json_add_counts(json, report, caller);

	if (!r)
		r = json_add_times(json, caller);
	if (!r)
		r = json_object_set_new(json, "first_seen", json_time(report, caller->first_seen));
	if (!r)
		r = json_object_set_new(json, "last_seen", json_time(report, caller->last_seen));
	if (!r)
		r = json_object_set_new(json, "ignored", json_boolean(caller->ignored));
	if (!r)
		return json;
	json_decref(json);
	return NULL;
}

json_t *json_others(const struct report *report)
{
	struct caller others = caller_of_others(report);
	json_t *json = json_object();

	if (!json_add_counts(json, report, &others))
		return json;
	json_decref(json);
	return NULL;
}

json_t *json_totals(const struct report *report)
{
	uint64_t closed = report->others.counts.closed;
	bool known = report_refused_known(report);
	size_t i;

	for (i = 0; i < report->n_callers; i++)
		closed += report->callers[i].counts.closed;
	return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:o, s:o, s:o, s:I, s:I, s:I}",
			 "opened", (json_int_t)(report->attributed + report->unattributed),
			 "accepted", (json_int_t)report->accepted, "closed", (json_int_t)closed,
			 "attributed", (json_int_t)report->attributed, "unattributed",
			 (json_int_t)report->unattributed, "old", (json_int_t)report->old, "open",
			 (json_int_t)report->open, "kernel_opened", (json_int_t)report->opened,
			 "requests", json_counted(report_requests_known(report), report->requests),
			 "refused", json_counted(known, report->refused), "stray",
			 json_counted(known, report->stray), "pending", (json_int_t)report->pending,
			 "dropped", (json_int_t)report_dropped(report), "unattributed_drops",
			 (json_int_t)report->unattributed_drops);
}
