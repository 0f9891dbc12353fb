/* SPDX-License-Identifier: MIT */
#include "caller-name.h"

#include <inttypes.h>

#include "format.h"

void caller_append_process(const struct caller *caller, char *buf)
{
	format_append_safe(buf, CALLER_NAME_SIZE, caller->process, COMM_SIZE);
	if (caller->pid)
		format_append(buf, CALLER_NAME_SIZE, " (pid %" PRIu32 ")", caller->pid);
}

void caller_append_address(const struct caller *caller, size_t i, char *buf)
{
	char text[ADDRESS_TEXT];

	format_append(buf, CALLER_NAME_SIZE, "%s", address_format(&caller->addresses[i], text));
}

static void append_workload(const struct caller *caller, char *buf)
{
	format_append_safe(buf, CALLER_NAME_SIZE, caller->pod->namespace, SIZE_MAX);
	format_append(buf, CALLER_NAME_SIZE, "/");
	format_append_safe(buf, CALLER_NAME_SIZE, caller->pod->workload, SIZE_MAX);
}

const char *caller_name(const struct caller *caller, char buf[CALLER_NAME_SIZE])
{
	buf[0] = '\0';
	if (caller->pod) {
		append_workload(caller, buf);
		/* of the same pod, the container is what tells one from another */
		if (caller->class == CLASS_LOOPBACK && caller->process[0]) {
			format_append(buf, CALLER_NAME_SIZE, " ");
			caller_append_process(caller, buf);
		}
	} else if (caller->class == CLASS_NODE && caller->node) {
		format_append_safe(buf, CALLER_NAME_SIZE, caller->node, SIZE_MAX);
	} else if (caller->class == CLASS_WORKLOAD) {
		if (caller->process[0]) {
			caller_append_process(caller, buf);
			format_append(buf, CALLER_NAME_SIZE, " in ");
		}
		format_append(buf, CALLER_NAME_SIZE, "unknown pod");
		if (caller->pod_uid) {
			format_append(buf, CALLER_NAME_SIZE, " ");
			format_append_safe(buf, CALLER_NAME_SIZE, caller->pod_uid, SIZE_MAX);
		}
	} else if (caller->process[0]) {
		caller_append_process(caller, buf);
	} else if (caller->class == CLASS_PROBE) {
		format_append(buf, CALLER_NAME_SIZE, "kubelet");
	} else if (caller->n_addresses) {
		caller_append_address(caller, 0, buf);
	} else {
		format_append(buf, CALLER_NAME_SIZE, "(others)");
	}
	return buf;
}

struct caller caller_of_others(const struct report *report)
{
	return (struct caller){
		.class = CLASS_UNKNOWN,
		.counts = report->others.counts,
		.open = report->others.open,
		.requests = report->requests_unattributed,
		.overlaps = report->others.counts.overlaps + report->others.open.overlaps,
		.first_seen = report->others.counts.first,
		.last_seen = report->others.counts.last,
	};
}
