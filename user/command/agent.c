/* SPDX-License-Identifier: MIT */
#include "agent.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sysexits.h>
#include <unistd.h>

#include "../capture/privileges.h"
#include "../kube/clock.h"
#include "cluster.h"
#include "command.h"
#include "loop.h"

#define SECOND UINT64_C(1000000000)
/* The loop comes by so often, whatever happens: the heartbeat needs it. */
#define TURN_NS (SECOND / 2)
/* The counts are read so often when nobody asks, if that takes less than a part of it; and so often
 * whatever it takes: sweeps come with it (sweep_pause()). */
#define REFRESH_NS (5 * SECOND)
#define COST_PART 2000
#define REFRESH_MAX_NS (10 * SECOND)
/* Answers that are under way have so long when it is to end. */
#define DRAIN_NS (3 * SECOND / 2)
/* After this time it is said what is waited for, and each time that changes. */
#define SAY_NS (2 * SECOND)
/* Endpoints of this node that come later have room at once: those that go give up theirs. */
#define MORE_ENDPOINTS 8192
/* Bytes. Single events are not written, but that a caller is new. */
#define RING_SIZE (1 << 20)

/* File descriptors of the loop. */
struct waits {
	int epoll;
	int turns;
	int signals;
	char said[1024]; /* what it waits for, as it was told */
};

/* --- begin --- */

static int fail(int status, const char *what)
{
	fprintf(stderr, "whocalls agent: %s\n", what);
	return status;
}

static int check_privileges(void)
{
	char missing[256], text[512];

	if (!privileges_missing(missing, sizeof(missing)))
		return 0;
	snprintf(text, sizeof(text),
		 "this needs root, or the capabilities that are missing here: %s", missing);
	return fail(EX_NOPERM, text);
}

static int open_kube(struct agent *agent)
{
	struct kube_config *config;
	char error[1024];
	int status = cluster_config(&agent->options, true, &config);

	if (status >= 0)
		return status;
	if (kube_open(&agent->kube, config, agent->options.node, true, error, sizeof(error)))
		return fail(EX_USAGE, error);
	return agent_follow(agent);
}

/* For a certificate of its own making. */
static const char *own_name(const struct agent *agent)
{
	return agent->options.node ? agent->options.node : "localhost";
}

static int open_http(struct agent *agent)
{
	const struct http_options options = {
		.listen = agent->options.listen,
		.cert_file = agent->options.tls_cert,
		.key_file = agent->options.tls_key,
		.own_name = agent->options.listens_beyond ? own_name(agent) : NULL,
		.ask = agent_ask,
		.arg = agent,
	};
	char error[1024];

	return http_open(&agent->http, &options, error, sizeof(error)) ? fail(EX_UNAVAILABLE, error)
								       : 0;
}

/* 0, or an exit status after a message. */
static int prepare(struct agent *agent)
{
	int status = check_privileges();

	/* those in the kernel, and those that are remembered, are fewer */
	agent->pool.max_callers = (size_t)2 * agent->options.max_callers;
	agent->report.max_callers = agent->options.max_callers;
	agent->report.realtime_offset = loop_realtime_offset();
	if (!status)
		status = agent_history_open(agent);
	if (!status)
		status = open_http(agent);
	if (!status)
		status = open_kube(agent);
	if (status)
		return status;
	agent->names =
		names_new(NULL, agent->kube, &agent->options.ignore, agent->report.realtime_offset);
	agent->memory = metrics_memory_new();
	agent->review = kube_review_new(kube_client(agent->kube), NULL);
	return agent->names && agent->memory && agent->review ? 0 : fail(EX_OSERR, "out of memory");
}

/* The Services are known: from here on all is counted. 0 or -errno, after a message. */
static int begin(struct agent *agent, const struct waits *waits)
{
	size_t n = agent->pool.target.n_endpoints;
	struct capture_options options = {
		.target = &agent->pool.target,
		.max_callers = agent->options.max_callers,
		.folds = true,
		.max_connections = agent->options.max_connections,
		.ring_size = RING_SIZE,
		.more_endpoints = MORE_ENDPOINTS,
		.dialled = agent->dialled,
		.n_dialled = agent->n_dialled,
		.kubelet_port = cluster_kubelet_port(agent->kube),
		.btf = agent->options.btf,
		.accept_hook = agent->options.accept_hook,
		.verbose = agent->options.verbose,
	};
	char error[1024];
	int r;

	agent->kubelet_port = options.kubelet_port;
	r = capture_open(&agent->capture, &options, error, sizeof(error));
	if (r) {
		fail(0, error);
		return r;
	}
	for (; agent->settled < n; agent->settled++)
		if (!agent->pool.target.endpoints[agent->settled].until)
			agent->pool.target.endpoints[agent->settled].since = monotonic_ns();
	watch_settle(&agent->pool);
	r = privileges_drop();
	if (!r)
		r = loop_add(waits->epoll, capture_fd(agent->capture), EPOLLIN);
	if (!r)
		r = agent_refresh(agent, 0);
	if (r) {
		fail(0, strerror(-r));
		return r;
	}
	fprintf(stderr,
		"watching %zu Service%s with %zu endpoint%s on %s; answers at http%s://%s\n",
		agent->pool.n, agent->pool.n == 1 ? "" : "s", target_count(&agent->pool.target),
		target_count(&agent->pool.target) == 1 ? "" : "s", kube_node(agent->kube),
		agent->options.tls_cert || agent->options.listens_beyond ? "s" : "",
		agent->options.listen);
	return 0;
}

/* --- while it runs --- */

/* Who it is, while that can be found: a cgroup can be gone soon. */
static void take_event(const struct event *event, void *arg)
{
	struct agent *agent = arg;
	struct who who = names_find(agent->names, &event->key,
				    (int64_t)event->time + agent->report.realtime_offset);

	watch_update(&agent->pool, &event->key, NULL, &who);
}

/* What is waited for, once it takes long. */
static void say_trouble(struct agent *agent, struct waits *waits, uint64_t now)
{
	struct kube_trouble trouble = {.text = "the API has not answered yet"};

	if (now < agent->started + SAY_NS)
		return;
	if (!kube_troubles(agent->kube, &trouble, 1) && agent->capture) {
		trouble.text = kube_review_trouble(agent->review, &trouble.since);
		trouble.text = trouble.text ? trouble.text : "";
	}
	if (!strncmp(waits->said, trouble.text, sizeof(waits->said) - 1))
		return;
	snprintf(waits->said, sizeof(waits->said), "%s", trouble.text);
	if (*trouble.text)
		fprintf(stderr, "%s: %s\n",
			agent->capture ? "the Kubernetes API does not tell all"
				       : "waiting for the Kubernetes API",
			trouble.text);
	else
		fputs("the Kubernetes API tells all again\n", stderr);
}

static int follow_kubelet(struct agent *agent)
{
	uint16_t port = cluster_kubelet_port(agent->kube);

	if (port == agent->kubelet_port)
		return 0;
	agent->kubelet_port = port;
	return capture_kubelet_port(agent->capture, port);
}

static int refresh(struct agent *agent, uint64_t now)
{
	uint64_t wait;
	int r;

	if (kube_moved(agent->kube) && agent->report.end_ns + SECOND < agent->next_refresh)
		agent->next_refresh = agent->report.end_ns + SECOND;
	if (now < agent->next_refresh)
		return 0;
	r = agent_refresh(agent, 0);
	wait = agent->refresh_cost * COST_PART;
	if (wait < REFRESH_NS)
		wait = REFRESH_NS;
	agent->next_refresh = now + (wait < REFRESH_MAX_NS ? wait : REFRESH_MAX_NS);
	/* one that came by somebody's question has moved the next */
	if (agent->next_sweep > now + REFRESH_NS && agent->next_sweep < agent->next_refresh)
		agent->next_refresh = agent->next_sweep;
	return r;
}

static int turn(struct agent *agent, struct waits *waits)
{
	uint64_t now = monotonic_ns();
	int r;

	kube_tick(agent->kube, now);
	say_trouble(agent, waits, now);
	if (!agent->capture && kube_services_synced(agent->kube)) {
		r = begin(agent, waits);
		if (r)
			return r;
	}
	if (!agent->capture)
		return 0;
	capture_poll(agent->capture, take_event, agent);
	r = follow_kubelet(agent);
	if (!r)
		r = agent_settle(agent);
	agent_history_tick(agent);
	agent_verdict_turn(agent);
	if (!r)
		r = refresh(agent, now);
	return r ? r : agent_make_room(agent, now);
}

/* True: it is to end. */
static bool take_signal(struct agent *agent, int fd)
{
	struct signalfd_siginfo signal;
	char error[1024];

	while (read(fd, &signal, sizeof(signal)) == sizeof(signal)) {
		if (signal.ssi_signo != SIGHUP)
			return true;
		if (http_reload(agent->http, error, sizeof(error)))
			fail(0, error);
	}
	return false;
}

static int take(struct agent *agent, const struct waits *waits, int fd, bool *ends)
{
	if (fd == waits->turns)
		return loop_timer_read(fd);
	if (fd == waits->signals)
		*ends = take_signal(agent, fd) || *ends;
	else if (fd == kube_fd(agent->kube))
		kube_run(agent->kube);
	else if (fd == http_fd(agent->http))
		http_run(agent->http);
	return 0;
}

static int wait_once(struct agent *agent, struct waits *waits, bool *ends)
{
	struct epoll_event events[8];
	int n = epoll_wait(waits->epoll, events, 8, -1), r = 0;

	heartbeat_now(&agent->heartbeat);
	if (n < 0 && errno != EINTR)
		return -errno;
	for (int i = 0; i < n && !r; i++)
		r = take(agent, waits, events[i].data.fd, ends);
	return r;
}

static int loop(struct agent *agent, struct waits *waits)
{
	bool ends = false;
	uint64_t until;
	int r = 0;

	while (!r && !ends) {
		r = wait_once(agent, waits, &ends);
		if (!r && !ends)
			r = turn(agent, waits);
	}
	agent_verdict_end(agent);
	for (until = monotonic_ns() + DRAIN_NS; !r && !http_drain(agent->http);) {
		r = wait_once(agent, waits, &ends);
		if (agent->capture)
			capture_poll(agent->capture, take_event, agent);
		if (monotonic_ns() > until)
			break;
	}
	return r;
}

/* --- all --- */

static int open_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGQUIT);
	sigaddset(&set, SIGHUP);
	if (sigprocmask(SIG_BLOCK, &set, NULL))
		return -errno;
	signal(SIGPIPE, SIG_IGN);
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

static int open_waits(struct waits *waits, const struct agent *agent)
{
	int fds[3], r = 0;

	waits->epoll = epoll_create1(EPOLL_CLOEXEC);
	waits->turns = loop_timer(TURN_NS, TURN_NS);
	waits->signals = open_signals();
	if (waits->epoll < 0 || waits->turns < 0 || waits->signals < 0)
		return -errno;
	fds[0] = waits->turns;
	fds[1] = waits->signals;
	fds[2] = http_fd(agent->http);
	for (int i = 0; i < 3 && !r; i++)
		r = loop_add(waits->epoll, fds[i], EPOLLIN);
	return r ? r : loop_add(waits->epoll, kube_fd(agent->kube), EPOLLIN);
}

/* The exit status. */
static int run(struct agent *agent)
{
	struct waits waits = {.epoll = -1, .turns = -1, .signals = -1};
	int r;

	agent->started = monotonic_ns();
	heartbeat_now(&agent->heartbeat);
	r = open_waits(&waits, agent);
	if (!r)
		r = loop(agent, &waits);
	if (!r && agent->capture && !agent_remember(agent, 0))
		agent_save(agent);
	if (waits.epoll >= 0)
		close(waits.epoll);
	if (waits.turns >= 0)
		close(waits.turns);
	if (waits.signals >= 0)
		close(waits.signals);
	return r ? fail(EX_OSERR, strerror(-r)) : 0;
}

static void deinit(struct agent *agent)
{
	kube_review_free(agent->review); /* answers what waits for it */
	agent_verdict_end(agent);
	http_close(agent->http);
	capture_free(agent->capture);
	kube_close(agent->kube); /* what the pool has of it is not looked at any more */
	watch_deinit(&agent->pool);
	names_free(agent->names);
	metrics_memory_free(agent->memory);
	history_free(agent->history);
	report_deinit(&agent->report);
	free(agent->dialled);
	options_deinit(&agent->options);
}

int agent_main(int argc, char **argv)
{
	struct agent *agent = calloc(1, sizeof(*agent));
	int status;

	if (!agent)
		return fail(EX_OSERR, "out of memory");
	status = options_parse(&agent->options, argc, argv);
	/* 0: it was asked for help, and had it */
	if (status < 0) {
		status = prepare(agent);
		if (!status)
			status = run(agent);
	}
	deinit(agent);
	free(agent);
	return status;
}
