/* SPDX-License-Identifier: MIT */
/* A listener that goes from one process to another: SCM_RIGHTS over a socket with a name. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <err.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sysexits.h>
#include <unistd.h>

#include "load.h"

union control {
	struct cmsghdr header;
	char space[CMSG_SPACE(sizeof(int))];
};

static struct sockaddr_un socket_address(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	if (strlen(path) >= sizeof(address.sun_path))
		errx(EX_USAGE, "%s: too long for a socket", path);
	strcpy(address.sun_path, path);
	return address;
}

int listener_offer(const char *path)
{
	struct sockaddr_un address = socket_address(path);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) || listen(fd, 1))
		err(EX_CANTCREAT, "%s", path);
	return fd;
}

bool listener_send(int offer, int listener)
{
	union control control = {0};
	char byte = 0;
	struct iovec data = {.iov_base = &byte, .iov_len = 1};
	struct msghdr message = {.msg_iov = &data,
				 .msg_iovlen = 1,
				 .msg_control = &control,
				 .msg_controllen = sizeof(control)};
	int fd = accept4(offer, NULL, NULL, SOCK_CLOEXEC);

	if (fd < 0 && errno == EAGAIN)
		return false;
	control.header.cmsg_len = CMSG_LEN(sizeof(listener));
	control.header.cmsg_level = SOL_SOCKET;
	control.header.cmsg_type = SCM_RIGHTS;
	memcpy(CMSG_DATA(&control.header), &listener, sizeof(listener));
	if (fd < 0 || sendmsg(fd, &message, MSG_NOSIGNAL) != 1)
		err(EX_OSERR, "the listener can't be sent");
	close(fd);
	return true;
}

int listener_receive(const char *path)
{
	struct sockaddr_un address = socket_address(path);
	union control control;
	char byte;
	struct iovec data = {.iov_base = &byte, .iov_len = 1};
	struct msghdr message = {.msg_iov = &data,
				 .msg_iovlen = 1,
				 .msg_control = &control,
				 .msg_controllen = sizeof(control)};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), listener;

	if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)))
		err(EX_UNAVAILABLE, "%s", path);
	if (recvmsg(fd, &message, MSG_CMSG_CLOEXEC) != 1 || !CMSG_FIRSTHDR(&message) ||
	    CMSG_FIRSTHDR(&message)->cmsg_type != SCM_RIGHTS)
		errx(EX_PROTOCOL, "%s: no listener came", path);
	memcpy(&listener, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof(listener));
	close(fd);
	return listener;
}
