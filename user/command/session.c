/* SPDX-License-Identifier: MIT */
#include "session.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "../capture/sweep.h"
#include "../kube/clock.h"
#include "../output/json.h"
#include "loop.h"
#include "signals.h"

#define SECOND 1000000000ULL
/* The ring's news that are not worth a wake-up are read this often. */
#define DRAIN_NS (50 * 1000000ULL)
/* The counts are read this often. */
#define REFRESH_NS SECOND
/* ... and when somebody's name ends, but not more often than that. */
#define SOON_NS (100 * 1000000ULL)

/* --- the ledger's refresh --- */

static int take_caller(const struct caller_key *key, const struct caller_counts *counts, void *arg)
{
	struct session *session = arg;
	struct who who = names_find_last(session->names, key, counts);
	int r = ledger_update(session->ledger, key, counts, &who);

	return r == -ENOMEM ? r : 0;
}

static int take_connection(const struct connection *connection, void *arg)
{
	struct session *session = arg;

	ledger_add_open(session->ledger, connection, session->report.start_ns);
	return 0;
}

static int take_times(const struct caller_key *key, const struct histograms *times, void *arg)
{
	struct session *session = arg;
	int r = ledger_set_times(session->ledger, key, times);

	return r == -ENOMEM ? r : 0;
}

/* They are a hundred times as large as the counts: only if they are shown, or a name has changed.
 */
static int refresh_times(struct session *session, bool last)
{
	if (!report_requests_known(&session->report))
		return 0;
	if (!session->times && !last && !ledger_times_due(session->ledger))
		return 0;
	ledger_begin_times(session->ledger);
	return capture_times(session->capture, take_times, session);
}

/* Brings ledger and report up to date; `last`: to the end. 0 or -errno. */
static int refresh(struct session *session, bool last)
{
	struct caller_counts unattributed = {};
	int r;

	ledger_begin_refresh(session->ledger);
	r = capture_callers(session->capture, take_caller, session);
	if (!r)
		r = capture_unattributed(session->capture, &unattributed);
	ledger_set_unattributed(session->ledger, &unattributed);
	ledger_end_refresh(session->ledger);
	ledger_clear_open(session->ledger);
	if (!r)
		r = capture_connections(session->capture, take_connection, session);
	if (!r)
		r = capture_report(session->capture, &session->report);
	if (!r)
		r = refresh_times(session, last);
	session->report.end_ns = monotonic_ns();
	notes_make(&session->notes, &session->target, &session->cluster, session->report.end_ns);
	session->report.notes = (const char *const *)session->notes.text;
	session->report.n_notes = session->notes.n;
	return r ? r : report_group(&session->report, session->ledger);
}

/* --- while it runs --- */

static void take_event(const struct event *event, void *arg)
{
	struct session *session = arg;
	struct row *row = ledger_find(session->ledger, &event->key);
	/* who it was when the connection was opened, whoever has the address now */
	int64_t opened =
		(int64_t)(event->time - event->open_time) + session->report.realtime_offset;
	struct who who = names_find(session->names, &event->key, opened);

	if (!row) {
		ledger_update(session->ledger, &event->key, NULL, &who);
		row = ledger_find(session->ledger, &event->key);
		if (row) {
			row->counts.pid = event->pid;
			row->counts.first = event->time;
		}
	}
	if (session->end == SESSION_UNREAD)
		return;
	if (session->options.output == OUTPUT_JSONL &&
	    json_event(stdout, &session->report, event, &who))
		session->end = SESSION_UNREAD;
	if (session->ops->event)
		session->ops->event(session, event, row, &who);
}

static void drain(struct session *session)
{
	bool flushes = session->options.output == OUTPUT_JSONL;

	if (capture_poll(session->capture, take_event, session) > 0 && flushes && fflush(stdout))
		session->end = SESSION_UNREAD;
}

static void tell_kubelet(struct session *session)
{
	uint32_t pid = capture_kubelet(session->capture);

	if (!session->options.verbose || pid == session->kubelet)
		return;
	session->kubelet = pid;
	fprintf(stderr, pid ? "kubelet: process %u\n" : "kubelet: no process is\n", pid);
}

/* The node's own word, as soon as there is one. */
static int follow_kubelet(struct session *session)
{
	struct kube *kube = session->cluster.kube;
	uint16_t port = kube ? kube_kubelet_port(kube) : 0;

	if (!port || port == session->kubelet_port)
		return 0;
	session->kubelet_port = port;
	return capture_kubelet_port(session->capture, port);
}

/* Refreshes if it is time, and sweeps if the last sweep's cost allows. */
static int tick(struct session *session)
{
	uint64_t start = monotonic_ns(), end, pause;
	int r;

	if (start < session->next_refresh)
		return 0;
	r = cluster_tick(&session->cluster);
	if (!r)
		r = follow_kubelet(session);
	if (r)
		return r;
	if (start >= session->next_sweep && (session->sweeps || capture_misses(session->capture))) {
		r = capture_sweep(session->capture, false);
		end = monotonic_ns();
		session->next_sweep = end + sweep_pause(end - start);
		if (r)
			return r;
	}
	r = refresh(session, false);
	if (r)
		return r;
	tell_kubelet(session);
	if (session->ops->refreshed)
		session->ops->refreshed(session);
	pause = sweep_pause(monotonic_ns() - start);
	session->next_refresh = start + (pause > REFRESH_NS ? pause : REFRESH_NS);
	if (session->next_sweep > start + REFRESH_NS && session->next_sweep < session->next_refresh)
		session->next_refresh = session->next_sweep;
	return 0;
}

/* Not at once: many may end at the same time. */
static void refresh_soon(struct session *session)
{
	uint64_t soon = session->report.end_ns + SOON_NS;

	if (soon < session->next_refresh)
		session->next_refresh = soon;
}

/* --- the loop --- */

/* A turn that began at these times is over. */
static void measure_turn(struct session *session, uint64_t began, uint64_t began_cpu)
{
	uint64_t took = monotonic_ns() - began;
	uint64_t cpu = clock_ns(CLOCK_THREAD_CPUTIME_ID) - began_cpu;

	if (took > session->longest_turn)
		session->longest_turn = took;
	if (cpu > session->longest_turn_cpu)
		session->longest_turn_cpu = cpu;
}

static void show_cost(const struct session *session)
{
	struct kube_traffic traffic;

	fprintf(stderr, "longest turn of the loop: %.1f ms, of CPU time %.1f ms\n",
		(double)session->longest_turn / 1e6, (double)session->longest_turn_cpu / 1e6);
	if (!session->cluster.kube)
		return;
	traffic = kube_traffic(session->cluster.kube);
	fprintf(stderr, "asked of the API: %llu requests, %llu bytes\n",
		(unsigned long long)traffic.requests, (unsigned long long)traffic.bytes);
}

/* File descriptors of the loop; negative: none. */
struct waits {
	int epoll;
	int drains;
	int api;
};

static void close_all(struct waits *waits)
{
	if (waits->drains >= 0)
		close(waits->drains);
	if (waits->epoll >= 0)
		close(waits->epoll);
}

static int open_all(struct waits *waits, const struct session *session)
{
	int r = 0;

	waits->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (waits->epoll < 0)
		return -errno;
	waits->drains = loop_timer(DRAIN_NS, DRAIN_NS);
	r = waits->drains < 0 ? waits->drains : loop_add(waits->epoll, waits->drains, EPOLLIN);
	if (!r)
		r = loop_add(waits->epoll, session->signals, EPOLLIN);
	if (!r)
		r = loop_add(waits->epoll, capture_fd(session->capture), EPOLLIN);
	waits->api = cluster_fd(&session->cluster);
	if (!r && waits->api >= 0)
		r = loop_add(waits->epoll, waits->api, EPOLLIN);
	/* a pipe whose reader goes away reports EPOLLERR; a file can't be watched, and needn't */
	if (!r)
		loop_add(waits->epoll, STDOUT_FILENO, 0);
	return r;
}

static int take(struct session *session, const struct waits *waits, int fd)
{
	int r = 0;

	if (fd == waits->drains) {
		r = loop_timer_read(fd);
	} else if (fd == waits->api) {
		r = cluster_run(&session->cluster);
		if (kube_moved(session->cluster.kube))
			refresh_soon(session);
	} else if (fd == session->signals) {
		session->end = SESSION_SIGNAL;
	} else if (fd == STDOUT_FILENO) {
		session->end = SESSION_UNREAD;
	}
	return r;
}

/* The planned time is over, and nothing is waited for. */
static bool is_over(struct session *session)
{
	uint64_t length = session->options.for_ns;

	if (!length || monotonic_ns() - session->report.start_ns < length)
		return false;
	return !session->ops->wait || !session->ops->wait(session);
}

static int loop(struct session *session, const struct waits *waits)
{
	int r = 0;

	while (!r && session->end == SESSION_RUNS) {
		struct epoll_event events[8];
		int n = epoll_wait(waits->epoll, events, 8, -1);
		uint64_t began = monotonic_ns(), began_cpu = clock_ns(CLOCK_THREAD_CPUTIME_ID);

		heartbeat_now(&session->heartbeat);
		if (n < 0 && errno != EINTR)
			r = -errno;
		for (int i = 0; i < n && !r; i++)
			r = take(session, waits, events[i].data.fd);
		drain(session);
		if (!r)
			r = tick(session);
		if (!r && session->end == SESSION_RUNS && is_over(session))
			session->end = SESSION_TIME;
		measure_turn(session, began, began_cpu);
	}
	return r;
}

int session_run(struct session *session)
{
	struct waits waits = {-1, -1, -1};
	int r = open_all(&waits, session);

	if (!r)
		r = loop(session, &waits);
	if (session->options.verbose)
		show_cost(session);
	close_all(&waits);
	return r;
}

/* --- begin and end --- */

int session_begin(struct session *session)
{
	int r;

	session->signals = signals_open();
	if (session->signals < 0)
		return session->signals;
	session->report.target = &session->target;
	session->report.for_ns = session->options.for_ns;
	session->report.max_callers = session->options.max_callers;
	session->report.sort = session->options.sort;
	session->report.top = session->options.top;
	heartbeat_now(&session->heartbeat); /* the window has begun */
	cluster_wait_for_names(&session->cluster, &session->heartbeat);
	r = follow_kubelet(session);
	if (!r)
		r = refresh(session, false);
	tell_kubelet(session);
	heartbeat_now(&session->heartbeat);
	if (!r && session->options.output == OUTPUT_JSONL)
		r = json_start(stdout, &session->report);
	return r;
}

void session_announce(const struct session *session, const char *doing)
{
	size_t endpoints = target_count(&session->target);

	fprintf(stderr, "%s %s: %zu endpoint%s, %llu connection%s open already%s\n", doing,
		session->target.text, endpoints, endpoints == 1 ? "" : "s",
		(unsigned long long)session->report.old, session->report.old == 1 ? "" : "s",
		session->options.for_ns ? "" : "; Ctrl-C ends it");
}

int session_finish(struct session *session)
{
	int r = capture_last_sweep(session->capture);
	uint64_t ended;

	cluster_finish(&session->cluster);
	session->intact = capture_intact(session->capture);
	/* what comes from here on may be counted, or not */
	heartbeat_now(&session->heartbeat);
	ended = monotonic_ns();
	capture_stop(session->capture);
	drain(session);
	if (!r)
		r = refresh(session, true);
	session->report.end_ns = ended;
	session->report.final = !r;
	return r;
}

void session_deinit(struct session *session)
{
	if (session->signals > 0)
		close(session->signals);
	report_deinit(&session->report);
	notes_deinit(&session->notes);
	capture_free(session->capture);
	ledger_free(session->ledger);
	names_free(session->names);
	cluster_close(&session->cluster);
	target_deinit(&session->target);
	pods_free(session->pods);
	options_deinit(&session->options);
}
