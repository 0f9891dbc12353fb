/* SPDX-License-Identifier: MIT */
/*
 * Who may connect, and for how long.
 *
 * MHD has one timeout, which each byte starts again, so a client that drips would stay for ever.
 * Deadlines are ours: shutdown() of the socket wakes MHD's edge-triggered epoll with EPOLLHUP, on
 * which it closes the connection, whatever state it is in (MHD_epoll() and call_handlers() of
 * 0.9.75). Only a suspended connection it does not look at; that one has no deadline. Deadlines
 * also end what MHD overlooks: a client that ended together with half a head.
 */
#include "state.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <utlist.h>

int64_t serve_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * SERVE_SECOND + now.tv_nsec;
}

struct http_connection *connection_of(struct MHD_Connection *mhd)
{
	return MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT)->socket_context;
}

void connection_phase(struct http_connection *connection, enum phase phase)
{
	const struct http_limits *limits = &connection->http->limits;

	connection->phase = phase;
	connection->deadline = INT64_MAX;
	if (phase == PHASE_HEAD)
		connection->deadline = serve_now() + limits->head_seconds * SERVE_SECOND;
	if (phase == PHASE_ANSWER)
		connection->deadline = serve_now() + limits->answer_seconds * SERVE_SECOND;
}

/* close() then resets the connection: nothing of it stays in the kernel. */
static void reset_at_close(int fd)
{
	const struct linger at_once = {.l_onoff = 1};

	setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
}

void connection_cut(struct http_connection *connection)
{
	if (connection->phase == PHASE_ANSWER)
		reset_at_close(connection->fd);
	connection->cut = true;
	connection->deadline = INT64_MAX;
	shutdown(connection->fd, SHUT_RDWR);
}

void connection_expire(struct http *http, int64_t now)
{
	struct http_connection *connection;

	for (connection = http->connections; connection; connection = connection->next) {
		if (connection->deadline > now)
			continue;
		http->counts.timed_out++;
		connection_cut(connection);
	}
}

int64_t connection_deadline(const struct http *http)
{
	struct http_connection *connection;
	int64_t deadline = INT64_MAX;

	for (connection = http->connections; connection; connection = connection->next) {
		if (connection->deadline < deadline)
			deadline = connection->deadline;
	}
	return deadline;
}

bool connection_shaking(const struct http *http)
{
	struct http_connection *connection;

	for (connection = http->connections; connection; connection = connection->next) {
		if (connection->certificate && connection->phase == PHASE_HEAD &&
		    !connection->answered_turn)
			return true;
	}
	return false;
}

/* An eighth of all places. */
#define KEPT_PART 8

/* In IPv6 form, as each address of this program. */
static struct in6_addr in6_of(const struct sockaddr *address)
{
	struct in6_addr in6 = {.s6_addr = {[10] = 0xff, [11] = 0xff}};

	if (address->sa_family == AF_INET6)
		memcpy(&in6, &((const struct sockaddr_in6 *)address)->sin6_addr, sizeof(in6));
	else
		memcpy(&in6.s6_addr[12], &((const struct sockaddr_in *)address)->sin_addr, 4);
	return in6;
}

static bool is_loopback(const struct in6_addr *address)
{
	return IN6_IS_ADDR_LOOPBACK(address) ||
	       (IN6_IS_ADDR_V4MAPPED(address) && address->s6_addr[12] == 127);
}

/* It is from this machine: it came from the address that it came to. */
static bool is_own(int fd, const struct in6_addr *address)
{
	struct sockaddr_storage own = {0};
	socklen_t length = sizeof(own);
	struct in6_addr in6;

	if (getsockname(fd, (struct sockaddr *)&own, &length))
		return false;
	in6 = in6_of((const struct sockaddr *)&own);
	return IN6_ARE_ADDR_EQUAL(&in6, address);
}

/* Some places are for this machine alone: the kubelet must be heard when all others are taken. */
static bool has_place(const struct http *http, int fd, const struct in6_addr *address)
{
	unsigned int kept = http->limits.connections / KEPT_PART;

	if (http->counts.open + kept < http->limits.connections)
		return true;
	return http->counts.open < http->limits.connections && is_own(fd, address);
}

static struct http_connection *connection_new(struct http *http, int fd,
					      const struct in6_addr *address)
{
	struct http_connection *connection;

	if (!has_place(http, fd, address))
		return NULL;
	connection = calloc(1, sizeof(*connection));
	if (!connection)
		return NULL;
	connection->client = clients_enter(&http->clients, address, serve_now());
	if (!connection->client) {
		free(connection);
		return NULL;
	}
	connection->http = http;
	connection->fd = fd;
	connection->loopback = is_loopback(address);
	return connection;
}

void connection_take(struct http *http, int fd, const struct sockaddr *address, socklen_t length)
{
	struct in6_addr in6 = in6_of(address);
	struct http_connection *connection = connection_new(http, fd, &in6);

	if (!connection) {
		http->counts.refused_connections++;
		reset_at_close(fd);
		close(fd);
		return;
	}
	http->arriving = connection;
	if (MHD_add_connection(http->daemon, fd, address, length) == MHD_YES) {
		http->counts.connections++;
		return;
	}
	/* It has closed the socket. */
	http->counts.refused_connections++;
	if (!http->arriving)
		return; /* it was told of its begin and its end */
	http->arriving = NULL;
	clients_leave(connection->client);
	free(connection);
}

static void begin(struct http *http, struct MHD_Connection *mhd, void **context)
{
	struct http_connection *connection = http->arriving;

	http->arriving = NULL;
	*context = connection;
	connection->mhd = mhd;
	DL_APPEND2(http->connections, connection, previous, next);
	http->counts.open++;
	connection_phase(connection, PHASE_HEAD);
	if (!http->certificate)
		return;
	connection->certificate = http->certificate;
	/* in place of the daemon's own: so a new certificate needs no new daemon */
	certificate_use(
		connection->certificate,
		MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_GNUTLS_SESSION)->tls_session);
}

/* MHD closes without a word, or with an answer that it tells nobody of, when what comes is no HTTP
 * or no TLS. Then the client is there still: it has neither ended nor reset its side. */
static bool ended_by_mhd(const struct http_connection *connection)
{
	char byte;
	ssize_t r;

	if (connection->cut || connection->answered_turn == connection->http->turn)
		return false; /* by us, or it was the end of an answer */
	r = recv(connection->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
	return r > 0 || (r < 0 && errno == EAGAIN);
}

static void end(struct http_connection *connection)
{
	struct http *http = connection->http;

	if (connection->phase == PHASE_HEAD && ended_by_mhd(connection))
		http->counts.malformed++;
	DL_DELETE2(http->connections, connection, previous, next);
	http->counts.open--;
	clients_leave(connection->client);
	certificate_leave(connection->certificate); /* the session is gone already */
	free(connection);
}

void connection_notify(void *arg, struct MHD_Connection *mhd, void **context,
		       enum MHD_ConnectionNotificationCode code)
{
	if (code == MHD_CONNECTION_NOTIFY_STARTED)
		begin(arg, mhd, context);
	else
		end(*context);
}
