/* SPDX-License-Identifier: MIT */
/* What the parts of the server share. */
#ifndef SERVER_H
#define SERVER_H

#include "load.h"

/* Only ever grow; all threads count. */
struct server_counters {
	uint64_t accepted;
	uint64_t bytes_received;
	uint64_t bytes_sent;
	uint64_t requests;
	uint64_t turns;
	uint64_t closed;  /* of accepted */
	uint64_t resets;  /* of closed: ended by an error */
	uint64_t tickets; /* accepts allowed so far; see accept_limit */
};

extern struct server_counters counters;
extern const struct server_options *options;
extern char *answer, *answer_last; /* to keep alive, to close */
extern size_t answer_size, answer_last_size;

void count(uint64_t *counter, uint64_t n);

/* Serves a connection in a mode http or echo until the client has ended it. 0, or -errno. */
int talk_serve(int fd);

/*
 * The server's own view of the turns on one connection. A turn begins with the first read after
 * the server last wrote, and its first write answers it.
 */
struct turns {
	bool asked;    /* read, not answered yet */
	uint64_t read; /* ns: when the last turn began; 0: there was none */
	uint64_t written;
};

void turns_read(struct turns *turns);    /* after each read that gave something */
void turns_written(struct turns *turns); /* after each write */
void turns_end(struct turns *turns);
/* Percentiles of all turns so far, as members of a JSON object that begin with a comma. */
void turns_print(void);

/* recv() or send() by io_uring, of this thread. Bytes, or -errno. */
ssize_t uring_transfer(int fd, void *data, size_t size, bool out);

#endif
