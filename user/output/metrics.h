/* SPDX-License-Identifier: MIT */
/*
 * What the agent knows, as text for Prometheus and all that read it. A function of the reports
 * (and of struct metrics_memory): no clock, no I/O but the FILE.
 *
 * Labels of a target: namespace, service. Of a caller: those, and
 *
 * - caller_class: workload, process, node, loopback, external, unknown, probe; or other.
 * - caller_kind: of a workload: Deployment, Job …; else empty.
 * - caller_namespace: of a workload; else empty.
 * - caller: name of the workload, process or node. Empty where the class says all, and of a pod
 *   that is not on the list. With `by_address` the address of those that are external or unknown.
 *
 * Callers with the same labels are one series, summed. Bytes that are no UTF-8 and control
 * characters are written as \xNN.
 *
 * Families of a caller (in OpenMetrics a counter's family is named without _total):
 *
 * - whocalls_connections_total: opened since the agent began.
 * - whocalls_connections_open, whocalls_connections_idle: now, older ones too. Idle: no data since
 *   the agent began.
 * - whocalls_requests_total: or turns.
 * - whocalls_request_overlaps_total: only where there are any. Then that caller's requests are
 *   turns, each of any number of requests.
 * - whocalls_request_duration_seconds: histogram of the service time of those that were timed,
 *   from the read to the first write.
 * - whocalls_received_bytes_total, whocalls_sent_bytes_total: payload, as the target sees it.
 * - whocalls_attempts_total: result is refused or stray.
 * - whocalls_attempts_pending: handshakes begun and not completed. Can go down.
 * - whocalls_last_seen_timestamp_seconds: absent: never.
 *
 * What was not measured is absent, never 0: requests and attempts without their hook, and a
 * histogram in which nothing was timed.
 *
 * Families of a target:
 *
 * - whocalls_connection_duration_seconds: histogram, by caller_class alone, of connections that
 *   have ended.
 * - whocalls_last_call_timestamp_seconds: of anybody but probes. Absent: nobody.
 * - whocalls_callers: seen since the agent began, without probes.
 * - whocalls_callers_in_other: that have no series of their own, see below.
 * - whocalls_endpoints_watched, whocalls_coverage_seconds_total.
 * - whocalls_handshakes_dropped_total: each try of them.
 * - whocalls_connections_unattributed_total: their caller found no room in a table. They are in
 *   `other`, too.
 *
 * Of the agent: whocalls_build_info; whocalls_hook_info {program, hook, why};
 * whocalls_hook_seen_total {program, hook}; whocalls_hook_missed_total (that another witness saw);
 * whocalls_hook_skipped_runs_total {cause: recursion, instances}; whocalls_lost_total {what};
 * whocalls_unattributed_total; and what `values` says.
 *
 * Histograms. The kernel's buckets are finer than ours (struct histograms): each goes as a whole
 * to where its estimate (times_estimate()) belongs. So only times in the one kernel bucket in
 * which a bound of ours lies can be on its wrong side, and they are within 5.9 % (one 17th) of it.
 * _sum is made of the same estimates: each within 2.9 %. _count is what was timed. A kernel bucket
 * counts modulo 2^32; that is followed from scrape to scrape, and _sum leaves out what came
 * between the two scrapes in which it wrapped.
 *
 * Series that end. A caller that has nothing open and was not seen for `stale_ns` has no series;
 * when it calls again, its series goes on from where it was. At most `max_callers` callers have
 * series of their own: whoever came first; of several that come at once, those with most
 * connections. A later one takes the place of one that has become stale. What the rest does is
 * added up in one series for each target, caller_class="other", caller="other". Probes always have
 * their own.
 *
 * What holds of counters, as long as the same memory is handed in: none ever goes down, not even
 * that of `other`. What was counted in one series is not counted again in another when a caller
 * gets a place or loses it: so the series of a caller that waited in `other` begins at 0, not at
 * all that it ever did. Over all series of a target, `other` and those that ended among them,
 * connections add up to what its report has. The one exception: the ledger can give a caller
 * another name after it has counted, since it may learn late which pod called. Then the series of
 * the name before stands still until it has caught up.
 * Without a memory `other` can go down when a caller leaves it, and a name when it loses a caller:
 * to a scraper that is a counter that began anew.
 *
 * A caller with requests is about 27 samples, 5 KiB of text, most of it the histogram: 5,000 of
 * them are more than 20 MiB. It is written piece by piece: only who keeps it needs memory for it.
 *
 * Service graph (`service_graph`): traces_service_graph_request_total, _request_failed_total and
 * _request_server_seconds with client, client_service_namespace, server, server_service_namespace
 * and connection_type="", as Tempo names them and Grafana's view asks for them (it groups by the
 * first four). A request is a request, or a turn, where the agent counts them, else a connection;
 * refused attempts are the failed ones, and in the total. Who calls itself in its own pod is drawn
 * as the Service calling itself; clients without a name have that of their class; probes are left
 * out.
 */
#ifndef OUTPUT_METRICS_H
#define OUTPUT_METRICS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "../callers/report.h"

enum metrics_format {
	METRICS_TEXT,        /* Prometheus text 0.0.4 */
	METRICS_OPENMETRICS, /* 1.0.0, ends with # EOF */
};

/* Of the HTTP answer. Static. */
const char *metrics_content_type(enum metrics_format format);

/*
 * Of the Accept header; NULL: none. OpenMetrics if it is asked for by its name, without a version
 * or with 1.0.0, and not less than text; else text, also when neither is asked for.
 */
enum metrics_format metrics_format_of(const char *accept);

/* One Service that is watched. Its report is grouped (report_group()) and cumulative since the
 * agent began: counts only grow while the agent runs. Each Service comes once. */
struct metrics_target {
	const char *namespace;
	const char *service;
	const struct report *report;
	/* how long all of its endpoints of this node have been watched, in sum since the agent
	 * began
	 */
	uint64_t watched_ns;
	size_t endpoints; /* watched now, on this node */
};

/* One number of the agent's own: of its API, its HTTP server … */
struct metrics_value {
	const char *name;  /* of the family: without _total; begins with whocalls_ */
	const char *help;  /* one sentence, without quotes and backslashes */
	const char *unit;  /* that the name ends with: "seconds", "bytes"; NULL: none */
	bool counter;      /* else a gauge */
	const char *label; /* one, or NULL */
	const char *label_value;
	uint64_t value; /* of seconds: nanoseconds */
};

/* What is remembered from one scrape to the next: which caller has a series, and what was shown. */
struct metrics_memory;
/* NULL: no memory. About 1 KiB for each series of callers. */
struct metrics_memory *metrics_memory_new(void);
void metrics_memory_free(struct metrics_memory *memory);

struct metrics {
	const struct metrics_target *targets;
	size_t n_targets;
	/* Of all targets together: hooks, losses, unattributed. Its hooks tell whether requests and
	 * attempts are known, of all targets. */
	const struct report *capture;
	const char *version;
	const char *kernel; /* uname -r */
	uint64_t now_ns;    /* CLOCK_MONOTONIC */
	/* a caller with nothing open that was not seen for so long has no series; 0: all have */
	uint64_t stale_ns;
	/* that have series of their own, over all targets: see above */
	size_t max_callers;
	bool by_address;    /* external and unknown callers get their address as a name */
	bool service_graph; /* Tempo's names, too */
	/* of metrics_take(): the only callers that are gone since the last are those that were
	 * forgotten: what was not written of their series goes to the class other */
	bool forgotten;
	/* those of one name one after the other */
	const struct metrics_value *values;
	size_t n_values;
	/* the same at each scrape, whoever asks: see above; NULL: none. by_address and
	 * service_graph stay as they are as long as it is used. */
	struct metrics_memory *memory;
};

/* As a scrape, but nothing is written: the memory, which must be there, is brought up to date. 0 or
 * -ENOMEM. */
int metrics_take(const struct metrics *metrics);
/* Writes all, and flushes. 0 or -errno (what writing failed with), -ENOMEM. A memory is as good as
 * before after an error. */
int metrics_write(FILE *out, const struct metrics *metrics, enum metrics_format format);

#endif
