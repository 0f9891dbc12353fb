/* SPDX-License-Identifier: MIT */
/* The HTTP server with TLS, and what it listens on. Certificates are made by openssl. */
#include "http-peer.h"

#include <gnutls/x509.h>
#include <sys/stat.h>

#define ONLY_12 "NORMAL:-VERS-ALL:+VERS-TLS1.2"
#define ONLY_13 "NORMAL:-VERS-ALL:+VERS-TLS1.3"
#define ONLY_11 "NORMAL:-VERS-ALL:+VERS-TLS1.1:%COMPAT"
#define ONLY_10 "NORMAL:-VERS-ALL:+VERS-TLS1.0:%COMPAT"

#define MISMATCH                                                                                   \
	"the certificate %s with the key %s: The certificate and the given key do not match; "     \
	"give a certificate in PEM form and the key that belongs to it, without a password"

static char folder[] = "/tmp/test-http.XXXXXX";
static gnutls_certificate_credentials_t credentials; /* of the clients, who trust anybody */

static const char *in(const char *name)
{
	static char paths[8][128];
	static unsigned int next;
	char *path = paths[next++ % 8];

	snprintf(path, sizeof(paths[0]), "%s/%s", folder, name);
	return path;
}

/* NAME.crt and NAME.key, of a server of this name. */
static void make_certificate(const char *name)
{
	char command[512];

	snprintf(command, sizeof(command),
		 "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 1 "
		 "-subj /CN=%s -keyout %s/%s.key -out %s/%s.crt 2>/dev/null",
		 name, folder, name, folder, name);
	if (system(command))
		fail_msg("%s failed", command);
}

static void copy(const char *from, const char *to)
{
	char command[512];

	snprintf(command, sizeof(command), "cp %s %s", in(from), in(to));
	assert_int_equal(system(command), 0);
}

static int setup_group(void **state)
{
	(void)state;
	if (!mkdtemp(folder) || gnutls_certificate_allocate_credentials(&credentials))
		return -1;
	make_certificate("first");
	make_certificate("second");
	return 0;
}

static int teardown_group(void **state)
{
	char command[128];

	(void)state;
	gnutls_certificate_free_credentials(credentials);
	snprintf(command, sizeof(command), "rm -rf %s", folder);
	return system(command);
}

static struct server *server_tls(struct http_limits limits)
{
	copy("first.crt", "server.crt");
	copy("first.key", "server.key");
	return server_open("127.0.0.1:0", limits, in("server.crt"), in("server.key"));
}

static struct peer *tls_new(struct server *server, const char *priorities)
{
	struct peer *peer = peer_new(server);

	peer_tls(peer, credentials, priorities);
	return peer;
}

/* The name in the certificate that the server showed. */
static void assert_name(const struct peer *peer, const char *expected)
{
	unsigned int count = 0;
	const gnutls_datum_t *chain = gnutls_certificate_get_peers(peer->tls, &count);
	gnutls_x509_crt_t certificate;
	char name[64];
	size_t size = sizeof(name);

	assert_int_equal(count, 1);
	gnutls_x509_crt_init(&certificate);
	gnutls_x509_crt_import(certificate, chain, GNUTLS_X509_FMT_DER);
	gnutls_x509_crt_get_dn(certificate, name, &size);
	gnutls_x509_crt_deinit(certificate);
	assert_string_equal(name, expected);
}

static void test_tls(void **state)
{
	struct server *server = server_tls((struct http_limits){0});
	struct peer *new = tls_new(server, ONLY_13), *old = tls_new(server, ONLY_12);

	(void)state;
	assert_int_equal(ask_for(server, new, "/"), 200);
	assert_int_equal(ask_for(server, old, "/"), 200);
	assert_int_equal(ask_for(server, old, "/empty"), 200);
	assert_int_equal(gnutls_protocol_get_version(new->tls), GNUTLS_TLS1_3);
	assert_int_equal(gnutls_protocol_get_version(old->tls), GNUTLS_TLS1_2);
	assert_name(new, "CN=first");
	assert_int_equal(http_counts(server->http).requests, 3);
	server_close(server);
}

static void test_big(void **state)
{
	struct server *server = server_tls((struct http_limits){0});
	struct peer *slow = tls_new(server, "NORMAL"), *other = tls_new(server, "NORMAL");
	char *body = big_body();

	(void)state;
	assert_int_equal(ask_for(server, slow, "/"), 200);
	slow->deaf = true;
	get(slow, "/big");
	WAIT_FOR(server, http_counts(server->http).requests == 2);
	for (int i = 0; i < 10; i++)
		assert_int_equal(ask_for(server, other, "/"), 200);
	slow->deaf = false;
	WAIT_FOR(server, answers(slow, false) == 2);
	assert_memory_equal(slow->in + slow->in_size - BIG, body, BIG);
	free(body);
	server_close(server);
}

static void test_later(void **state)
{
	struct server *server = server_tls((struct http_limits){0});
	struct peer *later = tls_new(server, "NORMAL"), *gone = tls_new(server, "NORMAL");

	(void)state;
	get(later, "/later");
	WAIT_FOR(server, server->later_count == 1);
	get(gone, "/later");
	WAIT_FOR(server, server->later_count == 2);
	peer_close(gone);
	http_answer(server->later[1], 200, NULL, big_body(), BIG);
	answer_text(server->later[0], 200, "late");
	WAIT_FOR(server, answers(later, false) == 1 && http_counts(server->http).open == 1);
	assert_string_equal(strstr(later->in, "\r\n\r\n") + 4, "late");
	server_close(server);
}

/* A version that is too old, plain HTTP, and what is neither. */
static void test_refused(void **state)
{
	struct server *server = server_tls((struct http_limits){0});
	struct peer *peers[] = {tls_new(server, ONLY_11), tls_new(server, ONLY_10),
				peer_new(server), peer_new(server)};

	(void)state;
	get(peers[2], "/");
	say_bytes(peers[3], "\x17\x03\x03\x00\x04nono", 9);
	for (int i = 0; i < 4; i++)
		WAIT_FOR(server, peers[i]->ended);
	WAIT_FOR(server, http_counts(server->http).open == 0);
	assert_int_equal(http_counts(server->http).requests, 0);
	assert_int_equal(http_counts(server->http).malformed, 4);
	assert_false(peers[0]->shaken || peers[1]->shaken);
	server_close(server);
}

/* Handshakes that are begun only, and one that is all there was. */
static void test_head_seconds(void **state)
{
	struct server *server = server_tls((struct http_limits){.head_seconds = 3});
	struct peer *silent = peer_new(server), *half = peer_new(server);
	struct peer *shaken = tls_new(server, "NORMAL"), *idle = tls_new(server, "NORMAL");

	(void)state;
	say(half, "\x16\x03\x01\x02");
	assert_int_equal(ask_for(server, idle, "/"), 200);
	WAIT_FOR(server, shaken->shaken);
	server->runs = 0;
	WAIT_FOR(server, silent->ended && half->ended && shaken->ended && idle->ended);
	WAIT_FOR(server, http_counts(server->http).open == 0);
	assert_true(server->runs < 200); /* it does not spin */
	assert_int_equal(http_counts(server->http).timed_out, 4);
	assert_int_equal(http_counts(server->http).malformed, 0);
	server_close(server);
}

static void test_answer_seconds(void **state)
{
	struct server *server = server_tls((struct http_limits){.answer_seconds = 1});
	struct peer *deaf = tls_new(server, "NORMAL");

	(void)state;
	assert_int_equal(ask_for(server, deaf, "/"), 200);
	deaf->deaf = true;
	get(deaf, "/big");
	WAIT_FOR(server, http_counts(server->http).requests == 2);
	WAIT_FOR(server, http_counts(server->http).open == 0);
	assert_int_equal(http_counts(server->http).timed_out, 1);
	server_close(server);
}

static void test_drain(void **state)
{
	struct server *server = server_tls((struct http_limits){0});
	struct peer *idle = tls_new(server, "NORMAL"), *shaking = peer_new(server);
	struct peer *later = tls_new(server, "NORMAL");

	(void)state;
	assert_int_equal(ask_for(server, idle, "/"), 200);
	get(later, "/later");
	WAIT_FOR(server, server->later_count == 1);
	assert_false(http_drain(server->http));
	answer_text(server->later[0], 200, "late");
	WAIT_FOR(server, idle->ended && shaking->ended && later->ended);
	assert_string_equal(strstr(later->in, "\r\n\r\n") + 4, "late");
	assert_int_equal(later->tls_error, 0); /* TLS told of the end, too */
	assert_true(http_drain(server->http));
	server_close(server);
}

static void test_reload(void **state)
{
	struct server *server = server_tls((struct http_limits){0});
	struct peer *before = tls_new(server, "NORMAL"), *after, *still;
	struct peer *connected = tls_new(server, "NORMAL"); /* has not begun its handshake */
	char expected[512];

	(void)state;
	assert_int_equal(ask_for(server, before, "/"), 200);
	copy("second.crt", "server.crt"); /* and the old key still */
	assert_int_equal(http_reload(server->http, server->error, sizeof(server->error)), -EINVAL);
	snprintf(expected, sizeof(expected), MISMATCH, in("server.crt"), in("server.key"));
	assert_string_equal(server->error, expected);
	still = tls_new(server, "NORMAL");
	assert_int_equal(ask_for(server, still, "/"), 200);
	assert_name(still, "CN=first");
	copy("second.key", "server.key");
	assert_int_equal(http_reload(server->http, server->error, sizeof(server->error)), 0);
	after = tls_new(server, "NORMAL");
	assert_int_equal(ask_for(server, after, "/"), 200);
	assert_name(after, "CN=second");
	assert_int_equal(ask_for(server, before, "/"), 200);
	assert_int_equal(ask_for(server, connected, "/"), 200);
	assert_name(connected, "CN=first");
	remove(in("server.crt"));
	assert_int_equal(http_reload(server->http, server->error, sizeof(server->error)), -ENOENT);
	snprintf(expected, sizeof(expected),
		 "%s: cannot be read: No such file or directory; make it readable, or give another",
		 in("server.crt"));
	assert_string_equal(server->error, expected);
	assert_int_equal(ask_for(server, after, "/"), 200);
	server_close(server);
	server = server_open("127.0.0.1:0", (struct http_limits){0}, NULL, NULL);
	assert_int_equal(http_reload(server->http, server->error, sizeof(server->error)), 0);
	server_close(server);
}

static void test_hundred(void **state)
{
	struct http_limits limits = {.per_address = 16, .head_seconds = 3};
	struct server *server = server_tls(limits);
	struct peer *other;

	(void)state;
	for (int i = 0; i < 100; i++)
		say(peer_new(server), i % 2 ? "\x16\x03\x01\x02" : "");
	other = connect_from(server, "127.0.0.2");
	peer_tls(other, credentials, "NORMAL");
	for (int i = 0; i < 10; i++)
		assert_int_equal(ask_for(server, other, "/"), 200);
	assert_int_equal(http_counts(server->http).connections, 17);
	assert_int_equal(http_counts(server->http).refused_connections, 84);
	peer_close(other);
	WAIT_FOR(server, http_counts(server->http).open == 0);
	assert_int_equal(ask_for(server, tls_new(server, "NORMAL"), "/"), 200);
	server_close(server);
}

static void cannot_open(struct http_options options, int expected_r, const char *expected)
{
	struct http *http = (struct http *)&options; /* unchanged */
	char error[512] = "";

	options.ask = server_ask;
	assert_int_equal(http_open(&http, &options, error, sizeof(error)), expected_r);
	assert_string_equal(error, expected);
	assert_ptr_equal(http, &options);
}

static void test_errors(void **state)
{
	static const char *const odd[] = {"9435",           "127.0.0.1",
					  "localhost:9435", "::1:9435",
					  "[::1]",          "[127.0.0.1]:9435",
					  "127.0.0.1:-1",   ":65536",
					  "127.0.0.1:",     ":",
					  "a.b.c.d:80",     "",
					  "[]:9435",        ": 80",
					  "127.0.0.1:80x"};
	struct server *server = server_plain((struct http_limits){0});
	char listen[64], expected[512];

	(void)state;
	for (size_t i = 0; i < sizeof(odd) / sizeof(*odd); i++) {
		snprintf(expected, sizeof(expected),
			 "cannot listen on '%s': that is no address and port; give one as "
			 "127.0.0.1:9435, [::1]:9435, or :9435 for all addresses",
			 odd[i]);
		cannot_open((struct http_options){.listen = odd[i]}, -EINVAL, expected);
	}
	snprintf(listen, sizeof(listen), "127.0.0.1:%u", http_port(server->http));
	snprintf(expected, sizeof(expected),
		 "cannot listen on %s: Address already in use; another program listens there; end "
		 "it, or give another port",
		 listen);
	cannot_open((struct http_options){.listen = listen}, -EADDRINUSE, expected);
	cannot_open((struct http_options){.listen = "192.0.2.1:9435"}, -EADDRNOTAVAIL,
		    "cannot listen on 192.0.2.1:9435: Cannot assign requested address; no "
		    "interface has this address; `ip address` shows those that there are");
	cannot_open((struct http_options){.listen = ":0", .cert_file = in("first.crt")}, -EINVAL,
		    "of the certificate and its key only one was given; give both");
	snprintf(expected, sizeof(expected),
		 "%s: cannot be read: No such file or directory; make it readable, or give another",
		 in("none.key"));
	cannot_open((struct http_options){.listen = ":0",
					  .cert_file = in("first.crt"),
					  .key_file = in("none.key")},
		    -ENOENT, expected);
	snprintf(expected, sizeof(expected), MISMATCH, in("first.crt"), in("second.key"));
	cannot_open((struct http_options){.listen = ":0",
					  .cert_file = in("first.crt"),
					  .key_file = in("second.key")},
		    -EINVAL, expected);
	server_close(server);
}

static bool have_ipv6(void)
{
	struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
	int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool have = fd >= 0 && !bind(fd, (struct sockaddr *)&in6, sizeof(in6));

	if (fd >= 0)
		close(fd);
	return have;
}

static void test_ipv6(void **state)
{
	struct server *server;
	struct peer *peer;

	(void)state;
	if (!have_ipv6()) {
		print_message("skipped: there is no ::1 here\n");
		skip();
	}
	server = server_open("[::1]:0", (struct http_limits){.per_address = 1}, NULL, NULL);
	peer = connect_from(server, "::1");
	assert_int_equal(ask_for(server, peer, "/echo"), 200);
	assert_string_equal(strstr(peer->in, "\r\n\r\n") + 4, "/echo|(none)|(none)|1");
	assert_int_equal(ask_for(server, connect_from(server, "::1"), "/"), -1);
	server_close(server);
}

/* Both families; IPv4 clients are the same as elsewhere. */
static void test_everywhere(void **state)
{
	struct server *server =
		server_open(":0", (struct http_limits){.per_address = 1}, NULL, NULL);
	struct peer *peer = peer_new(server);

	(void)state;
	assert_int_equal(ask_for(server, peer, "/echo"), 200);
	assert_string_equal(strstr(peer->in, "\r\n\r\n") + 4, "/echo|(none)|(none)|1");
	assert_int_equal(ask_for(server, peer_new(server), "/"), -1);
	assert_int_equal(ask_for(server, connect_from(server, "127.0.0.2"), "/"), 200);
	if (have_ipv6())
		assert_int_equal(ask_for(server, connect_from(server, "::1"), "/"), 200);
	server_close(server);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tls),          cmocka_unit_test(test_big),
		cmocka_unit_test(test_later),        cmocka_unit_test(test_refused),
		cmocka_unit_test(test_head_seconds), cmocka_unit_test(test_answer_seconds),
		cmocka_unit_test(test_drain),        cmocka_unit_test(test_reload),
		cmocka_unit_test(test_hundred),      cmocka_unit_test(test_errors),
		cmocka_unit_test(test_ipv6),         cmocka_unit_test(test_everywhere),
	};

	return cmocka_run_group_tests(tests, setup_group, teardown_group);
}
