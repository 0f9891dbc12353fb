/* SPDX-License-Identifier: MIT */
/*
 * The listening side. The main thread waits for signals and files; workers accept and serve, each
 * with its own epoll. Counters are shared and only ever grow.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <err.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "server.h"

#ifndef EPOLLEXCLUSIVE
#define EPOLLEXCLUSIVE (1U << 28)
#endif

#define HEAD_SIZE 2048 /* longest request in http mode */
#define LINE_SIZE 256  /* of JSON: seven counters of at most 20 digits */

/* What epoll's data.ptr points to; the listener and the stop signal have no connection. */
struct connection {
	int fd;
	bool polled;
	bool last; /* close when `out` is sent */
	char *out; /* not sent yet, owned */
	size_t out_size;
	size_t out_done;
	size_t head_size;
	char head[]; /* http mode: the request so far */
};

struct worker {
	pthread_t thread;
	int epoll;
};

struct server_counters counters;
const struct server_options *options;
char *answer, *answer_last;
size_t answer_size, answer_last_size;
static struct connection listener, stopper; /* only their fd, and their address as a mark */

void count(uint64_t *counter, uint64_t n)
{
	__atomic_fetch_add(counter, n, __ATOMIC_RELEASE);
}

static uint64_t counted(const uint64_t *counter)
{
	return __atomic_load_n(counter, __ATOMIC_ACQUIRE);
}

/* Without the end, so that more can follow. */
static void counters_format(char line[LINE_SIZE])
{
	/* first, so that all is there of the connections that are told to be closed */
	unsigned long long closed = counted(&counters.closed);

	snprintf(line, LINE_SIZE,
		 "{\"accepted\":%llu,\"bytes_received\":%llu,\"bytes_sent\":%llu,\"requests\":%llu,"
		 "\"turns\":%llu,\"closed\":%llu,\"resets\":%llu",
		 (unsigned long long)counted(&counters.accepted),
		 (unsigned long long)counted(&counters.bytes_received),
		 (unsigned long long)counted(&counters.bytes_sent),
		 (unsigned long long)counted(&counters.requests),
		 (unsigned long long)counted(&counters.turns), closed,
		 (unsigned long long)counted(&counters.resets));
}

/* A reader finds the old file or the new one, never half of one. */
static void status_write(void)
{
	static char last[LINE_SIZE];
	char line[LINE_SIZE], path[4096];
	FILE *file;

	counters_format(line);
	if (!strcmp(line, last))
		return;
	strcpy(last, line);
	snprintf(path, sizeof(path), "%s.new", options->status);
	file = fopen(path, "we");
	if (!file)
		err(EX_CANTCREAT, "%s", path);
	fprintf(file, "%s}\n", line);
	if (fclose(file) || rename(path, options->status))
		err(EX_IOERR, "%s", path);
}

static void answers_make(void)
{
	for (int last = 0; last < 2; last++) {
		char **out = last ? &answer_last : &answer;
		int n = asprintf(out, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n%s\r\n",
				 options->response, last ? "Connection: close\r\n" : "");

		if (n >= 0)
			*out = realloc(*out, n + options->response + 1);
		if (n < 0 || !*out)
			err(EX_OSERR, "memory");
		memset(*out + n, 'x', options->response);
		*(last ? &answer_last_size : &answer_size) = n + options->response;
	}
}

static int listen_open(void)
{
	const char *text = options->address ?: options->family == 4 ? "0.0.0.0" : "::";
	struct sockaddr_storage address;
	socklen_t size = address_fill(&address, text, options->port);
	int on = 1, off = 0, queue = 256, fd;

	if (!size || (address.ss_family == AF_INET) != (options->family == 4))
		errx(EX_USAGE, "%s: not an address of --family %d", text, options->family);
	fd = socket(address.ss_family,
		    SOCK_STREAM | SOCK_CLOEXEC | (options->blocking ? 0 : SOCK_NONBLOCK),
		    options->mptcp ? IPPROTO_MPTCP : 0);
	if (fd < 0)
		err(EX_UNAVAILABLE, "%s socket", options->mptcp ? "MPTCP" : "TCP");
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (options->family != 4 && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY,
					       options->family == 6 ? &on : &off, sizeof(on)))
		err(EX_OSERR, "IPV6_V6ONLY");
	if (options->defer &&
	    setsockopt(fd, IPPROTO_TCP, TCP_DEFER_ACCEPT, &options->defer, sizeof(options->defer)))
		err(EX_UNAVAILABLE, "TCP_DEFER_ACCEPT");
	if (options->fastopen && setsockopt(fd, IPPROTO_TCP, TCP_FASTOPEN, &queue, sizeof(queue)))
		err(EX_UNAVAILABLE, "TCP_FASTOPEN");
	if (bind(fd, (struct sockaddr *)&address, size) || listen(fd, options->backlog))
		err(EX_UNAVAILABLE, "%s port %u", text, options->port);
	return fd;
}

static void connection_close(struct connection *connection, bool reset)
{
	close(connection->fd);
	count(&counters.resets, reset);
	count(&counters.closed, 1);
	free(connection->out);
	free(connection);
}

/* Sends, and keeps what finds no room. 0, or -errno. */
static int connection_send(struct connection *connection, const char *data, size_t size)
{
	ssize_t n = 0;

	if (!connection->out) {
		n = send(connection->fd, data, size, MSG_NOSIGNAL);
		if (n < 0 && errno != EAGAIN)
			return -errno;
		if (n < 0)
			n = 0;
		count(&counters.bytes_sent, n);
		if ((size_t)n == size)
			return 0;
	}
	connection->out = realloc(connection->out, connection->out_size + size - n);
	if (!connection->out)
		err(EX_OSERR, "memory");
	memcpy(connection->out + connection->out_size, data + n, size - n);
	connection->out_size += size - n;
	return 0;
}

/* Sends what was kept. 0: all of it; -EAGAIN: not yet; another -errno. */
static int connection_flush(struct connection *connection)
{
	while (connection->out) {
		ssize_t n = send(connection->fd, connection->out + connection->out_done,
				 connection->out_size - connection->out_done, MSG_NOSIGNAL);

		if (n < 0)
			return -errno;
		count(&counters.bytes_sent, n);
		connection->out_done += n;
		if (connection->out_done == connection->out_size) {
			free(connection->out);
			connection->out = NULL;
			connection->out_size = connection->out_done = 0;
		}
	}
	return 0;
}

/* Answers each request that is complete, and keeps the rest. 0, or -errno. */
static int http_read(struct connection *connection, const char *data, size_t size)
{
	while (size) {
		char *head = connection->head, *end;
		size_t n = HEAD_SIZE - 1 - connection->head_size, used;
		int r;

		if (n == 0)
			return -EMSGSIZE;
		if (n > size)
			n = size;
		memcpy(head + connection->head_size, data, n);
		head[connection->head_size + n] = '\0';
		end = strstr(head, "\r\n\r\n");
		if (!end) {
			connection->head_size += n;
			data += n;
			size -= n;
			continue;
		}
		used = end + 4 - head - connection->head_size;
		data += used;
		size -= used;
		end[2] = '\0';
		connection->head_size = 0;
		count(&counters.requests, 1);
		connection->last = strcasestr(head, "\r\nConnection: close\r\n");
		r = connection_send(connection, connection->last ? answer_last : answer,
				    connection->last ? answer_last_size : answer_size);
		if (r < 0 || connection->last)
			return r;
	}
	return 0;
}

/* Does all that can be done without waiting. 0: wait for more; 1: it has ended; -errno: the same.
 */
static int connection_serve(struct connection *connection)
{
	char data[65536];

	for (;;) {
		int r = connection_flush(connection);
		ssize_t n;

		if (r < 0)
			return r == -EAGAIN ? 0 : r;
		if (connection->last)
			return 1;
		/* In hold mode the end is only looked for: what was sent stays in the queue. */
		n = recv(connection->fd, data, sizeof(data),
			 options->mode == SERVER_HOLD ? MSG_PEEK : 0);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN ? 0 : -errno;
		if (n == 0)
			return 1;
		if (options->mode == SERVER_HOLD)
			return 0;
		count(&counters.bytes_received, n);
		r = 0;
		if (options->mode == SERVER_HTTP)
			r = http_read(connection, data, n);
		else if (options->mode == SERVER_ECHO)
			r = connection_send(connection, data, n);
		if (r < 0)
			return r;
	}
}

static struct connection *connection_new(int fd)
{
	struct connection *connection =
		calloc(1, sizeof(*connection) + (options->mode == SERVER_HTTP ? HEAD_SIZE : 0));

	if (!connection)
		err(EX_OSERR, "memory");
	connection->fd = fd;
	return connection;
}

static void connection_event(struct worker *worker, struct connection *connection, uint32_t events)
{
	struct epoll_event event = {.data.ptr = connection};
	int r;

	if (options->mode == SERVER_HOLD && connection->polled)
		r = events & EPOLLERR ? -ECONNRESET : 1; /* nothing else is asked for */
	else
		r = connection_serve(connection);
	if (r) {
		/*
		 * While somebody else looks at this process's files (lsof, an iterator of BPF)
		 * close() ends nothing yet: epoll would still tell of a connection that was freed
		 * (epoll(7), "Questions").
		 */
		if (connection->polled)
			epoll_ctl(worker->epoll, EPOLL_CTL_DEL, connection->fd, NULL);
		connection_close(connection, r < 0);
		return;
	}
	/* A full send buffer stops the reading: the client has to read first. */
	event.events = options->mode == SERVER_HOLD ? EPOLLRDHUP
		       : connection->out            ? EPOLLOUT
						    : EPOLLIN;
	if (epoll_ctl(worker->epoll, connection->polled ? EPOLL_CTL_MOD : EPOLL_CTL_ADD,
		      connection->fd, &event))
		err(EX_OSERR, "epoll_ctl");
	connection->polled = true;
}

/* A ticket for each accept, so that threads together never take more than the limit. */
static bool ticket_take(void)
{
	if (__atomic_fetch_add(&counters.tickets, 1, __ATOMIC_RELAXED) < options->accept_limit)
		return true;
	__atomic_fetch_sub(&counters.tickets, 1, __ATOMIC_RELAXED);
	return false;
}

/* accept(), with errors of the connection, not of the listener, passed over. -1: errno tells. */
static int accept_one(int flags)
{
	for (;;) {
		int fd = accept4(listener.fd, NULL, NULL, SOCK_CLOEXEC | flags);

		if (fd >= 0) {
			count(&counters.accepted, 1);
			return fd;
		}
		if (errno != EINTR && errno != ECONNABORTED && errno != EPROTO)
			return -1;
	}
}

static void accept_all(struct worker *worker)
{
	while (ticket_take()) {
		int fd = accept_one(SOCK_NONBLOCK);

		if (fd < 0) {
			count(&counters.tickets, -1);
			if (errno != EAGAIN && errno != ENOTSOCK)
				err(EX_OSERR, "accept");
			return;
		}
		connection_event(worker, connection_new(fd), 0);
	}
	epoll_ctl(worker->epoll, EPOLL_CTL_DEL, listener.fd, NULL);
}

static void *worker_run(void *arg)
{
	struct worker *worker = arg;
	struct epoll_event events[256];
	int timeout = -1;

	for (;;) {
		int n = epoll_wait(worker->epoll, events, 256, timeout);

		if (n < 0 && errno != EINTR)
			err(EX_OSERR, "epoll_wait");
		if (n == 0)
			return NULL;
		for (int i = 0; i < n; i++) {
			struct connection *connection = events[i].data.ptr;

			if (connection == &listener) {
				accept_all(worker);
			} else if (connection == &stopper) {
				/* From here on: whatever is there already, and no more. */
				epoll_ctl(worker->epoll, EPOLL_CTL_DEL, stopper.fd, NULL);
				timeout = 0;
			} else {
				connection_event(worker, connection, events[i].events);
			}
		}
	}
}

static void *worker_run_blocking(void *arg)
{
	bool talks = options->mode == SERVER_HTTP || options->mode == SERVER_ECHO;

	(void)arg;
	while (ticket_take()) {
		int fd = accept_one(0);
		struct connection *connection;

		if (fd < 0)
			return NULL; /* shut down */
		connection = connection_new(fd);
		connection_close(connection,
				 (talks ? talk_serve(fd) : connection_serve(connection)) < 0);
	}
	return NULL;
}

/* Lets the workers at the listener. */
static void accept_start(struct worker *workers)
{
	struct epoll_event event = {.events = EPOLLIN | EPOLLEXCLUSIVE, .data.ptr = &listener};

	for (int i = 0; i < options->threads; i++) {
		if (!options->blocking)
			epoll_ctl(workers[i].epoll, EPOLL_CTL_ADD, listener.fd, &event);
		else if (pthread_create(&workers[i].thread, NULL, worker_run_blocking, NULL))
			errx(EX_OSERR, "no thread");
	}
}

static void accept_end(struct worker *workers)
{
	for (int i = 0; i < options->threads; i++)
		epoll_ctl(workers[i].epoll, EPOLL_CTL_DEL, listener.fd, NULL);
}

int server_run(const struct server_options *wanted)
{
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = &stopper};
	struct timespec tick = {.tv_nsec = POLL_MS * 1000000};
	struct worker *workers;
	int offer = -1;
	char line[LINE_SIZE];
	bool accepting;
	sigset_t signals;

	options = wanted;
	answers_make();
	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	pthread_sigmask(SIG_BLOCK, &signals, NULL);
	listener.fd = options->take_over ? listener_receive(options->take_over) : listen_open();
	if (options->hand_over)
		offer = listener_offer(options->hand_over);
	stopper.fd = eventfd(0, EFD_CLOEXEC);
	workers = calloc(options->threads, sizeof(*workers));
	if (stopper.fd < 0 || !workers)
		err(EX_OSERR, "start");
	for (int i = 0; i < options->threads && !options->blocking; i++) {
		workers[i].epoll = epoll_create1(EPOLL_CLOEXEC);
		if (workers[i].epoll < 0 ||
		    epoll_ctl(workers[i].epoll, EPOLL_CTL_ADD, stopper.fd, &event))
			err(EX_OSERR, "epoll");
		if (pthread_create(&workers[i].thread, NULL, worker_run, &workers[i]))
			errx(EX_OSERR, "no thread");
	}
	accepting = !options->accept_when && options->accept_limit;
	if (accepting)
		accept_start(workers);
	if (options->status)
		status_write();
	announce(options->ready);

	while (sigtimedwait(&signals, NULL, &tick) < 0) {
		if (!accepting && options->accept_limit && options->accept_when &&
		    file_exists(options->accept_when)) {
			accepting = true;
			accept_start(workers);
		}
		if (offer >= 0 && listener_send(offer, listener.fd)) {
			accept_end(workers);
			close(offer);
			/* not closed: a worker may still be at it */
			dup2(stopper.fd, listener.fd);
			offer = -1;
			accepting = true;
		}
		if (options->status)
			status_write();
	}

	if (options->blocking) {
		shutdown(listener.fd, SHUT_RDWR);
	} else {
		eventfd_write(stopper.fd, 1);
		for (int i = 0; i < options->threads; i++)
			pthread_join(workers[i].thread, NULL);
	}
	if (options->status)
		status_write();
	counters_format(line);
	fputs(line, stdout);
	if (options->blocking)
		turns_print();
	puts("}");
	if (fflush(stdout))
		err(EX_IOERR, "stdout");
	/* Not return: what is still open ends with the process, and blocking threads too. */
	_exit(0);
}
