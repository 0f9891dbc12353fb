/* SPDX-License-Identifier: MIT */
/*
 * The connecting side: one thread, one epoll, a slot for each connection under way.
 *
 * Each connection is tried once and ends up in exactly one of connections (the handshake completed,
 * as the client sees it), refused and failed. Only a lack of local ports (EADDRNOTAVAIL), where no
 * packet has left, is tried again; that is counted in retries.
 *
 * Ports: whoever sends the first FIN keeps (addresses, ports) in TIME_WAIT for a minute, and a
 * client has 28,232 ports by default. bind() to an address would take a port that is free for
 * *all* destinations, so IP_BIND_ADDRESS_NO_PORT puts the choice off to connect(), where only the
 * same four-tuple matters: 28,232 for each source address and minute, whichever side closes. With
 * 256 source addresses 200,000 connections need 782 each. Mode reset leaves no TIME_WAIT, and
 * single requests in http mode leave it with the server, where it is no obstacle to a newer SYN.
 *
 * The accept queue: open, close and http wait for the server's answer, so no more than
 * --concurrency connections are ever queued, and every connection that the client has seen the
 * server has seen. In reset, fastclose and hold the queue is the only brake: when more than the
 * backlog are queued, the client may count connections whose last ACK the server has dropped.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <inttypes.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "client.h"

#ifndef IP_BIND_ADDRESS_NO_PORT
#define IP_BIND_ADDRESS_NO_PORT 24
#endif

#ifndef TCP_FASTOPEN_CONNECT
#define TCP_FASTOPEN_CONNECT 30
#endif

#define LINE_NS 200000 /* how often a line that is waited for is looked for */
#define SCAN_MS 20     /* how often slots are looked through for timeouts */

enum state {
	FREE,
	CONNECTING,
	EXCHANGE, /* sending, or waiting for what comes back, or for the server's FIN */
	HELD,
};

struct slot {
	enum state state;
	int fd;
	bool polled;
	bool shut;      /* our FIN is sent */
	uint64_t since; /* ms, of this state */
	uint64_t begun; /* ns; of connect() */
	uint64_t done;  /* ns; the handshake ended, this way or that */
	const char *outcome;
	uint64_t early;    /* bytes that went with the SYN */
	uint64_t unsent;   /* bytes */
	uint64_t requests; /* without an answer yet */
	uint64_t asked;    /* of these: sent, or being sent */
	const char *data;  /* of the request, or NULL: zeros */
	size_t source;
	struct http_answer answer;
};

static struct {
	uint64_t connections, failed, refused, retries, broken, requests;
	uint64_t bytes_sent, bytes_received;
	uint64_t *by_source;
} counters;

static const struct client_options *options;
static struct sockaddr_storage to, own; /* own: the address the kernel chose, if it was to */
static struct slot *slots;
static size_t n_slots, busy; /* busy: CONNECTING or EXCHANGE */
static size_t *free_slots, n_free;
static int epoll;
static volatile sig_atomic_t stop;
static const char zeros[65536];
static struct http_request request;
static FILE *times;

static void on_signal(int number)
{
	(void)number;
	stop = 1;
}

static void slot_free(struct slot *slot)
{
	if (slot->state == CONNECTING || slot->state == EXCHANGE)
		busy--;
	/* see connection_event() of the server: a slot is used again */
	if (slot->polled)
		epoll_ctl(epoll, EPOLL_CTL_DEL, slot->fd, NULL);
	if (slot->fd >= 0)
		close(slot->fd);
	if (times && slot->outcome)
		fprintf(times, "connection %" PRIu64 " %" PRIu64 " %" PRIu64 " %s\n", slot->begun,
			slot->done, now_ns(), slot->outcome);
	slot->state = FREE;
	slot->fd = -1;
	slot->polled = false;
	free_slots[n_free++] = slot - slots;
}

static void slot_break(struct slot *slot)
{
	counters.broken++;
	slot_free(slot);
}

static void slot_poll(struct slot *slot, uint32_t events)
{
	struct epoll_event event = {.events = events, .data.ptr = slot};

	if (epoll_ctl(epoll, slot->polled ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, slot->fd, &event))
		err(EX_OSERR, "epoll_ctl");
	slot->polled = true;
}

/* The connection waits for --hold-until. */
static void slot_hold(struct slot *slot)
{
	slot->state = HELD;
	busy--;
	slot_poll(slot, EPOLLIN);
}

/* As many as are sent at once. */
static void requests_send(struct slot *slot)
{
	slot->asked = slot->requests < options->pipeline ? slot->requests : options->pipeline;
	slot->data = request.data;
	slot->unsent = options->expect ? request.head_size : slot->asked * request.size;
}

/* Sends what it can. 0: all; -EAGAIN: more to send; another -errno. */
static int slot_send(struct slot *slot)
{
	while (slot->unsent) {
		size_t size = slot->unsent;
		const char *data = zeros;
		ssize_t n;

		if (slot->data)
			data = slot->data;
		else if (size > sizeof(zeros))
			size = sizeof(zeros);
		if (options->piece && size > options->piece)
			size = options->piece;
		n = send(slot->fd, data, size, MSG_NOSIGNAL);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		counters.bytes_sent += n;
		slot->unsent -= n;
		if (slot->data)
			slot->data += n;
	}
	return 0;
}

/* Follows the answers. 1: there is more to send, or nothing more to wait for; 0: wait; -errno. */
static int answers_read(struct slot *slot, const char *data, size_t size)
{
	while (size) {
		int r = slot->asked ? http_answer_read(&slot->answer, &data, &size) : -EPROTO;

		if (r < 0)
			return r;
		if (r == HTTP_CONTINUE) {
			slot->unsent = request.size - request.head_size;
			return 1;
		}
		if (r != HTTP_ANSWER)
			continue;
		counters.requests++;
		slot->since = now_ms();
		slot->requests--;
		if (--slot->asked == 0)
			return size ? -EPROTO : 1;
	}
	return 0;
}

/* A single HTTP request asks the server to end the connection; all else we end ourselves. */
static bool slot_is_to_shut(const struct slot *slot)
{
	if (options->mode == CLIENT_HOLD)
		return false;
	if (options->mode != CLIENT_HTTP)
		return true;
	if (options->end == END_HALF)
		return slot->requests == slot->asked;
	return slot->requests == 0 && options->requests > 1;
}

static void slot_reset(struct slot *slot)
{
	struct linger linger = {.l_onoff = 1};

	if (setsockopt(slot->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)))
		err(EX_OSERR, "SO_LINGER");
	slot_free(slot);
}

/* Goes on with an exchange as far as it can. */
static void slot_exchange(struct slot *slot)
{
	char data[65536];
	int r;

again:
	r = slot_send(slot);
	if (r < 0 && r != -EAGAIN) {
		slot_break(slot);
		return;
	}
	if (r == 0 && !slot->shut && slot_is_to_shut(slot)) {
		slot->shut = true;
		if (shutdown(slot->fd, SHUT_WR)) {
			slot_break(slot);
			return;
		}
	}
	for (;;) {
		ssize_t n = recv(slot->fd, data, sizeof(data), 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			break;
		if (n <= 0) {
			if (n < 0 || slot->unsent || slot->requests || options->mode == CLIENT_HOLD)
				slot_break(slot);
			else
				slot_free(slot);
			return;
		}
		counters.bytes_received += n;
		if (options->mode != CLIENT_HTTP)
			continue;
		r = answers_read(slot, data, n);
		if (r < 0) {
			slot_break(slot);
			return;
		}
		if (r == 0)
			continue;
		if (!slot->requests && options->end == END_RESET) {
			slot_reset(slot);
			return;
		}
		if (options->requests - slot->requests == options->hold_after) {
			slot_hold(slot);
			return;
		}
		if (slot->requests && !slot->asked)
			requests_send(slot);
		goto again;
	}
	slot_poll(slot, EPOLLIN | (slot->unsent ? EPOLLOUT : 0));
}

static void slot_connected(struct slot *slot)
{
	socklen_t size = sizeof(own);
	int on = 1;

	counters.connections++;
	counters.by_source[slot->source]++;
	if (!options->n_from && counters.connections == 1)
		getsockname(slot->fd, (struct sockaddr *)&own, &size);
	slot->state = EXCHANGE;
	slot->since = now_ms();
	if (options->piece)
		setsockopt(slot->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	switch (options->mode) {
	case CLIENT_RESET:
		slot_reset(slot);
		return;
	case CLIENT_FASTCLOSE:
		slot->unsent = options->send;
		if (slot_send(slot) < 0)
			slot_break(slot);
		else
			slot_free(slot);
		return;
	case CLIENT_HOLD:
		slot_hold(slot);
		return;
	case CLIENT_HTTP:
		slot->requests = options->requests;
		if (options->hold_after == 0) {
			slot_hold(slot);
			return;
		}
		requests_send(slot);
		break;
	case CLIENT_CLOSE:
		slot->unsent = options->send - slot->early;
		break;
	case CLIENT_OPEN:
		break;
	}
	slot_exchange(slot);
}

/* The handshake ended, this way or that. */
static void slot_settle(struct slot *slot, int error)
{
	slot->done = now_ns();
	slot->outcome = !error ? "connected" : error == ECONNREFUSED ? "refused" : "failed";
	if (!error) {
		slot_connected(slot);
		return;
	}
	if (error == ECONNREFUSED)
		counters.refused++;
	else
		counters.failed++;
	if (error != ECONNREFUSED && counters.failed == 1)
		warnx("first connection that failed: %s", strerror(error));
	slot_free(slot);
}

static void bind_port(int fd)
{
	struct sockaddr_storage any;
	socklen_t size =
		address_fill(&any, to.ss_family == AF_INET ? "0.0.0.0" : "::", options->from_port);
	int on = 1;

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(fd, (struct sockaddr *)&any, size))
		err(EX_OSERR, "--from-port %u", options->from_port);
}

/* connect() has put off the SYN until there is data to go with it. */
static void slot_fastopen(struct slot *slot)
{
	ssize_t n =
		send(slot->fd, zeros, options->send < 1000 ? options->send : 1000, MSG_NOSIGNAL);

	if (n < 0 && errno != EINPROGRESS) {
		slot_settle(slot, errno);
		return;
	}
	slot->early = n > 0 ? n : 0;
	counters.bytes_sent += slot->early;
	slot_poll(slot, EPOLLOUT);
}

/* Begins connection number i. False: no local port is free now. */
static bool slot_start(uint64_t i)
{
	struct slot *slot = &slots[free_slots[--n_free]];
	int on = 1;

	slot->source = options->n_from ? i % options->n_from : 0;
	slot->state = CONNECTING;
	slot->polled = slot->shut = false;
	slot->since = now_ms();
	slot->unsent = slot->requests = slot->asked = 0;
	slot->answer.body = slot->answer.head_size = 0;
	slot->data = slot->outcome = NULL;
	slot->early = 0;
	busy++;
	slot->fd = socket(to.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC,
			  options->mptcp ? IPPROTO_MPTCP : 0);
	if (slot->fd < 0)
		err(EX_OSERR, "socket");
	if (options->n_from) {
		const struct sockaddr_storage *from = &options->from[slot->source];

		/* MPTCP sockets may not know it: then a port is taken now, and they run out sooner.
		 */
		setsockopt(slot->fd, SOL_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on));
		if (bind(slot->fd, (const struct sockaddr *)from, address_size(from))) {
			if (errno != EADDRINUSE)
				err(EX_UNAVAILABLE, "source address number %zu", slot->source);
			goto retry;
		}
	}
	if (options->from_port)
		bind_port(slot->fd);
	if (options->fastopen &&
	    setsockopt(slot->fd, IPPROTO_TCP, TCP_FASTOPEN_CONNECT, &on, sizeof(on)))
		err(EX_UNAVAILABLE, "TCP_FASTOPEN_CONNECT");
	slot->begun = now_ns();
	if (connect(slot->fd, (struct sockaddr *)&to, address_size(&to)) == 0) {
		if (options->fastopen)
			slot_fastopen(slot);
		else
			slot_settle(slot, 0);
		return true;
	}
	if (errno == EADDRNOTAVAIL)
		goto retry;
	if (errno != EINPROGRESS) {
		slot_settle(slot, errno);
		return true;
	}
	/* On the same machine the handshake is over by now; asking again saves a round of epoll. */
	if (connect(slot->fd, (struct sockaddr *)&to, address_size(&to)) == 0)
		slot_settle(slot, 0);
	else if (errno == EALREADY || errno == EINPROGRESS)
		slot_poll(slot, EPOLLOUT);
	else
		slot_settle(slot, errno);
	return true;
retry:
	counters.retries++;
	slot_free(slot);
	return false;
}

static void slot_event(struct slot *slot)
{
	int error = 0;
	socklen_t size = sizeof(error);
	char data[65536];
	ssize_t n;

	switch (slot->state) {
	case CONNECTING:
		if (getsockopt(slot->fd, SOL_SOCKET, SO_ERROR, &error, &size))
			error = errno;
		slot_settle(slot, error);
		break;
	case EXCHANGE:
		slot_exchange(slot);
		break;
	case HELD:
		if (slot->unsent) {
			slot_exchange(slot);
			break;
		}
		while ((n = recv(slot->fd, data, sizeof(data), 0)) > 0)
			counters.bytes_received += n;
		if (n == 0 || errno != EAGAIN)
			slot_break(slot); /* the server ended it */
		break;
	case FREE:
		break; /* closed earlier in the same round */
	}
}

/* Waits at most timeout milliseconds and handles what came. */
static void poll_once(int timeout)
{
	struct epoll_event events[256];
	int n = epoll_wait(epoll, events, 256, timeout);

	if (n < 0 && errno != EINTR)
		err(EX_OSERR, "epoll_wait");
	for (int i = 0; i < n; i++)
		slot_event(events[i].data.ptr);
}

static void timeouts_scan(void)
{
	static uint64_t last;
	uint64_t now = now_ms();

	if (now < last + SCAN_MS)
		return;
	last = now;
	for (size_t i = 0; i < n_slots; i++) {
		if (slots[i].state != CONNECTING && slots[i].state != EXCHANGE)
			continue;
		if (now < slots[i].since + options->timeout_ms)
			continue;
		if (slots[i].state == CONNECTING)
			slot_settle(&slots[i], ETIMEDOUT);
		else
			slot_break(&slots[i]);
	}
}

static void wait_file(const char *path)
{
	while (path && !stop && !file_exists(path))
		poll_once(POLL_MS);
}

/* Waits until a file, which need not be there yet, has a whole line that begins so. */
static void wait_line(const char *wanted)
{
	struct timespec pause = {.tv_nsec = LINE_NS};
	const char *text = wanted ? strchr(wanted, ':') : NULL;
	char line[4096], path[4096];
	FILE *file = NULL;
	long begin = 0;

	if (!wanted)
		return;
	if (!text || text - wanted >= (ptrdiff_t)sizeof(path))
		errx(EX_USAGE, "--go-line %s: want FILE:TEXT", wanted);
	snprintf(path, sizeof(path), "%.*s", (int)(text - wanted), wanted);
	while (!stop) {
		if (!file)
			file = fopen(path, "re");
		if (file && fgets(line, sizeof(line), file) && strchr(line, '\n')) {
			if (!strncmp(line, text + 1, strlen(text + 1)))
				break;
			begin = ftell(file);
			continue;
		}
		if (file)
			fseek(file, begin, SEEK_SET);
		nanosleep(&pause, NULL);
	}
	if (file)
		fclose(file);
}

static void wait_after(uint64_t ms)
{
	uint64_t end = now_ns() + ms * 1000000;
	struct timespec until = {.tv_sec = end / 1000000000, .tv_nsec = end % 1000000000};

	while (ms && !stop && clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL))
		;
}

/* Times of CLOCK_MONOTONIC; the first line has both clocks at one moment. */
static void times_open(void)
{
	struct timespec now;

	if (!options->times)
		return;
	times = fopen(options->times, "we");
	if (!times)
		err(EX_CANTCREAT, "%s", options->times);
	setlinebuf(times);
	clock_gettime(CLOCK_REALTIME, &now);
	fprintf(times, "clock %" PRIu64 " %" PRIu64 "\n", now_ns(),
		(uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec);
}

/* When the connection with this number is to be started; 0: at once. */
static uint64_t slot_due(uint64_t began, uint64_t number)
{
	if (options->every_ms)
		return began + number * options->every_ms;
	return options->rate ? began + number * 1000 / options->rate : 0;
}

/* A port of our own, that nobody is ever accepted on: it only shows whose process this is. */
static void listen_own(void)
{
	struct sockaddr_storage own_address;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	socklen_t size = address_fill(&own_address, "0.0.0.0", options->own_port);

	if (fd < 0 || bind(fd, (struct sockaddr *)&own_address, size) || listen(fd, 1))
		err(EX_OSERR, "--own-port %u", options->own_port);
	announce(options->listening);
}

/* Makes all connections, and ends those that are not to be held. */
static void connections_run(void)
{
	uint64_t began = now_ms(), started = 0;

	while ((started < options->connections && !stop) || busy) {
		int timeout = SCAN_MS;

		while (started < options->connections && busy < options->concurrency && !stop) {
			uint64_t due = slot_due(began, started);
			uint64_t now = due ? now_ms() : 0;

			if (due > now) {
				if (due - now < (uint64_t)timeout)
					timeout = due - now;
				break;
			}
			if (!slot_start(started)) {
				timeout = 1;
				break;
			}
			started++;
		}
		if (busy || timeout < SCAN_MS)
			poll_once(timeout);
		timeouts_scan();
	}
}

/* Sends on all held connections, and waits until the other side has acknowledged it all. */
static void held_send(uint64_t bytes)
{
	uint64_t begun = now_ns(), end;
	size_t waiting, held = 0;

	for (size_t i = 0; i < n_slots; i++) {
		if (slots[i].state != HELD)
			continue;
		held++;
		slots[i].unsent = bytes;
		slot_exchange(&slots[i]);
	}
	end = now_ms() + options->timeout_ms;
	do {
		waiting = 0;
		for (size_t i = 0; i < n_slots; i++) {
			int queued = 0;

			if (slots[i].state != HELD)
				continue;
			ioctl(slots[i].fd, SIOCOUTQ, &queued);
			waiting += queued || slots[i].unsent;
		}
		if (waiting)
			poll_once(1);
	} while (waiting && now_ms() < end && !stop);
	counters.broken += waiting;
	if (times && held)
		fprintf(times, "send %" PRIu64 " %" PRIu64 "\n", begun, now_ns());
}

/* Makes the requests that are left after --hold-after, on all held connections. */
static void held_go_on(void)
{
	for (size_t i = 0; i < n_slots; i++) {
		if (slots[i].state != HELD)
			continue;
		slots[i].state = EXCHANGE;
		slots[i].since = now_ms();
		busy++;
		requests_send(&slots[i]);
		slot_exchange(&slots[i]);
	}
	while (busy) {
		poll_once(SCAN_MS);
		timeouts_scan();
	}
}

static void print_source(const struct sockaddr_storage *address, uint64_t n, const char *comma)
{
	char text[INET6_ADDRSTRLEN] = "";

	if (address->ss_family == AF_INET6)
		inet_ntop(AF_INET6, &((const struct sockaddr_in6 *)address)->sin6_addr, text,
			  sizeof(text));
	else
		inet_ntop(AF_INET, &((const struct sockaddr_in *)address)->sin_addr, text,
			  sizeof(text));
	printf("%s\"%s\":%llu", comma, text, (unsigned long long)n);
}

static void counters_print(double seconds)
{
	printf("{\"connections\":%llu,\"failed\":%llu,\"refused\":%llu,\"retries\":%llu,"
	       "\"broken\":%llu,\"requests\":%llu,\"bytes_sent\":%llu,\"bytes_received\":%llu,"
	       "\"seconds\":%.3f,\"by_source\":{",
	       (unsigned long long)counters.connections, (unsigned long long)counters.failed,
	       (unsigned long long)counters.refused, (unsigned long long)counters.retries,
	       (unsigned long long)counters.broken, (unsigned long long)counters.requests,
	       (unsigned long long)counters.bytes_sent, (unsigned long long)counters.bytes_received,
	       seconds);
	for (size_t i = 0; i < options->n_from; i++)
		print_source(&options->from[i], counters.by_source[i], i ? "," : "");
	if (!options->n_from && counters.connections)
		print_source(&own, counters.connections, "");
	printf("}}\n");
	if (fflush(stdout) || ferror(stdout))
		err(EX_IOERR, "stdout");
}

int client_run(const struct client_options *wanted)
{
	struct sigaction action = {.sa_handler = on_signal};
	struct timespec start, end;

	options = wanted;
	if (!address_fill(&to, options->to, options->port))
		errx(EX_USAGE, "--to %s: not an address", options->to);
	for (size_t i = 0; i < options->n_from; i++)
		if (options->from[i].ss_family != to.ss_family)
			errx(EX_USAGE, "source and destination are of different families");
	http_request_make(&request, options);
	n_slots = options->concurrency;
	if ((options->mode == CLIENT_HOLD || options->hold_after != UINT64_MAX) &&
	    options->connections > n_slots)
		n_slots = options->connections;
	slots = calloc(n_slots, sizeof(*slots));
	free_slots = calloc(n_slots, sizeof(*free_slots));
	counters.by_source = calloc(options->n_from + 1, sizeof(*counters.by_source));
	epoll = epoll_create1(EPOLL_CLOEXEC);
	if (!slots || !free_slots || !counters.by_source || epoll < 0)
		err(EX_OSERR, "start");
	for (size_t i = n_slots; i-- > 0;) {
		slots[i].fd = -1;
		free_slots[n_free++] = i;
	}
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGINT, &action, NULL);

	if (options->own_port)
		listen_own();
	times_open();
	wait_file(options->go);
	wait_line(options->go_line);
	wait_after(options->after_ms);
	clock_gettime(CLOCK_MONOTONIC, &start);
	connections_run();
	clock_gettime(CLOCK_MONOTONIC, &end);
	if (options->send_first)
		held_send(options->send_first);
	announce(options->ready);
	if (options->mode == CLIENT_HTTP && options->hold_after != UINT64_MAX) {
		wait_file(options->hold_until);
		held_go_on();
	}
	if (options->mode == CLIENT_HOLD) {
		if (options->send) {
			wait_file(options->send_on);
			held_send(options->send);
			announce(options->sent);
		}
		if (options->hold_until)
			wait_file(options->hold_until);
		while (!options->hold_until && !stop)
			poll_once(1000);
		for (size_t i = 0; i < n_slots; i++)
			if (slots[i].state == HELD)
				slot_free(&slots[i]);
	}
	if (times && fclose(times))
		err(EX_IOERR, "%s", options->times);
	counters_print((double)(end.tv_sec - start.tv_sec) +
		       (double)(end.tv_nsec - start.tv_nsec) / 1e9);
	free(request.data);
	free(slots);
	free(free_slots);
	free(counters.by_source);
	return counters.connections == options->connections && !counters.broken ? 0
										: EXIT_INCOMPLETE;
}
