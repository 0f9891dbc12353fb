/* SPDX-License-Identifier: MIT */
/* What hostile clients of the HTTP server do, and what becomes of them. */
#include "http-peer.h"

#include <time.h>

/* Whether a new one from there is taken, which its answer tells. */
static bool taken(struct server *server, struct peer *peer)
{
	return ask_for(server, peer, "/") == 200;
}

static void test_connections(void **state)
{
	struct server *server = server_plain((struct http_limits){.connections = 3});
	struct peer *first = peer_new(server);

	(void)state;
	assert_true(taken(server, first));
	assert_true(taken(server, peer_new(server)));
	assert_true(taken(server, connect_from(server, "127.0.0.2")));
	assert_false(taken(server, connect_from(server, "127.0.0.3")));
	assert_false(taken(server, peer_new(server)));
	assert_int_equal(http_counts(server->http).connections, 3);
	assert_int_equal(http_counts(server->http).refused_connections, 2);
	assert_int_equal(http_counts(server->http).open, 3);
	peer_close(first);
	WAIT_FOR(server, http_counts(server->http).open == 2);
	assert_true(taken(server, connect_from(server, "127.0.0.3")));
	assert_int_equal(http_counts(server->http).malformed, 0);
	server_close(server);
}

static void test_per_address(void **state)
{
	struct server *server = server_plain((struct http_limits){.per_address = 2});
	struct peer *first = peer_new(server);

	(void)state;
	assert_true(taken(server, first));
	assert_true(taken(server, peer_new(server)));
	assert_false(taken(server, peer_new(server)));
	assert_true(taken(server, connect_from(server, "127.0.0.2")));
	peer_close(first);
	WAIT_FOR(server, http_counts(server->http).open == 2);
	assert_true(taken(server, peer_new(server)));
	assert_false(taken(server, peer_new(server)));
	assert_int_equal(http_counts(server->http).refused_connections, 2);
	server_close(server);
}

/* All three at once, in one connection: a burst is as much as a second's. */
static void test_rate(void **state)
{
	struct server *server = server_plain((struct http_limits){.requests_per_second = 1});
	struct peer *peer = peer_new(server), *other = connect_from(server, "127.0.0.2");

	(void)state;
	get(peer, "/");
	get(peer, "/");
	WAIT_FOR(server, peer->ended);
	assert_came(peer, "HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\n"
			  "Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n"
			  "Content-Length: 5\r\n\r\nhello"
			  "HTTP/1.1 429 Too Many Requests\r\nConnection: close\r\n"
			  "Content-Type: text/plain; charset=utf-8\r\n"
			  "Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n"
			  "Retry-After: 1\r\nContent-Length: 53\r\n\r\n"
			  "Too many requests from this address; ask less often.\n");
	assert_int_equal(ask_for(server, other, "/"), 200);
	assert_int_equal(http_counts(server->http).requests, 2);
	assert_int_equal(http_counts(server->http).too_many, 1);
	assert_int_equal(http_counts(server->http).malformed, 0);
	server_close(server);
}

/* Methods that aren't allowed count, too. */
static void test_rate_of_methods(void **state)
{
	struct server *server = server_plain((struct http_limits){.requests_per_second = 1});
	struct peer *peer = peer_new(server);

	(void)state;
	say(peer, "POST / HTTP/1.1\r\nHost: x\r\n\r\nPOST / HTTP/1.1\r\nHost: x\r\n\r\n");
	WAIT_FOR(server, peer->ended);
	assert_int_equal(http_counts(server->http).not_allowed, 1);
	assert_int_equal(http_counts(server->http).too_many, 1);
	server_close(server);
}

/* Connections that ask nothing count, too: all five come in one turn. */
static void test_rate_of_connections(void **state)
{
	struct server *server = server_plain((struct http_limits){.requests_per_second = 1});

	(void)state;
	for (int i = 0; i < 5; i++)
		peer_new(server);
	WAIT_FOR(server,
		 server->peers[2].ended && server->peers[3].ended && server->peers[4].ended);
	assert_int_equal(http_counts(server->http).connections, 2);
	assert_int_equal(http_counts(server->http).refused_connections, 3);
	assert_int_equal(http_counts(server->http).open, 2);
	server_close(server);
}

/* A request whose line and headers have this many bytes: in one header, or in the path. */
static int head_of(size_t size, bool path)
{
	struct server *server = server_plain((struct http_limits){.head_bytes = 4096});
	struct peer *peer = peer_new(server);
	size_t rest = strlen("GET / HTTP/1.1\r\nHost: x\r\nX-Header: \r\n\r\n");
	char *fill = malloc(size);
	int status;

	memset(fill, 'a', size);
	say(peer, "GET /");
	if (path)
		say_bytes(peer, fill, size - rest);
	say(peer, " HTTP/1.1\r\nHost: x\r\nX-Header: ");
	if (!path)
		say_bytes(peer, fill, size - rest);
	say(peer, "\r\n\r\n");
	WAIT_FOR(server, peer->ended || answers(peer, false) == 1);
	status = peer->in_size ? atoi(peer->in + strlen("HTTP/1.1 ")) : -1;
	WAIT_FOR(server, status == 200 || (peer->ended && !http_counts(server->http).open));
	assert_int_equal(http_counts(server->http).malformed, status != 200);
	free(fill);
	server_close(server);
	return status;
}

static void test_head_bytes(void **state)
{
	(void)state;
	assert_int_equal(head_of(4096, false), 200);
	assert_int_equal(head_of(4096, true), 200);
	assert_int_equal(head_of(4097, false), 431);
	assert_int_equal(head_of(4097, true), 431);
	/* as much as MHD has memory for; what is in flight still makes close() reset it */
	assert_int_not_equal(head_of(1 << 20, false), 200);
	assert_int_not_equal(head_of(1 << 20, true), 200);
}

/* Of what the server has read to its last byte, the answer arrives: 12288 bytes of memory here. */
static void test_head_answers(void **state)
{
	struct server *server = server_plain((struct http_limits){.head_bytes = 4096});
	struct peer *line = peer_new(server), *headers = peer_new(server);
	char fill[13000];

	(void)state;
	memset(fill, 'a', sizeof(fill));
	say_bytes(line, fill, 5);
	say(line, " ");
	say_bytes(line, fill, 12288 - 6);
	WAIT_FOR(server, line->ended);
	assert_int_equal(atoi(line->in + strlen("HTTP/1.1 ")), 414);
	say(headers, "GET / HTTP/1.1\r\nHost: x\r\nX: ");
	say_bytes(headers, fill, 11500);
	for (int i = 0; i < 1000 && !headers->ended; i++) {
		say(headers, "a");
		WAIT_FOR(server, headers->ended || !headers->out_size);
	}
	WAIT_FOR(server, headers->ended);
	assert_int_equal(http_counts(server->http).malformed, 2);
	server_close(server);
}

/* Thousands of headers cost no more than memory for a head. */
static void test_many_headers(void **state)
{
	struct server *server = server_plain((struct http_limits){0});
	struct peer *peer = peer_new(server);

	(void)state;
	say(peer, "GET / HTTP/1.1\r\nHost: x\r\n");
	for (int i = 0; i < 2000; i++)
		say(peer, "a:\r\n");
	say(peer, "\r\n");
	WAIT_FOR(server, peer->ended);
	WAIT_FOR(server, !http_counts(server->http).open);
	assert_int_equal(http_counts(server->http).malformed, 1);
	assert_int_equal(http_counts(server->http).requests, 0);
	server_close(server);
}

/* One says nothing, one has half a head, one had its answer, and one drips: each time that
 * something happens, another byte. */
static void test_head_seconds(void **state)
{
	struct server *server = server_plain((struct http_limits){.head_seconds = 3});
	struct peer *silent = peer_new(server), *half = peer_new(server), *idle = peer_new(server);
	struct peer *drips = peer_new(server), *later = peer_new(server);
	size_t dripped = 0;

	(void)state;
	get(later, "/later"); /* no head is waited for there */
	say(half, "GET / HTTP/1.1\r\nHos");
	say(drips, "GET / HTTP/1.1\r\n");
	assert_int_equal(ask_for(server, idle, "/"), 200);
	while (!silent->ended || !half->ended || !idle->ended || !drips->ended) {
		const struct timespec moment = {.tv_nsec = 1000000};

		if (!drips->ended && !drips->out_size && dripped++ < 5000) {
			say(drips, "a");
			nanosleep(&moment, NULL); /* it drips for longer than that */
		}
		turn(server);
	}
	assert_int_equal(http_counts(server->http).timed_out, 4);
	assert_int_equal(http_counts(server->http).malformed, 0);
	answer_text(server->later[0], 200, "late");
	WAIT_FOR(server, answers(later, false) == 1);
	assert_int_equal(http_counts(server->http).open, 1);
	server_close(server);
}

/* Nothing of the answer is left after the deadline, nor of the connection. */
static void test_answer_seconds(void **state)
{
	struct server *server = server_plain((struct http_limits){.answer_seconds = 1});
	struct peer *deaf = peer_new(server), *slow = peer_new(server), *other = peer_new(server);

	(void)state;
	deaf->deaf = slow->deaf = true;
	get(deaf, "/big");
	get(slow, "/later");
	WAIT_FOR(server, server->later_count == 1 && http_counts(server->http).requests == 2);
	http_answer(server->later[0], 200, NULL, big_body(), BIG);
	WAIT_FOR(server, http_counts(server->http).open == 1);
	assert_int_equal(http_counts(server->http).timed_out, 2);
	assert_int_equal(ask_for(server, other, "/"), 200);
	deaf->deaf = slow->deaf = false;
	WAIT_FOR(server, deaf->ended && slow->ended);
	assert_int_equal(answers(deaf, false) + answers(slow, false), 0);
	server_close(server);
}

static void test_answers_bytes(void **state)
{
	struct server *server = server_plain((struct http_limits){.answers_bytes = 2 * BIG - 1});
	struct peer *first = peer_new(server), *second = peer_new(server);
	struct peer *third = peer_new(server);

	(void)state;
	first->deaf = true;
	get(first, "/big");
	WAIT_FOR(server, http_counts(server->http).requests == 1);
	assert_int_equal(ask_for(server, second, "/big"), 503);
	assert_non_null(strstr(second->in, "Retry-After: 1\r\n"));
	assert_int_equal(ask_for(server, second, "/"), 200);
	first->deaf = false;
	WAIT_FOR(server, answers(first, false) == 1);
	assert_int_equal(ask_for(server, third, "/big"), 200);
	assert_int_equal(http_counts(server->http).too_large, 1);
	server_close(server);
	/* alone, any answer is given */
	server = server_plain((struct http_limits){.answers_bytes = 100});
	assert_int_equal(ask_for(server, peer_new(server), "/big"), 200);
	server_close(server);
}

static void hostile(struct server *server, unsigned int i)
{
	char address[32], fill[65536];
	struct peer *peer;

	snprintf(address, sizeof(address), "127.0.1.%u", i % 5 + 1);
	peer = connect_from(server, address);
	switch (i % 6) {
	case 0:
		break; /* says nothing */
	case 1:
		say(peer, "GET / HTTP/1.1\r\nHost: x\r\nX: ");
		break;
	case 2:
		memset(fill, 'a', sizeof(fill));
		say(peer, "GET / HTTP/1.1\r\nHost: x\r\nX: ");
		for (int n = 0; n < 16; n++)
			say_bytes(peer, fill, sizeof(fill));
		break;
	case 3:
		say(peer, "\x16\x03\x01\x02");
		break;
	case 4:
		peer->deaf = true;
		get(peer, "/big");
		break;
	default:
		for (int n = 0; n < 1000; n++)
			get(peer, "/");
	}
}

/* A hundred at once from five addresses, with the limits that are the defaults: another address is
 * served all the while; and when the deadlines are over, so is one of theirs. */
static void test_hundred(void **state)
{
	struct http_limits limits = {.connections = 64,
				     .per_address = 11,
				     .requests_per_second = 20,
				     .head_seconds = 3,
				     .answer_seconds = 1};
	struct server *server = server_plain(limits);
	struct peer *other;

	(void)state;
	for (unsigned int i = 0; i < 100; i++)
		hostile(server, i);
	other = connect_from(server, "127.0.2.1");
	for (int i = 0; i < 10; i++)
		assert_int_equal(ask_for(server, other, "/"), 200);
	peer_close(other);
	WAIT_FOR(server, http_counts(server->http).open == 0);
	assert_int_equal(ask_for(server, connect_from(server, "127.0.1.1"), "/"), 200);
	assert_int_equal(http_counts(server->http).connections +
				 http_counts(server->http).refused_connections,
			 102);
	server_close(server);
}

/* All places that others may have are taken: who comes from this machine's own address, to which
 * it came, is served all the same. */
static void test_own_places(void **state)
{
	struct server *server =
		server_plain((struct http_limits){.connections = 16, .per_address = 16});
	struct peer *own;

	(void)state;
	for (int i = 0; i < 14; i++)
		assert_true(taken(server, connect_from(server, "127.0.0.2")));
	assert_false(taken(server, connect_from(server, "127.0.0.3")));
	own = connect_from(server, "127.0.0.1");
	assert_int_equal(ask_for(server, own, "/"), 200);
	server_close(server);
}

/* Requests that are right but for some bytes, and may end anywhere: whatever comes of them, the
 * server goes on, and nothing stays open. */
static void test_broken(void **state)
{
	static const char *const models[] = {
		"GET /echo?x=1&y=%41 HTTP/1.1\r\nHost: x\r\nX-Header: a\r\n\r\n",
		"HEAD / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc",
		"GET / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: x\r\nCookie: a=b; c=\"d\"\r\nExpect: 100-continue\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: x\r\n folded: yes\r\nUpgrade: h2c\r\n\r\n",
	};
	struct server *server = server_plain((struct http_limits){.head_seconds = 1});
	const unsigned int count = 120; /* fewer than wait to be accepted */

	(void)state;
	srand(7);
	for (unsigned int i = 0; i < count; i++) {
		struct peer *peer = peer_new(server);
		char text[256];
		size_t size;

		strcpy(text, models[(unsigned int)rand() % 6]);
		size = strlen(text);
		for (int n = rand() % 4; n >= 0; n--)
			text[(size_t)rand() % size] = "\r\n :%?\0\xff"[rand() % 8];
		say_bytes(peer, text, (size_t)rand() % size + 1);
	}
	WAIT_FOR(server, http_counts(server->http).connections == count);
	WAIT_FOR(server, http_counts(server->http).open == 0);
	assert_int_equal(http_counts(server->http).refused_connections, 0);
	assert_int_equal(ask_for(server, peer_new(server), "/"), 200);
	server_close(server);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_connections),
		cmocka_unit_test(test_per_address),
		cmocka_unit_test(test_rate),
		cmocka_unit_test(test_rate_of_methods),
		cmocka_unit_test(test_rate_of_connections),
		cmocka_unit_test(test_head_bytes),
		cmocka_unit_test(test_head_answers),
		cmocka_unit_test(test_many_headers),
		cmocka_unit_test(test_head_seconds),
		cmocka_unit_test(test_answer_seconds),
		cmocka_unit_test(test_answers_bytes),
		cmocka_unit_test(test_hundred),
		cmocka_unit_test(test_own_places),
		cmocka_unit_test(test_broken),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
