/* SPDX-License-Identifier: MIT */
#include "listen.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../kube/problem.h"

#define BACKLOG 128
/* What the kernel keeps of an answer for a client that doesn't read. Left to itself it goes up to
 * net.ipv4.tcp_wmem's 4 MiB for each connection. */
#define SEND_BUFFER (128 << 10) /* the kernel doubles it */

union address {
	struct sockaddr any;
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
};

/* Neither sign nor spaces, which strtoul() would take. */
static int parse_port(const char *text, uint16_t *port)
{
	unsigned long value;
	char *end;

	if (*text < '0' || *text > '9')
		return -EINVAL;
	value = strtoul(text, &end, 10);
	if (*end || value > UINT16_MAX)
		return -EINVAL;
	*port = (uint16_t)value;
	return 0;
}

/* Of a number, with the name of an interface after it where it needs one (fe80::1%eth0). */
static int parse_host(const char *host, union address *address, socklen_t *length)
{
	const struct addrinfo hints = {.ai_flags = AI_NUMERICHOST, .ai_socktype = SOCK_STREAM};
	struct addrinfo *found;

	if (getaddrinfo(host, NULL, &hints, &found))
		return -EINVAL;
	*length = found->ai_addrlen;
	memcpy(address, found->ai_addr, found->ai_addrlen);
	freeaddrinfo(found);
	return 0;
}

/* With an empty host the address has the family AF_UNSPEC. */
static int parse(const char *listen, union address *address, socklen_t *length)
{
	const char *colon = strrchr(listen, ':');
	size_t size = colon ? (size_t)(colon - listen) : 0;
	char host[128];
	uint16_t port;
	int r;

	if (!colon || size >= sizeof(host) || parse_port(colon + 1, &port))
		return -EINVAL;
	memset(address, 0, sizeof(*address));
	*length = sizeof(address->in6);
	memcpy(host, listen, size);
	host[size] = 0;
	if (size > 2 && host[0] == '[' && host[size - 1] == ']') {
		host[size - 1] = 0;
		r = strchr(host + 1, ':') ? parse_host(host + 1, address, length) : -EINVAL;
	} else {
		r = size && !strchr(host, ':') ? parse_host(host, address, length) : 0;
		if (strchr(host, ':'))
			r = -EINVAL;
	}
	if (r)
		return r;
	address->in6.sin6_port = htons(port); /* at the same place in both families */
	return 0;
}

_Static_assert(offsetof(struct sockaddr_in, sin_port) == offsetof(struct sockaddr_in6, sin6_port),
	       "the port is at the same place in both families");

/* A descriptor, or -errno. */
static int listen_at(const union address *address, socklen_t length, unsigned int unread_ms)
{
	const int on = 1, off = 0, buffer = SEND_BUFFER;
	int fd = socket(address->any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int r;

	if (fd < 0)
		return -errno;
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) ||
	    setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &buffer, sizeof(buffer)) ||
	    setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &unread_ms, sizeof(unread_ms)) ||
	    (address->any.sa_family == AF_INET6 &&
	     setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off))) ||
	    bind(fd, &address->any, length) || listen(fd, BACKLOG)) {
		r = -errno;
		close(fd);
		return r;
	}
	return fd;
}

/* IPv6 takes IPv4 in, too; a machine without IPv6 has only the latter. */
static int listen_everywhere(uint16_t port, unsigned int unread_ms)
{
	union address address = {.in6 = {.sin6_family = AF_INET6, .sin6_port = port}};
	int fd = listen_at(&address, sizeof(address.in6), unread_ms);

	if (fd != -EAFNOSUPPORT && fd != -EADDRNOTAVAIL)
		return fd;
	memset(&address, 0, sizeof(address));
	address.in = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = port};
	return listen_at(&address, sizeof(address.in), unread_ms);
}

static const char *advice(int r)
{
	switch (-r) {
	case EADDRINUSE:
		return "another program listens there; end it, or give another port";
	case EACCES:
		return "ports below 1024 need the capability NET_BIND_SERVICE; give a higher one";
	case EADDRNOTAVAIL:
		return "no interface has this address; `ip address` shows those that there are";
	case EAFNOSUPPORT:
		return "this machine has no IPv6; give an IPv4 address";
	default:
		return "give another address and port";
	}
}

int listen_open(const char *listen, unsigned int unread_ms, uint16_t *port, char *error,
		size_t error_size)
{
	const struct problem problem = {.text = error, .size = error_size};
	union address address;
	socklen_t length;
	int fd;

	if (parse(listen, &address, &length))
		return problem_set(&problem, -EINVAL,
				   "cannot listen on '%s': that is no address and port; give one "
				   "as 127.0.0.1:9435, [::1]:9435, or :9435 for all addresses",
				   listen);
	fd = address.any.sa_family == AF_UNSPEC
		     ? listen_everywhere(address.in6.sin6_port, unread_ms)
		     : listen_at(&address, length, unread_ms);
	if (fd < 0)
		return problem_set(&problem, fd, "cannot listen on %s: %s; %s", listen,
				   strerror(-fd), advice(fd));
	length = sizeof(address);
	getsockname(fd, &address.any, &length);
	*port = ntohs(address.in6.sin6_port);
	return fd;
}
