/* SPDX-License-Identifier: MIT */
/*
 * JSON, "schema": "whocalls/v1". Pure functions of the report; what is not measured is null, never
 * 0.
 *
 * Beside what the design names, the document has these (times are RFC 3339):
 *
 * - window: planned_seconds (null: until interrupted), final (the trace has ended).
 * - callers[]: pid (of the process that connected last), cgroup (cgroup2 id), cgroup_path, pod_uid
 * (that the cgroup's path tells, known to the list of pods or not); null if not known or not one.
 * `name` is the workload, or the node of a caller that is one; null if neither is known.
 * - connections: closed; resets (of closed: ended by an error or a reset); open_seconds (that the
 *   closed ones were open, in all); untracked (counted, but not followed); old (were open before
 *   the window); old_open (and still are); old_active (of old: carried data since, open still or
 * not); waiting (in the accept queue); waiting_since (of the one waiting longest); idle_since (of
 * the one idle longest).
 * - callers[]: requests_are ("requests"; "turns": reads and writes overlapped, so that a turn may
 * be any number of requests), overlaps (how often that was told); response_time and open_time (of
 *   connections) beside service_time, each {count, p50, p90, p99, max}; null: no sample.
 * - callers_left_out: those of callers that --top leaves out; only with it. Probes are not among
 *   the N that it counts.
 * - others: connections, requests, requests_are, overlaps, bytes_received and bytes_sent of those
 *   whose caller is not known.
 * - callers[]: ignored (an option --ignore takes it out of the verdict).
 * - totals: old, open; kernel_opened (the kernel's own total: equals opened at the end); requests
 *   (or turns, of all; null: not counted).
 * - coverage: hooks[]: why (not a better one; null: it is the best), recursion_misses, untold
 * (requests that may be missing, at most); seen and missed are null where hook is, for it could not
 * be attached. endpoints[]: start and end of the watch; listening[]: its sockets, ended (listens no
 * more), queue and limit of their accept queues, overflows and drops of their network namespace
 * since it was met; serving[]: who accepted. lost: events, untracked, ends, accepts, clients,
 * namespaces, listeners, times. notes: sentences.
 *
 * Only verify has these:
 *
 * - coverage: node; window (with wanted_seconds); gaps[] {start, end, seconds, cause ("stopped",
 *   "suspended"), proven}, more_gaps; api {endpoints ("api", "file", "named"), followed, confirmed
 *   (null: not followed), why (not), blind[] {start, end, seconds, bridged, text}, more_blind};
 *   endpoints[]: existed (within the window; null: not in it), watched[], unwatched (the first time
 *   at which it was not; null: none), place ("here", "no-room", "not-found", "other-node");
 *   probes, ignored {callers, opened, refused, stray, pending, active, held, held_since, last};
 *   witnesses_complete, intact, own_pid_namespace, attempts_seen, attempts_why, not_watched (a
 * sentence), miscounted, drops_unknown.
 * - verdict: verdict, statement, reasons[] {code, verdict, text, next}, rate_below_per_second
 * (null: the window had no length), traffic (a tally as above, and dropped), allow_idle,
 * count_probes.
 *
 * Bytes are payload in the window, of closed connections and of open ones as of the last sweep.
 * Bytes of a name that are not UTF-8 are written as \xNN. An address "any" is every address.
 *
 * The report is written piece by piece: memory does not grow with the number of callers.
 */
#ifndef OUTPUT_JSON_H
#define OUTPUT_JSON_H

#include <stdio.h>

#include "../callers/report.h"

/* The document (design section 7), indented, with a newline at its end. 0 or -ENOMEM, or -EIO when
 * it could not be written (a full disk, a closed pipe): the file is flushed to know. */
int json_report(FILE *file, const struct report *report);

/*
 * -o jsonl: one line each, all with "schema", "event" ("start", "caller", "opened", "closed",
 * "summary") and "time".
 *
 * json_event() does not flush: do that once after each batch of events. So its -EIO may come late,
 * but it comes: json_summary() flushes.
 *
 * - start: target, window, hooks [{program, hook, why, seen, missed, recursion_misses}].
 * - caller, one not seen before: connection (the socket's cookie), peer {address, port}, endpoint
 *   (as in target; null: not known), class, kind, namespace, name, pod, node, process, pid, cgroup.
 * - opened: the same of one connection.
 * - closed: likewise, and open_seconds, bytes_received, bytes_sent, error ("ECONNRESET" …; null).
 */
int json_start(FILE *file, const struct report *report);
/* `who` may be NULL when the caller has no row yet: then class and names are left out. */
int json_event(FILE *file, const struct report *report, const struct event *event,
	       const struct who *who);
/* The document as one line, "event": "summary". */
int json_summary(FILE *file, const struct report *report);

#endif
