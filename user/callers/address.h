/* SPDX-License-Identifier: MIT */
/*
 * Addresses in IPv6 form: an IPv4 address a.b.c.d is ::ffff:a.b.c.d (RFC 4291, 2.5.5.2), and is
 * shown as a.b.c.d. So a peer of an IPv4 socket and the same peer of a dual-stack socket are equal.
 */
#ifndef CALLERS_ADDRESS_H
#define CALLERS_ADDRESS_H

#include <stdbool.h>
#include <stdint.h>

struct address {
	uint32_t word[4]; /* network byte order */
};

#define ADDRESS_TEXT 46 /* INET6_ADDRSTRLEN */

/* Reads an IPv4, IPv6 or IPv4-mapped address. 0, or -EINVAL with *out unchanged (no zone, no port,
 * no prefix). */
int address_parse(const char *text, struct address *out);

struct sockaddr;

/* Of a socket address, which may be NULL. 0, or -EAFNOSUPPORT with *out unchanged. */
int address_from(const struct sockaddr *from, struct address *out);

/* Writes the address as text into buf and returns buf; IPv4 in its own form. */
const char *address_format(const struct address *address, char buf[ADDRESS_TEXT]);

/* All zero (::): any address. 0.0.0.0 is not that but ::ffff:0.0.0.0, which no peer ever has. */
bool address_is_any(const struct address *address);

/* 127.0.0.0/8 or ::1. */
bool address_is_loopback(const struct address *address);

bool address_equal(const struct address *a, const struct address *b);

#endif
