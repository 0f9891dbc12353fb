/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/timerfd.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "../callers/ledger.h"
#include "../callers/report.h"
#include "../capture/capture.h"
#include "../capture/privileges.h"
#include "../kube/pods.h"
#include "../kube/target.h"
#include "../output/json.h"
#include "../output/table.h"
#include "cluster.h"
#include "command.h"
#include "names.h"
#include "notes.h"
#include "options.h"

#define SECOND 1000000000ULL
/* The ring's news that are not worth a wake-up are read this often. */
#define DRAIN_NS (50 * 1000000ULL)
/* The table is drawn, and the counts are read, this often. */
#define REFRESH_NS SECOND
/* ... and when somebody's name ends, but not more often than that. */
#define SOON_NS (100 * 1000000ULL)
/* Sweeps and refreshes may take this part of the time: 1/200. */
#define COST_PART 200

#define KUBELET_PORT 10250
/* Room for endpoints that come while it runs. */
#define MORE_ENDPOINTS 4096

struct trace {
	struct options options;
	struct pods *pods;
	struct cluster cluster;
	struct target target;
	struct names *names;
	struct ledger *ledger;
	struct capture *capture;
	struct report report;
	struct notes notes;
	bool live;     /* the table is redrawn on a terminal */
	bool progress; /* a progress line on standard error, which is a terminal */
	bool failed_output;
	uint64_t next_sweep; /* not before this time, by what the last one cost */
	uint64_t next_refresh;
	/* how long the loop was away from what it waits for, at the longest, and CPU time of that
	 */
	uint64_t longest_turn;
	uint64_t longest_turn_cpu;
};

static uint64_t now_ns(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (uint64_t)now.tv_sec * SECOND + (uint64_t)now.tv_nsec;
}

/* Realtime less monotonic, taken together as closely as two calls can. */
static int64_t realtime_offset(void)
{
	uint64_t before = now_ns(CLOCK_MONOTONIC);
	uint64_t realtime = now_ns(CLOCK_REALTIME);
	uint64_t after = now_ns(CLOCK_MONOTONIC);

	return (int64_t)(realtime - before - (after - before) / 2);
}

/* --- the ledger's refresh --- */

/* An address is named as of the last connection, or attempt, from it: it may be another pod's by
 * now. */
static int take_caller(const struct caller_key *key, const struct caller_counts *counts, void *arg)
{
	struct trace *trace = arg;
	uint64_t last = counts->last_opened > counts->last_attempt ? counts->last_opened
								   : counts->last_attempt;
	struct who who = names_find(trace->names, key,
				    (int64_t)(last ? last : now_ns(CLOCK_MONOTONIC)) +
					    trace->report.realtime_offset);
	int r = ledger_update(trace->ledger, key, counts, &who);

	return r == -ENOMEM ? r : 0;
}

static int take_connection(const struct connection *connection, void *arg)
{
	struct trace *trace = arg;

	ledger_add_open(trace->ledger, connection, trace->report.start_ns);
	return 0;
}

/* Brings ledger and report up to date. 0 or -errno. */
static int refresh(struct trace *trace)
{
	struct caller_counts unattributed = {};
	int r;

	ledger_begin_refresh(trace->ledger);
	r = capture_callers(trace->capture, take_caller, trace);
	if (!r)
		r = capture_unattributed(trace->capture, &unattributed);
	ledger_set_unattributed(trace->ledger, &unattributed);
	ledger_end_refresh(trace->ledger);
	ledger_clear_open(trace->ledger);
	if (!r)
		r = capture_connections(trace->capture, take_connection, trace);
	if (!r)
		r = capture_report(trace->capture, &trace->report);
	trace->report.end_ns = now_ns(CLOCK_MONOTONIC);
	notes_make(&trace->notes, &trace->target, &trace->cluster, trace->report.end_ns);
	trace->report.notes = (const char *const *)trace->notes.text;
	trace->report.n_notes = trace->notes.n;
	return r ? r : report_group(&trace->report, trace->ledger);
}

/* --- output while it runs --- */

/* As large as the terminal and in colour, where standard output is one. */
static struct table_options table_options(const struct trace *trace)
{
	struct winsize window = {};
	bool terminal = isatty(STDOUT_FILENO);

	if (terminal)
		ioctl(STDOUT_FILENO, TIOCGWINSZ, &window);
	return (struct table_options){
		.wide = trace->options.output == OUTPUT_WIDE,
		.colour = terminal && !getenv("NO_COLOR"),
		.width = window.ws_col,
		.height = window.ws_row,
	};
}

static void draw(struct trace *trace)
{
	const struct table_options options = table_options(trace);
	char *text = NULL;
	size_t size = 0;
	FILE *file = open_memstream(&text, &size);

	if (!file)
		return;
	table_print(file, &trace->report, &options);
	if (fclose(file)) {
		free(text);
		return;
	}
	/* home, then each line with the rest of the old one erased, then all below */
	fputs("\033[H", stdout);
	for (const char *line = text; *line;) {
		size_t length = strcspn(line, "\n");

		printf("%.*s\033[K", (int)length, line);
		line += length;
		line += *line == '\n';
		if (*line)
			putchar('\n');
	}
	fputs("\033[J", stdout);
	fflush(stdout);
	free(text);
}

static void show_progress(struct trace *trace)
{
	fputs("\r", stderr);
	table_progress(stderr, &trace->report);
	fputs("\033[K", stderr);
}

static void take_event(const struct event *event, void *arg)
{
	struct trace *trace = arg;
	struct row *row = ledger_find(trace->ledger, &event->key);
	/* who it was when the connection was opened, whoever has the address now */
	int64_t opened = (int64_t)(event->time - event->open_time) + trace->report.realtime_offset;
	struct who who = names_find(trace->names, &event->key, opened);

	if (!row) {
		ledger_update(trace->ledger, &event->key, NULL, &who);
		row = ledger_find(trace->ledger, &event->key);
		if (row) {
			row->counts.pid = event->pid;
			row->counts.first = event->time;
		}
	}
	if (trace->failed_output)
		return;
	switch (trace->options.output) {
	case OUTPUT_JSONL:
		if (json_event(stdout, &trace->report, event, &who))
			trace->failed_output = true;
		break;
	case OUTPUT_TABLE:
	case OUTPUT_WIDE:
		if (event->type == EVENT_CALLER && row && !trace->live) {
			if (trace->progress)
				fputs("\r\033[K", stderr);
			table_new_caller(stdout, &trace->report, row);
		}
		if (event->type == EVENT_CALLER)
			trace->next_refresh = 0;
		break;
	default:
		break;
	}
}

static void drain(struct trace *trace)
{
	if (capture_poll(trace->capture, take_event, trace) <= 0)
		return;
	if (trace->options.output != OUTPUT_JSON && !trace->live && fflush(stdout))
		trace->failed_output = true;
}

/* Refreshes and draws if it is time, and sweeps if the last sweep's cost allows. */
static int tick(struct trace *trace)
{
	uint64_t start = now_ns(CLOCK_MONOTONIC), end;
	bool shown = trace->live || trace->progress;
	int r = 0;

	if (start < trace->next_refresh)
		return 0;
	r = cluster_tick(&trace->cluster);
	if (r)
		return r;
	if (start >= trace->next_sweep && (shown || capture_misses(trace->capture))) {
		r = capture_sweep(trace->capture, false);
		end = now_ns(CLOCK_MONOTONIC);
		trace->next_sweep = end + (end - start) * COST_PART;
		if (r)
			return r;
	}
	r = refresh(trace);
	if (r)
		return r;
	if (trace->live)
		draw(trace);
	else if (trace->progress)
		show_progress(trace);
	end = now_ns(CLOCK_MONOTONIC);
	trace->next_refresh = start + REFRESH_NS;
	if ((end - start) * COST_PART > REFRESH_NS)
		trace->next_refresh = start + (end - start) * COST_PART;
	return 0;
}

/* Not at once: many may end at the same time. */
static void refresh_soon(struct trace *trace)
{
	uint64_t soon = trace->report.end_ns + SOON_NS;

	if (soon < trace->next_refresh)
		trace->next_refresh = soon;
}

/* --- the loop --- */

static int add(int epoll, int fd, uint32_t events)
{
	struct epoll_event event = {.events = events, .data.fd = fd};

	return epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) ? -errno : 0;
}

static int timer(uint64_t first_ns, uint64_t interval_ns)
{
	struct itimerspec spec = {
		.it_value = {(time_t)(first_ns / SECOND), (long)(first_ns % SECOND)},
		.it_interval = {(time_t)(interval_ns / SECOND), (long)(interval_ns % SECOND)},
	};
	int fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);

	if (fd >= 0 && timerfd_settime(fd, 0, &spec, NULL)) {
		close(fd);
		return -errno;
	}
	return fd < 0 ? -errno : fd;
}

/* A turn that began at these times is over. */
static void measure_turn(struct trace *trace, uint64_t began, uint64_t began_cpu)
{
	uint64_t took = now_ns(CLOCK_MONOTONIC) - began;
	uint64_t cpu = now_ns(CLOCK_THREAD_CPUTIME_ID) - began_cpu;

	if (took > trace->longest_turn)
		trace->longest_turn = took;
	if (cpu > trace->longest_turn_cpu)
		trace->longest_turn_cpu = cpu;
}

static void show_cost(const struct trace *trace)
{
	struct kube_traffic traffic;

	fprintf(stderr, "longest turn of the loop: %.1f ms, of CPU time %.1f ms\n",
		(double)trace->longest_turn / 1e6, (double)trace->longest_turn_cpu / 1e6);
	if (!trace->cluster.kube)
		return;
	traffic = kube_traffic(trace->cluster.kube);
	fprintf(stderr, "asked of the API: %llu requests, %llu bytes\n",
		(unsigned long long)traffic.requests, (unsigned long long)traffic.bytes);
}

/* Runs until a signal, the end of --for, or nobody reads the output any more. 0 or -errno. */
static int loop(struct trace *trace, int signals)
{
	int epoll = epoll_create1(EPOLL_CLOEXEC), drains = -1, ends = -1, r;
	int api = cluster_fd(&trace->cluster);
	bool running = true;

	if (epoll < 0)
		return -errno;
	drains = timer(DRAIN_NS, DRAIN_NS);
	r = drains < 0 ? drains : add(epoll, drains, EPOLLIN);
	if (!r)
		r = add(epoll, signals, EPOLLIN);
	if (!r)
		r = add(epoll, capture_fd(trace->capture), EPOLLIN);
	if (!r && api >= 0)
		r = add(epoll, api, EPOLLIN);
	if (!r && trace->options.for_ns) {
		ends = timer(trace->options.for_ns, 0);
		r = ends < 0 ? ends : add(epoll, ends, EPOLLIN);
	}
	/* a pipe whose reader goes away reports EPOLLERR; a file can't be watched, and needn't */
	if (!r)
		add(epoll, STDOUT_FILENO, 0);
	while (!r && running && !trace->failed_output) {
		struct epoll_event events[8];
		int n = epoll_wait(epoll, events, 8, -1);
		uint64_t began = now_ns(CLOCK_MONOTONIC);
		uint64_t began_cpu = now_ns(CLOCK_THREAD_CPUTIME_ID), expired;

		if (n < 0 && errno != EINTR)
			r = -errno;
		for (int i = 0; i < n; i++) {
			if (events[i].data.fd == drains) {
				if (read(drains, &expired, sizeof(expired)) < 0 && errno != EAGAIN)
					r = -errno;
			} else if (events[i].data.fd == api) {
				r = cluster_run(&trace->cluster);
				if (kube_moved(trace->cluster.kube))
					refresh_soon(trace);
			} else if (events[i].data.fd != capture_fd(trace->capture)) {
				running = false; /* a signal, the end, or the reader has gone */
			}
		}
		drain(trace);
		if (!r)
			r = tick(trace);
		measure_turn(trace, began, began_cpu);
	}
	if (trace->options.verbose)
		show_cost(trace);
	if (drains >= 0)
		close(drains);
	if (ends >= 0)
		close(ends);
	close(epoll);
	return r;
}

/* --- begin and end --- */

static int read_pods(struct trace *trace)
{
	char error[512];
	int r;

	if (!trace->options.pods)
		return 0;
	trace->pods = pods_new();
	if (!trace->pods)
		return EX_OSERR;
	r = pods_read_file(trace->pods, trace->options.pods, error, sizeof(error));
	if (!r)
		return 0;
	fprintf(stderr, "whocalls trace: --pods %s\n", error);
	switch (r) {
	case -ENOMEM:
		return EX_OSERR;
	case -ENOENT:
	case -ENOTDIR:
	case -EISDIR:
	case -EACCES:
	case -EPERM:
	case -EIO:
		return EX_NOINPUT;
	default:
		return EX_DATAERR;
	}
}

static int make_target(struct trace *trace)
{
	const struct options *options = &trace->options;
	const struct address any = {};
	char error[1024];
	int r = 0;

	if (trace->cluster.follows)
		return 0;
	if (options->target) {
		r = kube_target_add(&trace->target, trace->pods, options->namespace,
				    options->target, options->port, error, sizeof(error));
		if (r)
			fprintf(stderr, "whocalls trace: %s\n", error);
		if (!r && asprintf(&trace->target.text, "%s in %s", options->target,
				   options->namespace ? options->namespace : "default") < 0)
			r = -ENOMEM;
		return !r ? 0 : r == -ENOMEM ? EX_OSERR : EX_USAGE;
	}
	for (size_t i = 0; i < options->n_addresses && !r; i++)
		r = target_add(&trace->target, &options->addresses[i], options->port, NULL);
	if (!options->n_addresses)
		r = target_add(&trace->target, &any, options->port, NULL);
	if (!r && asprintf(&trace->target.text, "port %u", options->port) < 0)
		r = -ENOMEM;
	return r ? EX_OSERR : 0;
}

static int check_privileges(void)
{
	char missing[256];

	if (!privileges_missing(missing, sizeof(missing)))
		return 0;
	fprintf(stderr,
		"whocalls trace: this needs root, or the capabilities that are missing here: %s; "
		"run it with sudo\n",
		missing);
	return EX_NOPERM;
}

static int open_capture(struct trace *trace)
{
	struct capture_options options = {
		.target = &trace->target,
		.max_callers = trace->options.max_callers,
		.max_connections = trace->options.max_connections,
		.ring_size = trace->options.ring_size,
		.more_endpoints = trace->cluster.follows ? MORE_ENDPOINTS : 0,
		.kubelet_port = KUBELET_PORT,
		.events = trace->options.output == OUTPUT_JSONL,
		.btf = trace->options.btf,
		.accept_hook = trace->options.accept_hook,
		.verbose = trace->options.verbose,
	};
	char error[1024];
	int r;

	if (trace->cluster.follows)
		options.n_dialled =
			kube_follow_dialled(kube_followed(trace->cluster.kube), &options.dialled);
	r = capture_open(&trace->capture, &options, error, sizeof(error));

	if (!r) {
		cluster_attach(&trace->cluster, trace->capture, !trace->live);
		return 0;
	}
	fprintf(stderr, "whocalls trace: %s\n", error);
	return r == -ENOMEM ? EX_OSERR : r == -EPERM || r == -EACCES ? EX_NOPERM : EX_UNAVAILABLE;
}

/* The last look, then nothing is counted any more, then the summary. */
static int finish(struct trace *trace)
{
	struct table_options options = table_options(trace);
	int r = capture_last_sweep(trace->capture);

	capture_stop(trace->capture);
	drain(trace);
	if (!r)
		r = refresh(trace);
	if (r)
		return r;
	trace->report.final = true;
	options.height = 0; /* the summary scrolls */
	/* nobody reads it, or it has no room: it would not be a whole document anyway */
	if (trace->failed_output)
		return -EIO;
	switch (trace->options.output) {
	case OUTPUT_JSON:
		r = json_report(stdout, &trace->report);
		break;
	case OUTPUT_JSONL:
		r = json_summary(stdout, &trace->report);
		break;
	default:
		table_print(stdout, &trace->report, &options);
		break;
	}
	return r;
}

static void announce(struct trace *trace)
{
	size_t endpoints = target_count(&trace->target);

	fprintf(stderr, "tracing %s: %zu endpoint%s, %llu connection%s open already",
		trace->target.text, endpoints, endpoints == 1 ? "" : "s",
		(unsigned long long)trace->report.old, trace->report.old == 1 ? "" : "s");
	fputs(trace->options.for_ns ? "\n" : "; Ctrl-C ends it\n", stderr);
}

/*
 * Signals wake the loop through a file descriptor, so that the end is always the same, orderly one.
 * They are not blocked, and interrupt a write to a reader that has stopped reading.
 */
static int signal_fd = -1;

static void on_signal(int number)
{
	int saved = errno;
	uint64_t one = 1;

	(void)number;
	if (write(signal_fd, &one, sizeof(one)) < 0)
		_exit(EX_OSERR);
	errno = saved;
}

static int open_signals(void)
{
	static const int ends[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};
	struct sigaction action = {.sa_handler = on_signal};

	signal_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (signal_fd < 0)
		return -errno;
	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		if (sigaction(ends[i], &action, NULL))
			return -errno;
	}
	signal(SIGPIPE, SIG_IGN);
	return signal_fd;
}

static int run(struct trace *trace)
{
	int signals = open_signals(), r, finished;

	if (signals < 0)
		return -errno;
	trace->progress = !trace->live && trace->options.for_ns && isatty(STDERR_FILENO);
	trace->report.target = &trace->target;
	trace->report.for_ns = trace->options.for_ns;
	trace->report.max_callers = trace->options.max_callers;
	cluster_wait_for_names(&trace->cluster);
	r = refresh(trace);
	if (!r && trace->live)
		fputs("\033[?1049h\033[?25l", stdout); /* a screen of its own, no cursor */
	else if (!r)
		announce(trace);
	if (!r && trace->options.output == OUTPUT_JSONL)
		r = json_start(stdout, &trace->report);
	if (!r)
		r = loop(trace, signals);
	if (trace->live)
		fputs("\033[?1049l\033[?25h", stdout);
	if (trace->progress)
		fputs("\r\033[K", stderr);
	close(signals);
	/* what was counted until then is told all the same */
	finished = finish(trace);

	return r ? r : finished;
}

static int prepare(struct trace *trace)
{
	bool table = trace->options.output == OUTPUT_TABLE || trace->options.output == OUTPUT_WIDE;
	int status = check_privileges();

	trace->live = table && isatty(STDOUT_FILENO);
	if (!status)
		status = read_pods(trace);
	if (!status)
		status = cluster_open(&trace->cluster, &trace->options, &trace->target);
	if (status < 0)
		status = make_target(trace);
	if (status)
		return status;
	/* taken once, so that the same moment is written the same way wherever it stands */
	trace->report.realtime_offset = realtime_offset();
	trace->names = names_new(trace->pods, trace->cluster.kube, trace->report.realtime_offset);
	trace->ledger = ledger_new(trace->options.max_callers);
	if (!trace->names || !trace->ledger) {
		fprintf(stderr, "whocalls trace: out of memory\n");
		return EX_OSERR;
	}
	return open_capture(trace);
}

int trace_main(int argc, char **argv)
{
	struct trace trace = {};
	int status, r;

	status = options_parse(&trace.options, argc, argv);
	if (status >= 0)
		goto out;
	status = prepare(&trace);
	if (status)
		goto out;
	r = run(&trace);
	if (r && r != -EIO) { /* what could not be written is told by command_finish() */
		fprintf(stderr, "whocalls trace: %s\n", strerror(-r));
		status = EX_OSERR;
		goto out;
	}
	status = command_finish(stdout);
out:
	report_deinit(&trace.report);
	notes_deinit(&trace.notes);
	capture_free(trace.capture);
	ledger_free(trace.ledger);
	names_free(trace.names);
	cluster_close(&trace.cluster);
	target_deinit(&trace.target);
	pods_free(trace.pods);
	options_deinit(&trace.options);
	return status;
}
