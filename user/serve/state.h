/* SPDX-License-Identifier: MIT */
/* What the files of the server share. Times are ns of CLOCK_MONOTONIC. */
#ifndef SERVE_STATE_H
#define SERVE_STATE_H

#include <microhttpd.h>
#include <sys/socket.h>

#include "certificate.h"
#include "clients.h"
#include "http.h"

#define SERVE_SECOND INT64_C(1000000000)

/* Waiting for a head (from its beginning, and again after each answer), for http_answer(), and for
 * the client to take the answer. Only the first and the last have a deadline. */
enum phase { PHASE_HEAD, PHASE_ASKED, PHASE_ANSWER };

struct http_connection {
	struct http *http;
	struct MHD_Connection *mhd;
	struct client *client;
	struct certificate *certificate; /* NULL: plain */
	struct http_request *request;    /* NULL: in PHASE_HEAD */
	struct http_connection *next, *previous;
	int64_t deadline;       /* INT64_MAX: none */
	uint64_t answered_turn; /* the http.turn in which the last answer ended; 0: none did */
	int fd;
	enum phase phase;
	bool loopback;
	bool cut;   /* by us, with shutdown() */
	bool zeros; /* of the head that is read: the path or the query has a 0 byte */
};

struct http_request {
	struct http_connection *connection;
	const char *path;
	struct MHD_Response *response; /* ours until it is queued */
	size_t length;                 /* of its body */
	unsigned int status;
	bool checked;
	bool answered;
	bool suspended;
	bool last; /* the answer says that the connection is closed after it */
};

struct http {
	struct MHD_Daemon *daemon;
	struct certificate *certificate; /* for new connections; NULL: plain */
	char *cert_file, *key_file;
	struct http_limits limits; /* with the defaults in them */
	struct clients clients;
	struct http_connection *connections;
	struct http_connection *arriving; /* while MHD takes it */
	void (*ask)(struct http_request *request, void *arg);
	void *arg;
	struct http_counts counts;
	size_t answers_bytes; /* under way */
	uint64_t turn;        /* of http_run(), from 1 on */
	int64_t timer_at;     /* what the timer is set to; INT64_MAX: to nothing */
	int64_t listen_at;    /* accept() failed for want of something: again at; INT64_MAX: no */
	int64_t idle_turns;   /* in which nothing happened, so far in a row */
	int epoll_fd, timer_fd, listen_fd;
	uint16_t port;
	bool draining;
	bool resumed; /* a connection that was suspended, which MHD has not seen yet */
};

int64_t serve_now(void);

/* --- http.c --- */

/* Sets the timer to what is due next. */
void serve_timer(struct http *http);

/* --- connection.c --- */

/* A socket that accept() gave; it is taken over, and closed if it may not stay. */
void connection_take(struct http *http, int fd, const struct sockaddr *address, socklen_t length);

/* As MHD_NotifyConnectionCallback, with the server. */
void connection_notify(void *arg, struct MHD_Connection *mhd, void **context,
		       enum MHD_ConnectionNotificationCode code);

struct http_connection *connection_of(struct MHD_Connection *mhd);

/* Another phase, and its deadline. */
void connection_phase(struct http_connection *connection, enum phase phase);

/* MHD sees that its socket is shut down, and closes it, in the next turn. */
void connection_cut(struct http_connection *connection);

/* Cuts those whose deadline is over. */
void connection_expire(struct http *http, int64_t now);

/* Whether any may be in its TLS handshake: it has not asked yet. */
bool connection_shaking(const struct http *http);

/* The earliest deadline; INT64_MAX: none. */
int64_t connection_deadline(const struct http *http);

/* --- request.c --- */

/* As MHD_AccessHandlerCallback, MHD_RequestCompletedCallback and UnescapeCallback, with the
 * server. */
enum MHD_Result request_handle(void *arg, struct MHD_Connection *mhd, const char *url,
			       const char *method, const char *version, const char *upload,
			       size_t *upload_size, void **context);
void request_completed(void *arg, struct MHD_Connection *mhd, void **context,
		       enum MHD_RequestTerminationCode code);
size_t request_unescape(void *arg, struct MHD_Connection *mhd, char *text);

#endif
