/* SPDX-License-Identifier: MIT */
/* What is asked and answered, without TLS. */
#include "http-peer.h"

#include <sys/resource.h>

#define HEADERS(type)                                                                              \
	"Content-Type: " type "\r\nCache-Control: no-store\r\n"                                    \
	"X-Content-Type-Options: nosniff\r\n"
#define TEXT HEADERS("text/plain; charset=utf-8")

static void test_get(void **state)
{
	struct server *server = server_plain((struct http_limits){0});
	struct peer *peer = peer_new(server);

	(void)state;
	assert_int_equal(ask_for(server, peer, "/"), 200);
	assert_came(peer, "HTTP/1.1 200 OK\r\n" TEXT "Content-Length: 5\r\n\r\nhello");
	/* the connection stays */
	assert_int_equal(ask_for(server, peer, "/login"), 401);
	assert_int_equal(ask_for(server, peer, "/empty"), 200);
	assert_false(peer->ended);
	assert_int_equal(http_counts(server->http).requests, 3);
	assert_int_equal(http_counts(server->http).connections, 1);
	assert_int_equal(http_counts(server->http).open, 1);
	server_close(server);
}

static void test_headers(void **state)
{
	struct server *server = server_plain((struct http_limits){0});
	struct peer *login = peer_new(server), *empty = peer_new(server);

	(void)state;
	ask_for(server, login, "/login");
	assert_came(login, "HTTP/1.1 401 Unauthorized\r\n" TEXT
			   "WWW-Authenticate: Bearer\r\nContent-Length: 4\r\n\r\nwho?");
	ask_for(server, empty, "/empty");
	assert_came(empty,
		    "HTTP/1.1 200 OK\r\n" HEADERS("application/json") "Content-Length: 0\r\n\r\n");
	server_close(server);
}

static void test_head(void **state)
{
	struct server *server = server_plain((struct http_limits){0});
	struct peer *peer = peer_new(server);

	(void)state;
	say(peer, "HEAD /big HTTP/1.1\r\nHost: x\r\n\r\n");
	WAIT_FOR(server, answers(peer, true) == 1);
	say(peer, "HEAD / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
	WAIT_FOR(server, peer->ended);
	assert_came(
		peer,
		"HTTP/1.1 200 OK\r\n" HEADERS(
			"application/octet-stream") "Content-Length: 5242880\r\n\r\n"
						    "HTTP/1.1 200 OK\r\nConnection: close\r\n" TEXT
						    "Content-Length: 5\r\n\r\n");
	server_close(server);
}

static void test_methods(void **state)
{
	static const char *const methods[] = {"POST",    "PUT",   "DELETE", "PATCH", "OPTIONS",
					      "CONNECT", "TRACE", "GETS",   "get",   "X"};
	struct server *server = server_plain((struct http_limits){0});
	const size_t n = sizeof(methods) / sizeof(*methods);
	char text[128];

	(void)state;
	for (size_t i = 0; i < n; i++) {
		struct peer *peer = peer_new(server);

		snprintf(text, sizeof(text), "%s / HTTP/1.1\r\nHost: x\r\n\r\n", methods[i]);
		say(peer, text);
		WAIT_FOR(server, answers(peer, false) == 1);
		assert_came(
			peer,
			"HTTP/1.1 405 Method Not Allowed\r\n" TEXT
			"Allow: GET, HEAD\r\nContent-Length: 31\r\n\r\nOnly GET and HEAD are allowed.\n");
	}
	assert_int_equal(http_counts(server->http).requests, 0);
	assert_int_equal(http_counts(server->http).not_allowed, n);
	server_close(server);
}

/* Says this; the connection is closed after an answer with this status. */
static void refused(const char *text, int status, struct http_counts expected)
{
	struct server *server = server_plain((struct http_limits){0});
	struct peer *peer = peer_new(server);
	struct http_counts counts;

	say(peer, text);
	WAIT_FOR(server, peer->ended && http_counts(server->http).open == 0);
	if (peer->in_size)
		assert_int_equal(atoi(peer->in + strlen("HTTP/1.1 ")), status);
	else
		assert_int_equal(0, status);
	counts = http_counts(server->http);
	expected.connections = 1;
	assert_memory_equal(&counts, &expected, sizeof(counts));
	server_close(server);
}

static void test_bodies(void **state)
{
	const struct http_counts malformed = {.malformed = 1}, not_allowed = {.not_allowed = 1};

	(void)state;
	refused("GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n", 413, malformed);
	refused("GET / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n", 413, malformed);
	refused("GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nContent-Length: 5\r\n\r\n", 413,
		malformed);
	refused("GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\ntransfer-encoding: x\r\n\r\n",
		413, malformed);
	refused("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n", 405, not_allowed);
	refused("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n",
		405, not_allowed);
}

static void test_malformed(void **state)
{
	const struct http_counts malformed = {.malformed = 1};

	(void)state;
	refused("GET / HTTP/1.1\r\n\r\n", 400, malformed); /* no Host */
	refused("GET / HTTP/1.1\r\nHost: x\r\nContent-Length: x\r\n\r\n", 400, malformed);
	refused("GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999999\r\n\r\n", 413,
		malformed);
	refused("GET / HTTP/1.1\r\nHost: x\r\nno colon\r\n\r\n", 400, malformed);
	refused("GET / HTTP/9.9\r\nHost: x\r\n\r\n", 505, malformed);
	refused("GET /a%00b HTTP/1.1\r\nHost: x\r\n\r\n", 400, malformed);
	refused("GET /?x=a%00b HTTP/1.1\r\nHost: x\r\n\r\n", 400, malformed);
	refused("GET /a b HTTP/1.1\r\nHost: x\r\n\r\n", 0, malformed);
	refused("nonsense\r\n\r\n", 0, malformed);
	refused("\x16\x03\x01\x02\x01\x01\x01\n\n", 0, malformed); /* TLS */
}

static void echo(const char *target, const char *header, const char *expected)
{
	struct server *server = server_plain((struct http_limits){0});
	struct peer *peer = peer_new(server);
	char text[512];

	snprintf(text, sizeof(text), "GET %s HTTP/1.1\r\nHost: x\r\n%s\r\n", target, header);
	say(peer, text);
	WAIT_FOR(server, answers(peer, false) == 1);
	assert_string_equal(strstr(peer->in, "\r\n\r\n") + 4, expected);
	server_close(server);
}

static void test_query(void **state)
{
	(void)state;
	echo("/echo", "", "/echo|(none)|(none)|1");
	echo("/echo?x=svc%2Fweb+a%20b", "X-Header: v\r\n", "/echo|svc/web a b|v|1");
	echo("/echo?x", "x-HEADER:   v\r\n", "/echo||v|1");
	echo("/echo?x=", "X-Header:\r\n", "/echo|||1");
	echo("/echo?X=1&y=2&xx=3", "", "/echo|(none)|(none)|1");
	echo("/echo?x=1&x=2", "X-Header: 1\r\nX-Header: 2\r\n", "/echo|1|1|1");
	echo("/echo?&&=&x=1=2&", "", "/echo|1=2|(none)|1");
	echo("/echo?x=%zz%4", "", "/echo|%zz%4|(none)|1");
	echo("/echo%2fa%3fx=1", "", "/echo/a?x=1|(none)|(none)|1");
	echo("/echo?x=%e2%82%ac%1b[2J", "", "/echo|\xe2\x82\xac\x1b[2J|(none)|1");
}

static void test_later(void **state)
{
	struct server *server = server_plain((struct http_limits){0});
	struct peer *first = peer_new(server), *second = peer_new(server),
		    *other = peer_new(server);

	(void)state;
	get(first, "/later");
	WAIT_FOR(server, server->later_count == 1);
	get(second, "/later");
	get(second, "/"); /* waits behind it */
	WAIT_FOR(server, server->later_count == 2);
	assert_int_equal(ask_for(server, other, "/"), 200);
	assert_int_equal(first->in_size + second->in_size, 0);
	answer_text(server->later[1], 200, "two");
	WAIT_FOR(server, answers(second, false) == 2);
	assert_came(second, "HTTP/1.1 200 OK\r\n" TEXT "Content-Length: 3\r\n\r\ntwo"
			    "HTTP/1.1 200 OK\r\n" TEXT "Content-Length: 5\r\n\r\nhello");
	assert_int_equal(first->in_size, 0);
	answer_text(server->later[0], 404, "one");
	WAIT_FOR(server, answers(first, false) == 1);
	assert_came(first, "HTTP/1.1 404 Not Found\r\n" TEXT "Content-Length: 3\r\n\r\none");
	server_close(server);
}

/* Closed, reset, and closed for one direction only, which MHD takes for the same while it waits. */
static void test_gone(void **state)
{
	const struct linger at_once = {.l_onoff = 1};
	struct server *server = server_plain((struct http_limits){0});
	struct peer *closed = peer_new(server), *reset = peer_new(server), *half = peer_new(server);
	struct peer *other = peer_new(server);

	(void)state;
	get(closed, "/later");
	WAIT_FOR(server, server->later_count == 1);
	get(reset, "/later");
	WAIT_FOR(server, server->later_count == 2);
	get(half, "/later");
	WAIT_FOR(server, server->later_count == 3);
	peer_close(closed);
	setsockopt(reset->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
	peer_close(reset);
	shutdown(half->fd, SHUT_WR);
	assert_int_equal(ask_for(server, other, "/"), 200);
	http_answer(server->later[0], 200, NULL, big_body(), BIG);
	http_answer(server->later[1], 200, NULL, big_body(), BIG);
	answer_text(server->later[2], 200, "half");
	WAIT_FOR(server, half->ended && http_counts(server->http).open == 1);
	assert_int_equal(half->in_size, 0);
	assert_int_equal(ask_for(server, other, "/"), 200);
	assert_int_equal(http_counts(server->http).malformed, 0);
	server_close(server);
}

static void test_pipelined(void **state)
{
	struct server *server = server_plain((struct http_limits){0});
	struct peer *peer = peer_new(server);

	(void)state;
	for (int i = 0; i < 200; i++)
		get(peer, "/");
	WAIT_FOR(server, answers(peer, false) == 200);
	assert_int_equal(http_counts(server->http).requests, 200);
	server_close(server);
}

/* A byte at a time is as good as any other way. */
static void test_in_pieces(void **state)
{
	static const char text[] = "GET /echo?x=1 HTTP/1.1\r\nHost: x\r\nX-Header: a\r\n\r\n";
	struct server *server = server_plain((struct http_limits){0});
	struct peer *peer = peer_new(server);

	(void)state;
	for (size_t i = 0; i < sizeof(text) - 1; i++) {
		say_bytes(peer, text + i, 1);
		WAIT_FOR(server, !peer->out_size);
	}
	WAIT_FOR(server, answers(peer, false) == 1);
	assert_string_equal(strstr(peer->in, "\r\n\r\n") + 4, "/echo|1|a|1");
	server_close(server);
}

static void test_http10(void **state)
{
	struct server *server = server_plain((struct http_limits){0});
	struct peer *peer = peer_new(server);

	(void)state;
	say(peer, "GET / HTTP/1.0\r\n\r\n");
	WAIT_FOR(server, peer->ended);
	assert_came(peer, "HTTP/1.1 200 OK\r\nConnection: close\r\n" TEXT
			  "Content-Length: 5\r\n\r\nhello");
	server_close(server);
}

/* Five megabytes for somebody who reads none of them for now. */
static void test_slow_reader(void **state)
{
	struct server *server = server_plain((struct http_limits){0});
	struct peer *slow = peer_new(server), *other = peer_new(server);
	char *body = big_body();

	(void)state;
	slow->deaf = true;
	get(slow, "/big");
	WAIT_FOR(server, http_counts(server->http).requests == 1);
	for (int i = 0; i < 50; i++)
		assert_int_equal(ask_for(server, other, "/"), 200);
	slow->deaf = false;
	WAIT_FOR(server, answers(slow, false) == 1);
	assert_memory_equal(strstr(slow->in, "\r\n\r\n") + 4, body, BIG);
	free(body);
	server_close(server);
}

static void test_drain(void **state)
{
	struct server *server = server_plain((struct http_limits){0});
	struct peer *idle = peer_new(server), *slow = peer_new(server), *later = peer_new(server);
	struct peer *half = peer_new(server);

	(void)state;
	assert_int_equal(ask_for(server, idle, "/"), 200);
	slow->deaf = true;
	get(slow, "/big");
	say(half, "GET / HTT");
	get(later, "/later");
	WAIT_FOR(server, server->later_count == 1 && http_counts(server->http).requests == 3 &&
				 http_counts(server->http).open == 4);
	assert_false(http_drain(server->http));
	WAIT_FOR(server, idle->ended && half->ended);
	assert_false(http_drain(server->http));
	answer_text(server->later[0], 200, "late");
	WAIT_FOR(server, later->ended);
	assert_came(later, "HTTP/1.1 200 OK\r\nConnection: close\r\n" TEXT
			   "Content-Length: 4\r\n\r\nlate");
	assert_false(http_drain(server->http));
	slow->deaf = false;
	WAIT_FOR(server, slow->ended);
	assert_int_equal(answers(slow, false), 1);
	assert_true(http_drain(server->http));
	WAIT_FOR(server, http_counts(server->http).open == 0);
	assert_int_equal(http_counts(server->http).malformed, 0);
	assert_int_equal(http_counts(server->http).timed_out, 0);
	server_close(server);
}

static void test_drain_refuses(void **state)
{
	struct server *server = server_plain((struct http_limits){0});
	struct sockaddr_in in = {.sin_family = AF_INET,
				 .sin_port = htons(http_port(server->http)),
				 .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	(void)state;
	assert_true(http_drain(server->http));
	assert_int_equal(connect(fd, (struct sockaddr *)&in, sizeof(in)), -1);
	assert_int_equal(errno, ECONNREFUSED);
	close(fd);
	server_close(server);
}

/* With answers under way, given and not, and heads that are half there. */
static void test_close(void **state)
{
	struct server *server = server_plain((struct http_limits){0});
	struct peer *slow = peer_new(server), *later = peer_new(server), *given = peer_new(server);
	struct peer *half = peer_new(server);

	(void)state;
	slow->deaf = true;
	get(slow, "/big");
	say(half, "GET / HTT");
	get(later, "/later");
	WAIT_FOR(server, server->later_count == 1);
	get(given, "/later");
	WAIT_FOR(server, server->later_count == 2 && http_counts(server->http).requests == 3 &&
				 !half->out_size);
	http_answer(server->later[1], 200, NULL, big_body(), BIG);
	server_close(server);
	http_close(NULL);
}

/* Without a descriptor for another connection it waits, and is served when there is one. */
static void test_no_descriptors(void **state)
{
	struct server *server = server_plain((struct http_limits){0});
	struct peer *peer = peer_new(server);
	struct rlimit limit, none;
	int lowest = dup(0);

	(void)state;
	close(lowest);
	getrlimit(RLIMIT_NOFILE, &limit);
	none = limit;
	none.rlim_cur = (rlim_t)lowest;
	setrlimit(RLIMIT_NOFILE, &none);
	turn(server); /* accept() fails */
	turn(server); /* and again, when a moment is over */
	setrlimit(RLIMIT_NOFILE, &limit);
	assert_int_equal(http_counts(server->http).connections, 0);
	assert_int_equal(ask_for(server, peer, "/"), 200);
	server_close(server);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_get),
		cmocka_unit_test(test_headers),
		cmocka_unit_test(test_head),
		cmocka_unit_test(test_methods),
		cmocka_unit_test(test_bodies),
		cmocka_unit_test(test_malformed),
		cmocka_unit_test(test_query),
		cmocka_unit_test(test_later),
		cmocka_unit_test(test_gone),
		cmocka_unit_test(test_pipelined),
		cmocka_unit_test(test_in_pieces),
		cmocka_unit_test(test_http10),
		cmocka_unit_test(test_slow_reader),
		cmocka_unit_test(test_drain),
		cmocka_unit_test(test_drain_refuses),
		cmocka_unit_test(test_close),
		cmocka_unit_test(test_no_descriptors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
