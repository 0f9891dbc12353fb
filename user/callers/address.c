/* SPDX-License-Identifier: MIT */
#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include "address.h"

_Static_assert(ADDRESS_TEXT == INET6_ADDRSTRLEN, "an address as text must fit");

static bool is_ipv4(const struct address *address)
{
	return !address->word[0] && !address->word[1] && address->word[2] == htonl(0xffff);
}

int address_parse(const char *text, struct address *out)
{
	struct address address = {.word[2] = htonl(0xffff)};

	if (inet_pton(AF_INET, text, &address.word[3]) != 1 &&
	    inet_pton(AF_INET6, text, &address) != 1)
		return -EINVAL;
	*out = address;
	return 0;
}

int address_from(const struct sockaddr *from, struct address *out)
{
	if (from && from->sa_family == AF_INET) {
		const struct sockaddr_in *in = (const struct sockaddr_in *)from;

		*out = (struct address){{0, 0, htonl(0xffff), in->sin_addr.s_addr}};
		return 0;
	}
	if (from && from->sa_family == AF_INET6) {
		memcpy(out->word, &((const struct sockaddr_in6 *)from)->sin6_addr,
		       sizeof(out->word));
		return 0;
	}
	return -EAFNOSUPPORT;
}

const char *address_format(const struct address *address, char buf[ADDRESS_TEXT])
{
	/* Neither call can fail: the families are known and the buffer is large enough. */
	if (is_ipv4(address))
		inet_ntop(AF_INET, &address->word[3], buf, ADDRESS_TEXT);
	else
		inet_ntop(AF_INET6, address, buf, ADDRESS_TEXT);
	return buf;
}

bool address_is_any(const struct address *address)
{
	static const struct address any;

	return address_equal(address, &any);
}

bool address_is_loopback(const struct address *address)
{
	const struct address one = {.word[3] = htonl(1)};

	if (is_ipv4(address))
		return ntohl(address->word[3]) >> 24 == 127;
	return address_equal(address, &one);
}

bool address_equal(const struct address *a, const struct address *b)
{
	return memcmp(a, b, sizeof(*a)) == 0;
}
