/* SPDX-License-Identifier: MIT */
/* What both sides use: clocks, files, addresses. See load.h. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <arpa/inet.h>
#include <err.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "load.h"

uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

uint64_t now_ms(void)
{
	return now_ns() / 1000000;
}

bool file_exists(const char *path)
{
	return access(path, F_OK) == 0;
}

void announce(const char *file_or_fd)
{
	int fd;

	if (!file_or_fd)
		return;
	if (file_or_fd[strspn(file_or_fd, "0123456789")] == '\0') {
		fd = atoi(file_or_fd);
		if (write(fd, "\n", 1) != 1)
			err(EX_IOERR, "descriptor %d", fd);
	} else {
		fd = open(file_or_fd, O_CREAT | O_WRONLY | O_CLOEXEC, 0644);
		if (fd < 0)
			err(EX_CANTCREAT, "%s", file_or_fd);
	}
	close(fd);
}

socklen_t address_size(const struct sockaddr_storage *address)
{
	return address->ss_family == AF_INET6 ? sizeof(struct sockaddr_in6)
					      : sizeof(struct sockaddr_in);
}

socklen_t address_fill(struct sockaddr_storage *out, const char *text, uint16_t port)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)out;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)out;

	memset(out, 0, sizeof(*out));
	if (inet_pton(AF_INET, text, &v4->sin_addr) == 1) {
		v4->sin_family = AF_INET;
		v4->sin_port = htons(port);
	} else if (inet_pton(AF_INET6, text, &v6->sin6_addr) == 1) {
		v6->sin6_family = AF_INET6;
		v6->sin6_port = htons(port);
	} else {
		return 0;
	}
	return address_size(out);
}
