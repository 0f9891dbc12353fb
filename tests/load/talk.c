/* SPDX-License-Identifier: MIT */
/*
 * One connection, served with calls that wait, so that the server can do one thing after the other
 * and tell what it did: requests in several writes, with bodies, read and answered by each way that
 * the kernel has.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "server.h"

#define PIPE_SIZE 65536

static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";
static const char greeting[] = "220 ready\r\n\r\n";

struct talk {
	int fd;
	int pipe[2];
	struct turns turns;
	size_t size; /* read, not used yet */
	char data[65536];
};

static void wait_us(uint64_t since, uint64_t us)
{
	uint64_t end = since + us * 1000;
	struct timespec until = {.tv_sec = end / 1000000000, .tv_nsec = end % 1000000000};

	while (us && clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) == EINTR)
		;
}

/* Each of these transfers something: bytes, 0 at the end, or -1 and errno. */

static ssize_t splice_in(struct talk *talk, char *data, size_t size)
{
	ssize_t n = splice(talk->fd, NULL, talk->pipe[1], NULL, size, 0);

	return n > 0 ? read(talk->pipe[0], data, n) : n;
}

static ssize_t peek_in(struct talk *talk, char *data, size_t size)
{
	ssize_t n = recv(talk->fd, data, size, MSG_PEEK);

	wait_us(now_ns(), options->pause);
	return n > 0 ? recv(talk->fd, data, n, 0) : n;
}

static ssize_t uring_in(struct talk *talk, char *data, size_t size)
{
	ssize_t n = uring_transfer(talk->fd, data, size, false);

	if (n >= 0)
		return n;
	errno = (int)-n;
	return -1;
}

static ssize_t splice_out(struct talk *talk, const char *data, size_t size)
{
	ssize_t n = write(talk->pipe[1], data, size < PIPE_SIZE ? size : PIPE_SIZE), r = 0;

	for (ssize_t left = n; left > 0; left -= r) {
		r = splice(talk->pipe[0], NULL, talk->fd, NULL, left, 0);
		if (r <= 0)
			return -1;
	}
	return n;
}

static ssize_t file_out(struct talk *talk, const char *data, size_t size)
{
	int file = memfd_create("answer", MFD_CLOEXEC);
	off_t offset = 0;
	ssize_t n = write(file, data, size);

	if (file < 0 || n < 0)
		err(EX_OSERR, "memfd_create");
	n = sendfile(talk->fd, file, &offset, n);
	close(file);
	return n;
}

static ssize_t uring_out(struct talk *talk, const char *data, size_t size)
{
	ssize_t n = uring_transfer(talk->fd, (char *)data, size, true);

	if (n >= 0)
		return n;
	errno = (int)-n;
	return -1;
}

struct hand {
	const struct talk *talk;
	const char *data;
	size_t size;
	ssize_t n;
	int error;
};

static void *hand_run(void *arg)
{
	struct hand *hand = arg;

	hand->n = send(hand->talk->fd, hand->data, hand->size, MSG_NOSIGNAL);
	hand->error = errno;
	return NULL;
}

static ssize_t thread_out(const struct talk *talk, const char *data, size_t size)
{
	struct hand hand = {.talk = talk, .data = data, .size = size};
	pthread_t thread;

	if (pthread_create(&thread, NULL, hand_run, &hand))
		errx(EX_OSERR, "no thread");
	pthread_join(thread, NULL);
	errno = hand.error;
	return hand.n;
}

/* Bytes, 0: the client sends no more; or -errno. */
static ssize_t talk_read(struct talk *talk, char *data, size_t size)
{
	ssize_t n = 0;

	if (size > options->read)
		size = options->read;
	switch (options->read_by) {
	case READ_RECV:
		n = recv(talk->fd, data, size, 0);
		break;
	case READ_PEEK:
		n = peek_in(talk, data, size);
		break;
	case READ_SPLICE:
		n = splice_in(talk, data, size);
		break;
	case READ_URING:
		n = uring_in(talk, data, size);
		break;
	}
	if (n < 0)
		return -errno;
	if (n > 0)
		turns_read(&talk->turns);
	count(&counters.bytes_received, n);
	return n;
}

/* All of it. 0, or -errno. */
static int talk_write(struct talk *talk, const char *data, size_t size)
{
	while (size) {
		ssize_t n = 0;

		switch (options->write_by) {
		case WRITE_SEND:
			n = send(talk->fd, data, size, MSG_NOSIGNAL);
			break;
		case WRITE_SENDFILE:
			n = file_out(talk, data, size);
			break;
		case WRITE_SPLICE:
			n = splice_out(talk, data, size);
			break;
		case WRITE_URING:
			n = uring_out(talk, data, size);
			break;
		case WRITE_THREAD:
			n = thread_out(talk, data, size);
			break;
		}
		if (n < 0)
			return -errno;
		turns_written(&talk->turns);
		count(&counters.bytes_sent, n);
		data += n;
		size -= n;
	}
	return 0;
}

/* In --chunks parts, after --delay. 0, or -errno. */
static int talk_answer(struct talk *talk, const char *data, size_t size)
{
	static uint64_t answers;
	size_t part = size / options->chunks;

	while (options->answer_when && !file_exists(options->answer_when))
		wait_us(now_ns(), 1000);
	if (options->n_delays) {
		uint64_t i = __atomic_fetch_add(&answers, 1, __ATOMIC_RELAXED);

		wait_us(talk->turns.read, options->delays[i % options->n_delays]);
	}
	for (unsigned int i = 1; i <= options->chunks; i++) {
		size_t n = i < options->chunks ? part : size;
		int r = talk_write(talk, data, n);

		if (r < 0)
			return r;
		data += n;
		size -= n;
		if (size)
			wait_us(now_ns(), options->pause);
	}
	count(&counters.requests, 1);
	return 0;
}

/* Reads on until there is a whole head. Its size, 0 at the end, or -errno. */
static ssize_t head_read(struct talk *talk)
{
	for (;;) {
		const char *end = memmem(talk->data, talk->size, "\r\n\r\n", 4);
		ssize_t n;

		if (end)
			return end + 4 - talk->data;
		if (talk->size == sizeof(talk->data))
			return -EMSGSIZE;
		n = talk_read(talk, talk->data + talk->size, sizeof(talk->data) - talk->size);
		if (n <= 0)
			return n;
		talk->size += n;
	}
}

static void talk_use(struct talk *talk, size_t size)
{
	talk->size -= size;
	memmove(talk->data, talk->data + size, talk->size);
}

/* Reads the rest of a body, and no more. 0, or -errno. */
static int body_read(struct talk *talk, size_t size)
{
	size_t n = size < talk->size ? size : talk->size;

	talk_use(talk, n);
	for (size -= n; size;) {
		ssize_t r = talk_read(talk, talk->data,
				      size < sizeof(talk->data) ? size : sizeof(talk->data));

		if (r <= 0)
			return r ? (int)r : -EPROTO;
		size -= r;
	}
	return 0;
}

/* 1: answered; 0: the client has ended it, or is to; -errno. */
static int http_serve(struct talk *talk)
{
	ssize_t n = head_read(talk);
	const char *length;
	bool last, interim;
	size_t body;
	int r = 0;

	if (n <= 0)
		return (int)n;
	talk->data[n - 2] = '\0'; /* a string, each line with its end */
	last = strcasestr(talk->data, "\r\nConnection: close\r\n");
	interim = strcasestr(talk->data, "\r\nExpect: 100-continue\r\n");
	length = strcasestr(talk->data, "\r\nContent-Length:");
	body = length ? strtoul(length + strlen("\r\nContent-Length:"), NULL, 10) : 0;
	talk_use(talk, n);
	if (interim)
		r = talk_write(talk, go_on, sizeof(go_on) - 1);
	if (r == 0 && !options->early)
		r = body_read(talk, body);
	if (r == 0)
		r = talk_answer(talk, last ? answer_last : answer,
				last ? answer_last_size : answer_size);
	if (r == 0 && options->early)
		r = body_read(talk, body);
	return r < 0 ? r : !last;
}

/* 1: answered; 0: the client has ended it; -errno. */
static int echo_serve(struct talk *talk)
{
	ssize_t n = talk_read(talk, talk->data, sizeof(talk->data));
	int r = n > 0 ? talk_write(talk, talk->data, n) : (int)n;

	return r < 0 ? r : n > 0;
}

int talk_serve(int fd)
{
	struct talk *talk = calloc(1, sizeof(*talk));
	int on = 1, r = 0;

	if (!talk)
		err(EX_OSERR, "memory");
	talk->fd = fd;
	talk->pipe[0] = talk->pipe[1] = -1;
	if ((options->read_by == READ_SPLICE || options->write_by == WRITE_SPLICE) &&
	    pipe2(talk->pipe, O_CLOEXEC))
		err(EX_OSERR, "pipe");
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (options->greet)
		r = talk_write(talk, greeting, sizeof(greeting) - 1);
	if (r == 0) {
		do {
			r = options->mode == SERVER_HTTP ? http_serve(talk) : echo_serve(talk);
		} while (r > 0);
	}
	turns_end(&talk->turns);
	close(talk->pipe[0]);
	close(talk->pipe[1]);
	free(talk);
	return r;
}
