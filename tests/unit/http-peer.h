/* SPDX-License-Identifier: MIT */
/*
 * For the tests of the HTTP server: the server and clients of it on raw sockets, all in this
 * process. One poll() waits for whatever happens next at any of them; nothing sleeps.
 */
#ifndef TEST_HTTP_PEER_H
#define TEST_HTTP_PEER_H

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <gnutls/gnutls.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../user/serve/http.h"

#define PEERS 300
#define WAIT_MS 5000 /* only so that a failure ends */

struct peer {
	int fd; /* -1: not connected, or ended */
	gnutls_session_t tls;
	bool begun, shaken; /* the handshake of TLS, and done */
	bool deaf;          /* reads nothing */
	bool ended;         /* by the server: closed or reset */
	int tls_error;
	char *in, *out;
	size_t in_size, in_room, out_size;
};

struct server {
	struct http *http;
	struct http_request *later[8]; /* that asked for /later, in this order */
	unsigned int later_count;
	struct peer peers[PEERS];
	unsigned int peer_count;
	unsigned int runs; /* http_run() was called */
	char error[512];
};

#define BIG (5 << 20)

static inline char *big_body(void)
{
	char *body = malloc(BIG);

	assert_non_null(body);
	for (size_t i = 0; i < BIG; i++)
		body[i] = (char)('a' + i % 23);
	return body;
}

static inline void answer_text(struct http_request *request, unsigned int status, const char *text)
{
	http_answer(request, status, NULL, strdup(text), strlen(text));
}

/* /later is answered by the test, /big is big, /echo tells what was asked, and all else is "hello".
 */
static inline void server_ask(struct http_request *request, void *arg)
{
	struct server *server = arg;
	const char *path = http_path(request), *x = http_query(request, "x");
	const char *header = http_header(request, "x-header");
	char text[512];

	if (!strcmp(path, "/later")) {
		assert_true(server->later_count < 8);
		server->later[server->later_count++] = request;
	} else if (!strcmp(path, "/big")) {
		http_answer(request, 200, "application/octet-stream", big_body(), BIG);
	} else if (!strncmp(path, "/echo", 5)) {
		snprintf(text, sizeof(text), "%s|%s|%s|%d", path, x ? x : "(none)",
			 header ? header : "(none)", http_from_loopback(request));
		answer_text(request, 200, text);
	} else if (!strcmp(path, "/login")) {
		answer_text(request, 401, "who?");
	} else if (!strcmp(path, "/empty")) {
		http_answer(request, 200, "application/json", NULL, 7);
	} else {
		answer_text(request, 200, "hello");
	}
}

/* Limits of 0 would be the defaults; what a test doesn't set is out of its way. */
static inline struct server *server_open(const char *listen, struct http_limits limits,
					 const char *cert, const char *key)
{
	struct server *server = calloc(1, sizeof(*server));
	struct http_options options = {.listen = listen,
				       .cert_file = cert,
				       .key_file = key,
				       .ask = server_ask,
				       .arg = server};

	if (!limits.per_address)
		limits.per_address = 1000;
	if (!limits.connections)
		limits.connections = 1000;
	if (!limits.requests_per_second)
		limits.requests_per_second = 100000;
	if (!limits.head_seconds)
		limits.head_seconds = 1000;
	if (!limits.answer_seconds)
		limits.answer_seconds = 1000;
	options.limits = limits;
	if (http_open(&server->http, &options, server->error, sizeof(server->error)))
		fail_msg("%s", server->error);
	return server;
}

static inline struct server *server_plain(struct http_limits limits)
{
	return server_open("127.0.0.1:0", limits, NULL, NULL);
}

static inline void peer_close(struct peer *peer)
{
	if (peer->tls)
		gnutls_deinit(peer->tls);
	peer->tls = NULL;
	if (peer->fd >= 0)
		close(peer->fd);
	peer->fd = -1;
}

static inline void server_close(struct server *server)
{
	http_close(server->http);
	for (unsigned int i = 0; i < server->peer_count; i++) {
		peer_close(&server->peers[i]);
		free(server->peers[i].in);
		free(server->peers[i].out);
	}
	free(server);
}

/* From this address of the loopback network (NULL: 127.0.0.1), or ::1. */
static inline struct peer *connect_from(struct server *server, const char *from)
{
	struct peer *peer = &server->peers[server->peer_count++];
	struct sockaddr_in in = {.sin_family = AF_INET};
	struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
	bool six = from && strchr(from, ':');
	int r;

	assert_true(server->peer_count <= PEERS);
	peer->fd = socket(six ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_true(peer->fd >= 0);
	if (six) {
		in6.sin6_port = htons(http_port(server->http));
		r = connect(peer->fd, (struct sockaddr *)&in6, sizeof(in6));
	} else {
		inet_pton(AF_INET, from ? from : "127.0.0.1", &in.sin_addr);
		assert_int_equal(bind(peer->fd, (struct sockaddr *)&in, sizeof(in)), 0);
		inet_pton(AF_INET, "127.0.0.1", &in.sin_addr);
		in.sin_port = htons(http_port(server->http));
		r = connect(peer->fd, (struct sockaddr *)&in, sizeof(in));
	}
	if (r)
		fail_msg("connect: %s", strerror(errno));
	return peer;
}

static inline struct peer *peer_new(struct server *server)
{
	return connect_from(server, NULL);
}

static inline void peer_tls(struct peer *peer, gnutls_certificate_credentials_t credentials,
			    const char *priorities)
{
	gnutls_init(&peer->tls, GNUTLS_CLIENT | GNUTLS_NONBLOCK | GNUTLS_NO_SIGNAL);
	assert_int_equal(gnutls_priority_set_direct(peer->tls, priorities, NULL), 0);
	gnutls_credentials_set(peer->tls, GNUTLS_CRD_CERTIFICATE, credentials);
	gnutls_transport_set_int(peer->tls, peer->fd);
	fcntl(peer->fd, F_SETFL, O_NONBLOCK);
}

static inline void say_bytes(struct peer *peer, const char *bytes, size_t size)
{
	peer->out = realloc(peer->out, peer->out_size + size);
	assert_non_null(peer->out);
	memcpy(peer->out + peer->out_size, bytes, size);
	peer->out_size += size;
}

static inline void say(struct peer *peer, const char *text)
{
	say_bytes(peer, text, strlen(text));
}

static inline void get(struct peer *peer, const char *path)
{
	char text[512];

	snprintf(text, sizeof(text), "GET %s HTTP/1.1\r\nHost: x\r\n\r\n", path);
	say(peer, text);
}

static inline bool peer_again(struct peer *peer, ssize_t r)
{
	return peer->tls ? r == GNUTLS_E_AGAIN || r == GNUTLS_E_INTERRUPTED
			 : r < 0 && errno == EAGAIN;
}

static inline void peer_end(struct peer *peer, ssize_t r)
{
	peer->ended = true;
	peer->tls_error = peer->tls ? (int)r : 0;
	peer_close(peer);
}

static inline void peer_read(struct peer *peer)
{
	while (peer->fd >= 0) {
		ssize_t r;

		if (peer->in_room - peer->in_size < 65536) {
			peer->in_room += peer->in_room + 65536;
			peer->in = realloc(peer->in, peer->in_room + 1);
			assert_non_null(peer->in);
		}
		r = peer->tls ? gnutls_record_recv(peer->tls, peer->in + peer->in_size, 65536)
			      : recv(peer->fd, peer->in + peer->in_size, 65536, MSG_DONTWAIT);
		if (peer_again(peer, r))
			return;
		if (r > 0)
			peer->in_size += (size_t)r;
		else
			peer_end(peer, r);
		peer->in[peer->in_size] = 0;
	}
}

static inline void peer_write(struct peer *peer)
{
	ssize_t r;

	if (!peer->out_size || peer->fd < 0)
		return;
	r = peer->tls ? gnutls_record_send(peer->tls, peer->out, peer->out_size)
		      : send(peer->fd, peer->out, peer->out_size, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (peer_again(peer, r))
		return;
	if (r < 0) {
		peer_read(peer); /* what came before it was closed */
		if (peer->fd >= 0)
			peer_end(peer, r);
		return;
	}
	peer->out_size -= (size_t)r;
	memmove(peer->out, peer->out + r, peer->out_size);
}

static inline void peer_turn(struct peer *peer)
{
	if (peer->tls && !peer->shaken) {
		int r = gnutls_handshake(peer->tls);

		peer->begun = true;
		if (!r)
			peer->shaken = true;
		else if (gnutls_error_is_fatal(r))
			peer_end(peer, r);
		if (r)
			return;
	}
	peer_write(peer);
	if (!peer->deaf)
		peer_read(peer);
}

/* Waits until something happens, at the server or at a peer, and lets it. */
static inline void turn(struct server *server)
{
	struct pollfd fds[PEERS + 1] = {{.fd = http_fd(server->http), .events = POLLIN}};
	int r;

	for (unsigned int i = 0; i < server->peer_count; i++) {
		const struct peer *peer = &server->peers[i];
		bool shaking = peer->tls && !peer->shaken;

		fds[i + 1].fd = peer->deaf && !peer->out_size && !shaking ? -1 : peer->fd;
		fds[i + 1].events = (short)((peer->deaf && !shaking ? 0 : POLLIN) |
					    (peer->out_size ? POLLOUT : 0));
		if (shaking && !peer->begun) /* it waits for nothing */
			fds[i + 1].events |= POLLOUT;
	}
	r = poll(fds, server->peer_count + 1, WAIT_MS);
	if (r <= 0)
		fail_msg("nothing happened for %d ms", WAIT_MS);
	if (fds[0].revents) {
		http_run(server->http);
		server->runs++;
	}
	for (unsigned int i = 0; i < server->peer_count; i++)
		if (fds[i + 1].revents)
			peer_turn(&server->peers[i]);
}

#define WAIT_FOR(server, condition)                                                                \
	do {                                                                                       \
		while (!(condition))                                                               \
			turn(server);                                                              \
	} while (0)

/* How many whole answers have come: heads, each with as many bytes as it says. Of a HEAD there is
 * no body, which `head` tells. */
static inline unsigned int answers(const struct peer *peer, bool head)
{
	const char *at = peer->in, *stop = peer->in + peer->in_size;
	unsigned int n = 0;

	while (at && at < stop) {
		const char *body = strstr(at, "\r\n\r\n");
		const char *length = strstr(at, "Content-Length: ");

		if (!body || !length || length > body)
			break;
		body += 4;
		if (!head)
			body += strtoul(length + strlen("Content-Length: "), NULL, 10);
		if (body > stop)
			break;
		at = body;
		n++;
	}
	return n;
}

/* Asks, and waits for the answer. Its status. */
static inline int ask_for(struct server *server, struct peer *peer, const char *path)
{
	unsigned int before = answers(peer, false);
	size_t from = peer->in_size;

	get(peer, path);
	WAIT_FOR(server, peer->ended || answers(peer, false) > before);
	if (peer->in_size < from + 12)
		return -1;
	return atoi(peer->in + from + strlen("HTTP/1.1 "));
}

/* All that came, without the dates. */
static inline void assert_came(struct peer *peer, const char *expected)
{
	char *date;

	while (peer->in && (date = strstr(peer->in, "Date: "))) {
		char *rest = strstr(date, "\r\n") + 2;

		peer->in_size -= (size_t)(rest - date);
		memmove(date, rest, strlen(rest) + 1);
	}
	assert_string_equal(peer->in ? peer->in : "", expected);
}

#endif
