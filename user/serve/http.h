/* SPDX-License-Identifier: MIT */
/*
 * The agent's HTTP server: libmicrohttpd, with TLS by GnuTLS, behind one file descriptor for the
 * one loop. It has no threads, nothing here blocks, and no name is ever looked up.
 *
 * It answers questions (GET and HEAD without a body) and nothing else, and it expects that some of
 * its clients are hostile: whatever they do costs a bounded time, number of places, and memory.
 * What clients send is never written anywhere. What MHD cannot parse it answers itself (400, 414,
 * 431, 505), in its own words and without our headers, or closes without a word. All times are of
 * CLOCK_MONOTONIC.
 */
#ifndef SERVE_HTTP_H
#define SERVE_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct http;         /* the server */
struct http_request; /* one question, from http_options.ask() until http_answer() */

/* 0: the default */
struct http_limits {
	/* At once, in all (64); one more is reset. An eighth is for those from this machine's own
	 * addresses alone, which the kubelet's probes are. */
	unsigned int connections;
	unsigned int per_address; /* of those, from one address (16); one more is reset */
	/* Of one address, averaged, with a burst of as many (20); more: 429 with Retry-After, and
	 * the connection is closed. Twice as many may connect; more are reset. So neither requests
	 * nor TLS handshakes of one address can take all of the CPU. */
	unsigned int requests_per_second;
	/* Request line and headers together (8192); more: 431, or 414 when the line alone is too
	 * much, and the connection is closed. Many tiny headers are too much earlier: memory for
	 * each is taken from twice this size and 4 KiB, all that a connection has. */
	size_t head_bytes;
	/* From the connection's begin, or the end of the last answer, until a whole head is there,
	 * the TLS handshake included (10). Then it is closed, however steadily it drips. */
	unsigned int head_seconds;
	/* For the client to take the whole answer (30); then the connection is reset. */
	unsigned int answer_seconds;
	/* Bodies of all answers under way together (32 MiB); another one becomes a 503, unless it
	 * is alone. */
	size_t answers_bytes;
};

struct http_options {
	/* "127.0.0.1:9435", "[::1]:9435", ":9435" (all addresses, both families); port 0: any */
	const char *listen;
	const char *cert_file, *key_file; /* PEM files, both or neither */
	/* without files: TLS with a certificate that is made for this name; NULL: plain HTTP */
	const char *own_name;
	struct http_limits limits;
	/* Of each GET and HEAD that is whole and within the limits. Has to lead to one
	 * http_answer(), in it or later; no deadline of the server runs meanwhile. */
	void (*ask)(struct http_request *request, void *arg);
	void *arg;
};

/* The options' strings are copied. 0, or a negative errno and a sentence: what was tried, the
 * system's answer, what to do. */
int http_open(struct http **out, const struct http_options *options, char *error,
	      size_t error_size);

/* Accepts NULL. Open requests are dropped: they must not be answered any more. Not from ask(). */
void http_close(struct http *http);

/* For epoll: readable when http_run() has something to do. */
int http_fd(const struct http *http);
void http_run(struct http *http);

/* That it listens on. */
uint16_t http_port(const struct http *http);

/*
 * Reads the certificate and the key again. 0 (also without files), or a negative errno and a
 * sentence, and the old ones stay. New connections get the new ones; those that are open go on.
 */
int http_reload(struct http *http, char *error, size_t error_size);

/*
 * Stops listening, and closes connections on which nothing is asked; answers that are under way go
 * on. True once nothing is. To be called until then, after each http_run().
 */
bool http_drain(struct http *http);

/*
 * What is asked; the strings live until the request is answered. They are the client's: decoded,
 * but for 0 bytes any byte can be in them, so they must be escaped before they go to a terminal.
 * Path: "/" and more, or what else the client sent ("*", "http://...").
 */
const char *http_path(const struct http_request *request);
/* The first one of this name, by case; "" without a value; NULL: not there. */
const char *http_query(const struct http_request *request, const char *name);
/* The first one of this name, whatever its case; NULL: not there. */
const char *http_header(const struct http_request *request, const char *name);
bool http_from_loopback(const struct http_request *request);

/*
 * Answers, at once or later (the connection waits meanwhile); exactly once for each ask(). The
 * request is gone then. `body` is malloc'ed and taken over, also on failure; NULL: nothing.
 * `content_type` NULL: plain text. Any answer forbids to be stored and to be taken for another
 * type; a 401 names the scheme Bearer, a 429 and a 503 tell to come again in a second, and a 429
 * closes the connection. A HEAD gets all but the body. If the client has gone
 * meanwhile (MHD takes a closed direction for that, too), or there is no memory, it is dropped.
 */
void http_answer(struct http_request *request, unsigned int status, const char *content_type,
		 char *body, size_t length);

/* Since the start, but for `open`. */
struct http_counts {
	uint64_t connections;         /* that were taken */
	uint64_t refused_connections; /* beyond a limit, or for want of memory */
	uint64_t requests;            /* that came to ask() */
	uint64_t too_many;            /* 429 */
	uint64_t timed_out;           /* connections, by one of the two deadlines */
	uint64_t malformed;           /* what is no HTTP or no TLS, has a body, is too large */
	uint64_t not_allowed;         /* methods: 405 */
	uint64_t too_large;           /* answers for which there was no room: 503 */
	unsigned int open;            /* connections, now */
};
struct http_counts http_counts(const struct http *http);

#endif
