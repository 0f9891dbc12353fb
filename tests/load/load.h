/* SPDX-License-Identifier: MIT */
/*
 * whocalls-load: makes TCP connections and counts them exactly, so that a test knows what the
 * tracer must report. Needs libc only; runs in an initramfs on 5.10 and later.
 */
#ifndef LOAD_H
#define LOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

/* Exit statuses; the others are of sysexits.h. */
#define EXIT_INCOMPLETE 3 /* client: not every connection was made and ended as asked */

#ifndef IPPROTO_MPTCP
#define IPPROTO_MPTCP 262
#endif

#define POLL_MS 5 /* how often a file that is waited for is looked for */

enum server_mode { SERVER_SINK, SERVER_HTTP, SERVER_ECHO, SERVER_HOLD };

enum read_by { READ_RECV, READ_PEEK, READ_SPLICE, READ_URING };
enum write_by { WRITE_SEND, WRITE_SENDFILE, WRITE_SPLICE, WRITE_URING, WRITE_THREAD };

struct server_options {
	const char *address; /* NULL: any */
	int family;          /* 4, 6 or 46: IPv6 with IPV6_V6ONLY off */
	uint16_t port;
	bool mptcp;
	bool blocking; /* threads that wait in accept() and serve one connection at a time */
	int backlog;
	int threads;
	enum server_mode mode;
	int defer; /* TCP_DEFER_ACCEPT, seconds; 0: not */
	bool fastopen;
	const char *hand_over;   /* socket: who connects to it gets the listener */
	const char *take_over;   /* socket: the listener is from there */
	uint64_t accept_limit;   /* 0: none; UINT64_MAX: all */
	const char *accept_when; /* file; nothing is accepted before it exists */
	size_t response;         /* bytes of the body in http mode */
	/* blocking, modes http and echo: */
	size_t read; /* bytes that one call reads at most */
	enum read_by read_by;
	enum write_by write_by;
	bool greet;              /* the server writes first */
	bool early;              /* the answer comes before the body of the request is read */
	const char *answer_when; /* file; nothing is answered before it exists */
	uint64_t *delays;        /* us from the read to the answer, taken in turn; owned */
	size_t n_delays;
	unsigned int chunks; /* writes of an answer */
	uint64_t pause;      /* us between these, and after a peek */
	const char *ready;   /* file or descriptor */
	const char *status;  /* file that follows the counters */
};

enum client_mode {
	CLIENT_OPEN,
	CLIENT_CLOSE,
	CLIENT_HTTP,
	CLIENT_RESET,
	CLIENT_HOLD,
	CLIENT_FASTCLOSE,
};

enum client_end { END_FIN, END_HALF, END_RESET };

struct client_options {
	const char *to;
	uint16_t port;
	bool mptcp;
	struct sockaddr_storage *from; /* NULL: the kernel chooses */
	size_t n_from;
	uint64_t connections;
	uint64_t rate;      /* a second; 0: as fast as possible */
	uint64_t every_ms;  /* instead of a rate: a connection every so many ms; 0: not */
	uint16_t from_port; /* the client's own; 0: any. One connection at a time */
	uint16_t own_port;  /* listens there, too, as a kubelet does; 0: not */
	const char *listening;
	size_t concurrency;
	uint64_t requests; /* on each connection */
	/* http: */
	size_t body;         /* bytes of the body of each request */
	bool expect;         /* the body waits for 100 Continue */
	size_t pipeline;     /* requests at once */
	uint64_t hold_after; /* so many requests on each connection; UINT64_MAX: not */
	enum client_end end;
	size_t piece;        /* bytes that one call sends at most; 0: all */
	uint64_t send;       /* bytes on each connection */
	uint64_t send_first; /* hold: bytes before ready */
	enum client_mode mode;
	uint64_t timeout_ms; /* for the handshake, and then for the rest of the exchange */
	bool fastopen;
	const char *go;
	const char *go_line; /* FILE:TEXT, TEXT begins the line that is waited for */
	uint64_t after_ms;   /* so long after that */
	const char *times;
	const char *ready;
	const char *send_on;
	const char *sent;
	const char *hold_until;
};

/* Both run until their end and return the exit status. */
int server_run(const struct server_options *options);
int client_run(const struct client_options *options);

/* A listener on its way to another process: who connects to the socket of that name gets it by
 * listener_send(), which says whether there was one. All of these end the program on failure. */
int listener_offer(const char *path);
bool listener_send(int offer, int listener);
int listener_receive(const char *path);

/* Of CLOCK_MONOTONIC. */
uint64_t now_ms(void);
uint64_t now_ns(void);
bool file_exists(const char *path);
/* A number is a descriptor, which gets a newline and is closed; anything else a file, which is
 * made. NULL: nothing. Ends the program on failure. */
void announce(const char *file_or_fd);
/* Fills in *out from text and port; returns its length, or 0 if the text is no address. */
socklen_t address_fill(struct sockaddr_storage *out, const char *text, uint16_t port);
/* Length of an address of this family. */
socklen_t address_size(const struct sockaddr_storage *address);

#endif
