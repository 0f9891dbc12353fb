/* SPDX-License-Identifier: MIT */
/*
 * The server as a whole. MHD neither listens nor accepts: with MHD_add_connection() it is we who
 * decide who may come in, and stopping to listen is a close(). One epoll holds the listening
 * socket, MHD's own epoll, and a timer for what is due and for what MHD has pending.
 */
#include "state.h"

#include <errno.h>
#include <gnutls/abstract.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "../kube/problem.h"
#include "listen.h"

#define ACCEPTS 32 /* in one turn; the rest in the next */
/* Addresses that are remembered beside those with connections: none for longer than a second
 * after its last. */
#define ADDRESSES 1024
#define LISTEN_AGAIN (SERVE_SECOND / 10)
#define IDLE_TURNS 4 /* in a row; then the next ones wait, longer and longer */
#define IDLE_STEP (SERVE_SECOND / 1000)
#define IDLE_STEPS 50
#define ANSWER_HEAD 4096 /* room for our headers in a connection's memory, beside its head */

static struct http_limits with_defaults(const struct http_limits *limits)
{
	struct http_limits all = *limits;

	if (!all.connections)
		all.connections = 64;
	if (!all.per_address)
		all.per_address = 16;
	if (!all.requests_per_second)
		all.requests_per_second = 20;
	if (!all.head_bytes)
		all.head_bytes = 8192;
	if (!all.head_seconds)
		all.head_seconds = 10;
	if (!all.answer_seconds)
		all.answer_seconds = 30;
	if (!all.answers_bytes)
		all.answers_bytes = 32 << 20;
	return all;
}

/* Never called: each session gets a certificate of its own. MHD wants one before it starts. */
static int no_certificate(gnutls_session_t session, const gnutls_datum_t *names, int names_count,
			  const gnutls_pk_algorithm_t *algorithms, int algorithms_count,
			  gnutls_pcert_st **certificates, unsigned int *certificates_count,
			  gnutls_privkey_t *key)
{
	(void)session;
	(void)names;
	(void)names_count;
	(void)algorithms;
	(void)algorithms_count;
	(void)certificates;
	(void)certificates_count;
	(void)key;
	return -1;
}

static struct MHD_Daemon *start_daemon(struct http *http)
{
	unsigned int flags = MHD_USE_EPOLL | MHD_USE_NO_LISTEN_SOCKET | MHD_ALLOW_SUSPEND_RESUME;
	const struct MHD_OptionItem tls[] = {
		{MHD_OPTION_HTTPS_PRIORITIES, 0, CERTIFICATE_PRIORITIES},
		{MHD_OPTION_HTTPS_CERT_CALLBACK, 0, (void *)no_certificate},
		{MHD_OPTION_END, 0, NULL},
	};
	const struct MHD_OptionItem plain[] = {{MHD_OPTION_END, 0, NULL}};

	if (http->certificate)
		flags |= MHD_USE_TLS;
	return MHD_start_daemon(
		flags, 0, NULL, NULL, request_handle, http, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
		2 * http->limits.head_bytes + ANSWER_HEAD, MHD_OPTION_CONNECTION_LIMIT,
		http->limits.connections, MHD_OPTION_STRICT_FOR_CLIENT, 1,
		MHD_OPTION_NOTIFY_CONNECTION, connection_notify, http, MHD_OPTION_NOTIFY_COMPLETED,
		request_completed, http, MHD_OPTION_UNESCAPE_CALLBACK, request_unescape, http,
		MHD_OPTION_ARRAY, http->certificate ? tls : plain, MHD_OPTION_END);
}

static int watch(const struct http *http, int fd)
{
	struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};

	return epoll_ctl(http->epoll_fd, EPOLL_CTL_ADD, fd, &event) ? -errno : 0;
}

/* 0 or -errno. */
static int open_loop(struct http *http)
{
	int r;

	errno = ENOMEM; /* MHD doesn't always say */
	http->daemon = start_daemon(http);
	if (!http->daemon)
		return -errno;
	http->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (http->epoll_fd < 0)
		return -errno;
	http->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	if (http->timer_fd < 0)
		return -errno;
	r = watch(http, http->timer_fd);
	if (!r)
		r = watch(http, http->listen_fd);
	if (!r)
		r = watch(http,
			  MHD_get_daemon_info(http->daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd);
	return r;
}

/* 0 or -errno and a sentence. */
static int open_certificate(struct http *http, const struct http_options *options,
			    const struct problem *problem)
{
	if (!options->cert_file && !options->key_file)
		return options->own_name ? certificate_make(&http->certificate, options->own_name,
							    problem->text, problem->size)
					 : 0;
	if (!options->cert_file || !options->key_file)
		return problem_set(problem, -EINVAL,
				   "of the certificate and its key only one was given; give both");
	http->cert_file = strdup(options->cert_file);
	http->key_file = strdup(options->key_file);
	if (!http->cert_file || !http->key_file)
		return problem_no_memory(problem);
	return certificate_load(&http->certificate, http->cert_file, http->key_file, problem->text,
				problem->size);
}

int http_open(struct http **out, const struct http_options *options, char *error, size_t error_size)
{
	const struct problem problem = {.text = error, .size = error_size};
	struct http *http = calloc(1, sizeof(*http));
	int r;

	if (!http)
		return problem_no_memory(&problem);
	http->epoll_fd = http->timer_fd = http->listen_fd = -1;
	http->timer_at = http->listen_at = INT64_MAX;
	http->limits = with_defaults(&options->limits);
	http->ask = options->ask;
	http->arg = options->arg;
	http->clients = (struct clients){
		.per_address = http->limits.per_address,
		.requests_per_second = http->limits.requests_per_second,
		.max = http->limits.connections + ADDRESSES,
	};
	r = open_certificate(http, options, &problem);
	if (!r) {
		r = listen_open(options->listen, http->limits.answer_seconds * 1000, &http->port,
				error, error_size);
		if (r >= 0)
			http->listen_fd = r;
	}
	if (r >= 0) {
		r = open_loop(http);
		if (r)
			problem_set(&problem, r,
				    "the HTTP server on %s cannot start: %s; see the limits of "
				    "open files and of memory",
				    options->listen, strerror(-r));
	}
	if (r) {
		http_close(http);
		return r;
	}
	*out = http;
	return 0;
}

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

/* MHD may not be stopped while a connection is suspended. */
static void resume_all(struct http *http)
{
	struct http_connection *connection;

	for (connection = http->connections; connection; connection = connection->next) {
		const struct http_request *request = connection->request;

		if (request && request->suspended && !request->answered)
			MHD_resume_connection(connection->mhd);
	}
}

void http_close(struct http *http)
{
	struct http_connection *connection;

	if (!http)
		return;
	resume_all(http);
	for (connection = http->connections; connection; connection = connection->next)
		connection->cut = true; /* no end of theirs is counted */
	if (http->daemon)
		MHD_stop_daemon(http->daemon);
	clients_deinit(&http->clients);
	certificate_leave(http->certificate);
	close_fd(&http->listen_fd);
	close_fd(&http->timer_fd);
	close_fd(&http->epoll_fd);
	free(http->cert_file);
	free(http->key_file);
	free(http);
}

int http_fd(const struct http *http)
{
	return http->epoll_fd;
}

uint16_t http_port(const struct http *http)
{
	return http->port;
}

struct http_counts http_counts(const struct http *http)
{
	return http->counts;
}

int http_reload(struct http *http, char *error, size_t error_size)
{
	struct certificate *certificate;
	int r;

	if (!http->cert_file)
		return 0;
	r = certificate_load(&certificate, http->cert_file, http->key_file, error, error_size);
	if (r)
		return r;
	certificate_leave(http->certificate);
	http->certificate = certificate;
	return 0;
}

bool http_drain(struct http *http)
{
	struct http_connection *connection;
	bool done = true;

	close_fd(&http->listen_fd); /* which takes it out of the epoll */
	http->listen_at = INT64_MAX;
	http->draining = true;
	for (connection = http->connections; connection; connection = connection->next) {
		if (connection->phase != PHASE_HEAD)
			done = false;
		else if (!connection->cut)
			connection_cut(connection);
	}
	return done;
}

/* Without a descriptor or memory for one more, whoever waits stays readable: it is left alone for
 * a moment, or the loop would spin. */
static void pause_listening(struct http *http)
{
	epoll_ctl(http->epoll_fd, EPOLL_CTL_DEL, http->listen_fd, NULL);
	http->listen_at = serve_now() + LISTEN_AGAIN;
}

static void accept_some(struct http *http)
{
	for (int i = 0; i < ACCEPTS; i++) {
		struct sockaddr_storage address;
		socklen_t length = sizeof(address);
		int fd = accept4(http->listen_fd, (struct sockaddr *)&address, &length,
				 SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd >= 0) {
			connection_take(http, fd, (struct sockaddr *)&address, length);
			continue;
		}
		if (errno == ECONNABORTED || errno == EINTR)
			continue;
		if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
			pause_listening(http);
		return;
	}
}

/* What has happened, as bits. */
enum { TIMER = 1, LISTENER = 2, CONNECTIONS = 4 };

static unsigned int ready(const struct http *http)
{
	struct epoll_event events[3];
	unsigned int ready = 0;
	int n = epoll_wait(http->epoll_fd, events, 3, 0);

	for (int i = 0; i < n; i++)
		ready |= events[i].data.fd == http->timer_fd    ? TIMER
			 : events[i].data.fd == http->listen_fd ? LISTENER
								: CONNECTIONS;
	return ready;
}

static void take_timer(struct http *http)
{
	uint64_t times;

	if (read(http->timer_fd, &times, sizeof(times)) == sizeof(times))
		http->timer_at = INT64_MAX;
}

static void expire(struct http *http)
{
	int64_t now = serve_now();

	connection_expire(http, now);
	if (http->listen_at <= now) {
		http->listen_at = INT64_MAX;
		watch(http, http->listen_fd);
	}
}

/*
 * When MHD's pending work is to be done: at once. But a TLS handshake that waits for its client is
 * pending for MHD 0.9.75 all the while (MHD_run_tls_handshake_() doesn't take note that nothing is
 * there to read), and clients that begin one and say no more would have us spin. So where there
 * is one, turns in which nothing happens wait a little. What happens ends the waiting.
 */
static int64_t pending_at(const struct http *http)
{
	int64_t steps = http->idle_turns - IDLE_TURNS;

	if (steps <= 0 || !connection_shaking(http))
		return 1; /* long ago */
	return serve_now() + (steps < IDLE_STEPS ? steps : IDLE_STEPS) * IDLE_STEP;
}

/* MHD has no timeouts here: what it says is that something is pending, or nothing. It does not say
 * that a connection goes on that was suspended (without threads it wakes nobody for that). */
void serve_timer(struct http *http)
{
	int64_t at = connection_deadline(http);
	MHD_UNSIGNED_LONG_LONG pending;
	struct itimerspec timer = {0};

	if (http->listen_at < at)
		at = http->listen_at;
	if (http->resumed) {
		at = 1;
	} else if (MHD_get_timeout(http->daemon, &pending) == MHD_YES) {
		int64_t then = pending_at(http);

		at = then < at ? then : at;
	}
	if (at == http->timer_at)
		return;
	http->timer_at = at;
	if (at != INT64_MAX) {
		timer.it_value.tv_sec = at / SERVE_SECOND;
		timer.it_value.tv_nsec = at % SERVE_SECOND;
	}
	timerfd_settime(http->timer_fd, TFD_TIMER_ABSTIME, &timer, NULL);
}

void http_run(struct http *http)
{
	unsigned int what = ready(http);

	http->turn++;
	http->idle_turns =
		what & (LISTENER | CONNECTIONS) || http->resumed ? 0 : http->idle_turns + 1;
	if (what & TIMER)
		take_timer(http);
	expire(http);
	if (what & LISTENER)
		accept_some(http);
	http->resumed = false;
	MHD_run(http->daemon);
	serve_timer(http);
}
